"""What goes in and out of the native interface: one definition for the server, its description and the client."""

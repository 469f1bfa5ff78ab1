"""The native dialect from the other end: a client for programs and for the command line."""

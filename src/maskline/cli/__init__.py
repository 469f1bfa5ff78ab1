"""The maskline command."""

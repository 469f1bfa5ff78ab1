"""A whole masked call, proved."""

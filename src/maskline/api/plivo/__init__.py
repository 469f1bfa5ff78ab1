"""The Plivo Number Masking dialect."""

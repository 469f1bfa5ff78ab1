"""Maskline: a self-hosted NAT for phone numbers."""

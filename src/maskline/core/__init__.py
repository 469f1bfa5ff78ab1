"""Decisions: pure functions and state machines over frozen values."""

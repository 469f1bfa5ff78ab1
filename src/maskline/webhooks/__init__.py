"""Telling the world: payloads, signatures, the schedule of attempts, and the worker that makes them."""

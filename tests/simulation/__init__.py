"""Thousands of random calls on a virtual network: the invariants hold, and a seed replays bit by bit."""

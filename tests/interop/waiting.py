"""Bounded waits on what other processes do."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

POLL_S = 0.02  # other processes offer nothing to wait on; 20 ms is short beside what they take


def wait_for(found: Callable[[], T | None], timeout_s: float, what: str) -> T:
    """Return the first true answer of `found`; fail after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while True:
        answer = found()
        if answer:
            return answer
        if time.monotonic() > deadline:
            message = f"{what}: not within {timeout_s:g} s"
            raise AssertionError(message)
        time.sleep(POLL_S)

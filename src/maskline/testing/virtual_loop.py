"""An event loop whose time stands still while there is work and jumps when there is none.

Three days of waiting pass in the time it takes to run what happens in them. For code that waits by asyncio
only: threads and sockets live in the time of the world outside.
"""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

T = TypeVar("T")

VIRTUAL_EPOCH: Final = 1_767_225_600_000_000
"""2026-01-01 00:00:00 UTC, in microseconds: when the clock of a loop begins."""


class StalledError(AssertionError):
    """Everything waits for something that cannot come."""


class _JumpingSelector(selectors.DefaultSelector):
    """Advances the loop's time by as much as the loop was willing to wait."""

    loop: "VirtualTimeLoop"

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready; else let the time pass at once."""
        ready = super().select(0)
        if ready:
            return ready
        if timeout is None:
            raise StalledError("nothing is left to wait for")
        self.loop.jump(timeout)
        return []


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """`time()` begins at 0; `now()` is the same as a clock tells it, so that the loop is a `Clock` too."""

    def __init__(self) -> None:
        self._virtual_s = 0.0
        selector = _JumpingSelector()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._virtual_s

    def now(self) -> int:
        """Microseconds since 1970 in UTC, virtually."""
        return VIRTUAL_EPOCH + round(self._virtual_s * 1_000_000)

    def jump(self, seconds: float) -> None:
        """Let time pass."""
        self._virtual_s += seconds


def run_virtually(work: Coroutine[Any, Any, T], loop: VirtualTimeLoop | None = None) -> T:
    """Run a coroutine to its end on a loop of virtual time, which is closed afterwards."""
    loop = loop or VirtualTimeLoop()
    try:
        return loop.run_until_complete(work)
    finally:
        loop.close()

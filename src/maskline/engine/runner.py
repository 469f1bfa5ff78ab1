"""The switch's window on asyncio: work that takes time, timers, clocks."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from maskline.clock import Clock
from maskline.engine.ports import Cancellable
from maskline.tasks import spawn

T = TypeVar("T")

_US_PER_S = 1_000_000


class AsyncioRunner:
    """Runs work as tasks of the running loop; callbacks come on the loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._loop = asyncio.get_running_loop()

    def run(self, work: Coroutine[Any, Any, T], done: Callable[[T | Exception], None]) -> None:
        """Run `work` as a task; `done` gets its value or its error."""
        spawn(_report(work, done), name="switch.work")

    def call_at(self, at: int, callback: Callable[[], None]) -> Cancellable:
        """Call back once the clock reads `at`; late rather than early when it was set back meanwhile."""
        return self._loop.call_later(max(0, at - self._clock.now()) / _US_PER_S, callback)

    def call_at_mono(self, at_mono_s: float, callback: Callable[[], None]) -> Cancellable:
        """Call back at an instant of `mono_s`."""
        return self._loop.call_later(max(0.0, at_mono_s - time.monotonic()), callback)

    def now_us(self) -> int:
        """Microseconds UTC."""
        return self._clock.now()

    def mono_s(self) -> float:
        """Seconds of a clock that never jumps."""
        return time.monotonic()


async def _report(work: Coroutine[Any, Any, T], done: Callable[[T | Exception], None]) -> None:
    try:
        result: T | Exception = await work
    except Exception as error:  # noqa: BLE001  # handed to `done`, which decides
        result = error
    done(result)

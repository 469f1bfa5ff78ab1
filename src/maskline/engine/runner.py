"""The switch's window on asyncio: work that takes time, timers, clocks."""

import asyncio
import math
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from maskline.clock import Clock
from maskline.engine.ports import Cancellable
from maskline.tasks import spawn

T = TypeVar("T")

WAKES_PER_S_MAX = 100  # protocol timers are lower bounds: at 500 calls/s some 2,000 a second end, in company
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
        """Call back once the clock reads `at`: never early, late by as much as it was set forward meanwhile."""
        return _Alarm(self._loop, self._clock, at, callback)

    def call_at_mono(self, at_mono_s: float, callback: Callable[[], None]) -> Cancellable:
        """Call back at an instant of `mono_s`, or up to 10 ms later, together with others."""
        at_mono_s = math.ceil(at_mono_s * WAKES_PER_S_MAX) / WAKES_PER_S_MAX
        return self._loop.call_later(max(0.0, at_mono_s - time.monotonic()), callback)

    def now_us(self) -> int:
        """Microseconds UTC."""
        return self._clock.now()

    def mono_s(self) -> float:
        """Seconds of a clock that never jumps."""
        return time.monotonic()


class _Alarm:
    """A timer on the time of day: the loop's clock runs beside it, so the time is looked at again on waking."""

    __slots__ = ("_at", "_callback", "_clock", "_handle", "_loop")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, clock: Clock, at: int, callback: Callable[[], None]
    ) -> None:
        self._loop, self._clock, self._at, self._callback = loop, clock, at, callback
        self._handle = self._wait(at - clock.now())

    def _wait(self, left_us: int) -> asyncio.TimerHandle:
        return self._loop.call_later(max(0, left_us) / _US_PER_S, self._woken)

    def _woken(self) -> None:
        left_us = self._at - self._clock.now()
        if left_us > 0:
            self._handle = self._wait(left_us)
        else:
            self._callback()

    def cancel(self) -> None:
        """Never call back."""
        self._handle.cancel()


async def _report(work: Coroutine[Any, Any, T], done: Callable[[T | Exception], None]) -> None:
    try:
        result: T | Exception = await work
    except Exception as error:  # noqa: BLE001  # handed to `done`, which decides
        result = error
    done(result)

"""The switch's window on asyncio."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

import pytest

from maskline.clock import SystemClock
from maskline.engine.runner import AsyncioRunner
from maskline.testing.clock import ManualClock

DEADLINE_S = 5.0


@dataclass
class LateLoop:
    """Stands for the loop's `call_later`, so that a test fires timers itself."""

    timers: list[tuple[float, Any]] = field(default_factory=list)
    cancelled_count: int = 0

    def call_later(self, delay_s: float, callback: Any) -> "LateLoop":
        self.timers.append((delay_s, callback))
        return self

    def cancel(self) -> None:
        self.cancelled_count += 1

    def fire(self) -> None:
        self.timers.pop()[1]()


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> LateLoop:
    late = LateLoop()
    monkeypatch.setattr(asyncio, "get_running_loop", lambda: late)
    return late


async def _value() -> int:
    return 7


async def _failure() -> int:
    raise OSError("gone")


async def test_work_reports_its_value() -> None:
    """What the work returns reaches `done` on the loop."""
    found: asyncio.Future[int | Exception] = asyncio.get_running_loop().create_future()
    AsyncioRunner(SystemClock()).run(_value(), found.set_result)
    assert not found.done(), "`done` never runs inside the call that asked"
    assert await asyncio.wait_for(found, DEADLINE_S) == 7


async def test_work_reports_its_error() -> None:
    """A failure is handed on, not lost."""
    found: asyncio.Future[int | Exception] = asyncio.get_running_loop().create_future()
    AsyncioRunner(SystemClock()).run(_failure(), found.set_result)
    assert isinstance(await asyncio.wait_for(found, DEADLINE_S), OSError)


async def test_cancelled_work_reports_nothing() -> None:
    """When the loop goes down nobody is left to be told."""
    found: list[object] = []
    before = asyncio.all_tasks()
    AsyncioRunner(SystemClock()).run(asyncio.sleep(3600), found.append)
    await asyncio.sleep(0)
    (task,) = asyncio.all_tasks() - before
    task.cancel()
    await asyncio.wait({task}, timeout=DEADLINE_S)
    assert task.cancelled()
    assert found == []


async def test_an_alarm_on_the_real_loop_is_not_early() -> None:
    """The callback comes when the clock reads the instant, not before."""
    clock = SystemClock()
    runner = AsyncioRunner(clock)
    at = clock.now() + 20_000
    found: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    runner.call_at(at, lambda: found.set_result(clock.now()))
    assert await asyncio.wait_for(found, DEADLINE_S) >= at


async def test_a_past_instant_is_now() -> None:
    """What is overdue is called at once, but never from inside the call that asked."""
    runner = AsyncioRunner(SystemClock())
    past, earlier = asyncio.Event(), asyncio.Event()
    runner.call_at(0, past.set)
    runner.call_at_mono(time.monotonic() - 10, earlier.set)
    assert not past.is_set()
    await asyncio.wait_for(past.wait(), DEADLINE_S)
    await asyncio.wait_for(earlier.wait(), DEADLINE_S)


async def test_a_cancelled_alarm_stays_silent() -> None:
    """Neither kind of timer calls back after `cancel`."""
    runner = AsyncioRunner(SystemClock())
    called: list[str] = []
    runner.call_at(0, lambda: called.append("wall")).cancel()
    runner.call_at_mono(0.0, lambda: called.append("mono")).cancel()
    last = asyncio.Event()
    runner.call_at_mono(time.monotonic(), last.set)
    await asyncio.wait_for(last.wait(), DEADLINE_S)
    assert called == []


def test_a_clock_set_back_makes_the_alarm_wait_again(loop: LateLoop) -> None:
    """A window that ends at an instant does not end before it, whatever the loop's own clock says."""
    clock = ManualClock()
    called: list[int] = []
    AsyncioRunner(clock).call_at(clock.now() + 60_000_000, lambda: called.append(clock.now()))
    assert loop.timers[0][0] == 60.0
    clock.advance(s=20)  # the loop waited for a minute, but the clock was set back by 40 s
    loop.fire()
    assert called == []
    assert loop.timers[0][0] == 40.0
    clock.advance(s=40)
    loop.fire()
    assert len(called) == 1
    assert loop.timers == []


def test_an_alarm_that_waits_again_can_be_cancelled(loop: LateLoop) -> None:
    """Cancelling reaches the timer that is armed now."""
    clock = ManualClock()
    alarm = AsyncioRunner(clock).call_at(clock.now() + 1_000_000, lambda: None)
    loop.fire()
    alarm.cancel()
    assert loop.cancelled_count == 1


async def test_both_clocks_are_told() -> None:
    """UTC comes from the clock given, protocol time from one that never jumps."""
    clock = ManualClock()
    runner = AsyncioRunner(clock)
    assert runner.now_us() == clock.now()
    assert runner.mono_s() <= time.monotonic()

"""Ending sessions whose time is up."""

import asyncio
from collections.abc import Iterator

import pytest

from maskline.engine.sweeper import WAIT_S_MAX, sweep_sessions
from maskline.testing.clock import ManualClock

S = 1_000_000
ROUNDS_MAX = 100


class Sessions:
    """Ends of sessions in memory; `sleep` is the sweeper's, moves the clock and stops after some rounds."""

    def __init__(self, *ends_after_s: float) -> None:
        self.clock = ManualClock()
        self.start = self.clock.now()
        self.ends = sorted(self.start + round(after * S) for after in ends_after_s)
        self.expired: list[tuple[int, int]] = []  # (end, when it was swept)
        self.waits: list[float] = []
        self.rounds_left = ROUNDS_MAX
        self.failures: Iterator[Exception] = iter(())
        self.batch = 1000

    async def expire(self, now: int) -> int:
        for failure in self.failures:
            raise failure
        due = [end for end in self.ends if end <= now][: self.batch]
        self.expired += [(end, now) for end in due]
        self.ends = self.ends[len(due) :]
        return len(due)

    async def next_end(self) -> int | None:
        return self.ends[0] if self.ends else None

    async def sleep(self, wait_s: float) -> None:
        self.waits.append(wait_s)
        self.clock.advance(us=max(0, round(wait_s * S)))
        self.rounds_left -= 1
        if self.rounds_left == 0 or (not self.ends and self.expired):
            raise asyncio.CancelledError

    async def sweep(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(asyncio, "sleep", self.sleep)
        with pytest.raises(asyncio.CancelledError):
            await sweep_sessions(expire=self.expire, next_end=self.next_end, clock=self.clock)


async def test_a_session_is_swept_at_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """The event comes at the instant, not at the next round."""
    sessions = Sessions(0.75, 2.0)
    await sessions.sweep(monkeypatch)
    assert [now - end for end, now in sessions.expired] == [0, 0]


async def test_waiting_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A session made meanwhile may end before the one waited for, so no wait is long."""
    sessions = Sessions(3.0)
    await sessions.sweep(monkeypatch)
    assert max(sessions.waits) == WAIT_S_MAX


async def test_without_sessions_it_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing to do is no reason to spin."""
    sessions = Sessions()
    await sessions.sweep(monkeypatch)
    assert set(sessions.waits) == {WAIT_S_MAX}


async def test_a_backlog_is_swept_without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """When one round takes only some, the next follows at once."""
    sessions = Sessions(*[0.0] * 5)
    sessions.batch = 2
    await sessions.sweep(monkeypatch)
    assert len(sessions.expired) == 5
    assert sessions.waits == [0.0, 0.0, 0.0]


async def test_a_session_that_will_not_end_makes_no_busy_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """An end that stays due is tried again at the usual pace."""
    sessions = Sessions(0.0)
    sessions.batch = 0
    await sessions.sweep(monkeypatch)
    assert sessions.waits == [WAIT_S_MAX] * ROUNDS_MAX


async def test_a_failing_database_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be away for a while; the sweeper is there when it is back."""
    sessions = Sessions(0.0)
    sessions.failures = iter([OSError("away"), OSError("still away")])
    await sessions.sweep(monkeypatch)
    assert len(sessions.expired) == 1
    assert sessions.waits[:2] == [WAIT_S_MAX] * 2

"""Ending sessions whose time is up."""

import asyncio
from collections.abc import Iterator
from random import Random
from types import SimpleNamespace

import pytest

from maskline.core.masking import SessionCreated
from maskline.engine import sweeper
from maskline.engine.sweeper import TIDY_BATCH_SIZE, TIDY_EVERY_S, WAIT_S_MAX, sweep_sessions, tidy_up
from maskline.testing.clock import ManualClock
from maskline.workflows.expire_masking_sessions import (
    expire_masking_sessions,
    load_next_session_end,
    release_lapsed_bindings,
)
from tests.world import World, peek

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
        # The sweeper's own way to wait alone: servers of other tests run in threads meanwhile.
        monkeypatch.setattr(sweeper, "asyncio", SimpleNamespace(sleep=self.sleep))
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


class Living:
    """A store that the sweeper sweeps while sessions are made at any moment; time is the sweeper's."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.random = Random(seed)
        self.clock = ManualClock(world.now)
        self.late_us: list[int] = []
        self.ends: dict[str, int] = {}
        self.until = world.now + 30 * S

    async def expire(self, now: int) -> int:
        self.pass_time(self.random.randrange(200_000))  # a slow disk
        ids = self.world.store.run(expire_masking_sessions, now)
        self.late_us += [self.clock.now() - self.ends.pop(id_) for id_ in ids]
        return len(ids)

    async def next_end(self) -> int | None:
        return self.world.store.read(load_next_session_end)

    async def sleep(self, wait_s: float) -> None:
        self.pass_time(round(wait_s * S))
        if self.clock.now() >= self.until:
            raise asyncio.CancelledError

    def pass_time(self, us: int) -> None:
        """Let time pass; somewhere on the way sessions are made, some of which end before all others."""
        for part_us in (us // 3, us - us // 3):
            self.clock.advance(us=part_us)
            self.world.now = self.clock.now()
            pair = self.random.sample(range(1, 40), 2)
            made = self.world.ask(*pair, expires_in_s=self.random.choice((1, 2, 7, 30)))
            if isinstance(made, SessionCreated):
                self.ends[made.session.id] = made.session.ends_at


@pytest.mark.parametrize("seed", range(2))
async def test_every_session_that_nobody_touches_is_told_within_a_second(
    world: World, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Through the real store: one event each, dated to the microsecond of the end, written within 1 s of it."""
    living = Living(world, seed)
    monkeypatch.setattr(sweeper, "asyncio", SimpleNamespace(sleep=living.sleep))
    with pytest.raises(asyncio.CancelledError):
        await sweep_sessions(expire=living.expire, next_end=living.next_end, clock=living.clock)
    assert len(living.late_us) > 10
    assert 0 <= min(living.late_us) <= max(living.late_us) <= S
    told = peek(
        world.store,
        "SELECT o.occurred_at - s.end_at, count(*) FROM outbox o JOIN masking_session s ON s.id = o.session_id "
        "WHERE o.kind = 'session.expired' GROUP BY 1",
    )
    assert told == [(0, len(living.late_us))]


async def test_tidying_takes_full_batches_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """What has piled up goes without waiting for the next round; what fails keeps nothing else from being done."""
    sleeps: list[float] = []
    counts = iter([TIDY_BATCH_SIZE, TIDY_BATCH_SIZE, 1, 0])
    done: list[int] = []

    async def sleep(wait_s: float) -> None:
        sleeps.append(wait_s)
        if sleeps.count(TIDY_EVERY_S) == 2:
            raise asyncio.CancelledError

    async def fail(_now: int) -> int:
        raise OSError("away")

    async def work(_now: int) -> int:
        done.append(next(counts))
        return done[-1]

    monkeypatch.setattr(sweeper, "asyncio", SimpleNamespace(sleep=sleep))
    with pytest.raises(asyncio.CancelledError):
        await tidy_up(works=[fail, work], clock=ManualClock())
    assert done == [TIDY_BATCH_SIZE, TIDY_BATCH_SIZE, 1, 0]
    assert sleeps == [sweeper.TIDY_PAUSE_S, sweeper.TIDY_PAUSE_S, TIDY_EVERY_S, TIDY_EVERY_S]


def test_batches_are_those_of_the_workflows(world: World) -> None:
    """A full batch is told from the last one by its size."""
    with world.store.transaction() as tx:
        for index in range(TIDY_BATCH_SIZE // 2 + 1):
            world.ask_in(tx, 1000 + index, 9000 + index, expires_in_s=60)
    later = world.now + 61 * S
    found = [world.store.run(release_lapsed_bindings, later) for _ in range(2)]
    assert found == [TIDY_BATCH_SIZE, 2]

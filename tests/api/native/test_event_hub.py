import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from maskline.api.native.event_hub import (
    ACCOUNT_STREAMS_MAX,
    FOLLOW_EVERY_US,
    PAUSE_S,
    STREAMS_MAX,
    EventHub,
    TooManyStreamsError,
)
from maskline.store.engine import StoreUnavailableError
from maskline.testing.clock import ManualClock


class Store:
    """Answers how far accounts have come."""

    def __init__(self) -> None:
        self.positions: dict[int, int] = {}
        self.asked: list[tuple[int, ...]] = []
        self.failure: Exception | None = None
        self.clock = ManualClock()
        self.followed: list[list[int]] = []

    async def read(self, _work: object, account_ids: tuple[int, ...]) -> dict[int, int]:
        self.asked.append(account_ids)
        if self.failure is not None:
            failure, self.failure = self.failure, None
            raise failure
        return {id_: self.positions.get(id_, 0) for id_ in account_ids}

    async def write(self, _work: object, account_ids: list[int], _now: int) -> None:
        self.followed.append(account_ids)


def _with_hub(work: Callable[[EventHub, Store, list[str]], Awaitable[None]]) -> None:
    async def run() -> None:
        store, woken = Store(), list[str]()
        given: Any = store
        clock = store.clock
        await asyncio.wait_for(
            work(EventHub(given, clock, wake_publisher=lambda: woken.append("woken")), store, woken), 5.0
        )

    asyncio.run(run())


def test_streams_are_counted_and_limited() -> None:
    """So many for an account, so many in all; what is closed makes room, closing twice changes nothing."""

    async def work(hub: EventHub, _store: Store, _woken: list[str]) -> None:
        own = [hub.open(1) for _ in range(ACCOUNT_STREAMS_MAX)]
        with pytest.raises(TooManyStreamsError):
            hub.open(1)
        hub.close(own[0])
        hub.close(own[0])
        assert hub.stream_count == ACCOUNT_STREAMS_MAX - 1
        others = [
            hub.open(2 + index // ACCOUNT_STREAMS_MAX) for index in range(STREAMS_MAX - hub.stream_count)
        ]
        with pytest.raises(TooManyStreamsError):
            hub.open(1)
        for stream in [*own, *others]:
            hub.close(stream)
        assert hub.stream_count == 0

    _with_hub(work)


def test_only_those_with_news_are_woken() -> None:
    """A commit makes one look; the accounts that came further hear of it."""

    async def work(hub: EventHub, store: Store, woken: list[str]) -> None:
        mine, other = hub.open(1), hub.open(2)
        for stream in (mine, other):  # the first look says where they are
            await stream.wait(5.0)
            stream.begin_look()
        store.positions[1] = 7
        hub.committed()
        assert woken == ["woken"]
        await mine.wait(5.0)
        await other.wait(0.05)
        assert not other._wake.is_set()
        assert set(store.asked[-1]) == {1, 2}
        hub.close(mine)
        hub.close(other)

    _with_hub(work)


def test_followed_accounts_are_told_of_now_and_then() -> None:
    """When their first stream opens, and again before that is forgotten."""

    async def work(hub: EventHub, store: Store, _woken: list[str]) -> None:
        streams = [hub.open(1), hub.open(1), hub.open(2)]
        await streams[0].wait(5.0)
        hub.committed()
        await asyncio.sleep(2 * PAUSE_S)
        assert store.followed == [[1, 2]]
        store.clock.advance(us=FOLLOW_EVERY_US)
        hub.committed()
        while len(store.followed) < 2:  # noqa: ASYNC110  # the next look
            await asyncio.sleep(PAUSE_S)
        assert store.followed == [[1, 2], [1, 2]]
        for stream in streams:
            hub.close(stream)

    _with_hub(work)


def test_nobody_is_told_while_nobody_listens() -> None:
    """A commit without streams costs nothing."""

    async def work(hub: EventHub, store: Store, woken: list[str]) -> None:
        hub.committed()
        stream = hub.open(1)
        hub.close(stream)
        hub.committed()
        await asyncio.sleep(0)
        assert (woken, store.asked) == ([], [])

    _with_hub(work)


def test_a_failed_look_is_followed_by_another() -> None:
    """The database may be away for a while."""

    async def work(hub: EventHub, store: Store, _woken: list[str]) -> None:
        store.failure = StoreUnavailableError("away")
        stream = hub.open(1)
        while not store.asked:  # noqa: ASYNC110  # a turn of the loop or two
            await asyncio.sleep(0)
        store.positions[1] = 1
        hub.committed()
        await stream.wait(5.0)
        assert stream._wake.is_set()
        hub.close(stream)

    _with_hub(work)


def test_draining_ends_streams() -> None:
    """They are woken to be told; when all have closed it is over, and none is opened any more."""

    async def work(hub: EventHub, _store: Store, _woken: list[str]) -> None:
        stream = hub.open(1)

        async def follow() -> None:
            while not stream.is_draining:
                stream.begin_look()
                await stream.wait(5.0)
            hub.close(stream)

        await asyncio.gather(follow(), hub.drain())
        assert hub.stream_count == 0
        with pytest.raises(TooManyStreamsError):
            hub.open(1)

    _with_hub(work)

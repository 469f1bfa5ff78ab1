"""Knows which streams of events are open, and wakes those whose account has something new.

Streams read for themselves, a page at a time, so nothing is queued in memory for a slow one. One look a time, however
many streams there are, says which accounts have come further.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import structlog

from maskline.api.ports import StoreThreads
from maskline.clock import Clock
from maskline.errors import AppError
from maskline.tasks import spawn
from maskline.workflows.events import follow_accounts, read_newest_positions

_log = structlog.get_logger(__name__)

ACCOUNT_STREAMS_MAX: Final = 10
"""Streams of one account: a few programs with two connections each."""
STREAMS_MAX: Final = 200
"""Streams of one process; each holds a connection, and reads when its account has something new."""
POLL_S: Final = 1.0
"""How often is looked for what other processes wrote."""
PAUSE_S: Final = 0.02
"""Between two looks: under load one finds what dozens of commits wrote."""
FOLLOW_EVERY_US: Final = 20_000_000
"""How often is said that an account is followed, so that the steps of its calls are written."""
DRAIN_S: Final = 3.0
"""How long streams may take to end; uvicorn cuts what runs 5 s after."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamPace:
    """How often a stream says that it is there, and asks whether its reader still may; how long a reader may stall."""

    heartbeat_s: float = 15.0
    recheck_s: float = 15.0
    """So long at most works a key for a stream after it was revoked."""
    send_timeout_s: float = 10.0


class TooManyStreamsError(Exception):
    """The account, or the process, has as many streams as there may be."""


class EventStream:
    """One open stream, as the hub knows it."""

    def __init__(self, account_id: int) -> None:
        self.account_id = account_id
        self.is_draining = False
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Say that there is something to read, or to know."""
        self._wake.set()

    def begin_look(self) -> None:
        """Forget what was said: what is said from now on is about what comes after the look."""
        self._wake.clear()

    async def wait(self, timeout_s: float) -> None:
        """Wait until there is something new, or for so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._wake.wait()


class EventHub:
    """The open streams of one process. Everything happens in the event loop's thread."""

    def __init__(
        self,
        store: StoreThreads,
        clock: Clock,
        *,
        wake_publisher: Callable[[], None] = lambda: None,
        pace: StreamPace | None = None,
    ) -> None:
        """`wake_publisher` tells whoever publishes events that one may have been written."""
        self.pace = pace or StreamPace()
        self._store = store
        self._clock = clock
        self._wake_publisher = wake_publisher
        self._streams: dict[int, set[EventStream]] = {}
        self._positions: dict[int, int] = {}
        self._followed_at: dict[int, int] = {}
        self._news = asyncio.Event()
        self._is_draining = False
        self._looking: asyncio.Task[None] | None = None
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def stream_count(self) -> int:
        """Streams open now."""
        return sum(map(len, self._streams.values()))

    def committed(self) -> None:
        """Look at once: something was written in this process."""
        if self._streams:
            self._wake_publisher()
            self._news.set()

    def open(self, account_id: int) -> EventStream:
        """Open a stream, to be closed with `close`. Raises TooManyStreamsError."""
        own = self._streams.get(account_id, set())
        if self._is_draining or len(own) >= ACCOUNT_STREAMS_MAX or self.stream_count >= STREAMS_MAX:
            raise TooManyStreamsError
        stream = EventStream(account_id)
        self._streams.setdefault(account_id, set()).add(stream)
        self._empty.clear()
        self._news.set()  # the first stream of an account is to be told of
        if self._looking is None:
            self._looking = spawn(self._look_forever(), name="events.look")
        return stream

    def close(self, stream: EventStream) -> None:
        """Forget a stream; closing it again does nothing."""
        own = self._streams.get(stream.account_id)
        if own is None or stream not in own:
            return
        own.discard(stream)
        if not own:
            del self._streams[stream.account_id]
            self._positions.pop(stream.account_id, None)
            self._followed_at.pop(stream.account_id, None)
        if not self._streams:
            self._empty.set()
            if self._looking is not None:
                self._looking.cancel()
                self._looking = None

    async def drain(self) -> None:
        """Open no more streams, and let those that are open end, for a while."""
        self._is_draining = True
        for own in self._streams.values():
            for stream in own:
                stream.is_draining = True
                stream.wake()
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_S):
                await self._empty.wait()

    async def _look_forever(self) -> None:
        while True:
            self._news.clear()  # before looking: what is written from now on wakes us again
            try:
                await self._look()
            except AppError as error:
                _log.warning("events.look_failed", code=error.code)
            except Exception:  # noqa: BLE001  # the next look may be better
                _log.exception("events.look_failed")
            await asyncio.sleep(PAUSE_S)
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_S - PAUSE_S):
                    await self._news.wait()

    async def _look(self) -> None:
        now = self._clock.now()
        due = [
            id_
            for id_ in self._streams
            if now - self._followed_at.get(id_, -FOLLOW_EVERY_US) >= FOLLOW_EVERY_US
        ]
        if due:
            await self._store.write(follow_accounts, due, now)
            self._followed_at.update(dict.fromkeys(due, now))
        found = await self._store.read(read_newest_positions, tuple(self._streams))
        for account_id, position in found.items():
            if position != self._positions.get(account_id):
                self._positions[account_id] = position
                for stream in self._streams.get(account_id, ()):
                    stream.wake()

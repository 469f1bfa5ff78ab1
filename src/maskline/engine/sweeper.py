"""Ends sessions whose time is up, and tidies up what counts no more.

Only records and events: that a session is over, or a cool-off, holds by the clock (I8).
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog

from maskline.clock import Clock

_log = structlog.get_logger(__name__)

WAIT_S_MAX = 0.5  # a session created meanwhile may end before the one waited for
TIDY_EVERY_S = (
    5.0  # what is left lying makes the newest session of a number slower to find, by microseconds a row
)
TIDY_BATCH_SIZE = (
    500  # what one piece of work does at most, see `release_lapsed_bindings`, `forget_pin_tries`
)
TIDY_PAUSE_S = 0.05  # between two batches: calls come first
US_PER_S = 1_000_000


async def sweep_sessions(
    *,
    expire: Callable[[int], Awaitable[int]],
    next_end: Callable[[], Awaitable[int | None]],
    clock: Clock,
) -> None:
    """Run until cancelled: `expire(now)` whenever `next_end()` has come."""
    while True:
        wait_s = WAIT_S_MAX
        try:
            end = await next_end()
            if end is not None and end <= clock.now():
                count = await expire(clock.now())
                if count:  # there may be more; a session that would not end must not make this a busy loop
                    _log.info("sessions.expired", session_count=count)
                    wait_s = 0.0
            elif end is not None:
                wait_s = min(WAIT_S_MAX, (end - clock.now()) / US_PER_S)
        except Exception:  # noqa: BLE001  # the database may be away for a while
            _log.exception("sessions.sweep_failed")
        await asyncio.sleep(wait_s)


async def tidy_up(*, works: Sequence[Callable[[int], Awaitable[int]]], clock: Clock) -> None:
    """Run until cancelled: each of `works(now)` until it finds no full batch, then all again after a while."""
    while True:
        for work in works:
            try:
                while await work(clock.now()) >= TIDY_BATCH_SIZE:  # noqa: ASYNC110  # the next batch, not an event
                    await asyncio.sleep(TIDY_PAUSE_S)
            except Exception:  # noqa: BLE001  # the database may be away for a while
                _log.exception("store.tidy_failed")
        await asyncio.sleep(TIDY_EVERY_S)

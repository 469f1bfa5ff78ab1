"""Ends sessions whose time is up: only the record and the event; that they are over holds by the clock (I8)."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from maskline.clock import Clock

_log = structlog.get_logger(__name__)

WAIT_S_MAX = 0.5  # a session created meanwhile may end before the one waited for
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

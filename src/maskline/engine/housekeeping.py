"""What a switch does on the side: know its trunks and look after them, keep its leases, see deletions.

None of it decides anything: expiry, cool-off and release hold at their instant by comparison with the clock (I8).
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

import structlog

from maskline.engine.call_session import LEASE_US
from maskline.engine.ports import SwitchClock, SwitchStore
from maskline.engine.switch import Switch
from maskline.engine.trunk_resolver import Names, SystemNames, TrunkResolver
from maskline.engine.trunk_table import targets_of

_log = structlog.get_logger(__name__)

TRUNKS_EVERY_S = 1.0  # how soon a new trunk is accepted without a restart
WATCH_EVERY_S = 1.0  # how late a health check or a registration may be
REVOCATIONS_EVERY_S = 0.5  # a deletion reaches a ringing call within a second (I2)
ORDERS_EVERY_S = 0.25  # whoever asked to be called is waiting with the phone in hand
LOST_CALLS_EVERY_S = 30.0  # nobody waits for the record of a call whose switch never came back
LEASES_EVERY_S = 10.0  # a third of the lease: two renewals may fail before a session is thought free


class Watch(Protocol):
    """Who looks after the trunks; `engine.trunk_watch` does."""

    def tick(self) -> None:
        """Send what is due."""


class Housekeeping:
    """The periodic work of one switch, each kind in its own loop so that none waits for another."""

    def __init__(
        self,
        switch: Switch,
        store: SwitchStore,
        clock: SwitchClock,
        *,
        watch: Watch | None = None,
        names: Names | None = None,
    ) -> None:
        self._switch = switch
        self._store = store
        self._clock = clock
        self._watch = watch
        self._resolver = TrunkResolver(
            names or SystemNames(), mono_s=clock.mono_s, local=switch.settings.local
        )

    async def run(self) -> None:
        """Run until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(_every(TRUNKS_EVERY_S, self.refresh_trunks))
            group.create_task(_every(WATCH_EVERY_S, self.watch_trunks))
            group.create_task(_every(REVOCATIONS_EVERY_S, self.see_revocations))
            group.create_task(_every(ORDERS_EVERY_S, self.place_orders))
            group.create_task(_every(LEASES_EVERY_S, self.renew_leases))
            group.create_task(_every(LOST_CALLS_EVERY_S, self.end_lost_calls))

    async def refresh_trunks(self) -> None:
        """Take the trunks as they stand now, with what the names of their targets mean."""
        trunks = await self._store.load_trunks()
        addresses = await self._resolver.resolve(target for trunk in trunks for target in targets_of(trunk))
        if self._switch.trunks.replace(trunks, addresses):
            _log.info("trunks.loaded", trunk_count=len(trunks))

    async def watch_trunks(self) -> None:
        """Check the health of targets, renew registrations."""
        if self._watch is not None:
            self._watch.tick()

    async def see_revocations(self) -> None:
        """Cancel calls in set-up whose session is over; tell others when their session's end has moved."""
        waiting = self._switch.sessions_in_setup
        if waiting:
            windows = await self._store.windows(waiting, self._clock.now_us())
            for session_id, ends_at in windows.items():
                if ends_at is None:
                    self._switch.revoke(session_id)
                else:
                    self._switch.move_window(session_id, ends_at)

    async def place_orders(self) -> None:
        """Begin the calls that the service owes, unless there is no room: then another switch may, or a later round."""
        if room_count := self._switch.room_count:
            orders = await self._store.take_orders(self._clock.now_us(), room_count)
            if orders:
                self._switch.place(orders)

    async def end_lost_calls(self) -> None:
        """Account for calls of switches that never came back."""
        for call_id in await self._store.end_lost_calls(self._clock.now_us()):
            _log.warning("call.lost", call_id=call_id)

    async def renew_leases(self) -> None:
        """Keep the sessions of running calls claimed."""
        if self._switch.live_count:
            now = self._clock.now_us()
            await self._store.renew_leases(now + LEASE_US, now)


async def _every(period_s: float, work: Callable[[], Awaitable[None]]) -> None:
    """Do `work` every `period_s`; a failure is logged and the next round tries again."""
    while True:
        try:
            await work()
        except Exception:  # noqa: BLE001  # the database may be away for a while
            _log.exception("housekeeping.failed", work=getattr(work, "__name__", "work"))
        await asyncio.sleep(period_s)

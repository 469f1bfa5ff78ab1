"""What a switch does on the side: know its trunks, keep its leases, see deletions, tidy up ended sessions.

None of it decides anything: expiry, cool-off and release hold at their instant by comparison with the clock (I8).
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from maskline.core.targets import address_of, default_port
from maskline.engine.call import LEASE_US
from maskline.engine.ports import SwitchClock, SwitchStore
from maskline.engine.switch import Switch

_log = structlog.get_logger(__name__)

TRUNKS_EVERY_S = 1.0  # how soon a new trunk is accepted without a restart
REVOCATIONS_EVERY_S = 0.5  # a deletion reaches a ringing call within a second (I2)
LEASES_EVERY_S = 10.0  # a third of the lease: two renewals may fail before a session is thought free
NAMES_EVERY_S = 30.0  # the shortest lifetime carriers give the names of their gateways
LOOK_UP_TIMEOUT_S = 2.0  # all names are asked at once, so this is what they can delay a new trunk by

LookUp = Callable[[str, int], Awaitable[tuple[str, ...]]]


async def look_up(host: str, port: int) -> tuple[str, ...]:
    """Ask the system for the addresses of a name. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    return tuple(str(entry[4][0]) for entry in found)


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a name meant when it was asked for; no address when that failed."""

    address: str | None
    asked_mono_s: float


class Housekeeping:
    """The periodic work of one switch, each kind in its own loop so that none waits for another."""

    def __init__(
        self, switch: Switch, store: SwitchStore, clock: SwitchClock, *, look_up: LookUp = look_up
    ) -> None:
        self._switch = switch
        self._store = store
        self._clock = clock
        self._look_up = look_up
        self._names: dict[str, _Answer] = {}

    async def run(self) -> None:
        """Run until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(_every(TRUNKS_EVERY_S, self.refresh_trunks))
            group.create_task(_every(REVOCATIONS_EVERY_S, self.see_revocations))
            group.create_task(_every(LEASES_EVERY_S, self.renew_leases))

    async def refresh_trunks(self) -> None:
        """Take the trunks as they stand now, with addresses in place of their peers' names.

        A name that cannot be looked up keeps its last address; without one it stays, and calls to it fail at once.
        """
        trunks = await self._store.load_trunks()
        names = {
            target.host: target.port or default_port(target.transport)
            for trunk in trunks
            for target in trunk.targets
            if not _is_address(target.host)
        }
        answers = await asyncio.gather(*(self._resolve(*name) for name in names.items()))
        self._names = dict(zip(names, answers, strict=True))
        addresses = {
            target: (address_of(target, answer.address, target.port or default_port(target.transport)),)
            for trunk in trunks
            for target in trunk.targets
            if (answer := self._names.get(target.host)) is not None and answer.address is not None
        }
        if self._switch.trunks.replace(trunks, addresses):
            _log.info("trunks.loaded", trunk_count=len(trunks))

    async def see_revocations(self) -> None:
        """Cancel calls in set-up whose session is over."""
        waiting = self._switch.sessions_in_setup
        if waiting:
            for session_id in await self._store.revoked(waiting, self._clock.now_us()):
                self._switch.revoke(session_id)

    async def renew_leases(self) -> None:
        """Keep the sessions of running calls claimed."""
        if self._switch.live_count:
            now = self._clock.now_us()
            await self._store.renew_leases(now + LEASE_US, now)

    async def _resolve(self, host: str, port: int) -> _Answer:
        now_mono_s = self._clock.mono_s()
        known = self._names.get(host)
        if known is not None and now_mono_s - known.asked_mono_s < NAMES_EVERY_S:
            return known
        last = known.address if known is not None else None
        families = {is_v6 for _, is_v6 in self._switch.settings.local}
        try:
            async with asyncio.timeout(LOOK_UP_TIMEOUT_S):
                found = await self._look_up(host, port)
        except (OSError, TimeoutError):
            _log.warning("trunk.unresolved", is_last_address_kept=last is not None)
            return _Answer(last, now_mono_s)
        usable = [address for address in found if (":" in address) in families]
        # The order of the answers changes from one to the next; moving with it would be no gain.
        return _Answer(last if last in usable else next(iter(usable), last), now_mono_s)


async def _every(period_s: float, work: Callable[[], Awaitable[None]]) -> None:
    """Do `work` every `period_s`; a failure is logged and the next round tries again."""
    while True:
        try:
            await work()
        except Exception:  # noqa: BLE001  # the database may be away for a while
            _log.exception("housekeeping.failed", work=getattr(work, "__name__", "work"))
        await asyncio.sleep(period_s)


def _is_address(host: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except OSError:
            continue
        return True
    return False

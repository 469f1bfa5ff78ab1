"""What a switch does on the side: know its trunks, keep its leases, see deletions, tidy up ended sessions.

None of it decides anything: expiry, cool-off and release hold at their instant by comparison with the clock (I8).
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from dataclasses import replace

import structlog

from maskline.core.inventory import Trunk
from maskline.engine.call import LEASE_US
from maskline.engine.ports import SwitchClock, SwitchStore
from maskline.engine.switch import Switch

_log = structlog.get_logger(__name__)

TRUNKS_EVERY_S = 1.0  # how soon a new trunk is accepted without a restart
REVOCATIONS_EVERY_S = 0.5  # a deletion reaches a ringing call within a second (I2)
LEASES_EVERY_S = 10.0  # a third of the lease: two renewals may fail before a session is thought free


class Housekeeping:
    """The periodic work of one switch, each kind in its own loop so that none waits for another."""

    def __init__(self, switch: Switch, store: SwitchStore, clock: SwitchClock) -> None:
        self._switch = switch
        self._store = store
        self._clock = clock

    async def run(self) -> None:
        """Run until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(_every(TRUNKS_EVERY_S, self.refresh_trunks))
            group.create_task(_every(REVOCATIONS_EVERY_S, self.see_revocations))
            group.create_task(_every(LEASES_EVERY_S, self.renew_leases))

    async def refresh_trunks(self) -> None:
        """Take the trunks as they stand now."""
        trunks = tuple([await _resolve(trunk) for trunk in await self._store.load_trunks()])
        if self._switch.trunks.replace(trunks):
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


async def _every(period_s: float, work: Callable[[], Awaitable[None]]) -> None:
    """Do `work` every `period_s`; a failure is logged and the next round tries again."""
    while True:
        try:
            await work()
        except Exception:  # the database may be away for a while
            _log.exception("housekeeping.failed", work=getattr(work, "__name__", "work"))
        await asyncio.sleep(period_s)


async def _resolve(trunk: Trunk) -> Trunk:
    """Turn a peer's name into an address; where that fails the name stays and calls to it fail as unreachable."""
    host = trunk.peer_host
    if _is_address(host):
        return trunk
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, trunk.peer_port, type=socket.SOCK_DGRAM)
    except OSError:
        _log.warning("trunk.unresolved", trunk_id=trunk.id)
        return trunk
    return replace(trunk, peer_host=str(found[0][4][0]))


def _is_address(host: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except OSError:
            continue
        return True
    return False

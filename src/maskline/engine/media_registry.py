"""What the guard knows of its calls; the engine cannot list them. No I/O: the clock is an argument."""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from maskline.engine.media_filters import BANNED_MAX, Endpoint
from maskline.engine.media_types import Family, LiveRelay, PartyMedia, RelayFull, RelayRefused

REST_S: Final = 30.0  # how long late packets of a call may still arrive; longer than any network keeps one
RESTING_MAX: Final = 16_384  # more pairs than the port range holds

SIDES: Final = ("a", "b")
OTHER: Final = {"a": "b", "b": "a"}
PortKey = tuple[Family, int]


@dataclass(slots=True)
class Port:
    """One of our port pairs: where the party of one side sends."""

    family: Family
    number: int
    rtp: int
    rtcp: int
    party: PartyMedia | None = None
    is_muted: bool = False


@dataclass(slots=True)
class Session:
    """One relayed call."""

    call: str
    switch: str
    opened_mono_s: float
    ports: dict[str, Port] = field(default_factory=dict)
    is_connected: bool = False
    is_held: bool = False
    capture: str | None = None


@dataclass(slots=True)
class _Rest:
    """Who used a port of late, oldest first, each until when it is remembered."""

    until_mono_s: float
    parties: tuple[tuple[float, Endpoint], ...]


class Registry:
    """Live sessions, the switches they belong to, and ports that have just been used."""

    def __init__(self, *, calls_max: int) -> None:
        self.sessions: dict[str, Session] = {}
        self._calls_max = calls_max
        self._owners: dict[PortKey, Session] = {}
        self._resting: OrderedDict[PortKey, _Rest] = OrderedDict()
        self._connections: dict[str, int] = {}
        self._gone_since: dict[str, float] = {}

    def admit(self, call: str) -> None:
        """Raise `RelayFull` at the cap, `RelayRefused` for a call that is open."""
        if call in self.sessions:
            raise RelayRefused("call is open already")
        if len(self.sessions) >= self._calls_max:
            raise RelayFull("cap reached")

    def add(self, session: Session) -> None:
        """Enter a session whose ports are open."""
        self.sessions[session.call] = session
        for port in session.ports.values():
            self._owners[port.family, port.number] = session

    def remove(self, session: Session, now: float) -> None:
        """Strike a session out and let its ports rest."""
        self.sessions.pop(session.call, None)
        for port in session.ports.values():
            key = (port.family, port.number)
            if self._owners.get(key) is session:
                del self._owners[key]
            if port.party is not None:
                until, endpoint = now + REST_S, (port.party.address, port.party.port)
                kept = [each for each in self._recent(key, now) if each[1] != endpoint]
                self._resting[key] = _Rest(until, (*kept, (until, endpoint))[-BANNED_MAX:])
                self._resting.move_to_end(key)
        while len(self._resting) > RESTING_MAX:
            self._resting.popitem(last=False)

    def owns(self, session: Session, port: Port) -> bool:
        """Say whether a port still belongs to this session (the engine may have given it to another)."""
        return self._owners.get((port.family, port.number)) is session

    @property
    def resting_count(self) -> int:
        """Ports in use just now."""
        return len(self._resting)

    def recent_endpoints(self, family: Family, number: int, now: float) -> tuple[Endpoint, ...]:
        """Return who used a port within the rest time: whose late packets may still come."""
        return tuple(endpoint for _, endpoint in self._recent((family, number), now))

    def _recent(self, key: PortKey, now: float) -> list[tuple[float, Endpoint]]:
        rest = self._resting.get(key)
        return [] if rest is None else [each for each in rest.parties if each[0] > now]

    def switch_connected(self, switch: str) -> None:
        """Count a connection of a switch."""
        self._connections[switch] = self._connections.get(switch, 0) + 1
        self._gone_since.pop(switch, None)

    def switch_disconnected(self, switch: str, now: float) -> None:
        """Start the clock when the last connection of a switch has gone."""
        left = self._connections.get(switch, 0) - 1
        if left > 0:
            self._connections[switch] = left
            return
        self._connections.pop(switch, None)
        self._gone_since[switch] = now

    def abandoned(self, now: float, *, after_s: float) -> tuple[Session, ...]:
        """Return the sessions whose switch has been gone too long; such switches are then forgotten."""
        gone = {switch for switch, since in self._gone_since.items() if now - since >= after_s}
        if not gone:
            return ()
        for switch in gone:
            del self._gone_since[switch]
        return tuple(session for session in self.sessions.values() if session.switch in gone)

    def tidy(self, now: float) -> None:
        """Forget ports that have rested."""
        while self._resting:
            key = next(iter(self._resting))
            if self._resting[key].until_mono_s > now:
                return
            del self._resting[key]

    def list(self, now: float) -> tuple[LiveRelay, ...]:
        """List the live sessions."""
        return tuple(
            LiveRelay(call=session.call, age_s=round(now - session.opened_mono_s, 3), switch=session.switch)
            for session in self.sessions.values()
        )

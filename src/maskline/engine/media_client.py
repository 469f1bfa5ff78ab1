"""The relay as the switch sees it, and the client of the guard process."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final, Protocol

CALL_PATTERN: Final = re.compile(r"[A-Za-z0-9]{1,64}", re.ASCII)
"""Call ids are of our making: anything else could smuggle words into the engine's command line."""


class Side(StrEnum):
    """Side of a call: A was answered by us, B is originated by us."""

    A = "a"
    B = "b"


class Family(IntEnum):
    """IP version of the addresses used towards one party."""

    V4 = 4
    V6 = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class PartyMedia:
    """Where one party wants its audio, and from where it may send.

    `networks` are the trunk's media networks in CIDR form; none means `address` alone. Behind NAT the port
    (and only the port) is learned from the first packet.
    """

    address: str
    port: int
    networks: tuple[str, ...] = ()
    is_behind_nat: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayPorts:
    """Where each party must send: what we announce to it."""

    address_a: str
    port_a: int
    address_b: str
    port_b: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveRelay:
    """One entry of the guard's registry; `switch` is the tag of the client that opened it."""

    call: str
    age_s: float
    switch: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayStats:
    """Packets so far."""

    from_a_count: int
    from_b_count: int
    relayed_count: int
    dropped_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaTimeout:
    """Neither party has sent a packet for the time to live; the relay of this call is gone."""

    call: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayLost:
    """The guard or its engine died: every relay is gone, ports included."""


RelayEvent = MediaTimeout | RelayLost


class RelayError(Exception):
    """Parent of what a relay command may raise."""


class RelayFull(RelayError):  # noqa: N818
    """The cap on calls is reached or no port is free; answer 503."""


class RelayUnavailable(RelayError):  # noqa: N818
    """No guard process answers."""


class RelayUnknownCall(RelayError):  # noqa: N818
    """The call has no relay: never opened, closed, or timed out."""


class RelayRefused(RelayError):  # noqa: N818
    """The command makes no sense (bad id, address or family): a bug, or a hostile SDP."""


class MediaRelay(Protocol):
    """Joins two parties' audio without letting anything else through.

    Every method may raise `RelayUnavailable`; each command is bounded in time.
    """

    def set_event_handler(self, handler: Callable[[RelayEvent], None]) -> None:
        """Call `handler` from the event loop for each event."""

    async def open(
        self,
        call: str,
        a: PartyMedia | None,
        *,
        family_a: Family | None = None,
        family_b: Family = Family.V4,
    ) -> RelayPorts:
        """Reserve a port for each side. B's drops everything until `connect`; so does A's while `a` is None.

        `family_a` is only needed where `a` is None (default V4). Raises `RelayFull`, `RelayRefused`.
        """

    async def connect(self, call: str, side: Side, party: PartyMedia) -> None:
        """Say (again) who the party on `side` is. Raises `RelayUnknownCall`, `RelayRefused`."""

    async def hold(self, call: str, *, is_held: bool) -> None:
        """Allow long silence while held. Raises `RelayUnknownCall`."""

    async def close(self, call: str) -> None:
        """Delete the relay of a call; a call without one is fine."""

    async def list(self) -> tuple[LiveRelay, ...]:
        """List what the guard relays now, of every switch."""

    async def stats(self, call: str) -> RelayStats:
        """Packets of a call so far. Raises `RelayUnknownCall`."""

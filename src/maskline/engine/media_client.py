"""The relay as the switch sees it."""

from collections.abc import Callable
from typing import Protocol

from maskline.core.call_record import Side
from maskline.engine.media_types import (
    CALL_PATTERN,
    CANARY,
    NETWORKS_MAX,
    Family,
    LiveRelay,
    MediaTimeout,
    PartyMedia,
    RelayError,
    RelayEvent,
    RelayFull,
    RelayLost,
    RelayPorts,
    RelayRefused,
    RelayStats,
    RelayUnavailable,
    RelayUnknownCall,
)

__all__ = [
    "CALL_PATTERN",
    "CANARY",
    "NETWORKS_MAX",
    "Family",
    "LiveRelay",
    "MediaRelay",
    "MediaTimeout",
    "PartyMedia",
    "RelayError",
    "RelayEvent",
    "RelayFull",
    "RelayLost",
    "RelayPorts",
    "RelayRefused",
    "RelayStats",
    "RelayUnavailable",
    "RelayUnknownCall",
    "Side",
]


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

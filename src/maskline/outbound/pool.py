"""Connections that are free: the one used last goes first, few are kept, and none for long."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from maskline.outbound.connection import Connection
from maskline.outbound.policy import Target

IDLE_CONNECTIONS_MAX: Final = 32
IDLE_S: Final = (
    30.0  # a receiver of several events in a row is spared the handshakes; servers wait 60 s or so
)

Origin = tuple[str, str, int]
"""Scheme, host and port: what a connection was made and judged for."""


@dataclass(frozen=True, slots=True)
class _Free:
    origin: Origin
    connection: Connection
    until_mono_s: float


class ConnectionPool:
    """Free connections of one client, the longest free first in the list."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._free: list[_Free] = []

    def take(self, target: Target) -> Connection | None:
        """Return a connection to the same scheme, host and port, if one is free."""
        self._tidy()
        origin = _origin(target)
        for index in range(len(self._free) - 1, -1, -1):
            if self._free[index].origin == origin:
                return self._free.pop(index).connection
        return None

    def give_back(self, target: Target, connection: Connection) -> None:
        """Keep a connection for the next request, or close it if there is nothing more to get from it."""
        self._free.append(_Free(_origin(target), connection, self._monotonic() + IDLE_S))
        self._tidy()

    def close(self) -> None:
        """Close all that are free."""
        while self._free:
            self._free.pop().connection.close()

    def _tidy(self) -> None:
        now = self._monotonic()
        excess = len(self._free) - IDLE_CONNECTIONS_MAX
        kept = []
        for index, free in enumerate(self._free):
            if index >= excess and free.until_mono_s > now and free.connection.is_free:
                kept.append(free)
            else:
                free.connection.close()
        self._free = kept


def _origin(target: Target) -> Origin:
    return (target.scheme, target.host, target.port)

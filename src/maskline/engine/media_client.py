"""The relay as the switch sees it."""

from collections.abc import Callable
from typing import Protocol

from maskline.core.call_record import Side
from maskline.engine.media_types import (
    CALL_PATTERN,
    CANARY,
    NETWORKS_MAX,
    DigitPressed,
    Family,
    LiveRelay,
    MediaTimeout,
    PartyMedia,
    PlayFinished,
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
from maskline.prompts.types import PromptFile

__all__ = [
    "CALL_PATTERN",
    "CANARY",
    "NETWORKS_MAX",
    "DigitPressed",
    "Family",
    "LiveRelay",
    "MediaRelay",
    "MediaTimeout",
    "PartyMedia",
    "PlayFinished",
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

    async def connect(self, call: str, side: Side, party: PartyMedia, *, is_muted: bool = False) -> None:
        """Say (again) who the party on `side` is. Raises `RelayUnknownCall`, `RelayRefused`.

        While muted the party can be played to, but nothing it sends is let in; connecting it again without
        `is_muted` lets it in.
        """

    async def play(
        self, call: str, side: Side, prompt: PromptFile, *, tag: str, repeats: bool = False
    ) -> None:
        """Play to the party on `side`, in place of what the far side sends; another prompt there is replaced.

        `PlayFinished` with `tag` (letters and digits) follows at its end. Raises `RelayUnknownCall`, `RelayRefused`.
        """

    async def stop_playing(self, call: str, side: Side) -> None:
        """Let the party on `side` hear the far side again; fine when nothing plays. Raises `RelayUnknownCall`."""

    async def watch_digits(self, call: str, side: Side, payload_type: int, *, is_hidden: bool) -> None:
        """Report keys that the party on `side` presses; hidden ones do not reach the far side.

        `payload_type` is that of telephone-event on this leg. Calling it again changes both.
        Raises `RelayUnknownCall`, `RelayRefused`.
        """

    async def start_recording(self, call: str, name: str) -> None:
        """Capture what both parties send into the file `name` (letters and digits) of the spool.

        Raises `RelayUnknownCall`, `RelayRefused` (the file cannot be made).
        """

    async def stop_recording(self, call: str) -> None:
        """End the capture; closing the call does so too. Fine when there is none. Raises `RelayUnknownCall`."""

    async def hold(self, call: str, *, is_held: bool) -> None:
        """Allow long silence while held. Raises `RelayUnknownCall`."""

    async def close(self, call: str) -> None:
        """Delete the relay of a call; a call without one is fine."""

    async def list(self) -> tuple[LiveRelay, ...]:
        """List what the guard relays now, of every switch."""

    async def stats(self, call: str) -> RelayStats:
        """Packets of a call so far. Raises `RelayUnknownCall`."""

"""What a session description says, as values."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from maskline.media.codecs import Codec


class Direction(StrEnum):
    """Which way audio flows, as seen by whoever says it (RFC 8866 section 6.7)."""

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"


SENDS: Final = frozenset({Direction.SENDRECV, Direction.SENDONLY})
RECEIVES: Final = frozenset({Direction.SENDRECV, Direction.RECVONLY})


def make_direction(*, sends: bool, receives: bool) -> Direction:
    """Name the direction with these two flows."""
    if sends:
        return Direction.SENDRECV if receives else Direction.SENDONLY
    return Direction.RECVONLY if receives else Direction.INACTIVE


@dataclass(frozen=True, slots=True)
class MediaLine:
    """An m-line as offered, kept only to be refused to the same party."""

    kind: str
    protocol: str
    format: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteDescription:
    """What a party said: the first audio stream we can serve.

    `codecs` holds known audio codecs only, in the party's order; `events` the telephone-event formats.
    `media_lines[audio_index]` is the stream described. `address` is an IP literal in canonical form; the
    unspecified one (hold of old) is kept and already counted in `direction`.
    """

    address: str
    port: int
    codecs: tuple[Codec, ...]
    events: tuple[Codec, ...]
    ptime_ms: int | None
    direction: Direction
    session_version: int
    media_lines: tuple[MediaLine, ...]
    audio_index: int

    @property
    def telephone_event(self) -> int | None:
        """Payload type of telephone-event at 8000 Hz."""
        return next((event.payload_type for event in self.events if event.clock_rate_hz == 8000), None)

    @property
    def is_ipv6(self) -> bool:
        """The party wants its audio over IPv6."""
        return ":" in self.address

    @property
    def is_held(self) -> bool:
        """The party does not want to hear anything."""
        return self.direction not in RECEIVES


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalDescription:
    """All we say on one leg; `render_sdp` is a function of nothing else.

    `media_lines` and `audio_index` mirror an offer of the same leg; a lone audio line in our own offers.
    """

    address: str
    port: int
    codecs: tuple[Codec, ...]
    events: tuple[Codec, ...]
    ptime_ms: int | None
    direction: Direction
    session_id: int
    version: int
    media_lines: tuple[MediaLine, ...] = (MediaLine("audio", "RTP/AVP", "0"),)
    audio_index: int = 0

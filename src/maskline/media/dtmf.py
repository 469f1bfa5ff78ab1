"""Keys as telephone-event payloads.

Source: RFC 4733 sections 2.3 and 2.5.
"""

import struct
from dataclasses import dataclass
from typing import Final

from maskline.media.errors import LocalProtocolError, RemoteProtocolError

KEYS: Final = "0123456789*#ABCD"
PAYLOAD_BYTES: Final = 4
END_REPEATS: Final = 3  # RFC 4733 section 2.5.1.4: the end is sent three times
_PAYLOAD = struct.Struct("!BBH")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyEvent:
    """One packet's worth of a key being held; `duration` counts timestamp units since it went down."""

    key: str
    is_end: bool
    duration: int
    volume: int = 10


def parse_key_event(payload: bytes) -> KeyEvent:
    """Read a payload. Raises `RemoteProtocolError`, also for events that are no keys."""
    if len(payload) < PAYLOAD_BYTES:
        raise RemoteProtocolError("telephone-event cut")
    event, flags, duration = _PAYLOAD.unpack_from(payload)
    if event >= len(KEYS):
        raise RemoteProtocolError("telephone-event is no key")
    return KeyEvent(key=KEYS[event], is_end=bool(flags & 0x80), volume=flags & 0x3F, duration=duration)


def render_key_event(event: KeyEvent) -> bytes:
    """Write a payload. Raises `LocalProtocolError` for values out of range."""
    number = KEYS.find(event.key)
    if number < 0 or len(event.key) != 1 or not 0 <= event.volume <= 63 or not 0 <= event.duration <= 65_535:
        raise LocalProtocolError("key event out of range")
    return _PAYLOAD.pack(number, event.volume | (0x80 if event.is_end else 0), event.duration)


def make_key_press(key: str, *, duration_ms: int = 100, ptime_ms: int = 20) -> tuple[bytes, ...]:
    """Return the payloads of one press at 8000 Hz: growing durations, then the end three times.

    All of them go out under the timestamp of the first; only the sequence number counts up.
    """
    steps = max(duration_ms // ptime_ms, 1)
    unit = 8 * ptime_ms
    events = [KeyEvent(key=key, is_end=False, duration=unit * step) for step in range(1, steps + 1)]
    end = KeyEvent(key=key, is_end=True, duration=unit * steps)
    return tuple(render_key_event(event) for event in (*events, *[end] * END_REPEATS))

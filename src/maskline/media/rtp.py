"""RTP packets as values.

Source: RFC 3550 section 5.1.
"""

import struct
from dataclasses import dataclass
from typing import Final

from maskline.media.errors import LocalProtocolError, RemoteProtocolError

HEADER_BYTES: Final = 12
SOURCES_MAX: Final = 15
_HEADER = struct.Struct("!BBHII")


@dataclass(frozen=True, slots=True, kw_only=True)
class RTPPacket:
    """One packet. `extension` is (profile, content in whole words); padding is taken off on reading."""

    payload_type: int
    sequence: int
    timestamp: int
    source: int
    payload: bytes
    is_marked: bool = False
    contributing: tuple[int, ...] = ()
    extension: tuple[int, bytes] | None = None


def parse_rtp(data: bytes) -> RTPPacket:
    """Read a packet. Raises `RemoteProtocolError`."""
    if len(data) < HEADER_BYTES:
        raise RemoteProtocolError("shorter than an RTP header")
    first, second, sequence, timestamp, source = _HEADER.unpack_from(data)
    if first >> 6 != 2:
        raise RemoteProtocolError("not RTP version 2")
    start = HEADER_BYTES + 4 * (first & 0x0F)
    end = len(data)
    if first & 0x20:
        if not 0 < data[-1] <= end - start:
            raise RemoteProtocolError("padding longer than the packet")
        end -= data[-1]
    if start > end:
        raise RemoteProtocolError("source list longer than the packet")
    contributing = struct.unpack_from(f"!{first & 0x0F}I", data, HEADER_BYTES)
    extension = None
    if first & 0x10:
        if start + 4 > end:
            raise RemoteProtocolError("extension header cut")
        profile, words = struct.unpack_from("!HH", data, start)
        start += 4 + 4 * words
        if start > end:
            raise RemoteProtocolError("extension longer than the packet")
        extension = (profile, data[start - 4 * words : start])
    return RTPPacket(
        payload_type=second & 0x7F,
        sequence=sequence,
        timestamp=timestamp,
        source=source,
        payload=data[start:end],
        is_marked=bool(second & 0x80),
        contributing=contributing,
        extension=extension,
    )


def render_rtp(packet: RTPPacket) -> bytes:
    """Write a packet, without padding. Raises `LocalProtocolError` for values out of range."""
    if len(packet.contributing) > SOURCES_MAX:
        raise LocalProtocolError("too many contributing sources")
    first = 0x80 | len(packet.contributing)
    tail = struct.pack(f"!{len(packet.contributing)}I", *packet.contributing)
    if packet.extension is not None:
        profile, content = packet.extension
        if len(content) % 4:
            raise LocalProtocolError("extension is not in whole words")
        first |= 0x10
        tail += struct.pack("!HH", profile, len(content) // 4) + content
    second = packet.payload_type | (0x80 if packet.is_marked else 0)
    try:
        header = _HEADER.pack(first, second, packet.sequence, packet.timestamp, packet.source)
    except struct.error:
        raise LocalProtocolError("header field out of range") from None
    return header + tail + packet.payload


def sequence_distance(earlier: int, later: int) -> int:
    """Return how far `later` is ahead, over the wrap at 65,536; negative if it is behind."""
    return ((later - earlier + 0x8000) & 0xFFFF) - 0x8000

"""The packets of a capture file, read in one pass.

The relay writes its file in blocks and may be killed at any moment: a record that is cut ends the capture, and
what came before it counts. Packets that are not RTP to one of our ports are passed over.

Source: pcap file format, draft-ietf-opsawg-pcap-04 (2024); RFC 791; RFC 8200; RFC 768.
"""

import struct
from collections.abc import Iterator
from typing import BinaryIO, Final, NamedTuple

from maskline.media.errors import RemoteProtocolError
from maskline.media.rtp import RTPPacket, parse_rtp

FILE_HEADER_BYTES: Final = 24
PACKET_BYTES_MAX: Final = 65_549
"""An Ethernet header and the longest IPv4 packet; a longer record is no record."""
_ETHERNET: Final = 1
_RECORD_HEADER_BYTES: Final = 16
_MAGIC: Final = {
    b"\xd4\xc3\xb2\xa1": ("<", 1),
    b"\xa1\xb2\xc3\xd4": (">", 1),
    b"\x4d\x3c\xb2\xa1": ("<", 1000),  # nanoseconds
    b"\xa1\xb2\x3c\x4d": (">", 1000),
}
_UDP: Final = 17
_IPV4: Final = b"\x08\x00"
_IPV6: Final = b"\x86\xdd"
_IPV6_HEADER_BYTES: Final = 40
_ETHERNET_HEADER_BYTES: Final = 14
_UDP_HEADER: Final = struct.Struct("!HHHH")
_RTCP_FIRST, _RTCP_LAST = 192, 223  # RFC 5761 section 4: second byte of what is not RTP


class CaptureUnreadableError(Exception):
    """The file is not a capture of Ethernet frames."""


class CapturedPacket(NamedTuple):
    """One packet as it came in: when (µs UTC, by the kernel), to which port of ours, and what."""

    arrived_at: int
    port: int
    packet: RTPPacket


def read_capture(file: BinaryIO, ports: frozenset[int]) -> Iterator[CapturedPacket]:
    """Yield the RTP packets sent to `ports`, in the order of their arrival.

    An empty file is an empty capture: the relay was killed before it wrote its first block.
    Raises CaptureUnreadableError when the file begins as no capture does.
    """
    header = file.read(FILE_HEADER_BYTES)
    if len(header) < FILE_HEADER_BYTES:
        if not any(magic.startswith(header[:4]) for magic in _MAGIC):
            raise CaptureUnreadableError
        return
    if header[:4] not in _MAGIC:
        raise CaptureUnreadableError
    order, units_in_us = _MAGIC[header[:4]]
    major, link_type = struct.unpack(f"{order}H14xI", header[4:])
    if major != 2 or link_type != _ETHERNET:
        raise CaptureUnreadableError
    record = struct.Struct(f"{order}IIII")
    while len(head := file.read(_RECORD_HEADER_BYTES)) == _RECORD_HEADER_BYTES:
        seconds, fraction, kept, _ = record.unpack(head)
        if kept > PACKET_BYTES_MAX:
            return  # a torn block: nothing after it can be found again
        frame = file.read(kept)
        if len(frame) < kept:
            return
        found = _read_frame(frame, ports)
        if found is not None:
            yield CapturedPacket(seconds * 1_000_000 + fraction // units_in_us, *found)


def _read_frame(frame: bytes, ports: frozenset[int]) -> tuple[int, RTPPacket] | None:
    """Find the RTP packet in an Ethernet frame, None when it has none for us."""
    kind = frame[12:14]
    if kind == _IPV4:
        start = _skip_ipv4(frame)
    elif kind == _IPV6:
        start = _skip_ipv6(frame)
    else:
        return None
    if start is None or len(frame) < start + _UDP_HEADER.size:
        return None
    _, port, size, _ = _UDP_HEADER.unpack_from(frame, start)
    data = frame[start + _UDP_HEADER.size : start + size]
    if port not in ports or len(data) < 2 or _RTCP_FIRST <= data[1] <= _RTCP_LAST:
        return None
    try:
        return port, parse_rtp(data)
    except RemoteProtocolError:
        return None


def _skip_ipv4(frame: bytes) -> int | None:
    """Say where UDP begins; None for other protocols and for fragments, which hold no whole packet."""
    if len(frame) < _ETHERNET_HEADER_BYTES + 20 or frame[14] >> 4 != 4 or frame[23] != _UDP:
        return None
    is_fragment = (frame[20] & 0x3F) != 0 or frame[21] != 0
    return None if is_fragment else _ETHERNET_HEADER_BYTES + 4 * (frame[14] & 0x0F)


def _skip_ipv6(frame: bytes) -> int | None:
    if len(frame) < _ETHERNET_HEADER_BYTES + _IPV6_HEADER_BYTES or frame[20] != _UDP:
        return None
    return _ETHERNET_HEADER_BYTES + _IPV6_HEADER_BYTES

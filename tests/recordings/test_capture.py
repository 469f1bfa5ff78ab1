import io
import struct
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.core.call_record import Side
from maskline.media.rtp import RTPPacket
from maskline.recordings.capture import (
    FILE_HEADER_BYTES,
    PACKET_BYTES_MAX,
    CapturedPacket,
    CaptureUnreadableError,
    read_capture,
)
from maskline.testing.captures import PORT, SentPacket, render_capture, render_frame, render_record

PORTS = frozenset(PORT.values())
AT = 1_790_000_000_123_456


def packet(sequence: int = 1, payload: bytes = b"\xff" * 160, **given: int) -> RTPPacket:
    return RTPPacket(
        payload_type=given.get("payload_type", 0), sequence=sequence, timestamp=7, source=9, payload=payload
    )


def sent(sequence: int = 1, side: Side = Side.A, *, is_v6: bool = False) -> SentPacket:
    return SentPacket(AT + sequence, side, packet(sequence), is_v6)


MIXED = [sent(1), sent(2, Side.B, is_v6=True), sent(3), sent(4, Side.B)]


def read(data: bytes) -> list[CapturedPacket]:
    return list(read_capture(io.BytesIO(data), PORTS))


def test_packets_come_back_with_time_and_port() -> None:
    """Arrival to the microsecond, our port, and the packet, over both IP versions."""
    assert read(render_capture(MIXED)) == [(it.arrived_at, PORT[it.side], it.packet) for it in MIXED]


def test_capture_cut_anywhere_gives_its_whole_records() -> None:
    """At every byte where the file may end, what came before is read and nothing else; nothing fails."""
    data = render_capture(MIXED)
    whole = read(data)
    ends = [FILE_HEADER_BYTES]
    for it in MIXED:
        ends.append(ends[-1] + len(render_record(0, render_frame(it))))
    for size in range(len(data) + 1):
        assert read(data[:size]) == whole[: sum(end <= size for end in ends[1:])]


@given(
    packets=st.lists(st.tuples(st.integers(0, 65_535), st.sampled_from(Side), st.binary(max_size=60))),
    size=st.integers(0, 5_000),
)
def test_any_cut_of_any_capture_is_a_beginning_of_it(
    packets: list[tuple[int, Side, bytes]], size: int
) -> None:
    """Truncation loses the end and changes nothing before it."""
    data = render_capture(
        SentPacket(AT + index, side, packet(sequence, payload))
        for index, (sequence, side, payload) in enumerate(packets)
    )
    found, whole = read(data[:size]), read(data)
    assert whole[: len(found)] == found
    assert len(whole) == len(packets)


@given(data=st.binary(max_size=400), is_after_header=st.booleans())
def test_no_bytes_do_harm(data: bytes, is_after_header: bool) -> None:
    """Whatever is in the file, reading ends, or says that it is no capture."""
    header = render_capture([]) if is_after_header else b""
    try:
        read(header + data)
    except CaptureUnreadableError:
        assert not is_after_header


@pytest.mark.parametrize("data", [b"", b"\xd4\xc3", render_capture([])[:23], render_capture([])])
def test_a_file_without_records_is_an_empty_capture(data: bytes) -> None:
    """The relay writes in blocks: it may have been killed before the first."""
    assert read(data) == []


@pytest.mark.parametrize(
    "data",
    [
        b"RIFF" + bytes(60),
        bytes(24),
        b"abc",
        render_capture([])[:20] + struct.pack("<I", 113),  # another link type
        render_capture([])[:4] + struct.pack("<H", 1) + render_capture([])[6:],  # another version
    ],
)
def test_other_files_are_refused(data: bytes) -> None:
    """What begins as no capture of Ethernet frames is not guessed at."""
    with pytest.raises(CaptureUnreadableError):
        read(data)


@pytest.mark.parametrize(("order", "magic", "units"), [
    ("<", 0xA1B2C3D4, 1), (">", 0xA1B2C3D4, 1), ("<", 0xA1B23C4D, 1000), (">", 0xA1B23C4D, 1000),
])  # fmt: skip
def test_both_byte_orders_and_resolutions(order: str, magic: int, units: int) -> None:
    """A capture taken elsewhere is read as well."""
    frame = render_frame(sent())
    seconds, us = divmod(AT, 1_000_000)
    data = struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, 65_535, 1)
    data += struct.pack(f"{order}IIII", seconds, us * units, len(frame), len(frame)) + frame
    assert read(data) == [(AT, PORT[Side.A], packet())]


def frames() -> dict[str, bytes]:
    """Frames that hold nothing for us."""
    v4, v6 = render_frame(sent()), render_frame(sent(is_v6=True))
    return {
        "arp": v4[:12] + b"\x08\x06" + v4[14:],
        "tcp": v4[:23] + b"\x06" + v4[24:],
        "tcp over IPv6": v6[:20] + b"\x06" + v6[21:],
        "first fragment": v4[:20] + b"\x20\x00" + v4[22:],
        "later fragment": v4[:20] + b"\x00\x08" + v4[22:],
        "another port": render_frame(replace(sent(), port=9)),
        "not IPv4": v4[:14] + b"\x65" + v4[15:],
        "RTCP": v4[:42] + b"\x80\xc8" + v4[44:],
        "not RTP": v4[:42] + b"\x00" + v4[43:],
        "cut": v4[:40],
        "cut IPv6": v6[:50],
        "empty": b"",
    }


@pytest.mark.parametrize("name", frames())
def test_what_is_no_packet_for_us_is_passed_over(name: str) -> None:
    """It does not hide the packet behind it."""
    good = render_frame(sent(2))
    data = render_capture([]) + render_record(AT, frames()[name]) + render_record(AT + 2, good)
    assert [it.packet.sequence for it in read(data)] == [2]


def test_a_record_longer_than_any_packet_ends_the_capture() -> None:
    """A torn block is not read on into."""
    torn = struct.pack("<IIII", 1, 1, PACKET_BYTES_MAX + 1, 0) + bytes(PACKET_BYTES_MAX + 1)
    data = render_capture([sent(1)]) + torn + render_record(AT, render_frame(sent(2)))
    assert [it.packet.sequence for it in read(data)] == [1]

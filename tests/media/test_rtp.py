import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.media.errors import LocalProtocolError, RemoteProtocolError
from maskline.media.rtp import RTPPacket, parse_rtp, render_rtp, sequence_distance

word = st.integers(0, 0xFFFFFFFF)
packets = st.builds(
    RTPPacket,
    payload_type=st.integers(0, 127),
    sequence=st.integers(0, 0xFFFF),
    timestamp=word,
    source=word,
    payload=st.binary(max_size=200),
    is_marked=st.booleans(),
    contributing=st.lists(word, max_size=15).map(tuple),
    extension=st.none()
    | st.tuples(st.integers(0, 0xFFFF), st.binary(max_size=40).map(lambda raw: raw[: len(raw) // 4 * 4])),
)


@given(packets)
def test_round_trip(packet: RTPPacket) -> None:
    """What is written is read back the same."""
    assert parse_rtp(render_rtp(packet)) == packet


@given(st.binary(max_size=100))
def test_any_bytes(data: bytes) -> None:
    """Any bytes are a packet or the peer's fault."""
    try:
        packet = parse_rtp(data)
    except RemoteProtocolError:
        return
    assert len(packet.payload) <= len(data)


def test_padding_is_taken_off() -> None:
    """Padding is no payload."""
    plain = render_rtp(RTPPacket(payload_type=0, sequence=1, timestamp=2, source=3, payload=b"abcd"))
    assert parse_rtp(bytes([plain[0] | 0x20]) + plain[1:] + b"\0\0\0\4").payload == b"abcd"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x40" + bytes(11),
        b"\x8f" + bytes(20),
        b"\xa0" + bytes(11) + b"\0",
        b"\xa0" + bytes(11) + b"\x05",
        b"\xaf" + bytes(12),
        b"\x90" + bytes(11) + b"\0\0",
        b"\x90" + bytes(11) + b"\0\0\0\1",
    ],
)
def test_cut_or_foreign(data: bytes) -> None:
    """A packet whose parts do not fit into it is refused."""
    with pytest.raises(RemoteProtocolError):
        parse_rtp(data)


@pytest.mark.parametrize(
    "packet",
    [
        RTPPacket(payload_type=0, sequence=70_000, timestamp=0, source=0, payload=b""),
        RTPPacket(payload_type=0, sequence=0, timestamp=0, source=0, payload=b"", contributing=(1,) * 16),
        RTPPacket(payload_type=0, sequence=0, timestamp=0, source=0, payload=b"", extension=(1, b"abc")),
    ],
)
def test_unsayable(packet: RTPPacket) -> None:
    """A value that has no wire form is our own fault."""
    with pytest.raises(LocalProtocolError):
        render_rtp(packet)


@pytest.mark.parametrize(
    ("earlier", "later", "distance"),
    [(1, 2, 1), (2, 1, -1), (65535, 0, 1), (0, 65535, -1), (5, 5, 0), (0, 0x7FFF, 0x7FFF)],
)
def test_distance_over_the_wrap(earlier: int, later: int, distance: int) -> None:
    """Distances hold over the end of the sequence space."""
    assert sequence_distance(earlier, later) == distance

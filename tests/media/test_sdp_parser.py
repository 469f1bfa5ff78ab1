import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.media.errors import RemoteProtocolError
from maskline.media.sdp import Codec, Direction, MediaLine, parse_sdp
from maskline.media.sdp_parser import BODY_BYTES_MAX, FORMATS_MAX, LINES_MAX, MEDIA_LINES_MAX

PHONE = b"""v=0
o=alice 2890844526 7 IN IP4 host.atlanta.example.com
s=A call from Alice
i=secret
u=http://secret.example
e=alice@secret.example
p=+1 555 0100
c=IN IP4 192.0.2.4
b=AS:64
t=0 0
a=tool:SecretPhone 1.0
a=ice-ufrag:abcd
m=audio 49170 RTP/AVP 8 0 18 111 101 110 13
a=rtpmap:8 PCMA/8000
a=rtpmap:18 G729/8000
a=fmtp:18 annexb=yes
a=rtpmap:111 opus/48000/2
a=fmtp:111 maxplaybackrate=16000
a=rtpmap:101 telephone-event/8000
a=rtpmap:110 telephone-event/48000
a=fmtp:101 0-16
a=rtpmap:13 CN/8000
a=ssrc:12345 cname:alice@secret
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=rtcp-mux
a=rtcp:49171
a=candidate:1 1 UDP 2130706431 10.0.1.1 8998 typ host
a=ptime:20
a=sendonly
""".replace(b"\n", b"\r\n")


def small(audio: str = "m=audio 4000 RTP/AVP 0", connection: str = "c=IN IP4 192.0.2.4", *more: str) -> bytes:
    """The least description there can be, with parts replaced."""
    return "\r\n".join(["v=0", "o=- 1 1 IN IP4 192.0.2.4", connection, audio, *more, ""]).encode()


def test_a_phone() -> None:
    """A common offer becomes exactly the facts that matter."""
    remote = parse_sdp(PHONE)
    assert (remote.address, remote.port, remote.ptime_ms) == ("192.0.2.4", 49170, 20)
    assert [codec.name for codec in remote.codecs] == ["PCMA", "PCMU", "G729", "opus"]
    assert remote.events == (Codec("telephone-event", 101, 8000), Codec("telephone-event", 110, 48000))
    assert remote.telephone_event == 101
    assert remote.direction is Direction.SENDONLY
    assert remote.is_held
    assert not remote.is_ipv6
    assert remote.session_version == 7
    assert remote.media_lines == (MediaLine("audio", "RTP/AVP", "8"),)


@pytest.mark.parametrize(
    "body",
    [
        PHONE.replace(b"\r\n", b"\n"),
        PHONE.rstrip(),
        PHONE + b"\r\n\r\n",
        PHONE.replace(b"t=0 0\r\n", b"").replace(b"s=A call from Alice\r\n", b""),
        PHONE.replace(b"s=A call", "s=Ünïcode".encode()),
        PHONE.replace(b"m=audio 49170 RTP/AVP", b"m=AUDIO  49170/1 rtp/avp"),
        PHONE.replace(b"PCMA/8000", b"pcma/8000/1"),
        PHONE.replace(b"a=ptime:20", b"a=ptime: 20"),
        PHONE.replace(b"c=IN IP4 192.0.2.4", b"c=IN IP4 192.0.2.4 "),
    ],
)
def test_what_devices_in_service_send(body: bytes) -> None:
    """Harmless liberties do not change what is read."""
    assert parse_sdp(body) == parse_sdp(PHONE)


@pytest.mark.parametrize(
    ("attributes", "connection", "direction"),
    [
        ((), "192.0.2.4", Direction.SENDRECV),
        (("a=sendonly",), "192.0.2.4", Direction.SENDONLY),
        (("a=recvonly",), "192.0.2.4", Direction.RECVONLY),
        (("a=inactive",), "192.0.2.4", Direction.INACTIVE),
        ((), "0.0.0.0", Direction.SENDONLY),
        (("a=recvonly",), "0.0.0.0", Direction.INACTIVE),
        (("a=inactive",), "0.0.0.0", Direction.INACTIVE),
    ],
)
def test_direction_and_hold_of_old(
    attributes: tuple[str, ...], connection: str, direction: Direction
) -> None:
    """An unspecified address means: sends perhaps, hears nothing."""
    body = small("m=audio 4000 RTP/AVP 0", f"c=IN IP4 {connection}", *attributes)
    assert parse_sdp(body).direction is direction


def test_session_direction_is_the_default() -> None:
    """A direction of the session holds unless the stream says otherwise."""
    body = small().replace(b"m=audio", b"a=inactive\r\nm=audio")
    assert parse_sdp(body).direction is Direction.INACTIVE
    assert parse_sdp(body + b"a=sendrecv\r\n").direction is Direction.SENDRECV


def test_ipv6_and_stream_address() -> None:
    """An address of the stream wins over that of the session; IPv6 is brought to one form."""
    body = small("m=audio 4000 RTP/AVP 0", "c=IN IP4 192.0.2.4", "c=IN IP6 2001:DB8:0:0::1", "c=IN IP6 ::9")
    remote = parse_sdp(body)
    assert (remote.address, remote.is_ipv6) == ("2001:db8::1", True)


def test_first_stream_that_can_be_served() -> None:
    """Video, encrypted and disabled streams are passed over and remembered for the answer."""
    body = small(
        "m=video 5000 RTP/AVP 31",
        "c=IN IP4 192.0.2.4",
        "m=audio 4998 RTP/SAVP 0",
        "m=audio 0 RTP/AVP 0",
        "m=audio 4000 RTP/AVPF 8",
        "m=audio 4004 RTP/AVP 0",
    )
    remote = parse_sdp(body)
    assert (remote.port, remote.audio_index) == (4000, 3)
    assert [line.kind for line in remote.media_lines] == ["video", "audio", "audio", "audio", "audio"]
    assert remote.media_lines[3].protocol == "RTP/AVPF"


@pytest.mark.parametrize(
    "body",
    [
        small("m=audio 4000 RTP/SAVP 0"),
        small("m=audio 4000 RTP/SAVPF 0"),
        small("m=audio 4000 UDP/TLS/RTP/SAVPF 0"),
        small("m=video 4000 RTP/AVP 31"),
        small("m=audio 0 RTP/AVP 0"),
        small("m=image 4000 udptl t38"),
        small("m=audio 4000 RTP/AVP 3 97"),
        small("m=audio 4000 RTP/AVP 101", "c=IN IP4 192.0.2.4", "a=rtpmap:101 telephone-event/8000"),
        small(connection="c=IN IP4 phone.example.com"),
        small(connection="c=IN IP4 239.1.2.3"),
        small(connection="c=IN IP4 239.1.2.3/127"),
        small(connection="c=IN IP6 ff02::1"),
        small(connection="c=IN IP6 fe80::1%eth0"),
        small(connection="c=IN IP6 ::ffff:192.0.2.4"),
        small(connection="c=IN IP4 255.255.255.255"),
        b"v=0\r\n",
    ],
)
def test_not_acceptable(body: bytes) -> None:
    """A description that is sound but cannot be served suggests 488."""
    with pytest.raises(RemoteProtocolError) as caught:
        parse_sdp(body)
    assert caught.value.status_hint == 488


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"v=1\r\n",
        b"o=- 1 1 IN IP4 192.0.2.4\r\nv=0\r\n",
        b"hello",
        small() + b"no equals sign\r\n",
        small() + b"AB=1\r\n",
        small() + b"a=x\0y\r\n",
        small("m=audio"),
        small("m=audio 4000 RTP/AVP"),
        small("m=audio x RTP/AVP 0"),
        small("m=audio 70000 RTP/AVP 0"),
        small("m=audio 4000/2 RTP/AVP 0"),
        small("m=au<dio 4000 RTP/AVP 0"),
        small("m=audio 4000 RTP//AVP 0"),
        small("m=audio 4000 RTP/AVP 0 <x>"),
        small("m=audio 4000 RTP/AVP " + " ".join(["0"] * (FORMATS_MAX + 1))),
        small(connection="s=nothing about where"),
        small(connection="c=IN IP4"),
        small(connection="c=TN X121 192.0.2.4"),
        small(connection="c=IN IP6 192.0.2.4"),
        small("m=audio 4000 RTP/AVP 0", "c=IN IP4 192.0.2.4", "a=rtpmap:0"),
        small("m=audio 4000 RTP/AVP 0", "c=IN IP4 192.0.2.4", "a=rtpmap:zero PCMU/8000"),
        small(
            "m=audio 4000 RTP/AVP 97", "c=IN IP4 192.0.2.4", "a=rtpmap:97 PCMU/8000", "a=rtpmap:97 PCMA/8000"
        ),
        small() + b"a=x\r\n" * LINES_MAX,
        small() + b"m=video 0 RTP/AVP 31\r\n" * MEDIA_LINES_MAX,
        small() + b"a=" + b"x" * BODY_BYTES_MAX,
    ],
)
def test_malformed(body: bytes) -> None:
    """A description whose meaning would have to be guessed, or beyond a limit, is the peer's fault: 400."""
    with pytest.raises(RemoteProtocolError) as caught:
        parse_sdp(body)
    assert caught.value.status_hint == 400


def test_errors_do_not_repeat_what_was_sent() -> None:
    """An error text may be logged, so it holds nothing of the body."""
    with pytest.raises(RemoteProtocolError) as caught:
        parse_sdp(small(connection="c=IN IP4 secret.example"))
    assert "secret" not in str(caught.value)


def test_formats_named_twice_and_odd_ones() -> None:
    """The first of each codec counts; formats that are no numbers are passed over."""
    body = small(
        "m=audio 4000 RTP/AVP 0 0 x 97 101 102",
        "c=IN IP4 192.0.2.4",
        "a=rtpmap:97 PCMU/8000",
        "a=rtpmap:101 telephone-event/8000",
        "a=rtpmap:102 telephone-event/8000",
        "a=ptime:33",
    )
    remote = parse_sdp(body)
    assert remote.codecs == (Codec("PCMU", 0, 8000),)
    assert remote.telephone_event == 101
    assert remote.ptime_ms is None


def test_odd_origin() -> None:
    """An origin line that is not one counts as version 0."""
    assert parse_sdp(small().replace(b"o=- 1 1 IN IP4 192.0.2.4", b"o=x")).session_version == 0


@given(st.binary(max_size=300))
def test_any_bytes(body: bytes) -> None:
    """Any bytes are a description or the peer's fault."""
    try:
        remote = parse_sdp(body)
    except RemoteProtocolError:
        return
    assert remote.codecs


lines = st.sampled_from(PHONE.split(b"\r\n")) | st.binary(max_size=20)


@given(st.lists(lines, max_size=30), st.integers(0, 400), st.binary(max_size=3))
def test_nearly_right_bytes(parts: list[bytes], at: int, junk: bytes) -> None:
    """So are descriptions shuffled, cut and with bytes put in."""
    body = b"v=0\r\n" + b"\r\n".join(parts)
    try:
        remote = parse_sdp(body[:at] + junk + body[at:])
    except RemoteProtocolError:
        return
    assert remote.codecs

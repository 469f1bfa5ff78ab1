import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.media.codecs import PROFILES, Codec
from maskline.media.sdp import (
    Direction,
    LocalDescription,
    MediaLine,
    NoCommonCodec,
    RemoteDescription,
    build_answer_to,
    build_offer_from,
    build_own_answer,
    decide_answer_direction,
    parse_sdp,
    render_sdp,
)

ALLOWED = ("PCMU", "PCMA", "G722", "opus", "G729")


def remote_of(**facts: object) -> RemoteDescription:
    """A party that offers PCMA, then PCMU, and keys."""
    base = RemoteDescription(
        address="192.0.2.4",
        port=4000,
        codecs=(Codec("PCMA", 8, 8000), Codec("PCMU", 0, 8000)),
        events=(Codec("telephone-event", 96, 8000),),
        ptime_ms=20,
        direction=Direction.SENDRECV,
        session_version=1,
        media_lines=(MediaLine("audio", "RTP/AVP", "8"),),
        audio_index=0,
    )
    return replace(base, **facts)  # type: ignore[arg-type]  # names checked by replace


def offer(remote: RemoteDescription | None, allowed: tuple[str, ...] = ALLOWED) -> LocalDescription:
    """Leg B's offer at our usual address."""
    return build_offer_from(remote, allowed, address="203.0.113.9", port=20_000, session_id=77, version=3)


def answer(to: RemoteDescription, by: RemoteDescription) -> LocalDescription:
    """Leg A's answer at our usual address."""
    return build_answer_to(to, by, address="203.0.113.9", port=20_000, session_id=77, version=3)


def test_offer_bytes() -> None:
    """Leg B's offer is these bytes: constant but for the facts that may cross."""
    assert render_sdp(offer(remote_of())).decode().split("\r\n") == [
        "v=0",
        "o=- 77 3 IN IP4 203.0.113.9",
        "s=-",
        "c=IN IP4 203.0.113.9",
        "t=0 0",
        "m=audio 20000 RTP/AVP 0 8 96",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:96 telephone-event/8000",
        "a=fmtp:96 0-15",
        "a=ptime:20",
        "a=sendrecv",
        "",
    ]


def test_offer_without_an_offer() -> None:
    """Where A offered nothing, B is offered all the trunk allows under our own numbers."""
    body = render_sdp(offer(None, ("PCMA", "opus", "unheard-of"))).decode()
    assert "m=audio 20000 RTP/AVP 111 8 101\r\n" in body
    assert "a=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;useinbandfec=1\r\n" in body
    assert "a=ptime" not in body


def test_ipv6() -> None:
    """An IPv6 address of ours is announced as one."""
    local = build_offer_from(
        remote_of(), ALLOWED, address="2001:db8::9", port=20_000, session_id=1, version=1
    )
    assert b"o=- 1 1 IN IP6 2001:db8::9\r\ns=-\r\nc=IN IP6 2001:db8::9\r\n" in render_sdp(local)


def test_only_what_both_know() -> None:
    """A codec that the trunk does not allow, or that A did not offer, is not offered to B."""
    assert [codec.name for codec in offer(remote_of(), ("pcmu", "opus")).codecs] == ["PCMU"]
    with pytest.raises(NoCommonCodec):
        offer(remote_of(), ("opus",))
    with pytest.raises(NoCommonCodec):
        offer(None, ())


def test_events_go_with_audio_of_their_rate() -> None:
    """Keys at 48000 Hz are offered only beside Opus."""
    events = (Codec("telephone-event", 110, 48000), Codec("telephone-event", 101, 8000))
    both = (Codec("opus", 111, 48000, 2), Codec("PCMU", 0, 8000))
    remote = remote_of(codecs=both, events=events)
    assert [event.payload_type for event in offer(remote).events] == [101, 110]
    assert [event.payload_type for event in offer(remote, ("PCMU",)).events] == [101]


def test_answer_takes_the_other_sides_numbers() -> None:
    """A is answered with what B accepted of A's offer, under the numbers B wants to receive."""
    a = remote_of(codecs=(Codec("opus", 111, 48000, 2), Codec("PCMU", 0, 8000)))
    b = remote_of(
        codecs=(Codec("PCMU", 0, 8000), Codec("opus", 96, 48000, 2), Codec("G722", 9, 8000)),
        events=(Codec("telephone-event", 97, 8000),),
        ptime_ms=30,
    )
    local = answer(a, b)
    assert local.codecs == (Codec("opus", 96, 48000, 2), Codec("PCMU", 0, 8000))
    assert local.events == (Codec("telephone-event", 97, 8000),)
    assert local.ptime_ms == 30
    with pytest.raises(NoCommonCodec):
        answer(a, remote_of(codecs=(Codec("G729", 18, 8000),)))


def test_answer_refuses_other_streams() -> None:
    """The answer has a line for each line of the offer, all but the audio with port 0."""
    lines = (
        MediaLine("video", "RTP/SAVPF", "120"),
        MediaLine("audio", "RTP/AVPF", "0"),
        MediaLine("image", "UDPTL", "t38"),
    )
    body = render_sdp(answer(remote_of(media_lines=lines, audio_index=1), remote_of())).decode()
    media = [line for line in body.split("\r\n") if line.startswith("m=")]
    assert media == ["m=video 0 RTP/SAVPF 120", "m=audio 20000 RTP/AVPF 0 8 96", "m=image 0 UDPTL t38"]


def test_own_answer() -> None:
    """An offer is answered without another side, from what is allowed."""
    local = build_own_answer(
        remote_of(direction=Direction.SENDONLY),
        ("PCMA",),
        address="203.0.113.9",
        port=20_000,
        session_id=1,
        version=1,
    )
    assert [codec.name for codec in local.codecs] == ["PCMA"]
    assert local.direction is Direction.RECVONLY


@pytest.mark.parametrize(
    ("offered", "wanted", "said"),
    [
        ("sendrecv", "sendrecv", "sendrecv"),
        ("sendrecv", "sendonly", "sendonly"),
        ("sendrecv", "recvonly", "recvonly"),
        ("sendonly", "sendrecv", "recvonly"),
        ("sendonly", "recvonly", "recvonly"),
        ("sendonly", "sendonly", "inactive"),
        ("recvonly", "sendrecv", "sendonly"),
        ("recvonly", "recvonly", "inactive"),
        ("inactive", "sendrecv", "inactive"),
        ("sendrecv", "inactive", "inactive"),
    ],
)
def test_answer_direction(offered: str, wanted: str, said: str) -> None:
    """An answer never goes beyond what the offer permits."""
    assert decide_answer_direction(Direction(offered), Direction(wanted)) == said


def test_hold_passes_through_rebuilt() -> None:
    """A's hold, of either kind, is said to B at our own address."""
    held = render_sdp(offer(remote_of(address="0.0.0.0", direction=Direction.SENDONLY)))
    assert b"a=sendonly\r\n" in held
    assert b"0.0.0.0" not in held


codecs = st.lists(st.sampled_from(PROFILES), min_size=1, unique=True).map(
    lambda chosen: tuple(Codec(p.name, p.payload_type, p.clock_rate_hz, p.channels) for p in chosen)
)
events = st.sampled_from([(), (Codec("telephone-event", 101, 8000),), (Codec("telephone-event", 127, 8000),)])
addresses = st.sampled_from(["192.0.2.4", "2001:db8::4", "198.51.100.200"])
locals_ = st.builds(
    LocalDescription,
    address=addresses,
    port=st.integers(1, 65_535),
    codecs=codecs,
    events=events,
    ptime_ms=st.sampled_from([None, 10, 20, 30, 40, 60]),
    direction=st.sampled_from(list(Direction)),
    session_id=st.integers(0, 2**62),
    version=st.integers(0, 2**62),
)


@given(locals_)
def test_round_trip(local: LocalDescription) -> None:
    """What we write is read back with the same facts."""
    remote = parse_sdp(render_sdp(local))
    for name in ("address", "port", "codecs", "events", "ptime_ms", "direction"):
        assert getattr(remote, name) == getattr(local, name)
    assert remote.session_version == local.version
    assert (remote.media_lines[0].kind, remote.audio_index) == ("audio", 0)


SECRETS = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=12)


@st.composite
def disguises(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """Two offers that agree in the exceptions of I5 and differ in all else a device can say."""
    chosen = draw(codecs)
    event = draw(events)
    ptime = draw(st.sampled_from([10, 20, 30]))
    direction = draw(st.sampled_from(list(Direction)))
    seeds = draw(st.tuples(st.integers(0, 2**32), st.integers(0, 2**32)))
    words = draw(st.tuples(SECRETS, SECRETS))
    made = [
        write_offer(random.Random(seed), word, chosen=chosen, event=event, ptime=ptime, direction=direction)
        for seed, word in zip(seeds, words, strict=True)
    ]
    return made[0], made[1]


def write_offer(
    chance: random.Random,
    secret: str,
    *,
    chosen: tuple[Codec, ...],
    event: tuple[Codec, ...],
    ptime: int,
    direction: Direction,
) -> bytes:
    """Write an offer as some device might, with everything that may vary chosen by chance."""
    address = chance.choice(["192.0.2.4", "198.51.100.7", "10.1.2.3"])
    formats = [*chosen, *event]
    chance.shuffle(formats)
    unknown = chance.sample([3, 4, 13, 97, 98], chance.randrange(3))
    session = [
        f"o={secret} {chance.randrange(10**9)} {chance.randrange(10**9)} IN IP4 {secret}.example",
        f"s={secret}",
        *chance.sample([f"i={secret}", f"u=http://{secret}", f"e={secret}@x", f"p=+1 {secret}"], 2),
        f"c=IN IP4 {address}",
        f"b=AS:{chance.randrange(500)}",
        f"t={chance.randrange(9)} 0",
        f"a=tool:{secret}",
        f"k=clear:{secret}",
    ]
    audio = [
        f"m=audio {chance.randrange(1, 65536)} {chance.choice(['RTP/AVP', 'RTP/AVPF'])} "
        + " ".join(str(number) for number in [*(f.payload_type for f in formats), *unknown]),
        *(
            f"a=rtpmap:{f.payload_type} {chance.choice([f.name, f.name.upper()])}/{f.clock_rate_hz}"
            + (f"/{f.channels}" if f.channels > 1 else "")
            for f in formats
        ),
        *(f"a=rtpmap:{number} x-{secret}/8000" for number in unknown if number > 96),
    ]
    extras = [
        *(f"a=fmtp:{f.payload_type} {secret}={chance.randrange(99)}" for f in formats),
        f"a=ssrc:{chance.randrange(2**32)} cname:{secret}",
        f"a=extmap:{chance.randrange(1, 14)} urn:{secret}",
        f"a=rtcp:{chance.randrange(65536)} IN IP4 {address}",
        "a=rtcp-mux",
        f"a=candidate:1 1 UDP 1 {address} 9 typ host",
        f"a=ice-pwd:{secret}",
        f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{secret}",
        f"a=fingerprint:sha-256 {secret}",
        f"a=maxptime:{chance.randrange(300)}",
        f"a=label:{secret}",
        f"a=X-{secret}",
        f"a=mid:{secret}",
    ]
    attributes = [*chance.sample(extras, chance.randrange(len(extras))), f"a=ptime:{ptime}", f"a={direction}"]
    chance.shuffle(attributes)
    video = chance.choice([[], [f"m=video {chance.randrange(65536)} RTP/AVP 31", f"a=label:{secret}"]])
    ending = chance.choice(["\r\n", "\n"])
    return ending.join(["v=0", *session, *audio, *attributes, *video, ""]).encode()


@given(disguises())
def test_non_interference(offers: tuple[bytes, bytes]) -> None:
    """Leg B's offer depends on nothing of A's but codecs, their numbers, ptime and direction."""
    first, second = (render_sdp(offer(parse_sdp(body))) for body in offers)
    assert first == second


@given(disguises())
def test_non_interference_of_answers(answers: tuple[bytes, bytes]) -> None:
    """Leg A's answer depends on nothing else of B's either."""
    a = remote_of(codecs=tuple(Codec(p.name, p.payload_type, p.clock_rate_hz, p.channels) for p in PROFILES))
    first, second = (render_sdp(answer(a, parse_sdp(body))) for body in answers)
    assert first == second

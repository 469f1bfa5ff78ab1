"""Session descriptions: read strictly what a party says, write our own from scratch.

Nothing is ever edited through: a description we send is built from the few facts in `LocalDescription`, so
what a party wrote can reach the other side only as one of those facts.

Source: RFC 8866 (SDP), RFC 3264 (offer/answer).
"""

from maskline.media.codecs import (
    CANONICAL_RANK,
    EVENT_FMTP,
    EVENT_PAYLOAD_TYPE,
    PROFILE_OF,
    TELEPHONE_EVENT,
    Codec,
    default_codec,
)
from maskline.media.errors import NoCommonCodec, RemoteProtocolError
from maskline.media.sdp_description import (
    RECEIVES,
    SENDS,
    Direction,
    LocalDescription,
    MediaLine,
    RemoteDescription,
    make_direction,
)
from maskline.media.sdp_parser import parse_sdp

__all__ = [
    "Codec",
    "Direction",
    "LocalDescription",
    "MediaLine",
    "NoCommonCodec",
    "RemoteDescription",
    "RemoteProtocolError",
    "build_answer_to",
    "build_offer_from",
    "build_own_answer",
    "decide_answer_direction",
    "parse_sdp",
    "render_sdp",
]


def build_offer_from(
    remote: RemoteDescription | None,
    allowed: tuple[str, ...],
    *,
    address: str,
    port: int,
    session_id: int,
    version: int,
    direction: Direction | None = None,
) -> LocalDescription:
    """Offer a leg what the other side can do, as far as `allowed` names it.

    Without `remote` (an INVITE that carried no offer) everything allowed is offered under our own payload
    types. `direction` None keeps the other side's. `allowed` names audio codecs; telephone-event is always
    allowed. Raises `NoCommonCodec`.
    """
    names = frozenset(name.lower() for name in allowed)
    if remote is None:
        ours = (default_codec(name) for name in allowed)
        codecs = tuple(codec for codec in ours if codec is not None)
        events: tuple[Codec, ...] = (Codec(TELEPHONE_EVENT, EVENT_PAYLOAD_TYPE, 8000),)
        ptime_ms = None
    else:
        codecs = tuple(codec for codec in remote.codecs if codec.name.lower() in names)
        events, ptime_ms = remote.events, remote.ptime_ms
    wanted = direction or (Direction.SENDRECV if remote is None else remote.direction)
    return LocalDescription(
        address=address,
        port=port,
        codecs=_canonical(codecs),
        events=_canonical_events(events, codecs),
        ptime_ms=ptime_ms,
        direction=wanted,
        session_id=session_id,
        version=version,
    )


def build_answer_to(
    offer: RemoteDescription,
    answer: RemoteDescription,
    *,
    address: str,
    port: int,
    session_id: int,
    version: int,
) -> LocalDescription:
    """Answer a leg's offer with what the other side accepted of it.

    Payload types are those of `answer`: they are what the other side wants to receive, and the relay does not
    translate them (RFC 3264 section 6.1). Raises `NoCommonCodec`.
    """
    offered = frozenset((codec.name, codec.clock_rate_hz) for codec in (*offer.codecs, *offer.events))
    codecs = tuple(codec for codec in answer.codecs if (codec.name, codec.clock_rate_hz) in offered)
    events = tuple(codec for codec in answer.events if (codec.name, codec.clock_rate_hz) in offered)
    return LocalDescription(
        address=address,
        port=port,
        codecs=_canonical(codecs),
        events=_canonical_events(events, codecs),
        ptime_ms=answer.ptime_ms,
        direction=decide_answer_direction(offer.direction, answer.direction),
        session_id=session_id,
        version=version,
        media_lines=offer.media_lines,
        audio_index=offer.audio_index,
    )


def build_own_answer(
    offer: RemoteDescription,
    allowed: tuple[str, ...],
    *,
    address: str,
    port: int,
    session_id: int,
    version: int,
    direction: Direction = Direction.SENDRECV,
) -> LocalDescription:
    """Answer an offer ourselves, with no other side involved (prompts, phones). Raises `NoCommonCodec`."""
    names = frozenset(name.lower() for name in allowed)
    codecs = tuple(codec for codec in offer.codecs if codec.name.lower() in names)
    return LocalDescription(
        address=address,
        port=port,
        codecs=_canonical(codecs),
        events=_canonical_events(offer.events, codecs),
        ptime_ms=offer.ptime_ms,
        direction=decide_answer_direction(offer.direction, direction),
        session_id=session_id,
        version=version,
        media_lines=offer.media_lines,
        audio_index=offer.audio_index,
    )


def decide_answer_direction(offered: Direction, wanted: Direction) -> Direction:
    """Narrow a wish to what the offer permits (RFC 3264 section 6.1)."""
    return make_direction(
        sends=wanted in SENDS and offered in RECEIVES, receives=wanted in RECEIVES and offered in SENDS
    )


def _canonical(codecs: tuple[Codec, ...]) -> tuple[Codec, ...]:
    """Put codecs in our order, so that the order says nothing about whoever listed them."""
    if not codecs:
        raise NoCommonCodec
    return tuple(sorted(codecs, key=lambda codec: CANONICAL_RANK[codec.name]))


def _canonical_events(events: tuple[Codec, ...], codecs: tuple[Codec, ...]) -> tuple[Codec, ...]:
    """Keep 8000 Hz events, and those of another rate only beside audio of that rate."""
    rates = {8000, *(codec.clock_rate_hz for codec in codecs)}
    return tuple(sorted((e for e in events if e.clock_rate_hz in rates), key=lambda e: e.clock_rate_hz))


def render_sdp(local: LocalDescription) -> bytes:
    """Write a description: constant user, name and times; one audio line; refused lines with port 0."""
    version = "IP6" if ":" in local.address else "IP4"
    lines = [
        "v=0",
        f"o=- {local.session_id} {local.version} IN {version} {local.address}",
        "s=-",
        f"c=IN {version} {local.address}",
        "t=0 0",
    ]
    for index, line in enumerate(local.media_lines):
        if index == local.audio_index:
            lines.extend(_render_audio(local, line.protocol))
        else:
            lines.append(f"m={line.kind} 0 {line.protocol} {line.format}")
    lines.append("")
    return "\r\n".join(lines).encode("ascii")


def _render_audio(local: LocalDescription, protocol: str) -> list[str]:
    formats = (*local.codecs, *local.events)
    lines = [f"m=audio {local.port} {protocol} {' '.join(str(f.payload_type) for f in formats)}"]
    for codec in formats:
        suffix = f"/{codec.channels}" if codec.channels > 1 else ""
        lines.append(f"a=rtpmap:{codec.payload_type} {codec.name}/{codec.clock_rate_hz}{suffix}")
        fmtp = EVENT_FMTP if codec.name == TELEPHONE_EVENT else PROFILE_OF[codec.name.lower()].fmtp
        if fmtp:
            lines.append(f"a=fmtp:{codec.payload_type} {fmtp}")
    if local.ptime_ms is not None:
        lines.append(f"a=ptime:{local.ptime_ms}")
    lines.append(f"a={local.direction}")
    return lines

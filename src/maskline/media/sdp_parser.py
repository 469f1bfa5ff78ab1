"""Reading what a party says, from any bytes: a value or `RemoteProtocolError`.

Tolerated, because devices in service send it: bare LF, empty lines, no t= or s= line, odd o= fields, no final
line end, attributes in any order. Refused: anything whose meaning would have to be guessed.

Source: RFC 8866 sections 5, 6 and 9; RFC 3264 section 5; RFC 4566 for c=0.0.0.0 (RFC 2543 hold).
"""

import ipaddress
import re
from dataclasses import dataclass, field
from typing import Final

from maskline.media.codecs import TELEPHONE_EVENT, Codec, identify
from maskline.media.errors import RemoteProtocolError
from maskline.media.sdp_description import (
    SENDS,
    Direction,
    MediaLine,
    RemoteDescription,
    make_direction,
)

BODY_BYTES_MAX: Final = 16_384  # the largest browser offers stay below 10 KB
LINES_MAX: Final = 512
MEDIA_LINES_MAX: Final = 16  # a device offers two or three; each costs a line in every answer
FORMATS_MAX: Final = 64
PTIMES_MS: Final = frozenset({10, 20, 30, 40, 60})  # any other value would be a channel between the parties
PLAIN_PROTOCOLS: Final = frozenset({"RTP/AVP", "RTP/AVPF"})

_LINE = re.compile(r"([a-z])=(.*)", re.ASCII)
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`{|}~-]{1,64}", re.ASCII)
_PROTOCOL = re.compile(r"[A-Za-z0-9.+-]{1,16}(?:/[A-Za-z0-9.+-]{1,16}){0,3}", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,20}", re.ASCII)
_PORT = re.compile(r"([0-9]{1,5})(?:/1)?", re.ASCII)
_RTPMAP = re.compile(r"([0-9]{1,3}) +([^ /]{1,64})/([0-9]{1,6})(?:/([0-9]{1,2}))?", re.ASCII)
_PTIME = re.compile(r"([0-9]{1,4})(?:\.0*)?", re.ASCII)
_DIRECTIONS: Final = {direction.value: direction for direction in Direction}


@dataclass(slots=True)
class _Stream:
    """One m-line with its attributes, before it is judged."""

    line: MediaLine
    port: int
    formats: tuple[str, ...]
    connection: str | None = None
    direction: Direction | None = None
    ptime_ms: int | None = None
    rtpmaps: dict[int, tuple[str, int, int]] = field(default_factory=dict)

    @property
    def is_servable(self) -> bool:
        return self.line.kind == "audio" and self.line.protocol in PLAIN_PROTOCOLS and self.port > 0


@dataclass(slots=True)
class _Session:
    """The session part and the streams read so far."""

    version: int = 0
    connection: str | None = None
    direction: Direction | None = None
    streams: list[_Stream] = field(default_factory=list)

    def take(self, key: str, value: str) -> None:
        """Note one line."""
        stream = self.streams[-1] if self.streams else None
        if key == "m":
            if len(self.streams) == MEDIA_LINES_MAX:
                raise RemoteProtocolError("too many m-lines")
            self.streams.append(_parse_media_line(value))
        elif stream is None:
            self._take_session_line(key, value)
        elif key == "a":
            _take_attribute(stream, value)
        elif key == "c" and stream.connection is None:
            stream.connection = value

    def _take_session_line(self, key: str, value: str) -> None:
        if key == "o":
            self.version = _parse_session_version(value)
        elif key == "c":
            self.connection = value
        elif key == "a":
            self.direction = _DIRECTIONS.get(value.strip(), self.direction)


def parse_sdp(body: bytes) -> RemoteDescription:
    """Return the first audio stream we can serve.

    Raises `RemoteProtocolError`: 400 where the grammar is broken, 488 where nothing in it can be served (no
    audio over plain RTP, no codec of ours, an address that is no unicast IP literal).
    """
    pairs = _split(body)
    session = _Session()
    for key, value in pairs[1:]:
        session.take(key, value)
    for index, stream in enumerate(session.streams):
        if stream.is_servable:
            return _describe(session, index)
    raise RemoteProtocolError("no audio stream over plain RTP", status_hint=488)


def _split(body: bytes) -> list[tuple[str, str]]:
    """Cut a body into (type, value) pairs; the first is the version line."""
    if len(body) > BODY_BYTES_MAX:
        raise RemoteProtocolError("session description too long")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise RemoteProtocolError("session description is not UTF-8") from None
    if "\0" in text:
        raise RemoteProtocolError("session description holds a NUL")
    pairs: list[tuple[str, str]] = []
    for raw in text.split("\n"):
        line = raw.removesuffix("\r")
        if not line.strip():
            continue
        if len(pairs) == LINES_MAX:
            raise RemoteProtocolError("session description has too many lines")
        match = _LINE.fullmatch(line)
        if match is None:
            raise RemoteProtocolError("line without type and value")
        pairs.append((match[1], match[2]))
    if not pairs or pairs[0][0] != "v" or pairs[0][1].strip() != "0":
        raise RemoteProtocolError("session description does not start with v=0")
    return pairs


def _parse_session_version(value: str) -> int:
    """Read the third field of o=; devices put all sorts there, and only equality matters: else 0."""
    fields = value.split()
    return int(fields[2]) if len(fields) > 2 and _NUMBER.fullmatch(fields[2]) else 0


def _parse_media_line(value: str) -> _Stream:
    fields = value.split()
    if len(fields) < 4 or len(fields) - 3 > FORMATS_MAX:
        raise RemoteProtocolError("m-line with too few or too many fields")
    kind, port_text, protocol, formats = fields[0].lower(), fields[1], fields[2].upper(), fields[3:]
    port = _PORT.fullmatch(port_text)
    if _TOKEN.fullmatch(kind) is None or _PROTOCOL.fullmatch(protocol) is None or port is None:
        raise RemoteProtocolError("m-line malformed")
    if int(port[1]) > 65_535 or not all(_TOKEN.fullmatch(each) for each in formats):
        raise RemoteProtocolError("m-line malformed")
    return _Stream(MediaLine(kind, protocol, formats[0]), int(port[1]), tuple(formats))


def _take_attribute(stream: _Stream, value: str) -> None:
    """Note an attribute of a stream if it is one that we act upon."""
    name, _, rest = value.strip().partition(":")
    match name:
        case "rtpmap":
            found = _RTPMAP.fullmatch(rest.strip())
            if found is None:
                raise RemoteProtocolError("rtpmap malformed")
            mapping = (found[2], int(found[3]), int(found[4] or 1))
            if stream.rtpmaps.setdefault(int(found[1]), mapping) != mapping:
                raise RemoteProtocolError("payload type mapped twice")
        case "ptime":
            ptime = _PTIME.fullmatch(rest.strip())
            if ptime is not None and int(ptime[1]) in PTIMES_MS:
                stream.ptime_ms = int(ptime[1])
        case "sendrecv" | "sendonly" | "recvonly" | "inactive":
            stream.direction = Direction(name)
        case _:
            pass


def _describe(session: _Session, index: int) -> RemoteDescription:
    stream = session.streams[index]
    address = _parse_connection(stream.connection or session.connection)
    codecs, events = _read_formats(stream)
    if not codecs:
        raise RemoteProtocolError("no known audio codec", status_hint=488)
    said = stream.direction or session.direction or Direction.SENDRECV
    if address in {"0.0.0.0", "::"}:  # noqa: S104 - an address in a message, nothing is bound
        said = make_direction(sends=said in SENDS, receives=False)
    return RemoteDescription(
        address=address,
        port=stream.port,
        codecs=codecs,
        events=events,
        ptime_ms=stream.ptime_ms,
        direction=said,
        session_version=session.version,
        media_lines=tuple(each.line for each in session.streams),
        audio_index=index,
    )


def _parse_connection(value: str | None) -> str:
    """Return the address of a c= line in canonical form."""
    if value is None:
        raise RemoteProtocolError("no c= line")
    fields = value.split()
    if len(fields) != 3 or fields[0].upper() != "IN" or fields[1].upper() not in {"IP4", "IP6"}:
        raise RemoteProtocolError("c= line malformed")
    try:
        address = ipaddress.ip_address(fields[2])
    except ValueError:
        raise RemoteProtocolError("media address is no IP literal", status_hint=488) from None
    if address.version != (6 if fields[1].upper() == "IP6" else 4):
        raise RemoteProtocolError("c= line names the wrong address type")
    if isinstance(address, ipaddress.IPv6Address) and (address.scope_id or address.ipv4_mapped):
        raise RemoteProtocolError("media address is not plain IPv6", status_hint=488)
    if address.is_multicast or address == ipaddress.IPv4Address("255.255.255.255"):
        raise RemoteProtocolError("media address is not unicast", status_hint=488)
    return str(address)


def _read_formats(stream: _Stream) -> tuple[tuple[Codec, ...], tuple[Codec, ...]]:
    """Return audio codecs and telephone-events of a stream, the first format of each kind only."""
    codecs: dict[str, Codec] = {}
    events: dict[int, Codec] = {}
    seen: set[int] = set()
    for text in stream.formats:
        if _NUMBER.fullmatch(text) is None or (payload_type := int(text)) in seen:
            continue
        seen.add(payload_type)
        name, clock_rate_hz, channels = stream.rtpmaps.get(payload_type, (None, 0, 1))
        codec = identify(payload_type, name, clock_rate_hz, channels)
        if codec is None:
            continue
        if codec.name == TELEPHONE_EVENT:
            events.setdefault(codec.clock_rate_hz, codec)
        else:
            codecs.setdefault(codec.name, codec)
    return tuple(codecs.values()), tuple(events.values())

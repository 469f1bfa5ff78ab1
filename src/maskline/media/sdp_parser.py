"""Reading what a party says, from any bytes: a value or `RemoteProtocolError`.

Tolerated, because devices in service send it: bare LF, empty lines, no t= or s= line, odd o= fields, no final
line end, attributes in any order. Refused: anything whose meaning would have to be guessed.

Source: RFC 8866 sections 5, 6 and 9; RFC 3264 section 5; RFC 4566 for c=0.0.0.0 (RFC 2543 hold).
"""

import ipaddress
import re
from dataclasses import dataclass, field
from functools import lru_cache
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
# Devices say the same few things: each cache holds what was valid, so a hostile one only pushes entries out.
CACHE_SIZE: Final = 256

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`{|}~-]{1,64}", re.ASCII)
_PROTOCOL = re.compile(r"[A-Za-z0-9.+-]{1,16}(?:/[A-Za-z0-9.+-]{1,16}){0,3}", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,20}", re.ASCII)
_PORT = re.compile(r"([0-9]{1,5})(?:/1)?", re.ASCII)
_RTPMAP = re.compile(r"([0-9]{1,3}) +([^ /]{1,64})/([0-9]{1,6})(?:/([0-9]{1,2}))?", re.ASCII)
_PTIME = re.compile(r"([0-9]{1,4})(?:\.0*)?", re.ASCII)
_DIRECTIONS: Final = {direction.value: direction for direction in Direction}
_identify_codec = lru_cache(CACHE_SIZE)(identify)


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

    def take(self, lines: list[str]) -> None:
        """Note every line."""
        stream: _Stream | None = None
        for line in lines:
            key, value = line[0], line[2:]
            if key == "m":
                if len(self.streams) == MEDIA_LINES_MAX:
                    raise RemoteProtocolError("too many m-lines")
                stream = _parse_media_line(value)
                self.streams.append(stream)
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
    session = _Session()
    session.take(_split(body)[1:])
    for index, stream in enumerate(session.streams):
        if stream.is_servable:
            return _describe(session, index)
    raise RemoteProtocolError("no audio stream over plain RTP", status_hint=488)


def _split(body: bytes) -> list[str]:
    """Cut a body into lines of the form `x=value`; the first is the version line."""
    if len(body) > BODY_BYTES_MAX:
        raise RemoteProtocolError("session description too long")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise RemoteProtocolError("session description is not UTF-8") from None
    if "\0" in text:
        raise RemoteProtocolError("session description holds a NUL")
    lines = [raw.removesuffix("\r") for raw in text.split("\n") if raw and not raw.isspace()]
    if len(lines) > LINES_MAX:
        raise RemoteProtocolError("session description has too many lines")
    for line in lines:
        if line[1:2] != "=" or not "a" <= line[0] <= "z":
            raise RemoteProtocolError("line without type and value")
    if not lines or lines[0][0] != "v" or lines[0][2:].strip() != "0":
        raise RemoteProtocolError("session description does not start with v=0")
    return lines


def _parse_session_version(value: str) -> int:
    """Read the third field of o=; devices put all sorts there, and only equality matters: else 0."""
    fields = value.split()
    return int(fields[2]) if len(fields) > 2 and _NUMBER.fullmatch(fields[2]) else 0


def _parse_media_line(value: str) -> _Stream:
    fields = value.split()
    if len(fields) < 4 or len(fields) - 3 > FORMATS_MAX:
        raise RemoteProtocolError("m-line with too few or too many fields")
    port = _PORT.fullmatch(fields[1])
    if port is None or int(port[1]) > 65_535:
        raise RemoteProtocolError("m-line malformed")
    formats = tuple(fields[3:])
    return _Stream(_identify_stream(fields[0].lower(), fields[2].upper(), formats), int(port[1]), formats)


@lru_cache(CACHE_SIZE)
def _identify_stream(kind: str, protocol: str, formats: tuple[str, ...]) -> MediaLine:
    """Check all of an m-line but its port."""
    if _TOKEN.fullmatch(kind) is None or _PROTOCOL.fullmatch(protocol) is None:
        raise RemoteProtocolError("m-line malformed")
    if not all(_TOKEN.fullmatch(each) for each in formats):
        raise RemoteProtocolError("m-line malformed")
    return MediaLine(kind, protocol, formats[0])


def _take_attribute(stream: _Stream, value: str) -> None:
    """Note an attribute of a stream if it is one that we act upon."""
    name, _, rest = value.strip().partition(":")
    match name:
        case "rtpmap":
            payload_type, mapping = _parse_rtpmap(rest.strip())
            if stream.rtpmaps.setdefault(payload_type, mapping) != mapping:
                raise RemoteProtocolError("payload type mapped twice")
        case "ptime":
            ptime = _PTIME.fullmatch(rest.strip())
            if ptime is not None and int(ptime[1]) in PTIMES_MS:
                stream.ptime_ms = int(ptime[1])
        case "sendrecv" | "sendonly" | "recvonly" | "inactive":
            stream.direction = Direction(name)
        case _:
            pass


@lru_cache(CACHE_SIZE)
def _parse_rtpmap(text: str) -> tuple[int, tuple[str, int, int]]:
    """Return the payload type and its name, clock rate in Hz and channels."""
    found = _RTPMAP.fullmatch(text)
    if found is None:
        raise RemoteProtocolError("rtpmap malformed")
    return int(found[1]), (found[2], int(found[3]), int(found[4] or 1))


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
    if len(fields) != 3 or fields[0].upper() != "IN":
        raise RemoteProtocolError("c= line malformed")
    return _parse_address(fields[1].upper(), fields[2])


@lru_cache(CACHE_SIZE)
def _parse_address(kind: str, text: str) -> str:
    if kind not in {"IP4", "IP6"}:
        raise RemoteProtocolError("c= line malformed")
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise RemoteProtocolError("media address is no IP literal", status_hint=488) from None
    if address.version != (6 if kind == "IP6" else 4):
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
        if not text.isdigit() or (payload_type := int(text)) in seen:
            continue
        seen.add(payload_type)
        name, clock_rate_hz, channels = stream.rtpmaps.get(payload_type, (None, 0, 1))
        codec = _identify_codec(payload_type, name, clock_rate_hz, channels)
        if codec is None:
            continue
        if codec.name == TELEPHONE_EVENT:
            events.setdefault(codec.clock_rate_hz, codec)
        else:
            codecs.setdefault(codec.name, codec)
    return tuple(codecs.values()), tuple(events.values())

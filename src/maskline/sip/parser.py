"""Read messages from datagrams and streams, strictly.

What two readers could see differently is refused, never repaired: bare CR or LF, control characters outside
quoted pairs, repeated single fields, two lengths, unbalanced quotes, empty list elements. Blanks between a
name and its colon are the one looseness the grammar demands (RFC 4475 section 3.1.1.1); names are compared
without them. Everything the layers above read (Via, From, To, CSeq, Call-ID, Contact, routes, asserted
identities, Request-URI, numbers) is checked here, so that their properties do not raise later.

Source: RFC 3261 sections 7, 18.3 and 25.1.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from sipmessage import grammar

from maskline.sip.errors import RemoteProtocolError
from maskline.sip.header_names import AS_WRITTEN, SINGLE_HEADERS, canonical_name
from maskline.sip.headers import (
    MAX_FORWARDS_MAX,
    parse_delta_seconds,
    parse_number,
)
from maskline.sip.message import Headers, Message, Request, Response

# The largest payload IP can carry in one UDP datagram, and so in effect the largest message we take.
MESSAGE_BYTES_MAX: Final = 65_535
# Request line and fields: ten times what carriers send; Kamailio and Asterisk stop in the same region.
HEAD_BYTES_MAX: Final = 32 * 1024
# RFC 4475's longest message has 50 lines; every line costs work and memory.
HEADER_LINES_MAX: Final = 128

# A larger number cannot be honest; the comparison with the bytes at hand comes later.
CONTENT_LENGTH_MAX: Final = 2**31 - 1

VERSION_NOT_SUPPORTED: Final = 505
TOO_LARGE: Final = 513
_VERSION: Final = "SIP/2.0"
_MANDATORY: Final = frozenset({"Via", "From", "To", "Call-ID", "CSeq"})
_ADDRESS_LISTS: Final = frozenset({"Contact", "Record-Route", "Route", "P-Asserted-Identity"})
_DELTA_SECONDS: Final = frozenset({"Expires", "Min-Expires", "Session-Expires", "Min-SE", "Retry-After"})

# Control characters but HTAB, CR and LF, which the line structure accounts for.
_CONTROLS: Final = bytes([*range(9), 11, 12, *range(14, 32), 127])
_CONTROL_SET: Final = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f"
_CONTROL = re.compile(f"[{_CONTROL_SET}]")
# Inside quotes a backslash may make any character harmless (RFC 4475 section 3.1.1.2 sends NUL so).
_CONTROLS_QUOTED = re.compile(rf'(?:[^"{_CONTROL_SET}]++|"(?:[^"\\{_CONTROL_SET}]++|\\.)*+")*+')
_UNSAFE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_FOLD = re.compile(r"\r\n[ \t]++")
_TOKEN = re.compile(f"{grammar.cset(grammar.C_TOKEN)}++")
_CALL_ID = re.compile(r"[!-~]++")
_STATUS = re.compile(r"[1-6][0-9]{2}")
_OTHER_VERSION = re.compile(r"SIP/[0-9]++\.[0-9]++", re.IGNORECASE)


class _Head(NamedTuple):
    """A header section: start line, fields without Content-Length (also by name), and that length."""

    start_line: str
    headers: Headers
    fields: dict[str, list[str]]
    content_length: int | None


def parse_datagram(data: bytes) -> Message:
    """Parse one datagram; bytes after the body are ignored (RFC 3261 section 18.3).

    Raises RemoteProtocolError; its `reply_to` is set when it may be answered.
    """
    if len(data) > MESSAGE_BYTES_MAX:
        raise RemoteProtocolError("message too large", status_hint=TOO_LARGE)
    if data[:2] == b"\r\n":
        data = data.lstrip(b"\r\n")
    end = data.find(b"\r\n\r\n")
    raw_head = data if end < 0 else data[:end]
    try:
        if end < 0:
            raise RemoteProtocolError("header section has no end")
        head = _parse_head(raw_head)
        body = data[end + 4 :]
        if head.content_length is not None:
            if head.content_length > len(body):
                raise RemoteProtocolError("body shorter than Content-Length")
            body = body[: head.content_length]
        return _build_message(head, body)
    except RemoteProtocolError as error:
        error.reply_to = _salvage_request(raw_head)
        raise


class StreamReader:
    """Cut a byte stream into messages by their Content-Length, which streams require.

    An error that leaves the framing in doubt makes the reader broken: the caller answers (when `reply_to`
    is set), closes the connection and feeds nothing more. Other errors stand in the list in the message's
    place. Holds at most one message and the last chunk fed.

    Source: RFC 3261 section 18.3, RFC 5626 section 4.4.1 (keep-alive line ends).
    """

    __slots__ = ("_buffer", "_is_broken", "_pending", "_scanned")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._scanned = 0
        self._pending: tuple[_Head, bytes] | None = None
        self._is_broken = False

    @property
    def is_broken(self) -> bool:
        """Tell whether the connection must be closed: where the next message begins is unknown."""
        return self._is_broken

    def feed(self, data: bytes) -> list[Message | RemoteProtocolError]:
        """Take bytes and return what they complete, in order; nothing once broken."""
        found: list[Message | RemoteProtocolError] = []
        if self._is_broken:
            return found
        self._buffer += data
        while (outcome := self._next()) is not None:
            found.append(outcome)
            if self._is_broken:
                self._buffer.clear()
                break
        return found

    def _next(self) -> Message | RemoteProtocolError | None:
        if self._pending is None:
            try:
                self._pending = self._take_head()
            except RemoteProtocolError as error:
                self._is_broken = True
                return error
            if self._pending is None:
                return None
        head, raw_head = self._pending
        length = head.content_length or 0
        if len(self._buffer) < length:
            return None
        body = bytes(self._buffer[:length])
        del self._buffer[:length]
        self._pending = None
        try:
            return _build_message(head, body)
        except RemoteProtocolError as error:
            error.reply_to = _salvage_request(raw_head)
            return error

    def _take_head(self) -> tuple[_Head, bytes] | None:
        """Cut the next header section off the buffer; None while it is not whole."""
        buffer = self._buffer
        if self._scanned == 0:
            _drop_line_ends(buffer)
        end = buffer.find(b"\r\n\r\n", self._scanned)
        if end < 0:
            if len(buffer) > HEAD_BYTES_MAX:
                raise RemoteProtocolError("header section too large", status_hint=TOO_LARGE)
            # The next look begins where this one ended, or feeding single bytes would be quadratic.
            self._scanned = max(0, len(buffer) - 3)
            return None
        raw_head = bytes(buffer[:end])
        del buffer[: end + 4]
        self._scanned = 0
        try:
            head = _parse_head(raw_head)
            _require_length(head, len(raw_head))
        except RemoteProtocolError as error:
            error.reply_to = _salvage_request(raw_head)
            raise
        return head, raw_head


def _drop_line_ends(buffer: bytearray) -> None:
    count = len(buffer) - len(buffer.lstrip(b"\r\n"))
    # A CR whose LF may still come stays, so that it is judged with it.
    if count and buffer[count - 1] == 13:
        count -= 1
    del buffer[:count]


def _require_length(head: _Head, head_bytes: int) -> None:
    if head.content_length is None:
        raise RemoteProtocolError("Content-Length is missing on a stream")
    if head_bytes + head.content_length > MESSAGE_BYTES_MAX:
        raise RemoteProtocolError("message too large", status_hint=TOO_LARGE)


def _parse_head(raw: bytes) -> _Head:
    """Parse a header section given without its last two line ends."""
    if len(raw) > HEAD_BYTES_MAX:
        raise RemoteProtocolError("header section too large", status_hint=TOO_LARGE)
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise RemoteProtocolError("header section is not UTF-8") from error
    breaks = raw.count(b"\r\n")
    if breaks >= HEADER_LINES_MAX:
        raise RemoteProtocolError("too many header lines", status_hint=TOO_LARGE)
    if raw.count(b"\n") != breaks or raw.count(b"\r") != breaks:
        raise RemoteProtocolError("bare CR or LF")
    if "\r\n " in text or "\r\n\t" in text:
        text = _FOLD.sub(" ", text)
    lines = text.split("\r\n")
    if len(raw.translate(None, _CONTROLS)) != len(raw):
        _refuse_controls(lines)
    return _index_lines(lines)


def _refuse_controls(lines: list[str]) -> None:
    for line in lines:
        if _CONTROL.search(line) and not _CONTROLS_QUOTED.fullmatch(line):
            raise RemoteProtocolError("control character")


def _index_lines(lines: list[str]) -> _Head:
    start_line, *fields = lines
    items: list[tuple[str, str]] = []
    index: dict[str, list[str]] = {}
    length: int | None = None
    for line in fields:
        written, colon, value = line.partition(":")
        name = AS_WRITTEN.get(written) or _parse_name(written)
        if not colon:
            raise RemoteProtocolError("header line without colon")
        value = value.strip(" \t")
        if name == "Content-Length":
            if length is not None:
                raise RemoteProtocolError("repeated header field")
            length = parse_number(value, CONTENT_LENGTH_MAX)
            continue
        if name not in index:
            index[name] = [value]
        elif name in SINGLE_HEADERS:
            raise RemoteProtocolError("repeated header field")
        else:
            index[name].append(value)
        items.append((name, value))
    return _Head(start_line, Headers(items, index=index), index, length)


def _parse_name(written: str) -> str:
    name = written.rstrip(" \t")
    if not _TOKEN.fullmatch(name):
        raise RemoteProtocolError("malformed header name")
    return canonical_name(name)


def _build_message(head: _Head, body: bytes) -> Message:
    headers = head.headers
    if not head.fields.keys() >= _MANDATORY:
        raise RemoteProtocolError("mandatory header field is missing")
    message: Message
    if head.start_line[:4].upper() == "SIP/":
        message = _parse_status_line(head.start_line, headers, body)
    else:
        message = _parse_request_line(head.start_line, headers, body)
    _check_headers(headers, head.fields, is_request=isinstance(message, Request))
    if isinstance(message, Request):
        if headers.cseq.method != message.method:
            raise RemoteProtocolError("CSeq method differs from the request's")
        if message.target.headers:
            raise RemoteProtocolError("header fields in the Request-URI")
    return message


def _parse_request_line(line: str, headers: Headers, body: bytes) -> Request:
    parts = line.split(" ")
    if len(parts) != 3:
        raise RemoteProtocolError("malformed request line")
    method, uri, version = parts
    if not _TOKEN.fullmatch(method):
        raise RemoteProtocolError("malformed method")
    if version != _VERSION:
        _refuse_version(version)
    return Request(method, uri, headers, body)


def _parse_status_line(line: str, headers: Headers, body: bytes) -> Response:
    version, _, rest = line.partition(" ")
    status, _, reason = rest.partition(" ")
    if version != _VERSION:
        _refuse_version(version)
    if not _STATUS.fullmatch(status):
        raise RemoteProtocolError("malformed status code")
    return Response(int(status), reason, headers, body)


def _refuse_version(version: str) -> None:
    """Raise unless it is our version in other letter case, which RFC 3261 section 7.1 tells to accept."""
    if version.upper() == _VERSION:
        return
    if _OTHER_VERSION.fullmatch(version):
        raise RemoteProtocolError("SIP version not supported", status_hint=VERSION_NOT_SUPPORTED)
    raise RemoteProtocolError("malformed SIP version")


def _check_headers(headers: Headers, index: dict[str, list[str]], *, is_request: bool) -> None:
    """Parse whatever the layers above read; the results stay in `headers`.

    Who a response says has answered is read by nobody, so a carrier's slip there costs no call.
    """
    vias = index["Via"]
    if len(vias) > 1 or "," in vias[0]:
        headers.all("Via")
    headers.read()
    _ = headers.via.rport  # reading is what checks it
    if not _CALL_ID.fullmatch(index["Call-ID"][0]):
        raise RemoteProtocolError("malformed Call-ID")
    if "Max-Forwards" in index:
        parse_number(index["Max-Forwards"][0], MAX_FORWARDS_MAX)
    for name, values in index.items():
        if name in _ADDRESS_LISTS:
            if values != ["*"] and (is_request or name != "P-Asserted-Identity"):
                headers.addresses(name)
        elif name in _DELTA_SECONDS:
            parse_delta_seconds(values[0])


def _salvage_request(raw: bytes) -> Request | None:
    """Return what a response to a malformed request needs; None when there must not or cannot be one."""
    text = _FOLD.sub(" ", raw[:HEAD_BYTES_MAX].decode(errors="surrogateescape"))
    lines = text.split("\r\n", HEADER_LINES_MAX)[:HEADER_LINES_MAX]
    method, _, rest = lines[0].partition(" ")
    uri, _, version = rest.rstrip(" ").rpartition(" ")
    # ACK is never answered; SIP/ begins a response, whose sender is told nothing.
    if method == "ACK" or not _TOKEN.fullmatch(method) or version[:4].upper() != "SIP/":
        return None
    items: list[tuple[str, str]] = []
    for line in lines[1:]:
        written, colon, value = line.partition(":")
        name = canonical_name(written.rstrip(" \t"))
        is_first = name == "Via" or all(name != known for known, _ in items)
        if colon and name in _MANDATORY and is_first and not _UNSAFE.search(value):
            items.append((name, value.strip(" \t")))
    if not any(name == "Via" for name, _ in items):
        return None
    return Request(method, uri.strip(" "), Headers(items))

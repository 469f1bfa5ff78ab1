"""Write messages, and build the responses to requests.

Source: RFC 3261 sections 7, 8.2.6 and 18.2.1, RFC 3581 section 4.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from maskline.sip.errors import LocalProtocolError, RemoteProtocolError
from maskline.sip.headers import parse_name_addr
from maskline.sip.message import Headers, Message, Request, Response

# Our own wording, the same for every call: a phrase from one leg must not reach the other.
# Source: the IANA registry of SIP response codes.
REASONS: Final[dict[int, str]] = {
    100: "Trying",
    180: "Ringing",
    181: "Call Is Being Forwarded",
    182: "Queued",
    183: "Session Progress",
    199: "Early Dialog Terminated",
    200: "OK",
    202: "Accepted",
    204: "No Notification",
    300: "Multiple Choices",
    301: "Moved Permanently",
    302: "Moved Temporarily",
    305: "Use Proxy",
    380: "Alternative Service",
    400: "Bad Request",
    401: "Unauthorized",
    402: "Payment Required",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    407: "Proxy Authentication Required",
    408: "Request Timeout",
    410: "Gone",
    412: "Conditional Request Failed",
    413: "Request Entity Too Large",
    414: "Request-URI Too Long",
    415: "Unsupported Media Type",
    416: "Unsupported URI Scheme",
    420: "Bad Extension",
    421: "Extension Required",
    422: "Session Interval Too Small",
    423: "Interval Too Brief",
    433: "Anonymity Disallowed",
    480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist",
    482: "Loop Detected",
    483: "Too Many Hops",
    484: "Address Incomplete",
    485: "Ambiguous",
    486: "Busy Here",
    487: "Request Terminated",
    488: "Not Acceptable Here",
    489: "Bad Event",
    491: "Request Pending",
    493: "Undecipherable",
    500: "Server Internal Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Server Time-out",
    505: "Version Not Supported",
    513: "Message Too Large",
    580: "Precondition Failure",
    600: "Busy Everywhere",
    603: "Decline",
    604: "Does Not Exist Anywhere",
    606: "Not Acceptable",
    607: "Unwanted",
}

_COPIED: Final = frozenset(["Via", "From", "To", "Call-ID", "CSeq"])


def render(message: Message) -> bytes:
    """Render a message, adding Content-Length as its last field.

    Raises LocalProtocolError when a value holds a line break: it would begin a field nobody meant.
    """
    headers = message.headers.items
    lines = [f"{name}: {value}" for name, value in headers if name != "Content-Length"]
    if isinstance(message, Request):
        start_line = f"{message.method} {message.uri} SIP/2.0"
    else:
        start_line = f"SIP/2.0 {message.status} {message.reason}"
    text = "\r\n".join((start_line, *lines, f"Content-Length: {len(message.body)}\r\n\r\n"))
    breaks = len(lines) + 3
    if text.count("\n") != breaks or text.count("\r") != breaks:
        raise LocalProtocolError("line break inside a start line or header field")
    return text.encode(errors="surrogateescape") + message.body


def build_response(
    request: Request,
    status: int,
    *,
    to_tag: str | None = None,
    extra: Iterable[tuple[str, str]] = (),
    body: bytes = b"",
) -> Response:
    """Build a response holding the request's Via fields, From, To, Call-ID and CSeq, and `extra`; no more.

    `to_tag` is added to a To without tag. Works on the `reply_to` of a RemoteProtocolError too: what is
    missing there stays missing, a To that cannot be read is copied as it is. Timestamp goes into 100 only.
    """
    items: list[tuple[str, str]] = []
    for name, value in request.headers.items:
        if name in _COPIED:
            items.append((name, _add_tag(value, to_tag) if name == "To" and to_tag else value))
        elif name == "Timestamp" and status == 100:
            items.append((name, value))
    items.extend(extra)
    return Response(status, REASONS.get(status, "Unknown"), Headers(items), body)


def note_source(request: Request, address: str, port: int) -> Request:
    """Return the request with the source of its packet noted in the topmost Via.

    `received` and the value of `rport` are set from the packet, whatever the peer had written there, so that
    responses go where the request came from. Source: RFC 3261 section 18.2.1, RFC 3581 section 4.
    """
    via = request.via
    if via.has_rport:
        noted = via.with_params(received=address, rport=str(port))
    elif via.host != address or via.received is not None:
        noted = via.with_params(received=address)
    else:
        return request
    return request.with_headers(request.headers.with_top_via(noted))


def _add_tag(value: str, tag: str) -> str:
    try:
        address = parse_name_addr(value)
    except RemoteProtocolError:
        return value
    # In the form without angle brackets a semicolon already begins header parameters, so appending fits both.
    return value if address.tag is not None else f"{value};tag={tag}"

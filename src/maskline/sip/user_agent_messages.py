"""Every message the user agent sends is built here, from one frozen table of header names.

Requests are built from a leg's own dialog and settings; answers copy from their request what RFC 3261 section
8.2.6.2 names, which goes back to where it came from. There is no way for another header to leave.

Source: RFC 3261 sections 8.1.1, 8.2.6, 9.1, 12.2.1.1 and 17.1.1.3.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from maskline.sip.errors import LocalProtocolError
from maskline.sip.events import Flow
from maskline.sip.headers import MAGIC_COOKIE, split_list
from maskline.sip.message import Headers, Request, Response
from maskline.sip.render import REASONS
from maskline.sip.uri import SIPURI, render_host, render_uri
from maskline.sip.user_agent_types import UserAgentSettings

SDP_TYPE: Final = "application/sdp"
DTMF_TYPES: Final = ("application/dtmf-relay", "application/dtmf")
ALLOW: Final = "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO, PRACK"
# RFC 3261 section 8.1.1.6. In-dialog requests go to a peer of ours, however they came to be.
MAX_FORWARDS: Final = 70
OTHER_REASON: Final = "Other"

_COMMON: Final = frozenset(
    {"Via", "Route", "Max-Forwards", "From", "To", "Call-ID", "CSeq", "User-Agent", "Content-Length"}
)
_CREDENTIALS: Final = frozenset({"Authorization", "Proxy-Authorization"})
_OFFERING: Final = frozenset({"Contact", "Allow", "Supported", "Content-Type"})

_TIMER: Final = frozenset({"Session-Expires", "Min-SE"})

ALLOWED_HEADERS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "INVITE": _COMMON | _CREDENTIALS | _OFFERING | _TIMER | {"P-Asserted-Identity"},
        "UPDATE": _COMMON | _CREDENTIALS | _OFFERING | _TIMER,
        "PRACK": _COMMON | _CREDENTIALS | {"RAck"},
        "ACK": _COMMON | _CREDENTIALS | {"Content-Type"},
        "CANCEL": _COMMON | {"Reason"},
        "BYE": _COMMON | _CREDENTIALS | {"Reason"},
        "OPTIONS": _COMMON | _CREDENTIALS | {"Accept", "Allow", "Supported"},
        "REGISTER": _COMMON | _CREDENTIALS | {"Contact", "Expires", "Allow", "Supported"},
        "response": frozenset(
            {
                *(
                    "Via",
                    "Record-Route",
                    "From",
                    "To",
                    "Call-ID",
                    "CSeq",
                    "Timestamp",
                    "Server",
                    "Content-Length",
                ),
                *("Contact", "Allow", "Supported", "Accept", "Accept-Encoding", "Unsupported", "Retry-After"),
                *("Content-Type", "Session-Expires", "Min-SE", "Require", "RSeq"),
            }
        ),
    }
)

Items = tuple[tuple[str, str], ...]


def checked(kind: str, items: Items) -> Headers:
    """Make headers of that kind of message. Raises LocalProtocolError for a name outside its table."""
    allowed = ALLOWED_HEADERS[kind]
    for name, _ in items:
        if name not in allowed:
            raise LocalProtocolError(f"{name} may not be sent in {kind}")
    return Headers(items, is_canonical=True)


class Writer:
    """Builds messages in the name of one user agent."""

    def __init__(self, settings: UserAgentSettings) -> None:
        self._settings = settings
        self._user_agent: Items = (("User-Agent", settings.product),) if settings.product else ()
        self._server: Items = (("Server", settings.product),) if settings.product else ()

    def contact(self, flow: Flow, user: str = "") -> str:
        """Return our Contact towards that flow."""
        transport = f";transport={flow.transport}" if flow.is_reliable else ""
        return f"<sip:{user}{'@' if user else ''}{self._sent_by(flow)}{transport}>"

    def via(self, flow: Flow, branch: str) -> str:
        """Return the Via of a request on that flow."""
        return f"SIP/2.0/{flow.transport.upper()} {self._sent_by(flow)};branch={branch};rport"

    def request(
        self,
        method: str,
        uri: str,
        flow: Flow,
        branch: str,
        addresses: Items,
        *,
        seq: int,
        routes: Iterable[str] = (),
        max_forwards: int = MAX_FORWARDS,
        extra: Items = (),
        body: bytes = b"",
        unchecked: Items = (),
    ) -> Request:
        """Build a request. `addresses` is From, To and Call-ID; `unchecked` passes by the table (phones only)."""
        items = (
            ("Via", self.via(flow, branch)),
            *[("Route", route) for route in routes],
            ("Max-Forwards", str(max_forwards)),
            *addresses,
            ("CSeq", f"{seq} {method}"),
            *extra,
            *self._user_agent,
        )
        if body:
            items = (*items, ("Content-Type", SDP_TYPE))
        headers = checked(method, items)
        if unchecked:
            headers = Headers((*items, *unchecked))
        return Request(method, uri, headers, body)

    def response(
        self,
        head: "ReplyHead",
        status: int,
        *,
        to_tag: str | None = None,
        extra: Items = (),
        body: bytes = b"",
    ) -> Response:
        """Build an answer with our own reason phrase; `to_tag` is added to a To without tag."""
        to = head.to
        if to_tag is not None and not head.has_to_tag:
            to = f"{to};tag={to_tag}"
        items = (*head.before_to, ("To", to), *head.after_to, *extra, *self._server)
        if body:
            items = (*items, ("Content-Type", SDP_TYPE))
        if status == 100 and head.timestamp is not None:
            items = (*items, ("Timestamp", head.timestamp))
        return Response(status, REASONS.get(status, OTHER_REASON), checked("response", items), body)

    def _sent_by(self, flow: Flow) -> str:
        host, port = self._settings.advertised
        if ":" in flow.local[0]:
            if self._settings.advertised_v6 is not None:
                host, port = self._settings.advertised_v6
            elif ":" not in host:
                host, port = flow.local
        if flow.transport == "tls":
            host, port = self._settings.advertised_tls or (host, flow.local[1])
        return f"{render_host(host)}:{port}"


class ReplyHead(NamedTuple):
    """What every answer to one request has in common (8.2.6.2), with the topmost Via stamped."""

    before_to: Items
    """Via fields and From."""
    to: str
    has_to_tag: bool
    after_to: Items
    """Call-ID and CSeq."""
    timestamp: str | None


def reply_head(request: Request, flow: Flow) -> ReplyHead:
    """Take from a request what its answers need, noting its source in the topmost Via (18.2.1, RFC 3581)."""
    headers = request.headers
    via = request.via
    address, port = flow.remote
    vias = headers.fields("Via")
    has_rport = via.has_rport
    if has_rport or via.received is not None or via.host != address:
        noted = (
            via.with_params(received=address, rport=str(port))
            if has_rport
            else via.with_params(received=address)
        )
        vias = (", ".join((str(noted), *split_list(vias[0])[1:])), *vias[1:])
    return ReplyHead(
        before_to=(*[("Via", value) for value in vias], ("From", headers.get("From") or "")),
        to=headers.get("To") or "",
        has_to_tag=request.to.tag is not None,
        after_to=(("Call-ID", request.call_id), ("CSeq", headers.get("CSeq") or "")),
        timestamp=headers.get("Timestamp"),
    )


def branch_from(random: bytes) -> str:
    """Make a branch parameter of random bytes (RFC 3261, 8.1.1.7)."""
    return MAGIC_COOKIE + random.hex()


def quoted_reason(q850: int | None) -> Items:
    """Return a Reason field for a Q.850 cause, without text (RFC 3326)."""
    return () if q850 is None else (("Reason", f"Q.850;cause={q850}"),)


def build_failure_ack(invite: Request, response: Response) -> Request:
    """Build the ACK of a failure answer, part of the INVITE's own transaction (17.1.1.3)."""
    return _hop_by_hop("ACK", invite, to=response.headers.get("To") or "")


def build_cancel(invite: Request, q850: int | None) -> Request:
    """Build the CANCEL of an INVITE that is under way (9.1)."""
    return _hop_by_hop("CANCEL", invite, to=invite.headers.get("To") or "", extra=quoted_reason(q850))


def credentials_of(invite: Request) -> Items:
    """Return the digest answers an ACK has to repeat (22.1)."""
    return tuple(item for item in invite.headers.items if item[0] in _CREDENTIALS)


def user_text(user: str) -> str:
    """Escape the user part of a Contact."""
    return render_uri(SIPURI(host="", user=user))[4:-1] if user else ""


def _hop_by_hop(method: str, invite: Request, *, to: str, extra: Items = ()) -> Request:
    headers = invite.headers
    items: Items = (
        ("Via", headers.get("Via") or ""),
        *[("Route", route) for route in headers.fields("Route")],
        ("Max-Forwards", str(MAX_FORWARDS)),
        ("From", headers.get("From") or ""),
        ("To", to),
        ("Call-ID", headers.get("Call-ID") or ""),
        ("CSeq", f"{invite.cseq.number} {method}"),
        *extra,
    )
    if method == "ACK":
        items = (*items, *credentials_of(invite))
    return Request(method, invite.uri, checked(method, items))

"""Dialogs: who two user agents are to each other, and how a request finds its way between them.

Source: RFC 3261 section 12.
"""

from dataclasses import replace

from maskline.sip.errors import RemoteProtocolError
from maskline.sip.events import Flow
from maskline.sip.headers import parse_name_addr
from maskline.sip.message import Message, Request, Response
from maskline.sip.transaction_server import DEFAULT_PORT, DEFAULT_PORT_TLS
from maskline.sip.uri import SIPURI, parse_uri, render_uri
from maskline.sip.user_agent_types import DialogSnapshot

# A longer route set is no route but an attack on our datagram size; real ones have a handful of proxies.
ROUTE_COUNT_MAX = 20


class Dialog:
    """One dialog, seen from our side.

    `local` and `remote` are From/To values with their tags, the remote one as the peer wrote it; they only ever go
    back to that peer. `request_uri`, `routes` and `next_hop` say where requests go (12.2.1.1). `hosts` are the IP
    addresses the peer may speak from: those of its flow, its target and its route set. `remote_rseq` numbers the
    peer's last reliable provisional answer, `answer` is the description it gave in one (RFC 3262).
    """

    __slots__ = (
        "answer",
        "call_id",
        "contact",
        "flow",
        "hosts",
        "local",
        "local_seq",
        "local_tag",
        "next_hop",
        "remote",
        "remote_rseq",
        "remote_seq",
        "remote_tag",
        "request_uri",
        "route_set",
        "routes",
        "target",
    )

    def __init__(
        self,
        *,
        call_id: str,
        local: str,
        remote: str,
        local_tag: str,
        remote_tag: str,
        local_seq: int,
        remote_seq: int | None,
        target: SIPURI,
        route_set: tuple[str, ...],
        contact: str,
        flow: Flow,
    ) -> None:
        self.call_id = call_id
        self.local = local
        self.remote = remote
        self.local_tag = local_tag
        self.remote_tag = remote_tag
        self.local_seq = local_seq
        self.remote_seq = remote_seq
        self.target = target
        self.route_set = route_set
        self.contact = contact
        self.flow = flow
        self.remote_rseq: int | None = None
        self.answer: bytes | None = None
        self.route_requests()

    @classmethod
    def from_invite(cls, invite: Request, *, local_tag: str, contact: str, flow: Flow) -> "Dialog":
        """Make the dialog of an INVITE we answer (12.1.1). Raises RemoteProtocolError for a useless Contact."""
        to = invite.headers.get("To") or ""
        return cls(
            call_id=invite.call_id,
            local=f"{to};tag={local_tag}",
            remote=invite.headers.get("From") or "",
            local_tag=local_tag,
            remote_tag=invite.from_.tag or "",
            local_seq=0,
            remote_seq=invite.cseq.number,
            target=contact_of(invite),
            route_set=_route_set(invite),
            contact=contact,
            flow=flow,
        )

    @classmethod
    def from_response(
        cls, invite: Request, response: Response, *, local_tag: str, contact: str, flow: Flow
    ) -> "Dialog":
        """Make a dialog of an answer to our INVITE (12.1.2).

        Never raises: a 2xx must be acknowledged whatever is wrong with it. Without a usable Contact (against
        12.1.1) the INVITE's own target serves, without usable routes the way straight to the target.
        """
        try:
            target = contact_of(response)
        except RemoteProtocolError:
            target = invite.target
        try:
            route_set = _route_set(response)[::-1]
        except RemoteProtocolError:
            route_set = ()
        return cls(
            call_id=invite.call_id,
            local=invite.headers.get("From") or "",
            remote=response.headers.get("To") or "",
            local_tag=local_tag,
            remote_tag=response.to.tag or "",
            local_seq=invite.cseq.number,
            remote_seq=None,
            target=target,
            route_set=route_set,
            contact=contact,
            flow=flow,
        )

    @property
    def addresses(self) -> tuple[tuple[str, str], ...]:
        """From, To and Call-ID of our requests."""
        return ("From", self.local), ("To", self.remote), ("Call-ID", self.call_id)

    def next_seq(self) -> int:
        """Count our sequence number up."""
        self.local_seq += 1
        return self.local_seq

    def is_confirmed_by(self, response: Response) -> bool:
        """Whether a 2xx says of an early dialog what its provisional answer said (13.2.2.4)."""
        contact = response.contact
        return (
            contact is not None
            and contact.uri == self.target
            and response.headers.get("Record-Route") is None
            and not self.route_set
        )

    def refresh_target(self, message: Message) -> None:
        """Take over the Contact of a re-INVITE, an UPDATE or their 2xx, if it has one (12.2).

        Raises RemoteProtocolError for a request with a useless one; such an answer leaves things as they are.
        """
        if message.headers.get("Contact") is None:
            return
        try:
            target = contact_of(message)
        except RemoteProtocolError:
            if isinstance(message, Request):
                raise
            return
        if target != self.target:
            self.target = target
            self.route_requests()

    def leave_flow(self) -> None:
        """Send to where the next hop listens from now on, since the connection it made is gone."""
        first = _uri_of(self.route_set[0]) if self.route_set else self.target
        if is_ip_address(first.host):
            self.flow = self.flow._replace(
                remote=(first.host, first.port or default_port(self.flow.transport))
            )
            self.route_requests()

    def route_requests(self) -> None:
        """Work out Request-URI, Route and next hop (12.2.1.1), for strict routers too."""
        target_text = render_uri(self.target)
        self.request_uri = target_text
        self.routes = self.route_set
        first = self.target
        if self.route_set:
            first = _uri_of(self.route_set[0])
            if not first.has_param("lr"):
                # A strict router wants itself in the Request-URI, and the target as the last route.
                self.request_uri = render_uri(replace(first, headers=()))
                self.routes = (*self.route_set[1:], f"<{target_text}>")
        self.next_hop = hop_to(first, self.flow)
        uris = (self.target, *map(_uri_of, self.route_set))
        self.hosts = frozenset((self.flow.remote[0], *[uri.host for uri in uris if is_ip_address(uri.host)]))

    def snapshot(self) -> DialogSnapshot:
        """Put the dialog into a value."""
        return DialogSnapshot(
            call_id=self.call_id,
            local=self.local,
            remote=self.remote,
            local_tag=self.local_tag,
            remote_tag=self.remote_tag,
            local_seq=self.local_seq,
            remote_seq=self.remote_seq,
            target=render_uri(self.target),
            route_set=self.route_set,
            contact=self.contact,
            flow=self.flow,
        )

    @classmethod
    def restore(cls, snapshot: DialogSnapshot) -> "Dialog":
        """Take the dialog out of a value again. Raises RemoteProtocolError when it is damaged."""
        return cls(
            call_id=snapshot.call_id,
            local=snapshot.local,
            remote=snapshot.remote,
            local_tag=snapshot.local_tag,
            remote_tag=snapshot.remote_tag,
            local_seq=snapshot.local_seq,
            remote_seq=snapshot.remote_seq,
            target=parse_uri(snapshot.target),
            route_set=snapshot.route_set,
            contact=snapshot.contact,
            flow=snapshot.flow,
        )


def contact_of(message: Message) -> SIPURI:
    """Return the Contact as the target of later requests.

    Raises RemoteProtocolError when there is not exactly one, or none that can be sent to.
    """
    contact = message.contact
    if contact is None or len(message.headers.addresses("Contact")) != 1:
        raise RemoteProtocolError("not exactly one Contact")
    uri = contact.uri
    # Embedded headers would let a peer put lines into our requests (RFC 4475, 3.3.14).
    if not isinstance(uri, SIPURI) or uri.scheme == "tel":
        raise RemoteProtocolError("Contact is no SIP URI")
    return replace(uri, headers=()) if uri.headers else uri


def hop_to(uri: SIPURI, flow: Flow) -> Flow:
    """Return where a request for that URI goes, given the flow the dialog lives on.

    A peer's open connection is used again. A host name keeps the flow: names are resolved before a dialog begins,
    not in it; so do a transport we have not and an address of the other IP family. What began encrypted stays so
    whatever a Contact says, and what did not cannot become so: there is no name to hold a certificate against.
    """
    host = uri.host
    is_tls = flow.transport == "tls"
    transport = "tls" if is_tls else (uri.param("transport") or flow.transport).lower()
    if not is_ip_address(host) or (":" in host) != (":" in flow.local[0]):
        return flow
    if not is_tls and (transport not in {"udp", "tcp"} or uri.scheme == "sips"):
        return flow
    if transport != "udp" and transport == flow.transport and host == flow.remote[0]:
        return flow
    return Flow(transport, flow.local, (host, uri.port or default_port(transport)))


def default_port(transport: str) -> int:
    """Return where a peer listens that names no port (RFC 3261, 19.1.2)."""
    return DEFAULT_PORT_TLS if transport == "tls" else DEFAULT_PORT


def is_ip_address(host: str) -> bool:
    """Tell an address from a name, for the hosts `parse_uri` lets through."""
    return ":" in host or (host[-1:].isdigit() and host.replace(".", "").isdigit())


def _route_set(message: Message) -> tuple[str, ...]:
    routes = message.headers.all("Record-Route")
    if len(routes) > ROUTE_COUNT_MAX:
        raise RemoteProtocolError("too many Record-Routes")
    for route in routes:
        _uri_of(route)
    return routes


def _uri_of(route: str) -> SIPURI:
    uri = parse_name_addr(route).uri
    if not isinstance(uri, SIPURI):
        raise RemoteProtocolError("route is no SIP URI")
    return uri

"""The sandbox carrier: a stand-in for a SIP trunk on this machine, so that any phone can try a masked call.

It is a registrar and a stateless proxy (RFC 3261 sections 10 and 16.11). A phone registers with its number as user
name; what it dials goes to the switch with its number asserted, as a carrier would; what the switch dials goes to
the phone registered under that number. Like a carrier it knows both numbers; it is not part of what masks them.

Sans-I/O: `handle` takes a datagram and returns the datagrams to send. What comes from the switch goes to a phone,
everything else to the switch: there is no third place, and so neither an open relay nor a loop.
"""

import hashlib
import ipaddress
from dataclasses import dataclass, replace

from maskline.core.numbers import E164, parse_number
from maskline.sip.errors import RemoteProtocolError
from maskline.sip.headers import MAGIC_COOKIE, NameAddr, Via, parse_name_addr, parse_via, render_via
from maskline.sip.message import Headers, Message, Request, Response
from maskline.sip.parser import parse_datagram
from maskline.sip.render import build_response, render
from maskline.sip.uri import SIPURI, URI, find_param, render_host, render_uri

Address = tuple[str, int]
Datagram = tuple[bytes, Address]

EXPIRES_S_DEFAULT = 3600  # RFC 3261 section 10.2
EXPIRES_S_MAX = 7200
DEFAULT_PORT = 5060  # RFC 3261 section 19.1.2
MAX_FORWARDS_DEFAULT = 70
REGISTRATION_COUNT_MAX = 1_000  # a sandbox: more phones than that on one machine are a mistake
_NOT_PASSED_ON = frozenset(
    {"P-Asserted-Identity", "P-Preferred-Identity"}
)  # a carrier asserts, a phone does not


@dataclass(frozen=True, slots=True)
class Registration:
    """Where a number can be reached until `expires_at_s` (monotonic)."""

    contact: SIPURI
    source: Address
    expires_at_s: float


class SandboxCarrier:
    """One carrier between the phones of this machine and the switch at `switch`; it listens at `address`."""

    def __init__(self, *, address: Address, switch: Address, country: str) -> None:
        self._address = address
        self._switch = switch
        self._country = country
        self.registrations: dict[E164, Registration] = {}

    def handle(self, data: bytes, source: Address, now_s: float) -> list[Datagram]:
        """Take one datagram; what is malformed is dropped, as the switch has its own say about that."""
        try:
            sent = self._handle(parse_datagram(data), source, now_s)
        except RemoteProtocolError:
            return []
        is_v6 = ":" in self._address[0]
        return [
            (reply, target)
            for reply, target in sent
            if target != self._address and (":" in target[0]) is is_v6
        ]

    def _handle(self, message: Message, source: Address, now_s: float) -> list[Datagram]:
        if isinstance(message, Response):
            return self._pass_back(message)
        if message.method == "REGISTER":
            return self._register(message, source, now_s)
        return self._forward(message, source, now_s)

    # --- registrar ------------------------------------------------------------------------------------------

    def _register(self, request: Request, source: Address, now_s: float) -> list[Datagram]:
        number = self._number(request.to.uri)
        if number is None:
            return [_answer(request, 404, source)]
        known = self._registered(number, now_s)
        if request.headers.get("Contact") == "*":
            if request.headers.get("Expires") != "0":  # RFC 3261 section 10.3, step 6
                return [_answer(request, 400, source)]
            known = None
        for contact in request.headers.addresses("Contact") if request.contact is not None else ():
            if not isinstance(contact.uri, SIPURI) or contact.uri.scheme != "sip":
                return [_answer(request, 400, source)]
            expires_s = _expires_s(contact, request)
            if expires_s > 0:
                known = Registration(contact.uri, source, now_s + expires_s)
            elif known is not None and _is_same(known.contact, contact.uri):
                known = None
        if not self._keep(number, known, now_s):
            return [_answer(request, 503, source)]
        extra = []
        if known is not None:
            left_s = int(known.expires_at_s - now_s)
            extra.append(("Contact", f"<{render_uri(known.contact)}>;expires={left_s}"))
        return [_answer(request, 200, source, extra)]

    def _keep(self, number: E164, registration: Registration | None, now_s: float) -> bool:
        """Take over what a REGISTER left of a number's registration; False when there is no room for it."""
        if registration is None:
            self.registrations.pop(number, None)
            return True
        if number not in self.registrations and len(self.registrations) >= REGISTRATION_COUNT_MAX:
            live = {key: known for key, known in self.registrations.items() if known.expires_at_s > now_s}
            self.registrations = live
            if len(live) >= REGISTRATION_COUNT_MAX:
                return False
        self.registrations[number] = registration
        return True

    def _registered(self, number: E164 | None, now_s: float) -> Registration | None:
        found = self.registrations.get(number) if number is not None else None
        return found if found is not None and found.expires_at_s > now_s else None

    # --- proxy ----------------------------------------------------------------------------------------------

    def _forward(self, request: Request, source: Address, now_s: float) -> list[Datagram]:
        is_ack = request.method == "ACK"
        if is_ack and request.to.tag == _own_tag(request):
            return []  # of a failure that was ours: nobody else has it
        hops_left = MAX_FORWARDS_DEFAULT if request.max_forwards is None else request.max_forwards
        if hops_left < 1:
            return [] if is_ack else [_answer(request, 483, source)]
        asserted: E164 | None = None
        uri = request.uri
        if source == self._switch:
            found = self._find_phone(request, now_s)
            if found is None:
                return [] if is_ack else [_answer(request, 404, source)]
            uri, target = found
        else:
            target = self._switch
            if request.to.tag is None:  # within a dialog the switch knows who it is
                asserted = self._number_at(source, request, now_s)
                if asserted is None:
                    return [] if is_ack else [_answer(request, 403, source)]
        headers = self._headers(request, source, hops_left, asserted)
        return [(render(Request(request.method, uri, headers, request.body)), target)]

    def _find_phone(self, request: Request, now_s: float) -> tuple[str, Address] | None:
        """Where a request of the switch goes, and under which Request-URI."""
        uri = request.target
        for known in self.registrations.values():  # in a dialog: to a phone's own contact
            if _is_same(known.contact, uri) and known.expires_at_s > now_s:
                return request.uri, known.source
        if request.to.tag is not None and not self._is_ours(uri):  # or one it took for the dialog alone
            target = _address_of(uri)
            return None if target == self._switch else (request.uri, target)
        found = self._registered(self._number(uri), now_s)
        return None if found is None else (render_uri(found.contact), found.source)

    def _headers(self, request: Request, source: Address, hops_left: int, asserted: E164 | None) -> Headers:
        host, port = self._address
        ours = Via(transport="UDP", host=host, port=port, params=(("branch", _branch(request)),))
        top, *below = request.headers.all("Via")
        vias = (render_via(ours), render_via(_seen_from(parse_via(top), source)), *below)
        items = [("Via", via) for via in vias]
        if request.to.tag is None and request.method == "INVITE":
            items.append(("Record-Route", f"<sip:{render_host(host)}:{port};lr>"))
        items += [("Route", route) for route in self._routes_below(request)]
        items.append(("Max-Forwards", str(hops_left - 1)))
        if asserted is not None and request.method == "INVITE":
            uri = SIPURI(scheme="sip", user=asserted.reveal(), host=host)
            items.append(("P-Asserted-Identity", f"<{render_uri(uri)}>"))
        replaced = {"Via", "Route", "Max-Forwards"} | _NOT_PASSED_ON
        items += [(name, value) for name, value in request.headers.items if name not in replaced]
        return Headers(items)

    def _routes_below(self, request: Request) -> tuple[str, ...]:
        """The routes that are left when those that led here are taken off."""
        routes = request.headers.all("Route")
        while routes and self._is_ours(parse_name_addr(routes[0]).uri):
            routes = routes[1:]
        return routes

    def _pass_back(self, response: Response) -> list[Datagram]:
        vias = response.headers.all("Via")
        top = parse_via(vias[0])
        if (top.host, top.port) != self._address or len(vias) < 2:
            return []
        items = [("Via", via) for via in vias[1:]]
        items += [(name, value) for name, value in response.headers.items if name != "Via"]
        below = parse_via(vias[1])
        target = (below.received or below.host, below.rport or below.port or DEFAULT_PORT)
        if not _is_address(target[0]):
            return []
        return [(render(Response(response.status, response.reason, Headers(items), response.body)), target)]

    def _number_at(self, source: Address, request: Request, now_s: float) -> E164 | None:
        """The number that calls: of those registered from there the one in From, else the first."""
        found = [
            number
            for number, known in self.registrations.items()
            if known.source == source and known.expires_at_s > now_s
        ]
        said = self._number(request.from_.uri)
        return said if said in found else next(iter(found), None)

    def _number(self, uri: URI) -> E164 | None:
        return parse_number(uri.user or "", country=self._country)

    def _is_ours(self, uri: URI) -> bool:
        return isinstance(uri, SIPURI) and (_host_of(uri), uri.port or DEFAULT_PORT) == self._address


def _answer(
    request: Request, status: int, source: Address, extra: list[tuple[str, str]] | None = None
) -> Datagram:
    """Answer a request ourselves, to where it came from."""
    headers = request.headers.with_top_via(_seen_from(request.via, source))
    seen = replace(request, headers=headers)
    response = build_response(seen, status, to_tag=_own_tag(request), extra=tuple(extra or ()))
    return render(response), source


def _own_tag(request: Request) -> str:
    """The To-tag of our own answers: without state, it has to follow from the request (RFC 3261 section 8.2.7)."""
    return hashlib.sha256(f"tag {request.call_id}".encode()).hexdigest()[:10]


def _branch(request: Request) -> str:
    """The branch of a forwarded request: the same for its repetitions, its CANCEL and the ACK of its failure."""
    via = request.via
    seen = f"branch {via.branch} {via.host} {via.port} {request.call_id} {request.cseq.number}"
    return f"{MAGIC_COOKIE}{hashlib.sha256(seen.encode()).hexdigest()[:24]}"


def _seen_from(via: Via, source: Address) -> Via:
    """Note where a request really came from (RFC 3581 section 4)."""
    return via.with_params(received=source[0], rport=str(source[1]))


def _expires_s(contact: NameAddr, request: Request) -> int:
    text = find_param(contact.params, "expires") or request.headers.get("Expires") or ""
    wanted = int(text) if text.isascii() and text.isdecimal() and len(text) <= 10 else EXPIRES_S_DEFAULT
    return min(wanted, EXPIRES_S_MAX)


def _is_same(one: SIPURI, other: SIPURI) -> bool:
    """Whether two contacts are one phone's; parameters may come and go."""
    return (one.user, one.host, one.port) == (other.user, other.host, other.port)


def _host_of(uri: SIPURI) -> str:
    return "127.0.0.1" if uri.host == "localhost" else uri.host


def _address_of(uri: SIPURI) -> Address:
    """Where a URI leads. Raises RemoteProtocolError for a name: nothing is looked up here."""
    host = _host_of(uri)
    if not _is_address(host):
        raise RemoteProtocolError("a host name leads nowhere")
    return host, uri.port or DEFAULT_PORT


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True

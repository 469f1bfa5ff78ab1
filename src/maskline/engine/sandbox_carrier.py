"""The sandbox carrier: a stand-in for a SIP trunk on this machine, so that any phone can try a masked call.

It is a registrar and a stateless proxy (RFC 3261 sections 10 and 16.11). A phone registers with its number as user
name; what it dials goes to the switch with its number asserted, as a carrier would; what the switch dials goes to
the phone registered under that number. Like a carrier it knows both numbers; it is not part of what masks them.

Sans-I/O: `handle` takes a datagram and returns the datagrams to send.
"""

import hashlib
from dataclasses import dataclass, replace

from maskline.core.numbers import E164, parse_number
from maskline.sip.errors import RemoteProtocolError
from maskline.sip.headers import Via, parse_name_addr, parse_via, render_via
from maskline.sip.message import Headers, Request, Response
from maskline.sip.parser import parse_datagram
from maskline.sip.render import build_response, render
from maskline.sip.uri import SIPURI, parse_uri, render_uri

Address = tuple[str, int]
Datagram = tuple[bytes, Address]

EXPIRES_S_DEFAULT = 3600  # RFC 3261 section 10.2
EXPIRES_S_MAX = 7200
REGISTRATION_COUNT_MAX = 1_000  # a sandbox: more phones than that on one machine are a mistake
_NOT_PASSED_ON = frozenset({"P-Asserted-Identity", "P-Preferred-Identity"})  # a carrier asserts, a phone does not


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
            message = parse_datagram(data)
            if isinstance(message, Response):
                return self._pass_back(message)
            if message.method == "REGISTER":
                return self._register(message, source, now_s)
            return self._forward(message, source, now_s)
        except RemoteProtocolError:
            return []

    # --- registrar ------------------------------------------------------------------------------------------

    def _register(self, request: Request, source: Address, now_s: float) -> list[Datagram]:
        number = parse_number(request.to.uri.user or "", country=self._country)
        if number is None:
            return [_answer(request, 404, source)]
        expires_s = _expires_s(request)
        contact = request.contact
        if contact is not None and isinstance(contact.uri, SIPURI) and expires_s > 0:
            if len(self.registrations) >= REGISTRATION_COUNT_MAX and number not in self.registrations:
                return [_answer(request, 503, source)]
            self.registrations[number] = Registration(contact.uri, source, now_s + expires_s)
        elif request.headers.get("Contact") is not None:
            self.registrations.pop(number, None)
        extra = []
        if (known := self._registered(number, now_s)) is not None:
            extra.append(("Contact", f"<{render_uri(known.contact)}>;expires={int(known.expires_at_s - now_s)}"))
        return [_answer(request, 200, source, extra)]

    def _registered(self, number: E164 | None, now_s: float) -> Registration | None:
        found = self.registrations.get(number) if number is not None else None
        return found if found is not None and found.expires_at_s > now_s else None

    # --- proxy ----------------------------------------------------------------------------------------------

    def _forward(self, request: Request, source: Address, now_s: float) -> list[Datagram]:
        hops_left = int(request.headers.get("Max-Forwards") or 70)
        if hops_left < 1:
            return [_answer(request, 483, source)]
        routes = request.headers.all("Route")
        if routes and self._is_ours(parse_name_addr(routes[0]).uri):
            routes = routes[1:]
        asserted: E164 | None = None
        uri = request.uri
        if routes:
            target = _address_of(parse_name_addr(routes[0]).uri)
        elif request.to.tag is not None and not self._is_ours(parse_uri(uri)):
            target = _address_of(parse_uri(uri))
        elif source == self._switch:
            known = self._registered(parse_number(parse_uri(uri).user or "", country=self._country), now_s)
            if known is None:
                return [_answer(request, 404, source)] if request.method != "ACK" else []
            target, uri = known.source, render_uri(known.contact)
        else:
            asserted = self._number_at(source, now_s)
            if asserted is None:
                return [_answer(request, 403, source)] if request.method != "ACK" else []
            target = self._switch
        headers = self._headers(request, source, routes, hops_left, asserted)
        return [(render(Request(request.method, uri, headers, request.body)), target)]

    def _headers(
        self, request: Request, source: Address, routes: tuple[str, ...], hops_left: int, asserted: E164 | None
    ) -> Headers:
        host, port = self._address
        digest = hashlib.sha256(f"{request.via.branch}{request.via.host}{request.call_id}".encode()).hexdigest()
        ours = Via(transport="UDP", host=host, port=port, params=(("branch", f"z9hG4bK{digest[:24]}"),))
        items = [("Via", render_via(ours))]
        vias = list(request.headers.all("Via"))
        vias[0] = render_via(_seen_from(request.via, source))
        items += [("Via", via) for via in vias]
        if request.to.tag is None and request.method == "INVITE":
            items.append(("Record-Route", f"<sip:{host}:{port};lr>"))
        items += [("Route", route) for route in routes]
        items.append(("Max-Forwards", str(hops_left - 1)))
        if asserted is not None and request.method == "INVITE":
            uri = SIPURI(scheme="sip", user=asserted.reveal(), host=host)
            items.append(("P-Asserted-Identity", f"<{render_uri(uri)}>"))
        replaced = {"Via", "Route", "Max-Forwards"} | _NOT_PASSED_ON
        items += [(name, value) for name, value in request.headers.items if name not in replaced]
        return Headers(items)

    def _pass_back(self, response: Response) -> list[Datagram]:
        vias = response.headers.all("Via")
        top = parse_via(vias[0])
        if (top.host, top.port) != self._address or len(vias) < 2:
            return []
        items = [("Via", via) for via in vias[1:]]
        items += [(name, value) for name, value in response.headers.items if name != "Via"]
        below = parse_via(vias[1])
        target = (below.received or below.host, below.rport or below.port or 5060)
        return [(render(Response(response.status, response.reason, Headers(items), response.body)), target)]

    def _number_at(self, source: Address, now_s: float) -> E164 | None:
        for number, known in self.registrations.items():
            if known.source == source and known.expires_at_s > now_s:
                return number
        return None

    def _is_ours(self, uri: object) -> bool:
        return isinstance(uri, SIPURI) and _address_of(uri) == self._address


def _answer(
    request: Request, status: int, source: Address, extra: list[tuple[str, str]] | None = None
) -> Datagram:
    """Answer a request ourselves, to where it came from."""
    top = render_via(_seen_from(request.via, source))
    seen = replace(request, headers=request.headers.with_top("Via", top))
    tag = hashlib.sha256(request.call_id.encode()).hexdigest()[:10]
    return render(build_response(seen, status, to_tag=tag, extra=tuple(extra or ()))), source


def _seen_from(via: Via, source: Address) -> Via:
    """Note where a request really came from (RFC 3581 section 4)."""
    return via.with_params(received=source[0], rport=str(source[1]))


def _expires_s(request: Request) -> int:
    contact = request.contact
    said = None
    if contact is not None:
        said = next((value for name, value in contact.params if name == "expires"), None)
    text = said or request.headers.get("Expires") or ""
    wanted = int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else EXPIRES_S_DEFAULT
    return min(wanted, EXPIRES_S_MAX)


def _address_of(uri: object) -> Address:
    if not isinstance(uri, SIPURI):
        raise RemoteProtocolError("not a SIP URI")
    host = "127.0.0.1" if uri.host == "localhost" else uri.host
    return host, uri.port or 5060

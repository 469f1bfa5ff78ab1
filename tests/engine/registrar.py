"""A carrier's registrar and switch at one address of the virtual network: what REGISTER and OPTIONS meet there."""

from dataclasses import dataclass, field

from maskline.sip.digest import (
    Challenge,
    Credentials,
    parse_authorization,
    render_challenge,
    verify_authorization,
)
from maskline.sip.events import Flow
from maskline.sip.message import Headers, Request, Response
from maskline.sip.parser import parse_datagram
from maskline.sip.render import render
from maskline.testing.network import Address, VirtualNetwork


@dataclass(slots=True)
class ScriptedRegistrar:
    """Asks for credentials, keeps bindings for `granted_s`, wants `expires_s_min` at least; silent when `is_down`."""

    network: VirtualNetwork
    address: Address
    credentials: Credentials
    realm: str = "carrier"
    granted_s: int = 300
    expires_s_min: int = 0
    is_down: bool = False
    options_status: int = 200
    requests: list[tuple[float, Request]] = field(default_factory=list)
    bindings: dict[str, float] = field(default_factory=dict)
    """Contact to the instant it runs out."""
    _out: list[tuple[Flow, bytes]] = field(default_factory=list)
    _nonce_count: int = 0

    def __post_init__(self) -> None:
        self.network.attach(self, self.address)

    @property
    def live_bindings(self) -> list[str]:
        """Contacts that are bound now."""
        return [contact for contact, until in self.bindings.items() if self.network.now < until]

    def of(self, method: str) -> list[tuple[float, Request]]:
        """What arrived of a method, with the instant."""
        return [(at, request) for at, request in self.requests if request.method == method]

    def receive(self, data: bytes, flow: Flow, now: float) -> None:
        request = parse_datagram(data)
        assert isinstance(request, Request)
        if self.is_down:
            return
        self.requests.append((now, request))
        status, extra = self._register(request) if request.method == "REGISTER" else (self.options_status, ())
        headers = request.headers
        items = (
            *[("Via", value) for value in headers.fields("Via")],
            ("From", headers.get("From") or ""),
            ("To", f"{headers.get('To')};tag=registrar"),
            ("Call-ID", request.call_id),
            ("CSeq", headers.get("CSeq") or ""),
            *extra,
        )
        self._out.append((flow, render(Response(status, "", Headers(items)))))

    def _register(self, request: Request) -> tuple[int, tuple[tuple[str, str], ...]]:
        challenge = Challenge(realm=self.realm, nonce=f"n{self._nonce_count}")
        text = request.headers.get("Authorization")
        answer = None if text is None else parse_authorization(text)
        if answer is None or not verify_authorization(answer, challenge, self.credentials, method="REGISTER"):
            self._nonce_count += 1
            return 401, (render_challenge(Challenge(realm=self.realm, nonce=f"n{self._nonce_count}")),)
        expires_s = int(request.headers.get("Expires") or 0)
        if 0 < expires_s < self.expires_s_min:
            return 423, (("Min-Expires", str(self.expires_s_min)),)
        contact = request.headers.get("Contact") or ""
        granted_s = min(expires_s, max(self.granted_s, self.expires_s_min))
        self.bindings[contact] = self.network.now + granted_s
        listed = ", ".join(f"{each};expires={granted_s}" for each in ("<sip:another@192.0.2.99>", contact))
        return 200, (("Contact", listed),)

    def outgoing(self) -> list[tuple[Flow, bytes]]:
        out, self._out = self._out, []
        return out

    def next_timer(self) -> float | None:
        return None

    def handle_timer(self, now: float) -> None:
        """No timers."""

    def flow_closed(self, flow: Flow, now: float) -> None:
        """No connections."""

"""Two or more user agents on one virtual network, for tests."""

from collections.abc import Sequence
from random import Random
from typing import TypeVar

from maskline.sip.events import Event
from maskline.sip.message import Message, Request, Response
from maskline.sip.parser import parse_datagram
from maskline.sip.session_timer import MIN_SE_S_DEFAULT
from maskline.sip.uri import SIPURI
from maskline.sip.user_agent import (
    Credentials,
    Flow,
    LegID,
    OutgoingInvite,
    UserAgent,
    UserAgentSettings,
)
from maskline.testing.network import PERFECT, Impairment, VirtualNetwork

OFFER = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\n"
ANSWER = b"v=0\r\no=- 2 1 IN IP4 192.0.2.2\r\n"

E = TypeVar("E")


class Party:
    """A user agent with an address, and every event it gave."""

    def __init__(
        self,
        network: VirtualNetwork,
        host: str,
        port: int = 5060,
        *,
        seed: int = 0,
        settings: UserAgentSettings | None = None,
        trusted: frozenset[str] | None = None,
    ) -> None:
        self.network = network
        self.address = (host, port)
        self.events: list[Event] = []
        self.originated: list[LegID] = []
        settings = settings or UserAgentSettings(advertised=self.address, extra_headers_allowed=True)
        self.agent = UserAgent(
            settings,
            random_bytes=Random(f"{seed} {host}").randbytes,
            is_trusted=lambda ip: trusted is None or ip in trusted,
        )
        network.attach(self.agent, self.address, after=self._collect)

    @property
    def now(self) -> float:
        return self.network.now

    def flow(self, other: "Party | Wire", transport: str = "udp") -> Flow:
        return Flow(transport, self.address, other.address)

    def invite(
        self,
        other: "Party | Wire",
        *,
        sdp: bytes | None = OFFER,
        transport: str = "udp",
        credentials: Credentials | None = None,
        max_forwards: int = 70,
        extra_headers: tuple[tuple[str, str], ...] = (),
        asserted: SIPURI | None = None,
    ) -> LegID:
        """Send an INVITE to another party."""
        out = OutgoingInvite(
            flow=self.flow(other, transport),
            request_uri=uri_of(other, "+14155550100"),
            from_uri=uri_of(self, "+14155550199"),
            to_uri=uri_of(other, "+14155550100"),
            contact_user="us",
            sdp=sdp,
            max_forwards=max_forwards,
            credentials=credentials,
            extra_headers=extra_headers,
            asserted=asserted,
        )
        leg = self.agent.originate(out, self.now)
        self.originated.append(leg)
        return leg

    def take(self, kind: type[E]) -> E:
        """Take the oldest event, which must be of that kind."""
        event = self.events.pop(0)
        assert isinstance(event, kind), f"{event} is no {kind.__name__}"
        return event

    def take_all(self) -> list[Event]:
        """Take every event."""
        taken, self.events = self.events, []
        return taken

    def sent(self) -> list[Message]:
        """Everything this party has sent, parsed."""
        return [
            parse_datagram(packet.data)
            for packet in self.network.transcript
            if packet.flow.local == self.address
        ]

    def sent_lines(self) -> list[str]:
        """What this party has sent, in short: methods, or statuses with the method they answer."""
        return [describe(message) for message in self.sent()]

    def _collect(self, _now: float) -> None:
        while (event := self.agent.next_event()) is not None:
            self.events.append(event)


class Wire:
    """A peer made of hand-written messages: what the user agent must get along with."""

    def __init__(self, network: VirtualNetwork, host: str, port: int = 5060) -> None:
        self.network = network
        self.address = (host, port)
        self.received: list[Message] = []
        self._out: list[tuple[Flow, bytes]] = []
        network.attach(self, self.address)

    def send(self, data: bytes | str, to: Party) -> None:
        """Send bytes; text gets its line ends made right."""
        if isinstance(data, str):
            data = data.replace("\r\n", "\n").replace("\n", "\r\n").encode()
        self._out.append((Flow("udp", self.address, to.address), data))

    def receive(self, data: bytes, flow: Flow, now: float) -> None:
        self.received.append(parse_datagram(data))

    def outgoing(self) -> list[tuple[Flow, bytes]]:
        out, self._out = self._out, []
        return out

    def next_timer(self) -> float | None:
        return None

    def handle_timer(self, now: float) -> None:
        raise AssertionError("no timer was set")

    def flow_closed(self, flow: Flow, now: float) -> None:
        raise AssertionError("no connection was made")

    def lines(self) -> list[str]:
        """What arrived, in short."""
        return [describe(message) for message in self.received]

    def request(
        self,
        method: str,
        to: Party,
        *,
        seq: int = 1,
        branch: str = "z9hG4bKone",
        to_tag: str = "",
        from_tag: str = "far",
        call_id: str = "call-1",
        extra: str = "",
        body: str = "",
        uri: str = "sip:+14155550100@192.0.2.1",
        via: str = "",
        max_forwards: int = 70,
    ) -> None:
        """Send a request with the usual headers; `extra` are lines ending in a line feed."""
        host, port = self.address
        via = via or f"SIP/2.0/UDP {host}:{port};branch={branch};rport"
        tag = f";tag={to_tag}" if to_tag else ""
        self.send(
            f"{method} {uri} SIP/2.0\n"
            f"Via: {via}\n"
            f"From: <sip:+14155550123@{host}>;tag={from_tag}\n"
            f"To: <{uri}>{tag}\n"
            f"Call-ID: {call_id}\n"
            f"CSeq: {seq} {method}\n"
            f"Max-Forwards: {max_forwards}\n"
            f"{extra}"
            f"Content-Length: {len(body)}\n\n{body}",
            to,
        )

    def invite(
        self, to: Party, *, contact: str = "", extra: str = "", body: str = "v=0", **more: object
    ) -> None:
        """Send an INVITE with a Contact and an offer."""
        host, port = self.address
        contact = contact or f"<sip:wire@{host}:{port}>"
        sdp = "Content-Type: application/sdp\n" if body else ""
        self.request("INVITE", to, extra=f"Contact: {contact}\n{sdp}{extra}", body=body, **more)  # type: ignore[arg-type]

    def answer(
        self, to: Party, status: int, request: Request, *, tag: str = "far", extra: str = "", body: str = ""
    ) -> None:
        """Answer a request of the user agent."""
        host, port = self.address
        headers = request.headers
        to_value = headers.get("To") or ""
        if ";tag=" not in to_value and tag:
            to_value += f";tag={tag}"
        if request.method == "INVITE" and 100 < status < 300:
            extra += f"Contact: <sip:{tag}@{host}:{port}>\n"
        if body:
            extra += "Content-Type: application/sdp\n"
        vias = "".join(f"Via: {value}\n" for value in headers.fields("Via"))
        self.send(
            f"SIP/2.0 {status} Whatever\n{vias}"
            f"From: {headers.get('From')}\nTo: {to_value}\nCall-ID: {headers.get('Call-ID')}\n"
            f"CSeq: {headers.get('CSeq')}\n{extra}Content-Length: {len(body)}\n\n{body}",
            to,
        )

    def last(self, method: str) -> Request:
        """The last request of that method that arrived."""
        found = [each for each in self.received if isinstance(each, Request) and each.method == method]
        return found[-1]

    def last_status(self) -> int:
        """The status of the last response that arrived."""
        return self.last_response().status

    def last_response(self) -> Response:
        """The last response that arrived."""
        return [each for each in self.received if isinstance(each, Response)][-1]


def describe(message: Message) -> str:
    """Name a message in a word or two."""
    return message.method if isinstance(message, Request) else f"{message.status} {message.cseq.method}"


def uri_of(party: Party | Wire, user: str) -> SIPURI:
    host, port = party.address
    return SIPURI(user=user or None, host=host, port=port)


def pair(
    *, seed: int = 0, impairment: Impairment = PERFECT, intervals_s: Sequence[int] = (1800, 1800)
) -> tuple[VirtualNetwork, Party, Party]:
    """Two parties on one network, and how long their sessions live without refresh."""
    network = VirtualNetwork(seed=seed, impairment=impairment)
    alice, bob = (
        Party(network, host, seed=seed, settings=_settings(host, interval_s))
        for host, interval_s in zip(("192.0.2.2", "192.0.2.1"), intervals_s, strict=True)
    )
    return network, alice, bob


def _settings(host: str, interval_s: int) -> UserAgentSettings:
    return UserAgentSettings(
        advertised=(host, 5060),
        extra_headers_allowed=True,
        session_expires_s=interval_s,
        min_se_s=min(interval_s, MIN_SE_S_DEFAULT),
    )


def calling(*, seed: int = 0, **more: object) -> tuple[VirtualNetwork, Wire, Party, LegID, Request]:
    """A party that has just sent an INVITE to a hand-written peer."""
    network, wire, party = wired(seed=seed)
    leg = party.invite(wire, **more)  # type: ignore[arg-type]
    network.run(until=0)
    return network, wire, party, leg, wire.last("INVITE")


def wired(*, seed: int = 0) -> tuple[VirtualNetwork, Wire, Party]:
    """A hand-written peer and a party on one network."""
    network = VirtualNetwork(seed=seed)
    return network, Wire(network, "192.0.2.7"), Party(network, "192.0.2.1", seed=seed)

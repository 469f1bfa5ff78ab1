"""A network without sockets and time without waiting.

Nodes (user agents, phones, a whole switch) are attached with their addresses; `run` steps a virtual clock from one
arrival or timer to the next. Datagrams meet seeded loss, duplication and delay, and so reordering; TCP connections
keep order and lose nothing, but cut the stream into pieces. The same seed and the same actions give the same bytes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from heapq import heappop, heappush
from random import Random
from typing import NamedTuple, Protocol

from maskline.sip.events import Flow

Address = tuple[str, int]

# A run that takes more steps than this is two nodes answering each other for ever.
STEP_COUNT_MAX = 1_000_000
_EPHEMERAL_PORT_FIRST = 49_152


class Node(Protocol):
    """What can be attached: the datagram interface of `sip.user_agent.UserAgent`."""

    def receive(self, data: bytes, flow: Flow, now: float) -> None:
        """Take what arrived."""

    def outgoing(self) -> list[tuple[Flow, bytes]]:
        """Give what is to be sent."""

    def next_timer(self) -> float | None:
        """Say when to be woken."""

    def handle_timer(self, now: float) -> None:
        """Do what is due."""

    def flow_closed(self, flow: Flow, now: float) -> None:
        """Learn that a TCP connection is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Impairment:
    """What happens to datagrams: probabilities of 0 to 1, and bounds of the delay in seconds."""

    loss: float = 0.0
    duplication: float = 0.0
    delay_s_min: float = 0.0
    delay_s_max: float = 0.0
    piece_bytes_max: int = 0
    """TCP: the largest piece a stream is cut into; 0 leaves each write whole."""


PERFECT = Impairment()


class Packet(NamedTuple):
    """One line of the transcript: what was sent when, and what became of it."""

    at: float
    flow: Flow
    fate: str
    """`sent`, `lost`, `twice`, or `nowhere` when nobody listens there."""
    data: bytes

    def render(self) -> bytes:
        """Return the line and the bytes below it."""
        flow = self.flow
        head = f"{self.at:.6f} {flow.transport} {flow.local} > {flow.remote} {self.fate} {len(self.data)}"
        return head.encode() + b"\n" + self.data + b"\n"


@dataclass(slots=True, eq=False)
class _Place:
    node: Node
    after: Callable[[float], None]


class VirtualNetwork:
    """The network, its clock (`now`, seconds) and its transcript."""

    def __init__(self, *, seed: int = 0, impairment: Impairment = PERFECT) -> None:
        self.now = 0.0
        self.impairment = impairment
        self.transcript: list[Packet] = []
        self._random = Random(seed)  # noqa: S311 - a reproducible network is the point
        self._places: list[_Place] = []
        self._by_address: dict[Address, _Place] = {}
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._peer_flows: dict[Flow, tuple[_Place, Flow]] = {}
        self._ready_at: dict[Flow, float] = {}
        self._port = _EPHEMERAL_PORT_FIRST

    def attach(self, node: Node, *addresses: Address, after: Callable[[float], None] | None = None) -> None:
        """Put a node at these addresses; `after` is called when something happened to it, before it sends."""
        place = _Place(node, after if after is not None else _nothing)
        self._places.append(place)
        for address in addresses:
            assert address not in self._by_address, "an address belongs to one node"
            self._by_address[address] = place

    def detach(self, address: Address) -> None:
        """Take the node at `address` away, with all its addresses: what is on its way to it reaches nobody."""
        gone = self._by_address[address]
        self._places.remove(gone)
        self._by_address = {at: place for at, place in self._by_address.items() if place is not gone}

    def call_at(self, at: float, action: Callable[[], None]) -> None:
        """Do something at an instant, now at the earliest."""
        self._count += 1
        heappush(self._agenda, (max(at, self.now), self._count, action))

    def close(self, flow: Flow) -> None:
        """Break a TCP connection, named by either side's flow; both sides learn of it."""
        peer, peer_flow = self._peer_flows.pop(flow)
        place, _ = self._peer_flows.pop(peer_flow)
        for each, its_flow in ((place, flow), (peer, peer_flow)):
            each.node.flow_closed(its_flow, self.now)
            each.after(self.now)

    def run(self, *, until: float) -> None:
        """Let everything happen up to an instant; the clock stands there afterwards."""
        for _ in range(STEP_COUNT_MAX):
            self._pump()
            at = self._next_at()
            if at is None or at > until:
                self.now = max(self.now, until)
                return
            self.now = max(self.now, at)
            self._step()
        raise AssertionError(f"still busy after {STEP_COUNT_MAX} steps")

    def run_until_idle(self, *, limit_s: float = 3_600.0) -> None:
        """Run until no timer and no packet is left; an hour is more than any of them waits."""
        end = self.now + limit_s
        while True:
            self._pump()
            at = self._next_at()
            if at is None:
                return
            assert at <= end, "still busy"
            self.run(until=at)

    def render_transcript(self) -> bytes:
        """Return everything that was sent, with instants and fates."""
        return b"".join(packet.render() for packet in self.transcript)

    def _next_at(self) -> float | None:
        instants = [place.node.next_timer() for place in self._places]
        if self._agenda:
            instants.append(self._agenda[0][0])
        return min((at for at in instants if at is not None), default=None)

    def _step(self) -> None:
        due: list[Callable[[], None]] = []
        # What these begin at the same instant is the next step's, so that each step ends.
        while self._agenda and self._agenda[0][0] <= self.now:
            due.append(heappop(self._agenda)[2])
        for action in due:
            action()
        for place in self._places:
            at = place.node.next_timer()
            if at is not None and at <= self.now:
                place.node.handle_timer(self.now)
                place.after(self.now)

    def _pump(self) -> None:
        for place in self._places:
            place.after(self.now)
            for flow, data in place.node.outgoing():
                if flow.transport == "udp":
                    self._send_datagram(flow, data)
                else:
                    self._send_stream(place, flow, data)

    def _send_datagram(self, flow: Flow, data: bytes) -> None:
        dice, how = self._random, self.impairment
        place = self._by_address.get(flow.remote)
        # The dice are thrown whatever comes of it, so that one fate does not shift all later ones.
        is_lost, is_twice = dice.random() < how.loss, dice.random() < how.duplication
        delays = [dice.uniform(how.delay_s_min, how.delay_s_max) for _ in range(2)]
        fate = "nowhere" if place is None else "lost" if is_lost else "twice" if is_twice else "sent"
        self.transcript.append(Packet(self.now, flow, fate, data))
        if place is None or is_lost:
            return
        arriving = Flow("udp", flow.remote, flow.local)
        for delay_s in delays[: 1 + is_twice]:
            self.call_at(self.now + delay_s, lambda: self._arrive(flow.remote, data, arriving))

    def _arrive(self, address: Address, data: bytes, flow: Flow) -> None:
        place = self._by_address.get(address)
        if place is not None:  # else its node was taken away meanwhile
            self._deliver(place, data, flow)

    def _send_stream(self, place: _Place, flow: Flow, data: bytes) -> None:
        if flow not in self._peer_flows and not self._connect(place, flow):
            self.transcript.append(Packet(self.now, flow, "nowhere", data))
            self.call_at(self.now, lambda: place.node.flow_closed(flow, self.now))
            return
        self.transcript.append(Packet(self.now, flow, "sent", data))
        dice, how = self._random, self.impairment
        at = self._ready_at.get(flow, 0.0)
        while data:
            size = dice.randint(1, how.piece_bytes_max) if how.piece_bytes_max else len(data)
            piece, data = data[:size], data[size:]
            at = max(at, self.now + dice.uniform(how.delay_s_min, how.delay_s_max))
            self.call_at(at, lambda piece=piece: self._deliver_stream(flow, piece))  # type: ignore[misc]
        self._ready_at[flow] = at

    def _connect(self, place: _Place, flow: Flow) -> bool:
        listener = self._by_address.get(flow.remote)
        if listener is None:
            return False
        self._port += 1
        accepted = Flow(flow.transport, flow.remote, (flow.local[0], self._port))
        self._peer_flows[flow] = (listener, accepted)
        self._peer_flows[accepted] = (place, flow)
        return True

    def _deliver_stream(self, flow: Flow, piece: bytes) -> None:
        peer = self._peer_flows.get(flow)
        if peer is not None:  # else the connection broke with bytes still under way
            self._deliver(peer[0], piece, peer[1])

    def _deliver(self, place: _Place, data: bytes, flow: Flow) -> None:
        place.node.receive(data, flow, self.now)
        place.after(self.now)


def _nothing(_now: float) -> None:
    """Stand in for an owner who does nothing."""

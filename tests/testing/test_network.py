"""The virtual network, tested with nodes that do nothing but keep what arrives."""

import pytest

from maskline.sip.events import Flow
from maskline.testing.network import Address, Impairment, VirtualNetwork

A, B = ("192.0.2.1", 5060), ("192.0.2.2", 5060)


class Post:
    """Keeps what arrives; sends what it is told."""

    def __init__(self, network: VirtualNetwork, address: Address) -> None:
        self.arrived: list[tuple[float, bytes]] = []
        self.flows: list[Flow] = []
        self.closed: list[Flow] = []
        self.out: list[tuple[Flow, bytes]] = []
        self.alarm: float | None = None
        self.rang: list[float] = []
        network.attach(self, address)

    def receive(self, data: bytes, flow: Flow, now: float) -> None:
        self.arrived.append((now, data))
        self.flows.append(flow)

    def outgoing(self) -> list[tuple[Flow, bytes]]:
        out, self.out = self.out, []
        return out

    def next_timer(self) -> float | None:
        return self.alarm

    def handle_timer(self, now: float) -> None:
        self.rang.append(now)
        self.alarm = None

    def flow_closed(self, flow: Flow, now: float) -> None:
        self.closed.append(flow)


def net(impairment: Impairment | None = None, seed: int = 1) -> tuple[VirtualNetwork, Post, Post]:
    network = VirtualNetwork(seed=seed, impairment=impairment or Impairment())
    return network, Post(network, A), Post(network, B)


def test_a_datagram_arrives_with_the_flow_turned_round() -> None:
    """The receiver sees the sender as remote."""
    network, one, two = net()
    one.out.append((Flow("udp", A, B), b"hello"))
    network.run(until=1)
    assert two.arrived == [(0.0, b"hello")]
    assert two.flows == [Flow("udp", B, A)]
    assert network.now == 1


def test_loss_and_duplication_are_about_as_frequent_as_asked() -> None:
    """Of many datagrams the asked part is lost, and of the others the asked part comes twice."""
    network, one, two = net(Impairment(loss=0.3, duplication=0.5, delay_s_max=1.0))
    one.out.extend((Flow("udp", A, B), str(number).encode()) for number in range(2_000))
    network.run(until=10)
    distinct = {data for _, data in two.arrived}
    assert 1_300 < len(distinct) < 1_500
    assert 0.45 < len(two.arrived) / len(distinct) - 1 < 0.55
    assert [data for _, data in two.arrived] != sorted((data for _, data in two.arrived), key=int)


def test_delay_stays_within_its_bounds() -> None:
    """No datagram is faster or slower than asked."""
    network, one, two = net(Impairment(delay_s_min=0.2, delay_s_max=0.3))
    one.out.extend((Flow("udp", A, B), b"x") for _ in range(100))
    network.run(until=1)
    assert all(0.2 <= at <= 0.3 for at, _ in two.arrived)


def test_same_seed_same_transcript() -> None:
    """The dice are thrown in the same order for the same seed."""

    def play(seed: int) -> bytes:
        network, one, _ = net(Impairment(loss=0.5, delay_s_max=1.0), seed)
        one.out.extend((Flow("udp", A, B), b"x") for _ in range(50))
        network.run(until=2)
        return network.render_transcript()

    assert play(1) == play(1)
    assert play(1) != play(2)


def test_timers_are_called_at_their_instants() -> None:
    """A node is woken when it asked to be, and actions happen at theirs."""
    network, one, _ = net()
    one.alarm = 2.5
    seen: list[float] = []
    network.call_at(3.5, lambda: seen.append(network.now))
    network.run(until=2.4)
    assert one.rang == []
    network.run_until_idle()
    assert (one.rang, seen) == ([2.5], [3.5])


def test_streams_keep_order_and_come_in_pieces() -> None:
    """A stream is cut anywhere and arrives whole and in order."""
    network, one, two = net(Impairment(loss=0.9, duplication=0.9, delay_s_max=1.0, piece_bytes_max=3))
    flow = Flow("tcp", A, B)
    one.out.extend([(flow, b"hello "), (flow, b"world")])
    network.run(until=10)
    assert b"".join(data for _, data in two.arrived) == b"hello world"
    assert len(two.arrived) > 3
    two.out.append((two.flows[0], b"answer"))
    network.run(until=20)
    assert b"".join(data for _, data in one.arrived) == b"answer"
    assert set(one.flows) == {flow}


def test_a_connection_nobody_takes_is_closed() -> None:
    """Sending to nobody closes the flow; a datagram to nobody is noted and gone."""
    network, one, _ = net()
    nowhere = ("192.0.2.99", 5060)
    one.out.extend([(Flow("tcp", A, nowhere), b"x"), (Flow("udp", A, nowhere), b"y")])
    network.run(until=1)
    assert one.closed == [Flow("tcp", A, nowhere)]
    assert [packet.fate for packet in network.transcript] == ["nowhere", "nowhere"]


def test_breaking_a_connection_tells_both_sides() -> None:
    """Both learn of it under the flow they know, and what was under way is lost."""
    network, one, two = net(Impairment(delay_s_min=1.0, delay_s_max=1.0))
    flow = Flow("tcp", A, B)
    one.out.append((flow, b"x"))
    network.run(until=2)
    one.out.append((flow, b"y"))
    network.run(until=2)
    network.close(two.flows[0])
    network.run(until=5)
    assert one.closed == [flow]
    assert two.closed == [two.flows[0]]
    assert [data for _, data in two.arrived] == [b"x"]


def test_a_busy_network_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two nodes that answer each other for ever fail the run."""
    monkeypatch.setattr("maskline.testing.network.STEP_COUNT_MAX", 100)
    network, _, _ = net()

    def again() -> None:
        network.call_at(network.now, again)

    again()
    with pytest.raises(AssertionError, match="still busy"):
        network.run(until=1)

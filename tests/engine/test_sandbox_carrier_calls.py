"""Calls through the sandbox carrier, with real user agents on the virtual network."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

import pytest

from maskline.engine.sandbox_carrier import Address, SandboxCarrier
from maskline.sip import events as sip
from maskline.sip.events import Flow, LegID
from maskline.sip.uri import SIPURI
from maskline.sip.user_agent import UserAgent
from maskline.sip.user_agent_types import OutgoingInvite, OutgoingRequest, UserAgentSettings
from maskline.testing.network import Impairment, VirtualNetwork

CARRIER = ("127.0.0.1", 5070)
SWITCH = ("127.0.0.1", 5060)
PHONE = ("127.0.0.1", 40_001)
NUMBER, VIRTUAL = "+919812300001", "+912249370001"
SDP = b"v=0\r\n"


def _carrier() -> SandboxCarrier:
    return SandboxCarrier(address=CARRIER, switch=SWITCH, country="IN")


@dataclass
class CarrierNode:
    """The carrier as a node of the virtual network."""

    carrier: SandboxCarrier = field(default_factory=_carrier)
    out: list[tuple[Flow, bytes]] = field(default_factory=list)

    def receive(self, data: bytes, flow: Flow, now: float) -> None:
        sent = self.carrier.handle(data, flow.remote, now)
        self.out += [(Flow("udp", CARRIER, target), reply) for reply, target in sent]

    def outgoing(self) -> list[tuple[Flow, bytes]]:
        out, self.out = self.out, []
        return out

    def next_timer(self) -> float | None:
        return None

    def handle_timer(self, now: float) -> None:
        raise AssertionError("no timer was asked for")

    def flow_closed(self, flow: Flow, now: float) -> None:
        raise AssertionError("no connection was made")


class Agent:
    """A user agent of the network: a phone, or what stands for the switch."""

    def __init__(self, network: VirtualNetwork, address: Address, seed: int) -> None:
        self.network, self.address = network, address
        self.agent = UserAgent(
            UserAgentSettings(advertised=address),
            random_bytes=Random(seed).randbytes,
            is_trusted=lambda _host: True,
        )
        self.events: list[sip.Event] = []
        self.on_invite: Callable[[LegID], None] = lambda leg: None
        network.attach(self.agent, address, after=self._after)

    def _after(self, _now: float) -> None:
        while (event := self.agent.next_event()) is not None:
            self.events.append(event)
            if isinstance(event, sip.IncomingInvite):
                self.on_invite(event.leg)

    def seen(self, kind: type) -> list[sip.Event]:
        return [event for event in self.events if isinstance(event, kind)]

    def invite(self, callee: str, caller: str) -> LegID:
        def uri(user: str) -> SIPURI:
            return SIPURI(scheme="sip", user=user, host=CARRIER[0], port=CARRIER[1])

        out = OutgoingInvite(
            flow=Flow("udp", self.address, CARRIER),
            request_uri=uri(callee),
            from_uri=uri(caller),
            to_uri=uri(callee),
            contact_user="",
            sdp=SDP,
            max_forwards=70,
        )
        return self.agent.originate(out, self.network.now)

    def register(self, number: str) -> None:
        uri = SIPURI(scheme="sip", user=number, host=CARRIER[0], port=CARRIER[1])
        self.agent.send_request(
            OutgoingRequest(
                method="REGISTER",
                flow=Flow("udp", self.address, CARRIER),
                request_uri=SIPURI(scheme="sip", host=CARRIER[0], port=CARRIER[1]),
                from_uri=uri,
                to_uri=uri,
                contact_user=number,
                expires_s=600,
            ),
            self.network.now,
        )


@dataclass
class Scene:
    """A phone, the carrier and a user agent in the switch's place, on one network."""

    network: VirtualNetwork
    phone: Agent
    switch: Agent
    node: CarrierNode

    def ends(self, is_phone_calling: bool) -> tuple[Agent, Agent, LegID]:
        """Start a call in one direction: who calls, who is called, and the caller's leg."""
        if is_phone_calling:
            return self.phone, self.switch, self.phone.invite(VIRTUAL, NUMBER)
        return self.switch, self.phone, self.switch.invite(NUMBER, VIRTUAL)

    def settle(self) -> None:
        """Let everything come to rest, and see that it does."""
        self.network.run_until_idle()
        assert self.phone.agent.leg_count == self.switch.agent.leg_count == 0
        assert self.phone.agent.transaction_count == self.switch.agent.transaction_count == 0


def _scene(impairment: Impairment | None = None, seed: int = 1) -> Scene:
    network = VirtualNetwork(seed=seed)
    node = CarrierNode()
    network.attach(node, CARRIER)
    scene = Scene(network, Agent(network, PHONE, 1), Agent(network, SWITCH, 2), node)
    scene.phone.register(NUMBER)
    network.run(until=1.0)
    assert [event.status for event in scene.phone.events if isinstance(event, sip.RequestAnswered)] == [200]
    if impairment is not None:
        network.impairment = impairment
    return scene


LOSSY = Impairment(loss=0.2, duplication=0.2, delay_s_max=0.3)


@pytest.mark.parametrize("impairment", [None, LOSSY], ids=["perfect", "lossy"])
@pytest.mark.parametrize("is_phone_calling", [True, False])
@pytest.mark.parametrize("is_caller_ending", [True, False])
def test_a_whole_call_passes(
    is_phone_calling: bool, is_caller_ending: bool, impairment: Impairment | None
) -> None:
    """INVITE, 180, 200, ACK and BYE of either end, in either direction, also over a bad network."""
    scene = _scene(impairment)
    network = scene.network
    caller, callee, leg = scene.ends(is_phone_calling)

    def answer(incoming: LegID) -> None:
        callee.agent.ring(incoming, network.now)
        callee.agent.answer(incoming, SDP, network.now)

    callee.on_invite = answer
    network.run(until=20.0)
    assert caller.seen(sip.Answered) == [sip.Answered(leg=leg, sdp=SDP)]
    (arrived,) = callee.seen(sip.IncomingInvite)
    assert isinstance(arrived, sip.IncomingInvite)
    asserted = [address.uri.user for address in arrived.invite.asserted]
    assert asserted == ([NUMBER] if is_phone_calling else [])
    assert len(callee.seen(sip.Acknowledged)) == 1
    ending, other = (caller, callee) if is_caller_ending else (callee, caller)
    ending.agent.hang_up(leg if is_caller_ending else arrived.leg, network.now)
    network.run(until=30.0)
    assert [event.cause for event in other.events if isinstance(event, sip.HungUp)] == [sip.HangUpCause.BYE]
    scene.settle()


@pytest.mark.parametrize("is_phone_calling", [True, False])
def test_a_declined_call_passes(is_phone_calling: bool) -> None:
    """The failure reaches the caller, its ACK the callee: nothing is repeated."""
    scene = _scene()
    caller, callee, _ = scene.ends(is_phone_calling)
    callee.on_invite = lambda leg: callee.agent.refuse(leg, 486, scene.network.now)
    scene.settle()
    assert [event.status for event in caller.events if isinstance(event, sip.Failed)] == [486]
    finals = [p for p in scene.network.transcript if p.data.startswith(b"SIP/2.0 486")]
    assert len(finals) == 2, "one on each side of the carrier"


@pytest.mark.parametrize("is_phone_calling", [True, False])
def test_a_cancelled_call_passes(is_phone_calling: bool) -> None:
    """CANCEL finds the transaction of its INVITE through the carrier."""
    scene = _scene()
    caller, callee, leg = scene.ends(is_phone_calling)
    callee.on_invite = lambda incoming: callee.agent.ring(incoming, scene.network.now)
    scene.network.run(until=2.0)
    caller.agent.hang_up(leg, scene.network.now)
    scene.settle()
    assert len(callee.seen(sip.Cancelled)) == 1


def test_a_change_within_a_call_passes_both_ways() -> None:
    """A re-INVITE of either end follows the route set and the contacts."""
    scene = _scene()
    network = scene.network
    caller, callee, leg = scene.ends(is_phone_calling=True)
    callee.on_invite = lambda incoming: callee.agent.answer(incoming, SDP, network.now)
    network.run(until=2.0)
    (arrived,) = callee.seen(sip.IncomingInvite)
    assert isinstance(arrived, sip.IncomingInvite)
    for sender, its_leg, receiver, other_leg in (
        (caller, leg, callee, arrived.leg),
        (callee, arrived.leg, caller, leg),
    ):
        sender.agent.send_offer(its_leg, SDP, network.now)
        network.run(until=network.now + 1)
        assert len(receiver.seen(sip.OfferReceived)) == 1
        receiver.agent.answer_offer(other_leg, SDP, network.now)
        network.run(until=network.now + 1)
        assert len(sender.seen(sip.OfferAnswered)) == 1
    caller.agent.hang_up(leg, network.now)
    scene.settle()

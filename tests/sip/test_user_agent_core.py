"""What legs share, and that they share nothing else."""

import gc
from collections.abc import Iterator
from types import ModuleType

from tests.sip.rig import ANSWER, Party, Wire, pair

from maskline.sip import events as on
from maskline.sip.events import Flow
from maskline.sip.user_agent_core import Core
from maskline.sip.user_agent_leg import Leg
from maskline.sip.user_agent_types import UserAgentSettings
from maskline.testing.network import VirtualNetwork


def reachable(root: object) -> Iterator[object]:
    """Everything that can be reached from an object, classes, modules and functions left aside."""
    seen: set[int] = set()
    todo = [root]
    while todo:
        each = todo.pop()
        if id(each) in seen or isinstance(each, type | ModuleType) or callable(each):
            continue
        seen.add(id(each))
        yield each
        todo.extend(gc.get_referents(each))


def test_nothing_of_one_leg_is_reachable_from_another() -> None:
    """From the objects of leg B no leg, text or body of leg A can be reached, nor back (I5)."""
    network = VirtualNetwork()
    switch = Party(network, "192.0.2.1")
    caller, callee = Wire(network, "192.0.2.7"), Wire(network, "192.0.2.8")
    caller.invite(
        switch, body="v=0 canary-a", call_id="canary-a", from_tag="canary-a", extra="Subject: canary-a\n"
    )
    network.run(until=0)
    leg_a = switch.take(on.IncomingInvite).leg
    switch.agent.ring(leg_a, 0)
    leg_b = switch.invite(callee, sdp=b"v=0 canary-b")
    network.run(until=0)
    callee.answer(switch, 180, callee.last("INVITE"), tag="canary-b")
    callee.answer(switch, 200, callee.last("INVITE"), tag="canary-b", body="v=0 canary-b")
    network.run(until=0)
    switch.agent.answer(leg_a, ANSWER, 0)
    switch.agent.send_offer(leg_b, b"v=0 canary-b", 0)
    network.run(until=0)
    legs = switch.agent._core.legs
    for own, other, canary in ((leg_b, legs[leg_a], "canary-a"), (leg_a, legs[leg_b], "canary-b")):
        found = list(reachable(legs[own]))
        assert any(isinstance(each, Leg) for each in found)
        assert not any(each is other for each in found)
        assert not any(isinstance(each, str) and canary in each for each in found)
        assert not any(isinstance(each, bytes) and canary.encode() in each for each in found)
        assert not any(isinstance(each, Core) for each in found)


def test_known_hosts_are_counted() -> None:
    """An address stays known until everybody who knows it has forgotten it."""
    core = Core(
        UserAgentSettings(advertised=("192.0.2.1", 5060)), bytes, lambda _: True, lambda _host, _hosts: True
    )
    core.know_hosts(frozenset({"a", "b"}))
    core.know_hosts(frozenset({"a"}))
    core.forget_hosts(frozenset({"a", "b"}))
    assert dict(core.known_hosts) == {"a": 1}
    core.forget_hosts(frozenset({"a"}))
    assert not core.known_hosts


def test_a_leg_is_released_once() -> None:
    """Releasing twice says so once."""
    network, alice, bob = pair()
    leg = alice.invite(bob)
    core = alice.agent._core
    found = core.legs[leg]
    core.release(found, 0.0)
    core.release(found, 0.0)
    network.run(until=0)
    assert alice.take_all() == [on.Released(leg=leg)]


def test_refusals_are_remembered_within_bounds(monkeypatch: object) -> None:
    """Beyond the limit further refusals are not remembered, and all are forgotten after 64*T1."""
    network = VirtualNetwork()
    wire, party = Wire(network, "192.0.2.7"), Party(network, "192.0.2.1")
    for number in range(3):
        wire.invite(party, call_id=f"c{number}", branch=f"z9hG4bK{number}")
    network.run(until=0)
    for _ in range(3):
        party.agent.refuse(party.take(on.IncomingInvite).leg, 486, 0)
    assert len(party.agent._core.endings) == 3
    network.run(until=40)
    assert not party.agent._core.endings


def test_a_flow_is_a_key() -> None:
    """Flows compare by value, so that drivers and user agent may keep tables of them."""
    assert {Flow("udp", ("a", 1), ("b", 2)): 1}[Flow("udp", ("a", 1), ("b", 2))] == 1

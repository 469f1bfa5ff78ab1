"""The user agent as a whole: determinism, restart, clean ends."""

from dataclasses import replace

import pytest
from tests.sip.rig import ANSWER, OFFER, Party, Wire, pair

from maskline.sip import events as on
from maskline.sip.errors import LocalProtocolError
from maskline.sip.user_agent import DialogSnapshot, Flow, LegID
from maskline.testing.network import Impairment, VirtualNetwork


def established(
    seed: int = 0, *, impairment: Impairment | None = None
) -> tuple[VirtualNetwork, Party, Party, LegID, LegID]:
    network, alice, bob = pair(seed=seed, impairment=impairment or Impairment())
    call = alice.invite(bob)
    network.run(until=20)
    leg = bob.take(on.IncomingInvite).leg
    bob.agent.ring(leg, network.now)
    bob.agent.answer(leg, ANSWER, network.now)
    network.run(until=40)
    return network, alice, bob, call, leg


BAD = Impairment(loss=0.2, duplication=0.2, delay_s_max=0.3)


def play(seed: int) -> bytes:
    network, alice, bob, call, leg = established(seed, impairment=BAD)
    alice.agent.send_offer(call, OFFER, network.now)
    network.run(until=60)
    bob.agent.hang_up(leg, network.now)
    network.run_until_idle()
    return network.render_transcript()


def test_same_seed_same_bytes() -> None:
    """Two runs with one seed send the same bytes at the same instants, another seed other ones."""
    assert play(3) == play(3)
    assert play(3) != play(4)


@pytest.mark.parametrize("is_callee", [False, True])
def test_restored_leg_can_be_ended(*, is_callee: bool) -> None:
    """After a restart the snapshot is enough to send BYE, in either role, and the peer believes it."""
    network, alice, bob, call, leg = established()
    party, own, peer = (bob, leg, alice) if is_callee else (alice, call, bob)
    snapshot = DialogSnapshot.from_json(party.agent.snapshot(own).to_json())
    fresh = Party(network, "192.0.2.99", seed=9)
    restored = fresh.agent.restore(snapshot, network.now)
    peer.take_all()
    fresh.agent.hang_up(restored, network.now, q850=41)
    network.run(until=60)
    assert [type(event) for event in peer.take_all()] == [on.HungUp, on.Released]


@pytest.mark.parametrize("is_callee", [False, True])
def test_restored_leg_hears_the_peer(*, is_callee: bool) -> None:
    """After a restart the peer's BYE is answered and ends the restored leg."""
    network, alice, bob, call, leg = established()
    party, own, peer, others = (bob, leg, alice, call) if is_callee else (alice, call, bob, leg)
    snapshot = party.agent.snapshot(own)
    restarted = type(party)(VirtualNetwork(), *party.address, seed=9)
    restored = restarted.agent.restore(snapshot, network.now)
    peer.agent.hang_up(others, network.now)
    (flow, data), *_ = peer.agent.outgoing()
    restarted.agent.receive(data, flow._replace(local=flow.remote, remote=flow.local), network.now)
    assert [data.split(b"\r\n")[0] for _, data in restarted.agent.outgoing()] == [b"SIP/2.0 200 OK"]
    restarted.network.run(until=0)
    assert [event.leg for event in restarted.take_all()] == [restored, restored]  # type: ignore[union-attr]


def test_restored_leg_does_not_count_on_an_old_connection() -> None:
    """The BYE of a leg that came by TCP goes to where the peer listens: its connection ended with the process."""
    network = VirtualNetwork()
    caller = Wire(network, "192.0.2.7")
    party = Party(network, "192.0.2.1")
    caller.invite(party)
    network.run(until=0)
    leg = party.take(on.IncomingInvite).leg
    party.agent.answer(leg, ANSWER, 0)
    gone = Flow("tcp", party.address, ("192.0.2.7", 40_000))
    snapshot = replace(party.agent.snapshot(leg), flow=gone)
    restored = party.agent.restore(snapshot, 0)
    party.agent.hang_up(restored, 0)
    flow, _ = party.agent.outgoing()[-1]
    assert flow == gone._replace(remote=caller.address)


def test_snapshot_needs_an_answered_leg() -> None:
    """Before the answer and after the end there is no confirmed dialog; after our 200 there is, ACK or not."""
    network, alice, bob = pair()
    call = alice.invite(bob)
    network.run(until=0)
    leg = bob.take(on.IncomingInvite).leg
    for party, early in ((alice, call), (bob, leg)):
        with pytest.raises(LocalProtocolError):
            party.agent.snapshot(early)
    bob.agent.answer(leg, ANSWER, 0)
    assert bob.agent.snapshot(leg).remote_seq == 1
    bob.agent.refuse(leg, 486, 0)
    network.run(until=0)
    bob.agent.hang_up(leg, 0)
    network.run(until=0)
    with pytest.raises(LocalProtocolError):
        bob.agent.snapshot(leg)


def test_nothing_is_left_of_a_call() -> None:
    """32 s after the last message of a call no transaction and no timer is left."""
    network, alice, bob, call, _ = established()
    alice.agent.hang_up(call, network.now)
    network.run(until=network.now + 33)
    for party in (alice, bob):
        assert party.agent.leg_count == 0
        assert party.agent.transaction_count == 0
        assert party.agent.next_timer() is None


def test_a_contact_in_capitals_gets_its_bye() -> None:
    """`transport=UDP` is what some devices write."""
    from tests.sip.rig import wired

    network, wire, party = wired()
    wire.invite(
        party, contact='"Phone" <SIP:wire@192.0.2.7:5060;transport=UDP;ob>;expires=60;+sip.instance="<x>"'
    )
    network.run(until=0)
    leg = party.take(on.IncomingInvite).leg
    party.agent.answer(leg, ANSWER, 0)
    network.run(until=0)
    wire.request("ACK", party, to_tag=wire.last_response().to.tag or "", branch="z9hG4bKa")
    network.run(until=0)
    party.agent.hang_up(leg, 0)
    network.run(until=0)
    assert wire.last("BYE").uri == "sip:wire@192.0.2.7:5060;transport=UDP;ob"

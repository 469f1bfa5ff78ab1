"""Incoming legs: INVITE, answers, CANCEL, refusals and their copies."""

import pytest
from tests.sip.rig import ANSWER, OFFER, pair, wired

from maskline.sip import events as on
from maskline.sip.errors import LocalProtocolError


def test_ringing_answer_and_bye_of_the_caller() -> None:
    """A call runs from INVITE to BYE with one To-tag in every answer."""
    network, alice, bob = pair()
    call = alice.invite(bob)
    network.run(until=0)
    leg = bob.take(on.IncomingInvite).leg
    bob.agent.trying(leg, 0)
    bob.agent.ring(leg, 0)
    bob.agent.ring(leg, 0)
    bob.agent.answer(leg, ANSWER, 0)
    network.run(until=0)
    alice.agent.hang_up(call, 0, q850=16)
    network.run(until=0)
    assert bob.sent_lines() == ["100 INVITE", "180 INVITE", "200 INVITE", "200 BYE"]
    assert len({message.to.tag for message in bob.sent()[1:]}) == 1
    assert bob.take_all() == [
        on.Acknowledged(leg=leg, sdp=None),
        on.HungUp(leg=leg, cause=on.HangUpCause.BYE, q850=16),
        on.Released(leg=leg),
    ]
    assert alice.take_all() == [
        on.Progressed(leg=call, status=100, sdp=None),
        on.Progressed(leg=call, status=180, sdp=None),
        on.Answered(leg=call, sdp=ANSWER),
        on.Released(leg=call),
    ]


def test_facts_of_an_invite() -> None:
    """The event carries exactly what the INVITE says, every asserted identity and privacy field included."""
    network, wire, party = wired()
    wire.invite(
        party,
        extra="P-Asserted-Identity: <sip:+14155550123@h>, <tel:+14155550123>\nPrivacy: id\nPrivacy: user;header\n"
        "X-Maskline-Source: 203.0.113.9\n",
        max_forwards=12,
    )
    network.run(until=0)
    facts = party.take(on.IncomingInvite).invite
    assert [address.uri.user for address in facts.asserted] == ["+14155550123", "+14155550123"]
    assert facts.privacy == {"id", "user", "header"}
    assert facts.max_forwards == 12
    assert facts.edge_source == "203.0.113.9"
    assert facts.request_uri.user == "+14155550100"
    assert facts.offer == b"v=0"


def test_2xx_is_repeated_until_its_ack() -> None:
    """Without ACK the 200 goes out at T1, doubling to T2, then the leg ends with BYE after 64*T1."""
    network, wire, party = wired()
    wire.invite(party)
    network.run(until=0)
    leg = party.take(on.IncomingInvite).leg
    party.agent.answer(leg, ANSWER, network.now)
    network.run(until=31.9)
    instants = [packet.at for packet in network.transcript if packet.flow.local == party.address]
    assert instants == [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    network.run(until=32)
    assert party.take_all() == [on.HungUp(leg=leg, cause=on.HangUpCause.ACK_TIMEOUT, q850=None)]
    assert wire.last("BYE").cseq.number == 1
    wire.answer(party, 200, wire.last("BYE"))
    network.run(until=33)
    assert party.take_all() == [on.Released(leg=leg)]


def test_hang_up_before_the_ack_waits_for_it() -> None:
    """The callee sends BYE only once its 2xx is acknowledged (RFC 3261, 15)."""
    network, wire, party = wired()
    wire.invite(party)
    network.run(until=0)
    leg = party.take(on.IncomingInvite).leg
    party.agent.answer(leg, ANSWER, network.now)
    party.agent.hang_up(leg, network.now)
    network.run(until=1)
    assert "BYE" not in wire.lines()
    wire.request("ACK", party, to_tag=wire.last_response().to.tag or "", branch="z9hG4bKack")
    network.run(until=1)
    assert wire.lines()[-1] == "BYE"


def test_hang_up_before_the_answer_refuses() -> None:
    """Hanging an unanswered incoming leg up answers 480."""
    network, wire, party = wired()
    wire.invite(party)
    network.run(until=0)
    leg = party.take(on.IncomingInvite).leg
    party.agent.hang_up(leg, network.now)
    network.run(until=0)
    assert wire.last_status() == 480
    assert party.take_all() == [on.Released(leg=leg)]


def test_cancel_before_any_answer() -> None:
    """CANCEL gets 200, the INVITE 487, with the same tag, and the leg is gone."""
    network, wire, party = wired()
    wire.invite(party)
    wire.request("CANCEL", party)
    network.run(until=0)
    leg = party.take(on.IncomingInvite).leg
    assert wire.lines() == ["200 CANCEL", "487 INVITE"]
    assert len({message.to.tag for message in wire.received}) == 1
    assert party.take_all() == [on.Cancelled(leg=leg), on.Released(leg=leg)]


def test_cancel_after_the_answer_changes_nothing() -> None:
    """A CANCEL that comes after our 2xx is answered 200 and has no effect (RFC 3261, 9.2)."""
    network, wire, party = wired()
    wire.invite(party)
    network.run(until=0)
    leg = party.take(on.IncomingInvite).leg
    party.agent.answer(leg, ANSWER, network.now)
    wire.request("CANCEL", party)
    network.run(until=0)
    assert wire.lines() == ["200 INVITE", "200 CANCEL"]
    assert party.take_all() == []
    assert party.agent.leg_count == 1


def test_cancel_of_nothing() -> None:
    """A CANCEL that matches no INVITE is answered 481."""
    network, wire, party = wired()
    wire.request("CANCEL", party)
    network.run(until=0)
    assert wire.lines() == ["481 CANCEL"]


def test_bye_in_an_early_dialog() -> None:
    """The caller may end an early dialog by BYE: 200 for it, 487 for the INVITE."""
    network, wire, party = wired()
    wire.invite(party)
    network.run(until=0)
    leg = party.take(on.IncomingInvite).leg
    party.agent.ring(leg, network.now)
    network.run(until=0)
    wire.request("BYE", party, seq=2, branch="z9hG4bKbye", to_tag=wire.last_response().to.tag or "")
    network.run(until=0)
    assert wire.lines() == ["180 INVITE", "200 BYE", "487 INVITE"]
    assert party.take_all() == [on.Cancelled(leg=leg), on.Released(leg=leg)]


def test_refusal_is_repeated_until_its_ack() -> None:
    """A failure goes out again at T1 and doubling, each retransmitted INVITE gets it at once, an ACK stops it."""
    network, wire, party = wired()
    wire.invite(party)
    network.run(until=0)
    leg = party.take(on.IncomingInvite).leg
    party.agent.refuse(leg, 486, network.now, retry_after_s=7)
    network.run(until=1.5)
    assert wire.lines() == ["486 INVITE"] * 3
    assert wire.last_response().headers.get("Retry-After") == "7"
    wire.invite(party)
    network.run(until=1.6)
    assert len(wire.lines()) == 4
    wire.request("ACK", party, to_tag=wire.last_response().to.tag or "")
    network.run(until=40)
    assert len(wire.lines()) == 4
    assert party.agent.transaction_count == 0


def test_copy_of_a_refused_invite_makes_no_second_call() -> None:
    """The same INVITE on another branch, after the refusal, gets the refusal again and no event."""
    network, wire, party = wired()
    wire.invite(party)
    network.run(until=0)
    party.agent.refuse(party.take(on.IncomingInvite).leg, 480, network.now)
    network.run(until=0)
    wire.request("ACK", party, to_tag=wire.last_response().to.tag or "")
    network.run(until=20)
    party.take_all()
    wire.invite(party, branch="z9hG4bKother")
    network.run(until=20)
    assert wire.lines()[-2:] == ["480 INVITE", "480 INVITE"]
    assert len({message.to.tag for message in wire.received}) == 1
    assert party.take_all() == []


def test_dropped_invite_stays_unanswered() -> None:
    """Neither the INVITE, its retransmission, a copy of it, nor its CANCEL is answered after a drop."""
    network, wire, party = wired()
    wire.invite(party)
    network.run(until=0)
    leg = party.take(on.IncomingInvite).leg
    party.agent.drop(leg, network.now)
    wire.invite(party)
    wire.invite(party, branch="z9hG4bKother")
    wire.request("CANCEL", party)
    network.run(until=40)
    assert wire.received == []
    assert party.take_all() == [on.Released(leg=leg)]
    assert party.agent.transaction_count == 0


def test_long_ringing_is_said_again_each_minute() -> None:
    """A ringing INVITE gets a 180 every minute (RFC 3261, 13.3.1.1)."""
    network, wire, party = wired()
    wire.invite(party)
    network.run(until=0)
    party.agent.ring(party.take(on.IncomingInvite).leg, network.now)
    network.run(until=125)
    assert wire.lines() == ["180 INVITE"] * 3


def test_offerless_invite_gets_the_answer_in_the_ack() -> None:
    """Our 200 carries the offer then, and the ACK's session description arrives with Acknowledged."""
    network, alice, bob = pair()
    call = alice.invite(bob, sdp=None)
    network.run(until=0)
    invite = bob.take(on.IncomingInvite)
    assert invite.invite.offer is None
    bob.agent.answer(invite.leg, OFFER, network.now)
    network.run(until=0)
    assert alice.take(on.Answered).sdp == OFFER
    assert "ACK" not in alice.sent_lines()
    alice.agent.acknowledge(call, ANSWER, network.now)
    network.run(until=0)
    assert bob.take(on.Acknowledged).sdp == ANSWER


def test_actions_on_a_leg_that_ended_do_nothing() -> None:
    """What the owner does before it has heard of the end is ignored."""
    network, wire, party = wired()
    wire.invite(party)
    wire.request("CANCEL", party)
    network.run(until=0)
    leg = party.take(on.IncomingInvite).leg
    agent = party.agent
    agent.trying(leg, 0)
    agent.ring(leg, 0)
    agent.answer(leg, ANSWER, 0)
    agent.refuse(leg, 486, 0)
    agent.drop(leg, 0)
    agent.hang_up(leg, 0)
    agent.send_offer(leg, OFFER, 0)
    agent.answer_offer(leg, ANSWER, 0)
    agent.reject_offer(leg, 488, 0)
    assert agent.outgoing() == []


def test_a_leg_that_never_was_is_a_bug() -> None:
    """An action on an unknown leg number is the owner's mistake."""
    _, _, party = wired()
    with pytest.raises(LocalProtocolError):
        party.agent.ring(on.LegID(7), 0)


@pytest.mark.parametrize("status", [100, 200, 299, 700])
def test_a_refusal_is_a_final_failure(status: int) -> None:
    """Other statuses are the owner's mistake."""
    network, wire, party = wired()
    wire.invite(party)
    network.run(until=0)
    with pytest.raises(LocalProtocolError):
        party.agent.refuse(party.take(on.IncomingInvite).leg, status, 0)


def test_record_routes_go_back_in_what_makes_the_dialog() -> None:
    """180 and 200 echo every Record-Route in order; 100 and failures do not."""
    network, wire, party = wired()
    wire.invite(
        party,
        extra="Record-Route: <sip:192.0.2.7;lr>, <sip:p2.example;lr>\nRecord-Route: <sip:p3.example;lr>\n",
    )
    network.run(until=0)
    leg = party.take(on.IncomingInvite).leg
    party.agent.trying(leg, 0)
    party.agent.ring(leg, 0)
    party.agent.answer(leg, ANSWER, 0)
    network.run(until=0)
    routes = [len(message.headers.all("Record-Route")) for message in wire.received]
    assert routes == [0, 3, 3]

"""Offers in an established leg: both ways, both methods, and every crossing."""

import pytest
from tests.sip.rig import ANSWER, OFFER, Party, Wire, calling, pair, wired

from maskline.sip import events as on
from maskline.sip.errors import LocalProtocolError
from maskline.sip.user_agent import LegID
from maskline.testing.network import VirtualNetwork

SDP = "v=0"


def established() -> tuple[VirtualNetwork, Party, Party, LegID, LegID]:
    """Two parties in a call: network, caller, callee, and the leg of each."""
    network, alice, bob = pair()
    call = alice.invite(bob)
    network.run(until=0)
    leg = bob.take(on.IncomingInvite).leg
    bob.agent.answer(leg, ANSWER, network.now)
    network.run(until=0)
    alice.take_all()
    bob.take_all()
    return network, alice, bob, call, leg


def answered_by_us(
    *, is_acked: bool = True, body: str = SDP
) -> tuple[VirtualNetwork, Wire, Party, LegID, str]:
    """A hand-written caller in a call we answered; the last value is our tag."""
    network, wire, party = wired()
    wire.invite(party, body=body)
    network.run(until=0)
    leg = party.take(on.IncomingInvite).leg
    party.agent.answer(leg, ANSWER, network.now)
    network.run(until=0)
    tag = wire.last_response().to.tag or ""
    if is_acked:
        wire.request("ACK", party, to_tag=tag, branch="z9hG4bKack")
        network.run(until=0)
        party.take(on.Acknowledged)
    return network, wire, party, leg, tag


@pytest.mark.parametrize("is_update", [False, True])
@pytest.mark.parametrize("is_caller", [False, True])
def test_offer_and_answer(is_caller: bool, is_update: bool) -> None:
    """Either side may send an offer by either method, and gets the answer."""
    network, alice, bob, call, leg = established()
    one, other = ((alice, call), (bob, leg)) if is_caller else ((bob, leg), (alice, call))
    one[0].agent.send_offer(one[1], OFFER, network.now, update=is_update)
    network.run(until=0)
    assert other[0].take_all() == [on.OfferReceived(leg=other[1], sdp=OFFER, is_update=is_update)]
    other[0].agent.answer_offer(other[1], ANSWER, network.now)
    network.run(until=1)
    assert one[0].take_all() == [on.OfferAnswered(leg=one[1], sdp=ANSWER)]
    assert all(isinstance(event, on.Acknowledged) for event in other[0].take_all())


@pytest.mark.parametrize("is_update", [False, True])
def test_refused_offer_leaves_the_session(is_update: bool) -> None:
    """A refusal is reported and both legs go on."""
    network, alice, bob, call, leg = established()
    alice.agent.send_offer(call, OFFER, network.now, update=is_update)
    network.run(until=0)
    bob.take(on.OfferReceived)
    bob.agent.reject_offer(leg, 488, network.now)
    network.run(until=1)
    assert alice.take_all() == [on.OfferRejected(leg=call, status=488)]
    assert bob.take_all() == []
    assert alice.agent.leg_count == bob.agent.leg_count == 1


def test_crossing_offers_are_both_refused() -> None:
    """Two re-INVITEs that cross get 491 each (RFC 3261, 14.1)."""
    network, alice, bob, call, leg = established()
    alice.agent.send_offer(call, OFFER, network.now)
    bob.agent.send_offer(leg, OFFER, network.now)
    network.run(until=1)
    assert alice.take_all() == [on.OfferRejected(leg=call, status=491)]
    assert bob.take_all() == [on.OfferRejected(leg=leg, status=491)]


def test_offer_while_another_one_waits_is_refused_here() -> None:
    """With an offer of the peer in hand, or one of ours under way, sending reports 491 and sends nothing."""
    network, alice, bob, call, leg = established()
    alice.agent.send_offer(call, OFFER, network.now)
    network.run(until=0)
    bob.agent.send_offer(leg, OFFER, network.now)
    alice.agent.send_offer(call, OFFER, network.now, update=True)
    network.run(until=0)
    assert bob.events[-1] == on.OfferRejected(leg=leg, status=491)
    assert alice.take_all() == [on.OfferRejected(leg=call, status=491)]
    assert "UPDATE" not in alice.sent_lines()
    assert bob.sent_lines().count("INVITE") == 0


def test_reinvite_without_offer() -> None:
    """Our 200 carries the offer; the ACK's answer arrives as Acknowledged."""
    network, wire, party, leg, tag = answered_by_us()
    wire.invite(party, seq=2, branch="z9hG4bKre", to_tag=tag, body="")
    network.run(until=0)
    assert party.take(on.OfferReceived) == on.OfferReceived(leg=leg, sdp=None, is_update=False)
    party.agent.answer_offer(leg, OFFER, network.now)
    network.run(until=0.6)
    assert wire.lines()[-2:] == ["200 INVITE", "200 INVITE"]
    wire.request(
        "ACK", party, seq=2, to_tag=tag, branch="z9hG4bKa2", body=SDP, extra="Content-Type: application/sdp\n"
    )
    network.run(until=1)
    assert party.take_all() == [on.Acknowledged(leg=leg, sdp=b"v=0")]


GLARES = {
    "INVITE while our 2xx is unacknowledged": ("INVITE", "unacknowledged", 491),
    "UPDATE while our 2xx is unacknowledged": ("UPDATE", "unacknowledged", None),
    "UPDATE while our 2xx carries an open offer": ("UPDATE", "our-offer-in-2xx", 491),
    "INVITE while another INVITE waits": ("INVITE", "their-invite", 500),
    "UPDATE while an INVITE waits": ("UPDATE", "their-invite", 500),
    "INVITE while ours is under way": ("INVITE", "our-invite", 491),
    "UPDATE while our INVITE is under way": ("UPDATE", "our-invite", 491),
    "UPDATE while our UPDATE is under way": ("UPDATE", "our-update", 491),
    "UPDATE in the early dialog": ("UPDATE", "early", 500),
}


@pytest.mark.parametrize(("method", "situation", "status"), GLARES.values(), ids=GLARES)
def test_glare(method: str, situation: str, status: int | None) -> None:
    """An offer that crosses another gets the status of RFC 3261 14.2 and RFC 3311 5.2; 500 says when to retry."""
    if situation == "early":
        network, wire, party = wired()
        wire.invite(party)
        network.run(until=0)
        leg = party.take(on.IncomingInvite).leg
        party.agent.ring(leg, network.now)
        network.run(until=0)
        tag = wire.last_response().to.tag or ""
    else:
        is_acked = situation not in {"unacknowledged", "our-offer-in-2xx"}
        body = "" if situation == "our-offer-in-2xx" else SDP
        network, wire, party, leg, tag = answered_by_us(is_acked=is_acked, body=body)
    if situation == "their-invite":
        wire.invite(party, seq=2, branch="z9hG4bKtheirs", to_tag=tag)
        network.run(until=0)
        party.take(on.OfferReceived)
    elif situation in {"our-invite", "our-update"}:
        party.agent.send_offer(leg, OFFER, network.now, update=situation == "our-update")
    extra = "Content-Type: application/sdp\nContact: <sip:wire@192.0.2.7>\n"
    wire.request(method, party, seq=9, branch="z9hG4bKlate", to_tag=tag, extra=extra, body=SDP)
    network.run(until=0)
    if status is None:
        assert isinstance(party.take_all()[-1], on.OfferReceived)
    else:
        assert wire.lines()[-1] == f"{status} {method}"
        assert (wire.last_response().headers.get("Retry-After") is not None) == (status == 500)
        assert not any(isinstance(event, on.OfferReceived) for event in party.take_all())


def test_update_without_offer_refreshes_the_target() -> None:
    """It is answered at once, and later requests go to the new Contact."""
    network, wire, party, leg, tag = answered_by_us()
    wire.request(
        "UPDATE", party, seq=2, branch="z9hG4bKu", to_tag=tag, extra="Contact: <sip:new@192.0.2.7>\n"
    )
    network.run(until=0)
    assert wire.lines()[-1] == "200 UPDATE"
    assert party.take_all() == []
    party.agent.hang_up(leg, network.now)
    network.run(until=0)
    assert wire.last("BYE").uri == "sip:new@192.0.2.7"


def test_useless_contact_is_refused() -> None:
    """A re-INVITE whose Contact cannot be sent to gets 400 and changes nothing."""
    network, wire, party, leg, tag = answered_by_us()
    wire.invite(party, seq=2, branch="z9hG4bKre", to_tag=tag, contact="<tel:+14155550100>")
    network.run(until=0)
    assert wire.last_status() == 400
    party.agent.hang_up(leg, network.now)
    network.run(until=0)
    assert wire.last("BYE").uri == "sip:wire@192.0.2.7:5060"


def test_cancelled_reinvite_leaves_the_session() -> None:
    """A CANCEL of a re-INVITE gets 200 and 487; answering the offer afterwards does nothing."""
    network, wire, party, leg, tag = answered_by_us()
    wire.invite(party, seq=2, branch="z9hG4bKre", to_tag=tag)
    wire.request("CANCEL", party, seq=2, branch="z9hG4bKre", to_tag=tag)
    network.run(until=0)
    assert wire.lines()[-2:] == ["200 CANCEL", "487 INVITE"]
    party.agent.answer_offer(leg, ANSWER, network.now)
    network.run(until=0)
    assert wire.lines()[-1] == "487 INVITE"
    assert party.agent.leg_count == 1


@pytest.mark.parametrize(
    ("status", "cause"), [(481, on.HangUpCause.PROTOCOL), (408, on.HangUpCause.TRANSPORT)]
)
def test_peer_that_lost_the_dialog_ends_it(status: int, cause: on.HangUpCause) -> None:
    """481 and 408 to a re-INVITE end the leg with BYE (12.2.1.2)."""
    network, wire, party, leg, _ = answered_by_us()
    party.agent.send_offer(leg, OFFER, network.now)
    network.run(until=0)
    wire.answer(party, status, wire.last("INVITE"))
    network.run(until=0)
    assert party.take_all() == [
        on.OfferRejected(leg=leg, status=status),
        on.HungUp(leg=leg, cause=cause, q850=None),
    ]
    assert wire.lines()[-1] == "BYE"


def test_unanswered_offer_ends_the_leg() -> None:
    """A re-INVITE nobody answers ends the leg: the peer is gone."""
    network, _, party, leg, _ = answered_by_us()
    party.agent.send_offer(leg, OFFER, network.now)
    network.run(until=100)
    assert party.take_all() == [
        on.OfferRejected(leg=leg, status=408),
        on.HungUp(leg=leg, cause=on.HangUpCause.TRANSPORT, q850=None),
        on.Released(leg=leg),
    ]


def test_offer_only_ever_told_to_wait_is_given_up() -> None:
    """A re-INVITE with provisional answers and no final one does not wait for ever."""
    network, wire, party, leg, _ = answered_by_us()
    party.agent.send_offer(leg, OFFER, network.now)
    network.run(until=0)
    wire.answer(party, 100, wire.last("INVITE"))
    network.run(until=200)
    assert party.take_all()[-1] == on.Released(leg=leg)
    assert party.agent.transaction_count == 0


def test_answer_without_description_changes_nothing() -> None:
    """A 2xx to our offer that carries no answer is acknowledged and reported as a refusal."""
    network, wire, party, leg, _ = answered_by_us()
    party.agent.send_offer(leg, OFFER, network.now)
    network.run(until=0)
    wire.answer(party, 200, wire.last("INVITE"))
    wire.answer(party, 200, wire.last("INVITE"))
    network.run(until=0)
    assert wire.lines()[-2:] == ["ACK", "ACK"]
    assert party.take_all() == [on.OfferRejected(leg=leg, status=488)]


def test_bye_answers_the_pending_offer() -> None:
    """A BYE from either side while an offer waits gives the offer 487 (15.1.2)."""
    for is_ours in (False, True):
        network, wire, party, leg, tag = answered_by_us()
        wire.invite(party, seq=2, branch="z9hG4bKre", to_tag=tag)
        network.run(until=0)
        if is_ours:
            party.agent.hang_up(leg, network.now)
        else:
            wire.request("BYE", party, seq=3, branch="z9hG4bKbye", to_tag=tag)
        network.run(until=0)
        assert "487 INVITE" in wire.lines()


def test_challenged_offer_is_sent_again() -> None:
    """A re-INVITE that is challenged goes out again with the next number and the same offer."""
    from maskline.sip.user_agent import Credentials

    network, wire, party, leg, invite = calling(credentials=Credentials(username="u", password="p"))
    wire.answer(party, 200, invite, body=SDP)
    network.run(until=0)
    party.agent.send_offer(leg, OFFER, network.now)
    network.run(until=0)
    first = wire.last("INVITE")
    wire.answer(party, 407, first, extra='Proxy-Authenticate: Digest realm="r", nonce="n"\n')
    network.run(until=0)
    again = wire.last("INVITE")
    assert again.cseq.number == first.cseq.number + 1
    assert again.body == OFFER
    assert again.headers.get("Proxy-Authorization") is not None


@pytest.mark.parametrize("status", [180, 200])
def test_a_rejection_is_a_final_failure(status: int) -> None:
    """Other statuses are the owner's mistake."""
    _, _, party, leg, _ = answered_by_us()
    with pytest.raises(LocalProtocolError):
        party.agent.reject_offer(leg, status, 0)


def test_lost_connection_of_a_pending_offer() -> None:
    """When the connection of a re-INVITE is lost before our answer, the session goes on without it."""
    network, alice, bob = pair()
    call = alice.invite(bob, transport="tcp")
    network.run(until=0)
    leg = bob.take(on.IncomingInvite).leg
    bob.agent.answer(leg, ANSWER, network.now)
    network.run(until=0)
    alice.agent.send_offer(call, OFFER, network.now)
    network.run(until=0)
    network.close(alice.flow(bob, "tcp"))
    bob.agent.answer_offer(leg, ANSWER, network.now)
    network.run(until=0)
    assert [type(event) for event in bob.take_all()] == [
        on.Acknowledged,
        on.OfferReceived,
        on.HungUp,
        on.Released,
    ]
    assert alice.take_all()[-1] == on.Released(leg=call)


def test_answers_after_the_bye_are_acknowledged_and_not_reported() -> None:
    """A 2xx to our re-INVITE that comes after our BYE stops being repeated, and says nothing to the owner."""
    network, wire, party, leg, _ = answered_by_us()
    party.agent.send_offer(leg, OFFER, network.now)
    network.run(until=0)
    party.agent.hang_up(leg, network.now)
    wire.answer(party, 200, wire.last("INVITE"), body=SDP)
    network.run(until=0)
    assert wire.lines()[-2:] == ["BYE", "ACK"]
    assert party.take_all() == []


def test_refusal_after_the_end_is_absorbed() -> None:
    """A late refusal or provisional answer to a re-INVITE of a leg that is gone changes nothing."""
    network, wire, party, leg, tag = answered_by_us()
    party.agent.send_offer(leg, OFFER, network.now)
    network.run(until=0)
    wire.request("BYE", party, seq=2, to_tag=tag, branch="z9hG4bKbye")
    network.run(until=0)
    party.take_all()
    for status in (100, 183, 487):
        wire.answer(party, status, wire.last("INVITE"))
    network.run(until=200)
    assert party.take_all() == []
    assert party.agent.transaction_count == 0


def test_early_update_of_the_callee_crosses_our_offer() -> None:
    """The INVITE's own offer is still open: 491; without an offer the early dialog's target is refreshed."""
    network, wire, party, _, invite = calling()
    wire.answer(party, 180, invite)
    network.run(until=0)
    tag = invite.from_.tag or ""
    kind = "Content-Type: application/sdp\n"
    for seq, body, extra, status in ((1, SDP, kind, 491), (2, "", "Contact: <sip:new@192.0.2.7>\n", 200)):
        wire.request(
            "UPDATE",
            party,
            seq=seq,
            branch=f"z9hG4bK{seq}",
            to_tag=tag,
            call_id=invite.call_id,
            extra=extra,
            body=body,
        )
        network.run(until=0)
        assert wire.last_status() == status


def test_offers_of_an_unanswered_leg_are_ignored() -> None:
    """Before the answer there is no session to change."""
    network, wire, party, leg, _ = calling()
    party.agent.send_offer(leg, OFFER, network.now)
    network.run(until=0)
    assert wire.lines() == ["INVITE"]
    assert party.take_all() == []

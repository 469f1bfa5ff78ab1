"""Session timers: refreshes of the peer, and what may cross a refresh."""

from tests.sip.rig import ANSWER, OFFER, pair, wired
from tests.sip.timed_calls import (
    HALF_S,
    LIFE_S,
    OURS,
    SDP,
    THEIRS,
    UPDATES,
    peer_sends,
    received,
    sent,
    timer_fields,
)

from maskline.sip import events as on
from maskline.testing.network import Impairment

# --- refreshes of the peer -----------------------------------------------------------------------------------


def test_a_peer_that_refreshes_keeps_its_call() -> None:
    """An UPDATE without description is answered here and starts the timer again; the owner hears nothing."""
    network, wire, party, leg, tag = received(THEIRS)
    for number in range(1, 4):
        network.run(until=number * 1000.0)
        peer_sends(wire, party, tag, "UPDATE", seq=1 + number)
        network.run(until=number * 1000.0)
        assert timer_fields(wire.last_response()) == ("1800;refresher=uac", None, "timer", "timer")
    assert party.take_all() == []
    network.run(until=3000 + LIFE_S)
    assert party.take(on.HungUp) == on.HungUp(leg=leg, cause=on.HangUpCause.EXPIRED, q850=None)
    assert [line for line in wire.lines() if " " not in line] == ["BYE"]


def test_a_peer_that_forgets_to_refresh_loses_its_call() -> None:
    """The session ends 32 s before its time is over."""
    network, _, party, leg, _ = received(THEIRS)
    network.run(until=LIFE_S - 1)
    assert party.take_all() == []
    network.run(until=LIFE_S + 0.5)
    assert party.take_all() == [on.HungUp(leg=leg, cause=on.HangUpCause.EXPIRED, q850=None)]


def test_a_reinvite_refreshes_through_the_owner() -> None:
    """It is an offer like any other; our answer keeps the roles and starts the timer again."""
    network, wire, party, leg, tag = received(THEIRS)
    network.run(until=1000)
    peer_sends(wire, party, tag, "INVITE", extra="Supported: timer\nSession-Expires: 1800\n", body=SDP)
    network.run(until=1000)
    assert party.take(on.OfferReceived) == on.OfferReceived(leg=leg, sdp=b"v=0", is_update=False)
    party.agent.answer_offer(leg, ANSWER, network.now)
    network.run(until=1000)
    assert timer_fields(wire.last_response()) == ("1800;refresher=uac", None, "timer", "timer")
    peer_sends(wire, party, tag, "ACK", extra="")
    network.run(until=1000 + LIFE_S - 1)
    assert [type(event) for event in party.take_all()] == [on.Acknowledged]


def test_a_rejected_offer_refreshes_nothing() -> None:
    """Only a 2xx does (RFC 4028, 10)."""
    network, wire, party, leg, tag = received(THEIRS)
    network.run(until=1000)
    peer_sends(wire, party, tag, "INVITE", body=SDP)
    network.run(until=1000)
    party.agent.reject_offer(leg, 488, network.now)
    party.take_all()
    network.run(until=LIFE_S + 1)
    assert party.take(on.HungUp).cause is on.HangUpCause.EXPIRED


def test_an_offer_of_ours_refreshes_too() -> None:
    """The 2xx to the owner's offer says anew what holds, and may turn the roles round."""
    network, wire, party, leg, _ = received(UPDATES + OURS)
    network.run(until=800)
    party.agent.send_offer(leg, OFFER, network.now)
    network.run(until=800)
    wire.answer(party, 200, wire.last("INVITE"), body=SDP, extra="Session-Expires: 600;refresher=uas\n")
    network.run(until=800 + 500)
    assert [line for line in wire.lines() if line == "UPDATE"] == []
    assert [type(event) for event in party.take_all()] == [on.OfferAnswered]
    network.run(until=800 + 569)
    assert party.take(on.HungUp) == on.HungUp(leg=leg, cause=on.HangUpCause.EXPIRED, q850=None)


def test_an_update_does_not_take_the_wish_of_a_waiting_offer() -> None:
    """An UPDATE without description may come while a re-INVITE waits for its owner; each is answered as it asked."""
    network, wire, party, leg, tag = received(THEIRS)
    peer_sends(
        wire, party, tag, "INVITE", body=SDP, extra="Supported: timer\nSession-Expires: 300;refresher=uac\n"
    )
    peer_sends(
        wire, party, tag, "UPDATE", seq=3, extra="Supported: timer\nSession-Expires: 600;refresher=uac\n"
    )
    network.run(until=0)
    assert timer_fields(wire.last_response())[0] == "600;refresher=uac"
    party.agent.answer_offer(leg, ANSWER, network.now)
    network.run(until=0)
    assert timer_fields(wire.last_response())[0] == "300;refresher=uac"


def test_a_2xx_counts_whatever_it_says() -> None:
    """A malformed refresher in a 2xx is as good as no Session-Expires."""
    network, wire, _, _, _ = sent("Session-Expires: 600;refresher=nobody\n")
    assert wire.lines() == ["INVITE", "ACK"]
    network.run(until=HALF_S)
    assert timer_fields(wire.last("INVITE"))[0] == "1800;refresher=uac"


def test_a_2xx_to_ours_may_leave_the_refresh_to_the_peer() -> None:
    """Refresher uas: we wait for it."""
    network, wire, party, leg, _ = sent("Session-Expires: 300;refresher=uas\nRequire: timer\n")
    network.run(until=267)
    assert wire.lines() == ["INVITE", "ACK"]
    network.run(until=269)
    assert party.take(on.HungUp) == on.HungUp(leg=leg, cause=on.HangUpCause.EXPIRED, q850=None)


def test_two_of_us_keep_a_call_and_lose_it() -> None:
    """Over a bad network refreshes keep a call for an hour; when the network is gone both sides end it."""
    for intervals_s in ((90, 90), (120, 90), (90, 120)):
        impairment = Impairment(loss=0.1, duplication=0.2, delay_s_max=0.4)
        network, alice, bob = pair(seed=7, impairment=impairment, intervals_s=intervals_s)
        call = alice.invite(bob)
        network.run(until=5)
        leg = bob.take(on.IncomingInvite).leg
        bob.agent.answer(leg, ANSWER, network.now)
        network.run(until=3600)
        assert [type(event) for event in alice.take_all()] == [on.Answered]
        assert [type(event) for event in bob.take_all()] == [on.Acknowledged]
        network.impairment = Impairment(loss=1.0)
        network.run(until=3800)
        for party, own in ((alice, call), (bob, leg)):
            assert party.take_all() == [
                on.HungUp(leg=own, cause=on.HangUpCause.EXPIRED, q850=None),
                on.Released(leg=own),
            ]


# --- crossings -----------------------------------------------------------------------------------------------


def test_offers_wait_for_a_refresh_by_reinvite() -> None:
    """While it is under way our owner's offer and the peer's get 491; afterwards offers pass again."""
    network, wire, party, leg, tag = received(OURS)
    network.run(until=HALF_S)
    party.agent.send_offer(leg, OFFER, network.now)
    assert party.agent.next_event() == on.OfferRejected(leg=leg, status=491)
    peer_sends(wire, party, tag, "INVITE", body=SDP)
    network.run(until=HALF_S)
    assert wire.last_status() == 491
    wire.answer(party, 200, wire.last("INVITE"), body=SDP)
    network.run(until=HALF_S)
    party.agent.send_offer(leg, OFFER, network.now)
    network.run(until=HALF_S)
    assert wire.last("INVITE").cseq.number == 2
    assert party.take_all() == []


def test_offers_do_not_wait_for_a_refresh_by_update() -> None:
    """It offers nothing, so it crosses nothing."""
    network, wire, party, leg, tag = received(UPDATES + OURS)
    network.run(until=HALF_S)
    peer_sends(wire, party, tag, "INVITE", body=SDP)
    network.run(until=HALF_S)
    assert party.take(on.OfferReceived).leg == leg
    party.agent.answer_offer(leg, ANSWER, network.now)
    wire.answer(party, 200, wire.last("UPDATE"))
    network.run(until=HALF_S)
    assert wire.last_status() == 200
    assert party.take_all() == []


def test_a_refresh_waits_for_offers() -> None:
    """A re-INVITE cannot go out beside another offer: it comes some seconds later."""
    network, wire, party, leg, tag = received(OURS)
    network.run(until=HALF_S - 1)
    peer_sends(wire, party, tag, "INVITE", body=SDP)
    network.run(until=HALF_S + 1)
    party.agent.reject_offer(leg, 488, network.now)
    network.run(until=HALF_S + 1)
    assert [line for line in wire.lines() if line == "INVITE"] == []
    network.run(until=HALF_S + 11)
    assert wire.last("INVITE").body == ANSWER


def test_a_2xx_to_a_refresh_is_acknowledged_after_our_bye() -> None:
    """The owner hangs up while the re-INVITE is under way; its 200 still gets an ACK, and nothing comes again."""
    network, wire, party, leg, _ = received(OURS)
    network.run(until=HALF_S)
    party.agent.hang_up(leg, network.now)
    network.run(until=HALF_S)
    wire.answer(party, 200, wire.last("INVITE"), body=SDP)
    network.run(until=HALF_S)
    assert wire.lines()[-3:] == ["INVITE", "BYE", "ACK"]
    wire.answer(party, 200, wire.last("BYE"))
    network.run_until_idle()
    assert party.take_all() == [on.Released(leg=leg)]


def test_an_answer_that_comes_after_the_leg() -> None:
    """A 2xx to the refresh of a leg that is gone does no harm."""
    network, wire, party, leg, tag = received(UPDATES + OURS)
    network.run(until=HALF_S)
    update = wire.last("UPDATE")
    peer_sends(wire, party, tag, "BYE", extra="")
    network.run(until=HALF_S)
    assert [type(event) for event in party.take_all()] == [on.HungUp, on.Released]
    wire.answer(party, 200, update)
    network.run_until_idle()
    assert party.take_all() == []
    assert leg


def test_timers_end_with_their_calls() -> None:
    """Nothing is left to fire after the end, whoever brought it."""
    for end in ("BYE", "hang_up"):
        network, wire, party, leg, tag = received(OURS)
        if end == "BYE":
            peer_sends(wire, party, tag, "BYE", extra="")
        else:
            party.agent.hang_up(leg, network.now)
            network.run(until=1)
            wire.answer(party, 200, wire.last("BYE"))
        network.run(until=40)
        assert party.agent.next_timer() is None
        assert len(party.agent._core.timers) == 0


def test_alarms_share_few_queues() -> None:
    """Whatever intervals peers ask for, lengths of alarms are few: each has a queue of its own."""
    network, wire, party = wired()
    for number in range(60):
        extra = f"Supported: timer\nSession-Expires: {90 + 7 * number};refresher=uac\n"
        wire.invite(party, call_id=f"c{number}", branch=f"z9hG4bK{number}", extra=extra)
        network.run(until=0)
        party.agent.answer(party.take(on.IncomingInvite).leg, ANSWER, network.now)
    network.run(until=20)
    names = [name for name, _ in party.agent._core.timers._queues]
    assert sum(name == "session" for name in names) < 12


def test_a_restored_leg_has_no_timer() -> None:
    """It is there to be ended; an offer of the peer is answered all the same."""
    network, _, party, leg, _ = received(OURS)
    restored = party.agent.restore(party.agent.snapshot(leg), network.now)
    assert party.agent._core.legs[restored].session_timer is None
    party.agent.send_offer(restored, OFFER, network.now)
    (_, data), *_ = party.agent.outgoing()
    assert b"Session-Expires" not in data


def test_an_early_update_agrees_on_nothing() -> None:
    """The session has not begun: the UPDATE is answered without timer fields."""
    network, wire, party = wired()
    wire.invite(party)
    network.run(until=0)
    party.agent.ring(party.take(on.IncomingInvite).leg, 0)
    network.run(until=0)
    peer_sends(wire, party, wire.last_response().to.tag or "", "UPDATE")
    network.run(until=0)
    assert wire.lines()[-1] == "200 UPDATE"
    assert timer_fields(wire.last_response()) == (None, None, None, None)


def test_an_ack_after_an_early_update_counts() -> None:
    """It has the number of the INVITE, which requests of the early dialog have passed since."""
    network, wire, party = wired()
    wire.invite(party)
    network.run(until=0)
    leg = party.take(on.IncomingInvite).leg
    party.agent.ring(leg, 0)
    network.run(until=0)
    tag = wire.last_response().to.tag or ""
    peer_sends(wire, party, tag, "UPDATE")
    network.run(until=0)
    party.agent.answer(leg, ANSWER, network.now)
    wire.request("ACK", party, seq=1, to_tag=tag, branch="z9hG4bKack")
    network.run(until=40)
    assert [type(event) for event in party.take_all()] == [on.Acknowledged]

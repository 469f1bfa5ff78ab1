"""Session timers: what is agreed, refreshes of either side, and the end without any."""

import pytest
from tests.sip.rig import ANSWER, OFFER, Party, Wire, calling, pair, wired

from maskline.sip import events as on
from maskline.sip.message import Request, Response
from maskline.sip.user_agent import Credentials, LegID, UserAgentSettings
from maskline.sip.user_agent_refresh import INTERVAL_S_ACCEPTED_MAX
from maskline.testing.network import Impairment, VirtualNetwork

SDP = "v=0"
UPDATES = "Allow: INVITE, ACK, BYE, UPDATE\n"
TIMER = "Supported: timer\n"
OURS = "Supported: timer\nSession-Expires: 1800;refresher=uas\n"
THEIRS = "Supported: timer\nSession-Expires: 1800;refresher=uac\n"
# From the agreement to the refresh, and to the end without one.
HALF_S, LIFE_S = 900.0, 1768.0
TIMEOUT_S = 32.0


def timer_fields(message: Request | Response) -> tuple[str | None, ...]:
    """What a message says about timers."""
    return tuple(message.headers.get(name) for name in ("Session-Expires", "Min-SE", "Require", "Supported"))


def received(extra: str) -> tuple[VirtualNetwork, Wire, Party, LegID, str]:
    """A call that came in with these fields and was answered and acknowledged; the last value is our tag."""
    network, wire, party = wired()
    wire.invite(party, extra=extra)
    network.run(until=0)
    leg = party.take(on.IncomingInvite).leg
    party.agent.answer(leg, ANSWER, network.now)
    network.run(until=0)
    tag = wire.last_response().to.tag or ""
    wire.request("ACK", party, to_tag=tag, branch="z9hG4bKack")
    network.run(until=0)
    party.take(on.Acknowledged)
    return network, wire, party, leg, tag


def sent(
    extra: str, *, credentials: Credentials | None = None
) -> tuple[VirtualNetwork, Wire, Party, LegID, str]:
    """A call of ours that was answered with these fields; the last value is our tag."""
    network, wire, party, leg, invite = calling(credentials=credentials)
    wire.answer(party, 200, invite, body=SDP, extra=extra)
    network.run(until=0)
    party.take(on.Answered)
    return network, wire, party, leg, invite.from_.tag or ""


def new_lines(wire: Wire) -> list[str]:
    """What arrived since the last look, in short."""
    lines = wire.lines()
    wire.received.clear()
    return lines


def peer_sends(
    wire: Wire, party: Party, tag: str, method: str, *, seq: int = 2, extra: str = THEIRS, body: str = ""
) -> None:
    """A request of the caller within its call."""
    kind = "Content-Type: application/sdp\n" if body else ""
    contact = "Contact: <sip:wire@192.0.2.7:5060>\n"
    wire.request(
        method, party, seq=seq, branch=f"z9hG4bK{seq}", to_tag=tag, extra=contact + kind + extra, body=body
    )


# --- what is agreed ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("extra", "expires", "require"),
    [
        ("", "1800;refresher=uas", None),
        (TIMER, "1800;refresher=uas", None),
        (OURS, "1800;refresher=uas", None),
        (THEIRS, "1800;refresher=uac", "timer"),
        ("k: timer\nx: 120;refresher=uac\nRequire: timer\n", "120;refresher=uac", "timer"),
        ("Supported: timer\nSession-Expires: 7200\nMin-SE: 3600\n", "3600;refresher=uas", None),
    ],
)
def test_our_2xx_says_what_holds(extra: str, expires: str, require: str | None) -> None:
    """Interval and refresher; Require only where the peer has to refresh (RFC 4028, 9)."""
    _, wire, _, _, _ = received(extra)
    assert timer_fields(wire.last_response()) == (expires, None, require, "timer")


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_an_interval_too_small_is_refused(method: str) -> None:
    """422 with our Min-SE, for the INVITE and for what refreshes it; the owner hears nothing."""
    extra = "Supported: timer\nSession-Expires: 89\n"
    network, wire, party, _, tag = received(THEIRS)
    peer_sends(wire, party, tag, method, extra=extra, body=SDP)
    wire.invite(party, call_id="other", branch="z9hG4bKother", extra=extra)
    network.run(until=0)
    assert wire.lines()[-2:] == [f"422 {method}", "422 INVITE"]
    assert timer_fields(wire.last_response()) == (None, "90", None, None)
    assert party.take_all() == []


def test_an_interval_of_a_proxy_is_raised() -> None:
    """A caller who cannot read 422 does not get it."""
    _, wire, _, _, _ = received("Session-Expires: 20\n")
    assert timer_fields(wire.last_response())[0] == "90;refresher=uas"


def test_a_malformed_interval_is_refused() -> None:
    """As any malformed field."""
    network, wire, party = wired()
    wire.invite(party, extra="Session-Expires: soon\n")
    network.run(until=0)
    assert wire.lines() == ["400 INVITE"]


def test_our_invite_leaves_the_choice() -> None:
    """It names an interval and no refresher; no Min-SE as long as nobody asked for more."""
    _, _, _, _, invite = calling()
    assert timer_fields(invite) == ("1800", None, None, "timer")


def test_settings_of_our_own() -> None:
    """Interval and minimum are settings; a minimum that is not the RFC's is named."""
    network = VirtualNetwork()
    settings = UserAgentSettings(advertised=("192.0.2.1", 5060), session_expires_s=600, min_se_s=120)
    wire, party = Wire(network, "192.0.2.7"), Party(network, "192.0.2.1", settings=settings)
    party.invite(wire)
    wire.invite(party, extra="Supported: timer\nSession-Expires: 100\n")
    network.run(until=0)
    assert timer_fields(wire.last("INVITE")) == ("600", "120", None, "timer")
    assert timer_fields(wire.last_response()) == (None, "120", None, None)


def test_422_is_met_once() -> None:
    """The INVITE is sent again with the Min-SE asked for: same call, next number; a second 422 ends it."""
    network, wire, party, leg, invite = calling()
    wire.answer(party, 422, invite, extra="Min-SE: 3600\n")
    network.run(until=0)
    again = wire.last("INVITE")
    assert timer_fields(again) == ("3600", "3600", None, "timer")
    assert (again.call_id, again.from_.tag, again.cseq.number) == (invite.call_id, invite.from_.tag, 2)
    assert again.body == invite.body
    assert wire.lines() == ["INVITE", "ACK", "INVITE"]
    wire.answer(party, 422, again, extra="Min-SE: 7200\n")
    network.run(until=0)
    assert party.take_all() == [
        on.Failed(leg=leg, status=422, retry_after_s=None, q850=None, is_local=False),
        on.Released(leg=leg),
    ]


@pytest.mark.parametrize(
    "extra", ["", "Min-SE: 1800\n", "Min-SE: 3000000000\n", f"Min-SE: {INTERVAL_S_ACCEPTED_MAX + 1}\n"]
)
def test_422_without_sense_ends_the_call(extra: str) -> None:
    """No minimum, none above what we asked for, or more than a day."""
    network, wire, party, leg, invite = calling()
    wire.answer(party, 422, invite, extra=extra)
    network.run(until=0)
    assert wire.lines() == ["INVITE", "ACK"]
    assert party.events[-1] == on.Released(leg=leg)


def test_challenge_and_422_are_both_met() -> None:
    """A 407 and a 422 to one INVITE, in either order, still make a call; the credentials come along."""
    challenge = 'Proxy-Authenticate: Digest realm="carrier", nonce="n", qop="auth"\n'
    for first, second in ((407, 422), (422, 407)):
        network, wire, party, _, invite = calling(credentials=Credentials(username="u", password="p"))
        for status in (first, second):
            wire.answer(
                party, status, wire.last("INVITE"), extra=challenge if status == 407 else "Min-SE: 2000\n"
            )
            network.run(until=0)
        last = wire.last("INVITE")
        assert last.cseq.number == 3
        assert last.headers.get("Proxy-Authorization") is not None
        assert timer_fields(last)[:2] == ("2000", "2000")
        assert last.body == invite.body


# --- our refreshes -------------------------------------------------------------------------------------------


def test_we_refresh_by_update() -> None:
    """At half the interval, without description, where the peer allows UPDATE; each 2xx starts it again."""
    network, wire, party, _, _ = received(UPDATES + OURS)
    for number in (1, 2, 3):
        new_lines(wire)
        network.run(until=number * HALF_S - 1)
        assert new_lines(wire) == []
        network.run(until=number * HALF_S)
        update = wire.last("UPDATE")
        assert update.body == b""
        assert timer_fields(update) == ("1800;refresher=uac", None, None, "timer")
        wire.answer(party, 200, update, extra="Session-Expires: 1800;refresher=uac\n")
        network.run(until=number * HALF_S)
    assert party.take_all() == []


def test_we_refresh_by_reinvite() -> None:
    """Where UPDATE is not allowed: the description last sent, to the letter; the owner hears nothing of it."""
    network, wire, party, leg, _ = received(OURS)
    party.agent.send_offer(leg, OFFER, network.now)
    network.run(until=0)
    wire.answer(party, 200, wire.last("INVITE"), body=SDP)
    network.run(until=0)
    assert party.take_all() == [on.OfferAnswered(leg=leg, sdp=b"v=0")]
    new_lines(wire)
    network.run(until=HALF_S)
    reinvite = wire.last("INVITE")
    assert reinvite.body == OFFER
    wire.answer(party, 200, reinvite, body=SDP)
    wire.answer(party, 200, reinvite, body=SDP)
    network.run(until=HALF_S + 1)
    assert new_lines(wire) == ["INVITE", "ACK", "ACK"]
    assert party.take_all() == []
    network.run(until=2 * HALF_S)
    assert new_lines(wire) == ["INVITE"]


def test_a_rejected_offer_is_not_what_a_refresh_repeats() -> None:
    """The description that took effect last is."""
    network, wire, party, leg, _ = received(OURS)
    party.agent.send_offer(leg, OFFER, network.now)
    network.run(until=0)
    wire.answer(party, 488, wire.last("INVITE"))
    network.run(until=HALF_S)
    assert wire.last("INVITE").body == ANSWER


def test_the_callers_refresh() -> None:
    """The same holds in a call of ours; what the 2xx allows decides on the method."""
    for extra, method, body in ((UPDATES, "UPDATE", b""), ("", "INVITE", OFFER)):
        network, wire, _, _, _ = sent(extra + "Session-Expires: 1800;refresher=uac\n")
        new_lines(wire)
        network.run(until=HALF_S)
        assert new_lines(wire) == [method]
        network, wire, _, _, _ = sent(extra + "Session-Expires: 1800;refresher=uac\n")
        network.run(until=HALF_S)
        assert wire.last(method).body == body


@pytest.mark.parametrize("extra", [OURS, UPDATES + OURS, "", UPDATES])
def test_a_dead_peers_call_ends(extra: str) -> None:
    """No answer to the refresh in 64*T1: BYE and HungUp, whatever was agreed or not."""
    network, wire, party, leg, _ = received(extra)
    network.run(until=HALF_S + TIMEOUT_S - 1)
    assert party.take_all() == []
    network.run(until=HALF_S + TIMEOUT_S)
    assert party.take_all() == [on.HungUp(leg=leg, cause=on.HangUpCause.EXPIRED, q850=None)]
    assert wire.lines()[-1] == "BYE"
    network.run_until_idle()
    assert party.take_all() == [on.Released(leg=leg)]
    assert party.agent.transaction_count == 0


def test_a_refresh_that_is_only_told_to_wait_ends() -> None:
    """A re-INVITE with provisional answers for ever is given up."""
    network, wire, party, leg, _ = received("")
    network.run(until=HALF_S)
    for at in (0.0, 20.0, 40.0):
        network.run(until=HALF_S + at)
        if wire.last("INVITE").cseq.number == 1:
            wire.answer(party, 183, wire.last("INVITE"))
    network.run(until=HALF_S + 2 * TIMEOUT_S)
    assert party.take(on.HungUp) == on.HungUp(leg=leg, cause=on.HangUpCause.EXPIRED, q850=None)


@pytest.mark.parametrize("status", [408, 481])
@pytest.mark.parametrize("extra", ["", UPDATES])
def test_a_peer_without_the_dialog_ends_it(extra: str, status: int) -> None:
    """408 and 481 to a refresh say that the session is gone (RFC 4028, 10)."""
    network, wire, party, leg, _ = received(extra + OURS)
    network.run(until=HALF_S)
    wire.answer(party, status, wire.received[-1])  # type: ignore[arg-type]
    network.run(until=HALF_S)
    assert party.take_all() == [on.HungUp(leg=leg, cause=on.HangUpCause.EXPIRED, q850=None)]


def test_a_lost_connection_ends_it() -> None:
    """A refresh that cannot be delivered: the cause is the transport."""
    network, alice, bob = pair()
    alice.invite(bob, transport="tcp")
    network.run(until=0)
    leg = bob.take(on.IncomingInvite).leg
    bob.agent.answer(leg, ANSWER, 0)
    network.run(until=HALF_S - 1)
    bob.take(on.Acknowledged)
    network.close(alice.flow(bob, "tcp"))
    network._by_address.pop(alice.address)
    network.run(until=HALF_S)
    assert bob.take_all() == [
        on.HungUp(leg=leg, cause=on.HangUpCause.TRANSPORT, q850=None),
        on.Released(leg=leg),
    ]


def test_a_refusal_shows_that_the_peer_lives() -> None:
    """Of a peer that knows no timers any answer will do: it is asked again later, and the call goes on."""
    network, wire, party, _, _ = received("")
    for number in range(1, 4):
        network.run(until=number * HALF_S)
        assert wire.last("INVITE").cseq.number == number
        wire.answer(party, 488, wire.last("INVITE"))
        network.run(until=number * HALF_S)
    assert party.take_all() == []


def test_an_agreed_session_that_is_not_refreshed_ends() -> None:
    """A peer that promised to end it does; so do we, after few more tries."""
    network, wire, party, leg, _ = received(UPDATES + OURS)
    new_lines(wire)
    for at in range(0, int(LIFE_S), 8):
        network.run(until=at)
        for request in [each for each in wire.received if isinstance(each, Request)]:
            wire.answer(party, 500, request)
        wire.received = [each for each in wire.received if isinstance(each, Response)]
    network.run(until=LIFE_S + 1)
    updates = {each.cseq.number for each in party.sent() if each.cseq.method == "UPDATE"}
    assert 3 < len(updates) < 12
    assert party.take_all() == [on.HungUp(leg=leg, cause=on.HangUpCause.EXPIRED, q850=None)]


@pytest.mark.parametrize(("is_caller", "glare_s"), [(True, 3.0), (False, 1.0)])
def test_a_refresh_that_crosses_an_offer_comes_again(*, is_caller: bool, glare_s: float) -> None:
    """After 491: 2.1 to 4 s later by the side that began the call, within 2 s by the other (RFC 3261, 14.1)."""
    network, wire, party, _, _ = sent("") if is_caller else received("")
    network.run(until=HALF_S)
    wire.answer(party, 491, wire.last("INVITE"))
    network.run(until=HALF_S + glare_s - 0.9)
    seq = wire.last("INVITE").cseq.number
    network.run(until=HALF_S + glare_s + 0.5)
    assert wire.last("INVITE").cseq.number == seq + 1
    assert party.take_all() == []


@pytest.mark.parametrize("status", [405, 420, 501])
def test_a_peer_that_does_not_know_update_after_all(status: int) -> None:
    """Its Allow said otherwise: a re-INVITE follows at once, and from then on."""
    network, wire, party, _, _ = received(UPDATES + OURS)
    network.run(until=HALF_S)
    wire.answer(party, status, wire.last("UPDATE"))
    network.run(until=HALF_S)
    assert wire.last("INVITE").body == ANSWER
    wire.answer(party, 200, wire.last("INVITE"), body=SDP, extra="Session-Expires: 1800;refresher=uac\n")
    new_lines(wire)
    network.run(until=2 * HALF_S)
    assert new_lines(wire) == ["ACK", "INVITE"]


def test_422_to_a_refresh() -> None:
    """The peer may ask for a longer interval in the middle of a call."""
    network, wire, party, _, _ = received(UPDATES + OURS)
    network.run(until=HALF_S)
    wire.answer(party, 422, wire.last("UPDATE"), extra="Min-SE: 3600\n")
    network.run(until=HALF_S)
    assert timer_fields(wire.last("UPDATE")) == ("3600;refresher=uac", "3600", None, "timer")
    assert party.take_all() == []


def test_422_to_an_offer_of_the_owner() -> None:
    """Its offer goes out again with the longer interval, once."""
    network, wire, party, leg, _ = received(OURS)
    party.agent.send_offer(leg, OFFER, network.now)
    network.run(until=0)
    assert timer_fields(wire.last("INVITE"))[0] == "1800;refresher=uac"
    wire.answer(party, 422, wire.last("INVITE"), extra="Min-SE: 3600\n")
    network.run(until=0)
    assert timer_fields(wire.last("INVITE"))[:2] == ("3600;refresher=uac", "3600")
    wire.answer(party, 422, wire.last("INVITE"), extra="Min-SE: 7200\n")
    network.run(until=0)
    assert party.take_all() == [on.OfferRejected(leg=leg, status=422)]


def test_a_challenge_to_a_refresh() -> None:
    """It is answered with the call's credentials; with wrong ones the session is left to its end."""
    challenge = 'WWW-Authenticate: Digest realm="carrier", nonce="n", qop="auth"\n'
    credentials = Credentials(username="u", password="p")
    network, wire, party, _, _ = sent(UPDATES, credentials=credentials)
    network.run(until=HALF_S)
    wire.answer(party, 401, wire.last("UPDATE"), extra=challenge)
    network.run(until=HALF_S)
    second = wire.last("UPDATE")
    assert second.headers.get("Authorization") is not None
    wire.answer(party, 401, second, extra=challenge)
    network.run(until=HALF_S + 1)
    assert wire.last("UPDATE") == second
    assert party.take_all() == []


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

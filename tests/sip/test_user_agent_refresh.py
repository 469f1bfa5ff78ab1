"""Session timers: what is agreed, and our own refreshes."""

import pytest
from tests.sip.rig import ANSWER, OFFER, Party, Wire, calling, pair, wired
from tests.sip.timed_calls import (
    HALF_S,
    LIFE_S,
    OURS,
    SDP,
    THEIRS,
    TIMEOUT_S,
    TIMER,
    UPDATES,
    new_lines,
    peer_sends,
    received,
    sent,
    timer_fields,
)

from maskline.sip import events as on
from maskline.sip.message import Request, Response
from maskline.sip.user_agent import Credentials, UserAgentSettings
from maskline.sip.user_agent_refresh import INTERVAL_S_ACCEPTED_MAX
from maskline.testing.network import VirtualNetwork

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
        wire.answer(party, 100, update)
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


def test_a_peer_that_is_always_busy_is_left_in_peace() -> None:
    """It gets one more try after a 491, not one every other second."""
    network, wire, party, _, _ = received("")
    for at in range(0, 400, 2):
        network.run(until=HALF_S + at)
        for request in [
            each for each in wire.received if isinstance(each, Request) and each.method == "INVITE"
        ]:
            wire.answer(party, 491, request)
        wire.received.clear()
    refreshes = {each.cseq.number for each in party.sent() if isinstance(each, Request)}
    assert len(refreshes) == 2
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

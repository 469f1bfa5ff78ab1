"""Outgoing legs: INVITE, forks, CANCEL, challenges, and what comes too late."""

import pytest
from tests.sip.rig import ANSWER, OFFER, Party, calling, uri_of, wired

from maskline.sip import events as on
from maskline.sip.errors import LocalProtocolError
from maskline.sip.message import Headers, Request, Response
from maskline.sip.user_agent import Credentials, Flow, OutgoingInvite, UserAgentSettings
from maskline.sip.user_agent_outgoing import EARLY_COUNT_MAX, retry_after_of
from maskline.testing.network import VirtualNetwork

SDP = "v=0"


def requests_to(wire_lines: list[str]) -> list[str]:
    return [line for line in wire_lines if line[0].isalpha()]


def test_unanswered_invite_is_repeated_and_given_up() -> None:
    """INVITE goes out at 0, T1, 3*T1 ... and fails with 408 after 64*T1 (timers A and B)."""
    network, _, party, leg, _ = calling()
    network.run(until=40)
    assert [packet.at for packet in network.transcript] == [0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    assert party.take_all() == [
        on.Failed(leg=leg, status=408, retry_after_s=None, q850=None, is_local=True),
        on.Released(leg=leg),
    ]


def test_repeated_2xx_gets_the_same_ack_again() -> None:
    """Each copy of the 2xx is acknowledged with the same bytes, also after the leg is gone."""
    network, wire, party, leg, invite = calling()
    wire.answer(party, 200, invite, body=SDP)
    network.run(until=0)
    assert party.take(on.Answered) == on.Answered(leg=leg, sdp=b"v=0")
    wire.answer(party, 200, invite, body=SDP)
    network.run(until=1)
    party.agent.hang_up(leg, network.now)
    network.run(until=1)
    wire.answer(party, 200, wire.last("BYE"))
    wire.answer(party, 200, invite, body=SDP)
    network.run(until=2)
    acks = [packet.data for packet in network.transcript if packet.data.startswith(b"ACK")]
    assert len(acks) == 3
    assert len(set(acks)) == 1
    assert wire.lines().count("BYE") == 1


def test_failure_facts() -> None:
    """A refusal carries status, Retry-After and Q.850 cause; a 302 is a refusal and is not followed."""
    network, wire, party, leg, invite = calling()
    extra = 'Retry-After: 18 (busy);duration=3600\nReason: SIP;cause=480, Q.850;cause=17;text="x"\nContact: <sip:x@h>\n'
    wire.answer(party, 302, invite, extra=extra)
    network.run(until=40)
    assert party.take_all() == [
        on.Failed(leg=leg, status=302, retry_after_s=18, q850=17, is_local=False),
        on.Released(leg=leg),
    ]
    assert requests_to(wire.lines()) == ["INVITE", "ACK"]
    ack = wire.last("ACK")
    assert ack.via == invite.via
    assert ack.to.tag == "far"


def test_repeated_failure_gets_the_ack_again() -> None:
    """Each copy of a failure is acknowledged, and told once."""
    network, wire, party, _, invite = calling()
    for _ in range(3):
        wire.answer(party, 486, invite)
        network.run(until=network.now + 1)
    assert wire.lines() == ["INVITE", "ACK", "ACK", "ACK"]
    assert len(party.take_all()) == 2


def test_cancel_waits_for_a_provisional_answer() -> None:
    """Hanging up before any answer sends nothing; the first provisional answer brings the CANCEL (9.1)."""
    network, wire, party, leg, invite = calling()
    party.agent.hang_up(leg, network.now, q850=19)
    network.run(until=1)
    assert "CANCEL" not in wire.lines()
    wire.answer(party, 100, invite, tag="")
    network.run(until=1)
    cancel = wire.last("CANCEL")
    assert cancel.via == invite.via
    assert cancel.to.tag is None
    assert cancel.headers.get("Reason") == "Q.850;cause=19"
    wire.answer(party, 200, cancel)
    wire.answer(party, 487, invite)
    network.run(until=1)
    assert party.take_all() == [
        on.Failed(leg=leg, status=487, retry_after_s=None, q850=None, is_local=False),
        on.Released(leg=leg),
    ]
    network.run(until=60)
    assert party.agent.transaction_count == 0


def test_cancel_is_sent_once() -> None:
    """Further provisional answers and hang-ups send no second CANCEL."""
    network, wire, party, leg, invite = calling()
    wire.answer(party, 180, invite)
    network.run(until=0)
    party.agent.hang_up(leg, network.now)
    party.agent.hang_up(leg, network.now)
    network.run(until=0)
    wire.answer(party, 200, wire.last("CANCEL"))
    wire.answer(party, 183, invite)
    network.run(until=0.1)
    assert wire.lines().count("CANCEL") == 1
    assert party.take_all() == [on.Progressed(leg=leg, status=180, sdp=None)]


def test_answer_that_crosses_the_cancel_is_ended() -> None:
    """A 2xx after our CANCEL is acknowledged and ended by BYE; the owner hears of no answer."""
    network, wire, party, leg, invite = calling()
    wire.answer(party, 180, invite)
    network.run(until=0)
    party.agent.hang_up(leg, network.now, q850=16)
    wire.answer(party, 200, invite, body=SDP)
    network.run(until=0)
    assert requests_to(wire.lines()) == ["INVITE", "CANCEL", "ACK", "BYE"]
    party.take(on.Progressed)
    assert party.take(on.Failed).is_local
    assert party.take_all() == []
    wire.answer(party, 200, wire.last("BYE"))
    network.run(until=0)
    assert party.take_all() == [on.Released(leg=leg)]


def test_answer_before_any_provisional_crosses_a_hang_up() -> None:
    """The same when the hang-up could not be said at all."""
    network, wire, party, leg, invite = calling()
    party.agent.hang_up(leg, network.now)
    wire.answer(party, 200, invite, body=SDP)
    network.run(until=0)
    assert requests_to(wire.lines()) == ["INVITE", "ACK", "BYE"]


def test_cancelled_invite_without_final_answer_is_given_up() -> None:
    """64*T1 after the CANCEL the leg is released even when nobody says 487 (9.1)."""
    network, wire, party, leg, invite = calling()
    wire.answer(party, 180, invite)
    network.run(until=0)
    party.agent.hang_up(leg, network.now)
    network.run(until=0)
    wire.answer(party, 200, wire.last("CANCEL"))
    network.run(until=31.9)
    assert party.agent.leg_count == 1
    network.run(until=32)
    assert party.take_all()[1:] == [
        on.Failed(leg=leg, status=487, retry_after_s=None, q850=None, is_local=True),
        on.Released(leg=leg),
    ]


def test_one_fork_wins() -> None:
    """Several early dialogs ring; the first 2xx is the answer, another one gets ACK and BYE."""
    network, wire, party, leg, invite = calling()
    for tag in ("one", "two", "three"):
        wire.answer(party, 180, invite, tag=tag)
    wire.answer(party, 200, invite, tag="two", body=SDP)
    wire.answer(party, 200, invite, tag="three", body=SDP)
    wire.answer(party, 200, invite, tag="three", body=SDP)
    network.run(until=0)
    assert [type(event) for event in party.take_all()] == [on.Progressed] * 3 + [on.Answered]
    sent = [each for each in wire.received if isinstance(each, Request)][1:]
    assert [(each.method, each.to.tag, each.cseq.number) for each in sent] == [
        ("ACK", "two", 1),
        ("ACK", "three", 1),
        ("BYE", "three", 2),
        ("ACK", "three", 1),
    ]
    assert sent[2].uri == "sip:three@192.0.2.7:5060"
    party.agent.hang_up(leg, network.now)
    network.run(until=0)
    assert wire.last("BYE").to.tag == "two"


def test_fork_that_answers_after_the_call_is_ended() -> None:
    """A late 2xx of another branch is acknowledged and ended although the leg is gone."""
    network, wire, party, leg, invite = calling()
    wire.answer(party, 200, invite, tag="one", body=SDP)
    network.run(until=0)
    party.agent.hang_up(leg, network.now)
    network.run(until=0)
    wire.answer(party, 200, wire.last("BYE"))
    network.run(until=1)
    assert party.agent.leg_count == 0
    wire.answer(party, 200, invite, tag="two", body=SDP)
    network.run(until=1)
    assert wire.last("BYE").to.tag == "two"
    assert wire.last("ACK").to.tag == "two"


def challenge(realm: str = "trunk", nonce: str = "n1", *, stale: bool = False) -> str:
    return f'Digest realm="{realm}", nonce="{nonce}", qop="auth"' + (", stale=true" if stale else "")


CREDENTIALS = Credentials(username="us", password="secret", realm="trunk")


def test_challenge_is_answered_once() -> None:
    """A 407 is answered with a new INVITE of the same call and the next number; a second 407 is a failure."""
    network, wire, party, leg, invite = calling(credentials=CREDENTIALS)
    wire.answer(party, 407, invite, extra=f"Proxy-Authenticate: {challenge()}\n")
    network.run(until=0)
    again = wire.last("INVITE")
    assert again.cseq.number == 2
    assert again.call_id == invite.call_id
    assert again.from_.tag == invite.from_.tag
    assert again.to.tag is None
    assert again.via.branch != invite.via.branch
    assert 'username="us"' in (again.headers.get("Proxy-Authorization") or "")
    wire.answer(party, 407, again, extra=f"Proxy-Authenticate: {challenge(nonce='n2')}\n")
    network.run(until=0)
    assert wire.lines() == ["INVITE", "ACK", "INVITE", "ACK"]
    assert party.take(on.Failed).status == 407
    assert party.take_all() == [on.Released(leg=leg)]


def test_stale_nonce_is_answered_anew() -> None:
    """A nonce that only was too old is answered a second time, and no third."""
    network, wire, party, _, invite = calling(credentials=CREDENTIALS)
    wire.answer(party, 401, invite, extra=f"WWW-Authenticate: {challenge()}\n")
    network.run(until=0)
    for number in (2, 3):
        assert wire.last("INVITE").cseq.number == number
        fresh = challenge(nonce=f"n{number}", stale=True)
        wire.answer(party, 401, wire.last("INVITE"), extra=f"WWW-Authenticate: {fresh}\n")
        network.run(until=0)
    assert wire.lines().count("INVITE") == 3
    assert party.take(on.Failed).status == 401


@pytest.mark.parametrize("credentials", [None, CREDENTIALS])
def test_other_realms_get_no_credentials(credentials: Credentials | None) -> None:
    """Without credentials, or in another realm than theirs, a challenge is a failure."""
    network, wire, party, _, invite = calling(credentials=credentials)
    wire.answer(party, 407, invite, extra=f"Proxy-Authenticate: {challenge('evil')}\n")
    network.run(until=0)
    assert wire.lines() == ["INVITE", "ACK"]
    assert party.take(on.Failed).status == 407


def test_realm_is_pinned_by_the_first_challenge() -> None:
    """Credentials without realm answer one realm; a BYE challenged in another is not sent again."""
    free = Credentials(username="us", password="secret")
    network, wire, party, leg, invite = calling(credentials=free)
    wire.answer(party, 407, invite, extra=f"Proxy-Authenticate: {challenge()}\n")
    network.run(until=0)
    wire.answer(party, 200, wire.last("INVITE"), body=SDP)
    network.run(until=0)
    assert 'realm="trunk"' in (wire.last("ACK").headers.get("Proxy-Authorization") or "")
    party.agent.hang_up(leg, network.now)
    network.run(until=0)
    assert "nc=00000002" in (wire.last("BYE").headers.get("Proxy-Authorization") or "")
    wire.answer(party, 407, wire.last("BYE"), extra=f"Proxy-Authenticate: {challenge('evil')}\n")
    network.run(until=0)
    assert wire.lines().count("BYE") == 1
    assert isinstance(party.take_all()[-1], on.Released)


def test_challenged_bye_is_sent_again() -> None:
    """A BYE challenged in the right realm is answered, and the leg released after its answer."""
    network, wire, party, leg, invite = calling(credentials=CREDENTIALS)
    wire.answer(party, 200, invite, body=SDP)
    network.run(until=0)
    party.agent.hang_up(leg, network.now, q850=16)
    network.run(until=0)
    wire.answer(party, 401, wire.last("BYE"), extra=f"WWW-Authenticate: {challenge()}\n")
    network.run(until=0)
    bye = wire.last("BYE")
    assert bye.cseq.number == 3
    assert bye.headers.get("Reason") == "Q.850;cause=16"
    assert bye.headers.get("Authorization") is not None
    assert party.agent.leg_count == 1
    wire.answer(party, 200, bye)
    network.run(until=0)
    assert party.agent.leg_count == 0


def test_bye_of_the_callee_in_an_early_dialog() -> None:
    """It is answered and ends that early dialog only: the INVITE goes on (RFC 3261, 15)."""
    network, wire, party, leg, invite = calling()
    wire.answer(party, 180, invite, tag="one")
    network.run(until=0)
    tag = invite.from_.tag or ""
    wire.request("BYE", party, to_tag=tag, from_tag="one", call_id=invite.call_id)
    network.run(until=0)
    assert wire.last_status() == 200
    wire.answer(party, 200, invite, tag="two", body=SDP)
    network.run(until=0)
    party.take(on.Progressed)
    assert party.take(on.Answered).leg == leg


def test_early_media_is_reported() -> None:
    """A 183 arrives with its session description; a 100 says no more than that somebody is there."""
    network, wire, party, leg, invite = calling()
    wire.answer(party, 100, invite, tag="")
    wire.answer(party, 183, invite, body=SDP)
    network.run(until=0)
    assert party.take_all() == [
        on.Progressed(leg=leg, status=100, sdp=None),
        on.Progressed(leg=leg, status=183, sdp=b"v=0"),
    ]


def test_hanging_up_an_unacknowledged_leg_acknowledges_it_first() -> None:
    """An INVITE without offer whose 2xx we do not want gets ACK, then BYE."""
    network, wire, party, leg, invite = calling(sdp=None)
    wire.answer(party, 200, invite, body=SDP)
    network.run(until=0)
    assert "ACK" not in wire.lines()
    party.agent.hang_up(leg, network.now)
    network.run(until=0)
    assert wire.lines()[1:] == ["ACK", "BYE"]


def test_answer_for_somebody_behind_us_is_dropped() -> None:
    """A response with more than one Via is not for a user agent (8.1.3.3)."""
    network, wire, party, _, invite = calling()
    wire.answer(party, 200, invite, extra="Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKx\n")
    network.run(until=0)
    assert party.take_all() == []


def invite_with(party: Party, to: Flow, **more: object) -> OutgoingInvite:
    return OutgoingInvite(
        flow=to,
        request_uri=uri_of(party, "a"),
        from_uri=uri_of(party, "b"),
        to_uri=uri_of(party, "a"),
        contact_user="",
        sdp=OFFER,
        max_forwards=70,
        **more,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("field", [{"from_display": "Name"}, {"extra_headers": (("Subject", "x"),)}])
def test_service_refuses_fields_outside_the_allow_list(field: dict[str, object]) -> None:
    """Display names and free headers are for phones and tests only."""
    network = VirtualNetwork()
    party = Party(network, "192.0.2.1", settings=UserAgentSettings(advertised=("192.0.2.1", 5060)))
    flow = Flow("udp", ("192.0.2.1", 5060), ("192.0.2.2", 5060))
    with pytest.raises(LocalProtocolError):
        party.agent.originate(invite_with(party, flow, **field), 0)
    assert party.agent.leg_count == 0


def test_phones_may_send_what_they_like() -> None:
    """With the setting, display name and headers are sent."""
    network, wire, party = wired()
    party.agent.originate(
        invite_with(party, party.flow(wire), from_display='A "b"', extra_headers=(("Subject", "x"),)), 0
    )
    network.run(until=0)
    assert wire.last("INVITE").from_.display == 'A "b"'
    assert wire.last("INVITE").headers.get("Subject") == "x"


def test_answer_with_useless_routes_is_still_an_answer() -> None:
    """A 2xx with a route set that cannot be followed is acknowledged straight to its Contact."""
    network, wire, party, leg, invite = calling()
    extra = "".join(f"Record-Route: <sip:p{number}.example;lr>\n" for number in range(30))
    wire.answer(party, 200, invite, extra=extra, body=ANSWER.decode())
    network.run(until=0)
    assert party.take(on.Answered).leg == leg
    assert wire.last("ACK").headers.get("Route") is None


def test_early_branches_are_bounded() -> None:
    """Beyond the limit further branches ring without a dialog of their own, and may still win."""
    network, wire, party, leg, invite = calling()
    for number in range(EARLY_COUNT_MAX + 5):
        wire.answer(party, 180, invite, tag=f"t{number}")
    network.run(until=0)
    assert len(party.agent._core.legs[leg].early) == EARLY_COUNT_MAX
    wire.answer(party, 200, invite, tag=f"t{EARLY_COUNT_MAX + 4}", body=SDP)
    network.run(until=0)
    assert party.take_all()[-1] == on.Answered(leg=leg, sdp=b"v=0")


def test_winner_with_another_contact_keeps_counting() -> None:
    """A 2xx whose Contact differs from its 180's makes the dialog anew, with the numbers of the early one."""
    network, wire, party, _, invite = calling()
    wire.answer(party, 180, invite, extra="Record-Route: <sip:192.0.2.7;lr>\n")
    network.run(until=0)
    tag = invite.from_.tag or ""
    wire.request(
        "UPDATE", party, seq=5, to_tag=tag, call_id=invite.call_id, extra="Contact: <sip:n@192.0.2.7>\n"
    )
    wire.answer(party, 200, invite, body=SDP)
    network.run(until=0)
    wire.request("BYE", party, seq=5, branch="z9hG4bKb", to_tag=tag, call_id=invite.call_id)
    network.run(until=0)
    assert wire.last_status() == 500


def test_late_answers_to_a_challenged_invite_are_absorbed() -> None:
    """Provisional and failure answers of the first attempt say nothing once the second is under way."""
    network, wire, party, _, invite = calling(credentials=CREDENTIALS)
    wire.answer(party, 401, invite, extra=f"WWW-Authenticate: {challenge()}\n")
    network.run(until=0)
    for status in (180, 486):
        wire.answer(party, status, invite)
    network.run(until=0)
    assert party.take_all() == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [("120", 120), ("18000;duration=3600", 18000), ("5 (maintenance)", 5), ("9999999", 86_400)],
)
def test_retry_after(text: str, expected: int) -> None:
    """Comment and parameters are left out; more than a day is a day."""
    assert retry_after_of(Response(503, "", Headers([("Retry-After", text)]))) == expected


def test_no_retry_after() -> None:
    """Nothing, or nothing that is a number, is none."""
    assert retry_after_of(Response(503, "", Headers())) is None
    assert retry_after_of(Response(503, "", Headers([("Retry-After", "soon")]))) is None
    assert retry_after_of(Response(503, "", Headers([("Retry-After", "²")]))) is None


def test_acknowledging_what_needs_no_answer_does_nothing() -> None:
    """`acknowledge` is for INVITEs without offer, once."""
    network, wire, party, leg, invite = calling()
    party.agent.acknowledge(leg, ANSWER, 0)
    wire.answer(party, 200, invite, body=SDP)
    network.run(until=0)
    party.agent.acknowledge(leg, ANSWER, 0)
    network.run(until=0)
    assert wire.lines() == ["INVITE", "ACK"]


def test_repeated_offer_waits_for_its_answer() -> None:
    """Copies of a 2xx with an offer are absorbed until the owner has answered it; another branch is ended."""
    network, wire, party, leg, invite = calling(sdp=None)
    for tag in ("one", "one", "two"):
        wire.answer(party, 200, invite, tag=tag, body=SDP)
    network.run(until=0)
    assert wire.lines() == ["INVITE", "ACK", "BYE"]
    assert wire.last("BYE").to.tag == "two"
    party.agent.acknowledge(leg, ANSWER, 0)
    network.run(until=0)
    assert wire.last("ACK").body == ANSWER


def test_invite_times_out_after_the_hang_up() -> None:
    """A hung-up INVITE nobody ever answered ends as cancelled, not as unanswered."""
    network, _, party, leg, _ = calling()
    party.agent.hang_up(leg, 0)
    network.run(until=40)
    assert party.take(on.Failed).status == 487

"""Reliable provisional answers: our 180 under Require: 100rel, and PRACK for those of a callee."""

import pytest
from tests.sip.rig import ANSWER, Party, Wire, calling, pair, wired

from maskline.sip import events as on
from maskline.sip.errors import RemoteProtocolError
from maskline.sip.message import Request
from maskline.sip.user_agent import Credentials, LegID, UserAgentSettings
from maskline.sip.user_agent_reliable import PRACK_COUNT_MAX, parse_rack
from maskline.testing.network import VirtualNetwork

REQUIRED = "Require: 100rel\n"
KIND = "Content-Type: application/sdp\n"


# --- our 180 -------------------------------------------------------------------------------------------------


def ringing(*, body: str = "v=0") -> tuple[VirtualNetwork, Wire, Party, LegID]:
    """A caller that requires 100rel hears that it rings."""
    network, wire, party = wired()
    wire.invite(party, extra=REQUIRED, body=body)
    network.run(until=0)
    leg = party.take(on.IncomingInvite).leg
    party.agent.ring(leg, 0)
    network.run(until=0)
    return network, wire, party, leg


def prack(wire: Wire, party: Party, *, seq: int = 2, rack: str = "", body: str = "", rseq: int = 0) -> None:
    """Acknowledge the last 180."""
    rung = wire.last_response()
    rack = rack or f"{int(rung.headers.get('RSeq') or 0) + rseq} 1 INVITE"
    wire.request(
        "PRACK",
        party,
        seq=seq,
        branch=f"z9hG4bKp{seq}",
        to_tag=rung.to.tag or "",
        extra=f"RAck: {rack}\n" + (KIND if body else ""),
        body=body,
    )


def test_a_180_is_repeated_until_its_prack() -> None:
    """At T1, doubling; the PRACK gets 200, and the owner hears nothing of it."""
    network, wire, party, leg = ringing()
    rung = wire.last_response()
    assert rung.headers.get("Require") == "100rel"
    assert 1 <= int(rung.headers.get("RSeq") or 0) < 2**31
    network.run(until=4)
    instants = [packet.at for packet in network.transcript if packet.flow.local == party.address]
    assert instants == [0, 0.5, 1.5, 3.5]
    prack(wire, party)
    network.run(until=30)
    assert wire.lines() == ["180 INVITE"] * 4 + ["200 PRACK"]
    party.agent.answer(leg, ANSWER, network.now)
    wire.request("ACK", party, to_tag=rung.to.tag or "", branch="z9hG4bKa")
    network.run(until=31)
    assert party.take_all() == [on.Acknowledged(leg=leg, sdp=None)]


def test_a_180_without_prack_ends_the_leg() -> None:
    """After 64*T1 the INVITE is refused, and the owner hears that the leg is gone."""
    network, wire, party, leg = ringing()
    network.run(until=31.9)
    assert party.take_all() == []
    network.run(until=32)
    assert wire.last_status() == 504
    assert party.take_all() == [
        on.HungUp(leg=leg, cause=on.HangUpCause.ACK_TIMEOUT, q850=None),
        on.Released(leg=leg),
    ]
    network.run_until_idle()
    assert party.agent.transaction_count == 0


def test_the_180_of_each_minute_is_reliable_too() -> None:
    """It has the next number, and needs a PRACK of its own."""
    network, wire, party, _ = ringing()
    first = int(wire.last_response().headers.get("RSeq") or 0)
    prack(wire, party)
    network.run(until=60)
    assert wire.last_response().headers.get("RSeq") == str(first + 1)
    prack(wire, party, seq=3)
    network.run(until=119)
    assert wire.lines()[-2:] == ["180 INVITE", "200 PRACK"]


def test_a_180_waits_for_the_one_before() -> None:
    """With long timers a minute may pass before the PRACK: there is no second number as long."""
    network = VirtualNetwork()
    settings = UserAgentSettings(advertised=("192.0.2.1", 5060), t1_s=2.0)
    wire, party = Wire(network, "192.0.2.7"), Party(network, "192.0.2.1", settings=settings)
    wire.invite(party, extra=REQUIRED)
    network.run(until=0)
    party.agent.ring(party.take(on.IncomingInvite).leg, 0)
    network.run(until=70)
    assert len({message.headers.get("RSeq") for message in wire.received}) == 1
    prack(wire, party)
    network.run(until=121)
    assert len({message.headers.get("RSeq") for message in wire.received}) == 3  # None is the 200's


def test_the_2xx_need_not_wait() -> None:
    """The 180 stops with the answer, and a PRACK that crosses it is still welcome (RFC 3262, 3)."""
    network, wire, party, leg = ringing()
    rung = wire.last_response()
    party.agent.answer(leg, ANSWER, 0)
    wire.request("ACK", party, to_tag=rung.to.tag or "", branch="z9hG4bKa")
    prack(wire, party)
    network.run(until=40)
    assert wire.lines() == ["180 INVITE", "200 INVITE", "200 PRACK"]
    assert party.take_all() == [on.Acknowledged(leg=leg, sdp=None)]


@pytest.mark.parametrize(
    ("rack", "rseq", "status"),
    [("", 1, 481), ("", -1, 481), ("1 1 INVITE", 0, 481), ("nonsense", 0, 400), ("-1 1 INVITE", 0, 400)],
)
def test_a_prack_must_match(rack: str, rseq: int, status: int) -> None:
    """Another number, or none that can be read, acknowledges nothing."""
    network, wire, party, _ = ringing()
    prack(wire, party, rack=rack, rseq=rseq)
    network.run(until=0)
    assert wire.last_status() == status
    network.run(until=0.6)
    assert wire.lines()[-1] == "180 INVITE"


def test_a_prack_must_name_the_invite() -> None:
    """The number of its request and the method count as well."""
    network, wire, party, _ = ringing()
    rseq = wire.last_response().headers.get("RSeq")
    for seq, rack in ((2, f"{rseq} 2 INVITE"), (3, f"{rseq} 1 UPDATE")):
        prack(wire, party, seq=seq, rack=rack)
    network.run(until=0)
    assert wire.lines()[-2:] == ["481 PRACK", "481 PRACK"]


def test_a_second_prack_is_refused() -> None:
    """A copy of the first is answered by its transaction; another one acknowledges nothing any more."""
    network, wire, party, _ = ringing()
    rseq = wire.last_response().headers.get("RSeq")
    for seq in (2, 2, 3):
        prack(wire, party, seq=seq, rack=f"{rseq} 1 INVITE")
    network.run(until=0)
    assert wire.lines() == ["180 INVITE", "200 PRACK", "200 PRACK", "481 PRACK"]


def test_a_prack_for_nothing() -> None:
    """Where 100rel was not required nothing was sent reliably."""
    network, wire, party = wired()
    wire.invite(party, extra="Supported: 100rel\n")
    network.run(until=0)
    party.agent.ring(party.take(on.IncomingInvite).leg, 0)
    network.run(until=0)
    assert wire.last_response().headers.get("RSeq") is None
    prack(wire, party)
    network.run(until=0)
    assert wire.last_status() == 481


def test_an_offer_in_a_prack_is_refused() -> None:
    """It acknowledges, and its description is not taken; other bodies are not even read."""
    network, wire, party, _ = ringing()
    prack(wire, party, body="v=0")
    network.run(until=1)
    assert wire.lines() == ["180 INVITE", "488 PRACK"]
    wire.request(
        "PRACK", party, seq=9, branch="z9hG4bK9", to_tag="x", extra="Content-Type: text/plain\n", body="x"
    )
    network.run(until=1)
    assert wire.last_status() == 481


def test_without_an_offer_it_does_not_ring() -> None:
    """The first reliable answer would have to carry ours: the caller hears 100, and the offer in the 200."""
    network, wire, party, leg = ringing(body="")
    party.agent.trying(leg, 0)
    network.run(until=70)
    assert wire.lines() == ["100 INVITE"]
    party.agent.answer(leg, ANSWER, network.now)
    network.run(until=70)
    assert wire.lines()[-1] == "200 INVITE"


@pytest.mark.parametrize("how", ["refuse", "hang_up", "CANCEL", "BYE"])
def test_every_end_stops_the_180(how: str) -> None:
    """Whoever ends an unacknowledged leg."""
    network, wire, party, leg = ringing()
    tag = wire.last_response().to.tag or ""
    if how == "refuse":
        party.agent.refuse(leg, 486, 0)
    elif how == "hang_up":
        party.agent.hang_up(leg, 0)
    else:
        more = {"seq": 2, "branch": "z9hG4bKbye", "to_tag": tag} if how == "BYE" else {}
        wire.request(how, party, **more)  # type: ignore[arg-type]
    network.run(until=0)
    final = wire.last_response()
    wire.request("ACK", party, to_tag=final.to.tag or "", branch="z9hG4bKone")
    network.run(until=40)
    assert wire.lines().count("180 INVITE") == 1
    assert party.events[-1] == on.Released(leg=leg)
    assert len(party.agent._core.timers) == 0


def test_the_ack_has_the_number_of_the_invite() -> None:
    """PRACK has raised the caller's number meanwhile."""
    network, wire, party, leg = ringing()
    tag = wire.last_response().to.tag or ""
    prack(wire, party)
    network.run(until=0)
    party.agent.answer(leg, ANSWER, network.now)
    wire.request("ACK", party, seq=1, to_tag=tag, branch="z9hG4bKa")
    network.run(until=40)
    assert party.take_all() == [on.Acknowledged(leg=leg, sdp=None)]


# --- the callee's --------------------------------------------------------------------------------------------


def reliably(rseq: int) -> str:
    """The fields of a reliable provisional answer."""
    return f"Require: 100rel\nRSeq: {rseq}\n"


def pracks(wire: Wire) -> list[tuple[str | None, int]]:
    """RAck and number of every PRACK that arrived."""
    found = [each for each in wire.received if isinstance(each, Request) and each.method == "PRACK"]
    return [(each.headers.get("RAck"), each.cseq.number) for each in found]


def test_421_is_met_once() -> None:
    """The INVITE is sent again with 100rel among what we support; a second 421 ends the call."""
    network, wire, party, leg, invite = calling()
    assert "100rel" not in (invite.headers.get("Supported") or "")
    wire.answer(party, 421, invite, extra=REQUIRED)
    network.run(until=0)
    again = wire.last("INVITE")
    assert again.headers.get("Supported") == "timer, 100rel"
    assert (again.call_id, again.cseq.number, again.body) == (invite.call_id, 2, invite.body)
    wire.answer(party, 421, again, extra=REQUIRED)
    network.run(until=0)
    assert party.take_all() == [
        on.Failed(leg=leg, status=421, retry_after_s=None, q850=None, is_local=False),
        on.Released(leg=leg),
    ]


@pytest.mark.parametrize(
    ("extra", "has_offer"), [("Require: precondition\n", True), ("", True), (REQUIRED, False)]
)
def test_421_that_cannot_be_met(extra: str, *, has_offer: bool) -> None:
    """Something else is required, or our INVITE makes no offer: the callee's would come too early."""
    network, wire, party, leg, invite = calling(sdp=b"v=0" if has_offer else None)
    wire.answer(party, 421, invite, extra=extra)
    network.run(until=0)
    assert wire.lines() == ["INVITE", "ACK"]
    assert party.events[-1] == on.Released(leg=leg)


def test_reliable_answers_are_acknowledged_in_order() -> None:
    """Each gets a PRACK with the next number of its dialog; the BYE goes on counting."""
    network, wire, party, leg, invite = calling()
    for status, rseq in ((180, 77), (183, 78)):
        wire.answer(party, status, invite, extra=reliably(rseq))
        network.run(until=0)
        wire.answer(party, 200, wire.last("PRACK"))
        network.run(until=0)
    assert pracks(wire) == [("77 1 INVITE", 2), ("78 1 INVITE", 3)]
    assert wire.last("PRACK").uri == "sip:far@192.0.2.7:5060"
    wire.answer(party, 200, invite, body="v=0")
    network.run(until=0)
    party.agent.hang_up(leg, network.now)
    network.run(until=0)
    assert wire.last("ACK").cseq.number == 1
    assert wire.last("BYE").cseq.number == 4
    assert [type(event) for event in party.take_all()] == [on.Progressed, on.Progressed, on.Answered]


def test_numbers_go_on_when_the_2xx_makes_the_dialog_anew() -> None:
    """A 2xx with another Contact does not make the peer see a number twice."""
    network, wire, party, leg, invite = calling()
    wire.answer(party, 180, invite, extra=reliably(1) + "Record-Route: <sip:192.0.2.7;lr>\n")
    network.run(until=0)
    wire.answer(party, 200, invite, body="v=0")
    network.run(until=0)
    party.agent.hang_up(leg, network.now)
    network.run(until=0)
    assert wire.last("BYE").cseq.number == 3


def test_copies_and_gaps() -> None:
    """A copy gets no second PRACK, and one whose predecessor is missing none at all; neither is reported."""
    network, wire, party, _, invite = calling()
    for rseq in (5, 5, 7, 6, 7):
        wire.answer(party, 183, invite, extra=reliably(rseq))
        network.run(until=0)
        if pracks(wire):
            wire.answer(party, 200, wire.last("PRACK"))
    assert [rack for rack, _ in pracks(wire)] == ["5 1 INVITE", "6 1 INVITE", "7 1 INVITE"]
    assert [type(event) for event in party.take_all()] == [on.Progressed] * 3


def test_branches_count_for_themselves() -> None:
    """A forked INVITE: each early dialog has its own numbers, and the branch that is not taken gets a fresh one."""
    network, wire, party, _, invite = calling()
    for tag, rseq in (("one", 100), ("two", 900), ("one", 101)):
        wire.answer(party, 180, invite, tag=tag, extra=reliably(rseq))
        network.run(until=0)
    assert pracks(wire) == [("100 1 INVITE", 2), ("900 1 INVITE", 2), ("101 1 INVITE", 3)]
    wire.answer(party, 200, invite, tag="one", body="v=0")
    wire.answer(party, 200, invite, tag="two", body="v=0")
    network.run(until=0)
    assert wire.last("BYE").to.tag == "two"
    assert wire.last("BYE").cseq.number > 3


def test_a_description_in_a_reliable_answer() -> None:
    """It answers our offer for good: the 2xx need not repeat it."""
    for is_same in (True, False):
        network, wire, party, leg, invite = calling()
        wire.answer(party, 183, invite, extra=reliably(1), body="v=0")
        extra = "" if is_same else "Record-Route: <sip:192.0.2.7;lr>\n"
        wire.answer(party, 200, invite, extra=extra)
        network.run(until=0)
        assert party.take_all() == [
            on.Progressed(leg=leg, status=183, sdp=b"v=0"),
            on.Answered(leg=leg, sdp=b"v=0"),
        ]


def test_the_first_description_counts() -> None:
    """A second one in a reliable answer is not an answer any more."""
    network, wire, party, _, invite = calling()
    for rseq, body in ((1, "v=0"), (2, "v=1")):
        wire.answer(party, 183, invite, extra=reliably(rseq), body=body)
    wire.answer(party, 200, invite)
    network.run(until=0)
    assert [event.sdp for event in party.take_all() if isinstance(event, on.Answered)] == [b"v=0"]


def test_an_offer_in_a_reliable_answer_is_left_to_the_2xx() -> None:
    """Our INVITE offered nothing: there is no answer yet that a PRACK could carry."""
    network, wire, party, leg, invite = calling(sdp=None)
    wire.answer(party, 183, invite, extra=reliably(1), body="v=0")
    network.run(until=0)
    assert pracks(wire) == []
    assert party.take_all() == [on.Progressed(leg=leg, status=183, sdp=b"v=0")]


@pytest.mark.parametrize("extra", ["RSeq: 5\n", "Require: 100rel\n", "Require: other\nRSeq: 5\n"])
def test_half_of_it_is_not_reliable(extra: str) -> None:
    """Without Require: 100rel, or without a number, an answer is a plain one."""
    network, wire, party, _, invite = calling()
    wire.answer(party, 180, invite, extra=extra)
    network.run(until=0)
    assert pracks(wire) == []
    assert [type(event) for event in party.take_all()] == [on.Progressed]


def test_a_number_that_is_none() -> None:
    """The answer is dropped as malformed; the call goes on."""
    network, wire, party, _, invite = calling()
    wire.answer(party, 180, invite, extra="Require: 100rel\nRSeq: x\n")
    wire.answer(party, 200, invite, body="v=0")
    network.run(until=0)
    assert [type(event) for event in party.take_all()] == [on.Answered]


def test_a_challenged_prack() -> None:
    """It is sent again with credentials, once; what becomes of it then is the INVITE's affair."""
    challenge = 'WWW-Authenticate: Digest realm="carrier", nonce="n", qop="auth"\n'
    network, wire, party, _, invite = calling(credentials=Credentials(username="u", password="p"))
    wire.answer(party, 180, invite, extra=reliably(1))
    network.run(until=0)
    wire.answer(party, 401, wire.last("PRACK"), extra=challenge)
    network.run(until=0)
    assert pracks(wire) == [("1 1 INVITE", 2), ("1 1 INVITE", 3)]
    assert wire.last("PRACK").headers.get("Authorization") is not None
    wire.answer(party, 401, wire.last("PRACK"), extra=challenge)
    network.run(until=0)
    assert len(pracks(wire)) == 2


@pytest.mark.parametrize("end", ["gone", "other dialog", "hung up"])
def test_a_challenge_that_comes_too_late(end: str) -> None:
    """The leg, or that branch of it, is over: nothing is sent."""
    challenge = 'WWW-Authenticate: Digest realm="carrier", nonce="n", qop="auth"\n'
    network, wire, party, leg, invite = calling(credentials=Credentials(username="u", password="p"))
    wire.answer(party, 180, invite, extra=reliably(1))
    network.run(until=0)
    sent = wire.last("PRACK")
    if end == "gone":
        wire.answer(party, 486, invite)
    else:
        wire.answer(party, 200, invite, tag="other" if end == "other dialog" else "far", body="v=0")
        network.run(until=0)
        if end == "hung up":
            party.agent.hang_up(leg, network.now)
    network.run(until=0)
    wire.answer(party, 401, sent, extra=challenge)
    network.run(until=0)
    assert len(pracks(wire)) == 1


def test_refused_and_unanswered_pracks_end_nothing() -> None:
    """A callee that sends 481 for it, or nothing, may still answer the call."""
    network, wire, party, _, invite = calling()
    wire.answer(party, 180, invite, extra=reliably(1))
    network.run(until=0)
    wire.answer(party, 481, wire.last("PRACK"))
    wire.answer(party, 183, invite, extra=reliably(2))
    network.run(until=40)
    wire.answer(party, 200, invite, body="v=0")
    network.run(until=40)
    assert [type(event) for event in party.take_all()] == [on.Progressed, on.Progressed, on.Answered]


def test_endless_reliable_answers() -> None:
    """Beyond the limit they are neither acknowledged nor reported."""
    network, wire, party, _, invite = calling()
    for rseq in range(PRACK_COUNT_MAX + 5):
        wire.answer(party, 183, invite, extra=reliably(rseq + 1))
        network.run(until=0)
        wire.answer(party, 200, wire.last("PRACK"))
        network.run(until=0)
    assert len(pracks(wire)) == PRACK_COUNT_MAX
    assert len(party.take_all()) == PRACK_COUNT_MAX


def test_two_of_us() -> None:
    """A caller of ours that requires 100rel and a callee of ours understand each other."""
    network, alice, bob = pair()
    call = alice.invite(bob, extra_headers=(("Require", "100rel"),))
    network.run(until=0)
    leg = bob.take(on.IncomingInvite).leg
    bob.agent.ring(leg, 0)
    network.run(until=10)
    bob.agent.answer(leg, ANSWER, network.now)
    network.run(until=11)
    assert alice.sent_lines() == ["INVITE", "PRACK", "ACK"]
    assert bob.sent_lines() == ["180 INVITE", "200 PRACK", "200 INVITE"]
    assert alice.take_all()[-1] == on.Answered(leg=call, sdp=ANSWER)


@pytest.mark.parametrize("text", ["", "1 INVITE", "x 1 INVITE", "1 1 INVITE x", "12345678901 1 INVITE"])
def test_malformed_rack(text: str) -> None:
    """Two numbers and a method, or it is the peer's fault."""
    with pytest.raises(RemoteProtocolError):
        parse_rack(text)
    assert parse_rack("776656  1\tINVITE") == (776656, 1, "INVITE")

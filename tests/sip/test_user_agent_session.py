"""BYE both ways, crossings, causes, and reading bodies."""

import pytest
from tests.sip.rig import ANSWER, calling, pair, wired

from maskline.sip import events as on
from maskline.sip.message import Headers, Request
from maskline.sip.user_agent_session import body_sdp, media_type, q850_of


def test_crossing_byes() -> None:
    """Both BYEs are answered, both legs released once, nobody is told of a hang-up he made himself."""
    network, alice, bob = pair()
    call = alice.invite(bob)
    network.run(until=0)
    leg = bob.take(on.IncomingInvite).leg
    bob.agent.answer(leg, ANSWER, 0)
    network.run(until=0)
    alice.take_all()
    bob.take_all()
    alice.agent.hang_up(call, 0)
    bob.agent.hang_up(leg, 0)
    network.run(until=1)
    assert alice.take_all() == [on.Released(leg=call)]
    assert bob.take_all() == [on.Released(leg=leg)]
    assert alice.sent_lines()[-2:] == ["BYE", "200 BYE"]


def test_unanswered_bye_releases_the_leg() -> None:
    """64*T1 without an answer to BYE is enough."""
    network, wire, party, leg, invite = calling()
    wire.answer(party, 200, invite, body="v=0")
    network.run(until=0)
    party.take(on.Answered)
    party.agent.hang_up(leg, 0)
    party.agent.hang_up(leg, 0)
    network.run(until=31.9)
    assert party.take_all() == []
    network.run(until=32)
    assert party.take_all() == [on.Released(leg=leg)]
    # Timer E: doubling up to T2 (17.1.2.2).
    byes = [packet.at for packet in network.transcript if packet.data.startswith(b"BYE")]
    assert byes == [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]


def test_provisional_answer_slows_a_bye_down() -> None:
    """After a 1xx the BYE is repeated every T2 only."""
    network, wire, party, leg, invite = calling()
    wire.answer(party, 200, invite, body="v=0")
    network.run(until=0)
    party.agent.hang_up(leg, 0)
    network.run(until=0)
    wire.answer(party, 100, wire.last("BYE"), tag="")
    network.run(until=10)
    byes = [packet.at for packet in network.transcript if packet.data.startswith(b"BYE")]
    assert byes == [0, 0.5, 4.5, 8.5]


def test_bye_before_the_ack() -> None:
    """The caller may hang up before we have its ACK; the 2xx is not sent again."""
    network, wire, party = wired()
    wire.invite(party)
    network.run(until=0)
    leg = party.take(on.IncomingInvite).leg
    party.agent.answer(leg, ANSWER, 0)
    network.run(until=0)
    tag = wire.last_response().to.tag or ""
    wire.request("BYE", party, seq=2, to_tag=tag, branch="z9hG4bKbye")
    network.run(until=5)
    assert wire.lines() == ["200 INVITE", "200 BYE"]
    assert party.take_all() == [
        on.HungUp(leg=leg, cause=on.HangUpCause.BYE, q850=None),
        on.Released(leg=leg),
    ]
    wire.request("ACK", party, to_tag=tag, branch="z9hG4bKack")
    network.run(until=5)
    assert party.take_all() == []


def test_ack_of_another_number_is_absorbed() -> None:
    """An ACK whose number is not the INVITE's does not stop the 2xx."""
    network, wire, party = wired()
    wire.invite(party)
    network.run(until=0)
    party.agent.answer(party.take(on.IncomingInvite).leg, ANSWER, 0)
    network.run(until=0)
    tag = wire.last_response().to.tag or ""
    wire.request("ACK", party, seq=0, to_tag=tag, branch="z9hG4bKack")
    network.run(until=1)
    assert party.take_all() == []
    assert wire.lines() == ["200 INVITE"] * 2


def with_reason(*values: str) -> Request:
    return Request("BYE", "sip:x@h", Headers([("Reason", value) for value in values]))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((), None),
        (("Q.850;cause=16",), 16),
        (("q.850 ; cause = 17",), 17),
        (('Q.850;text="a;cause=3";cause=31',), None),
        (("Q.850;foo=bar;cause=31",), 31),
        (("SIP;cause=200",), None),
        (("SIP;cause=200", "Q.850;cause=102"), 102),
        (("SIP;cause=200, Q.850;cause=19",), 19),
        (("Q.850;cause=0",), None),
        (("Q.850;cause=128",), None),
        (("Q.850;cause=1234",), None),
        (("Q.850",), None),
    ],
)
def test_q850_cause(values: tuple[str, ...], expected: int | None) -> None:
    """The first usable Q.850 cause of 1 to 127 counts; other protocols and doubtful text do not."""
    assert q850_of(with_reason(*values)) == expected


def test_bodies() -> None:
    """Only application/sdp is a session description; no body is none."""
    sdp = Request("INVITE", "sip:x@h", Headers([("Content-Type", "Application/SDP ; x=y")]), b"v=0")
    assert media_type(sdp) == "application/sdp"
    assert body_sdp(sdp) == b"v=0"
    assert body_sdp(Request("INVITE", "sip:x@h", sdp.headers)) is None
    assert body_sdp(Request("INVITE", "sip:x@h", Headers(), b"v=0")) is None

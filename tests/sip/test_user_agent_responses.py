"""Answers reach whoever asked, and answers nobody waits for reach nobody."""

import pytest
from tests.sip.rig import calling


def test_stray_answers_change_nothing() -> None:
    """Responses with an unknown branch, another method or another call's number are dropped without an answer."""
    network, wire, party, _, invite = calling()
    party.take_all()
    head = f"From: {invite.headers.get('From')}\nTo: <sip:x@h>;tag=t\nCall-ID: {invite.call_id}\n"
    own, foreign = invite.headers.get("Via"), "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKnone"
    for via, method in ((foreign, "INVITE"), (own, "BYE"), (own, "OPTIONS")):
        wire.send(f"SIP/2.0 200 OK\nVia: {via}\n{head}CSeq: 1 {method}\nContent-Length: 0\n\n", party)
    network.run(until=0.1)
    assert party.take_all() == []
    assert wire.lines() == ["INVITE"]


@pytest.mark.parametrize("status", [200, 481, 500])
def test_the_answer_to_a_cancel_decides_nothing(status: int) -> None:
    """Whatever CANCEL is answered, the leg waits for the INVITE's own answer."""
    network, wire, party, leg, invite = calling()
    wire.answer(party, 180, invite)
    network.run(until=0)
    party.agent.hang_up(leg, 0)
    network.run(until=0)
    party.take_all()
    wire.answer(party, status, wire.last("CANCEL"))
    network.run(until=1)
    assert party.take_all() == []
    assert party.agent.leg_count == 1


def test_an_unanswered_cancel_decides_nothing() -> None:
    """Nor does silence; the wait for the INVITE's answer has its own end."""
    network, wire, party, leg, invite = calling()
    wire.answer(party, 180, invite)
    network.run(until=0)
    party.agent.hang_up(leg, 0)
    network.run(until=100)
    assert party.agent.leg_count == 0
    assert party.agent.transaction_count == 0

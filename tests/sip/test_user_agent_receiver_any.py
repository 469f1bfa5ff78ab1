"""Bytes that are no SIP, and SIP that somebody broke on the way: nothing raises, everything ends."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sip.rig import ANSWER, OFFER, pair, wired

from maskline.sip import events as on
from maskline.sip.user_agent import Flow


def conversation() -> list[bytes]:
    """Every message of a call with a re-INVITE, an UPDATE, a refusal and a CANCEL."""
    network, alice, bob = pair()
    call = alice.invite(bob)
    network.run(until=0)
    leg = bob.take(on.IncomingInvite).leg
    bob.agent.ring(leg, 0)
    bob.agent.answer(leg, ANSWER, 0)
    network.run(until=0)
    alice.agent.send_offer(call, OFFER, 0)
    network.run(until=0)
    bob.agent.answer_offer(leg, ANSWER, 0)
    network.run(until=0)
    bob.agent.send_offer(leg, OFFER, 0, update=True)
    network.run(until=0)
    alice.agent.answer_offer(call, ANSWER, 0)
    second = alice.invite(bob)
    network.run(until=0)
    alice.agent.hang_up(second, 0)
    bob.agent.hang_up(leg, 0, q850=16)
    network.run(until=0)
    return [packet.data for packet in network.transcript]


CONVERSATION = conversation()


@given(st.binary(max_size=300), st.sampled_from(["udp", "tcp"]))
def test_any_bytes(data: bytes, transport: str) -> None:
    """Arbitrary bytes raise nothing and leave no leg."""
    _, _, party = wired()
    party.agent.receive(data, Flow(transport, party.address, ("192.0.2.7", 5060)), 0.0)
    assert party.agent.leg_count == 0


@settings(deadline=None, max_examples=300)
@given(st.integers(0, 2**32))
def test_mutated_messages(seed: int) -> None:
    """A call's messages, mutated, cut, repeated and shuffled between its two sides, raise nothing; all ends."""
    dice = random.Random(seed)
    network, alice, bob = pair(seed=0)
    call = alice.invite(bob)
    network.run(until=0)
    leg = bob.take(on.IncomingInvite).leg
    bob.agent.answer(leg, ANSWER, 0)
    network.run(until=0)
    for _ in range(10):
        data = bytearray(dice.choice(CONVERSATION))
        for _ in range(dice.randint(0, 3)):
            mutate(data, dice)
        target, source = dice.choice([(alice, bob), (bob, alice)])
        target.agent.receive(bytes(data), Flow("udp", target.address, source.address), network.now)
        network.run(until=network.now + dice.choice([0, 0, 0.6]))
    for _ in range(3):
        for party in (alice, bob):
            for each in range(1, party.agent._core._leg_count + 1):
                party.agent.hang_up(on.LegID(each), network.now)
        network.run(until=network.now + 200)
    assert alice.agent.leg_count == bob.agent.leg_count == 0
    network.run_until_idle()
    assert alice.agent.transaction_count == bob.agent.transaction_count == 0
    assert call in {event.leg for event in alice.events if isinstance(event, on.Released)}


SPLICES = [
    b"\r\n", b";", b",", b"<", b'"', b"\x00", b";tag=x", b"Contact: *\r\n", b"Require: 100rel\r\n", b"99999999999",
    b"Record-Route: <tel:1>\r\n", b"Via: x\r\n", b"Retry-After: 99999999999999999999\r\n", b"sips:", b"[::1]",
    b";transport=UDP", b";maddr=1.2.3.4", b"%00", b"\xff",
]  # fmt: skip


def mutate(data: bytearray, dice: random.Random) -> None:
    """Change a message a little."""
    at = dice.randrange(len(data) + 1)
    match dice.randrange(4):
        case 0:
            del data[at : at + dice.randint(1, 30)]
        case 1:
            data[at:at] = dice.choice(SPLICES)
        case 2 if at < len(data):
            data[at] = dice.randrange(256)
        case _:
            line = data.find(b"\r\n", at) + 2
            data[line:line] = dice.choice(SPLICES)

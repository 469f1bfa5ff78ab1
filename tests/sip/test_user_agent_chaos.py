"""Whatever two user agents do to each other, over whatever network: everything ends, and nothing is left."""

from collections import Counter
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sip.rig import ANSWER, OFFER, Party, pair

from maskline.sip import events as on
from maskline.sip.message import Request, Response
from maskline.testing.network import Impairment

# 64*T1 of the last transaction, after one 64*T1 each for an unanswered INVITE, its CANCEL and a BYE.
SETTLE_S = 32.0 * 6
CALL_S = 40.0
# Sessions so short that they are refreshed, and lost, while a test runs.
INTERVALS_S = (20, 60, 1800)

ACTIONS = (
    *(
        "originate",
        "originate_reliable",
        "ring",
        "answer",
        "answer",
        "refuse",
        "drop",
        "trying",
        "hang_up",
        "hang_up",
    ),
    *("reoffer", "update", "answer_offer", "answer_offer", "reject_offer"),
)

impairments = st.builds(
    Impairment,
    loss=st.sampled_from([0.0, 0.1, 0.3, 0.6]),
    duplication=st.sampled_from([0.0, 0.2, 0.5]),
    delay_s_min=st.sampled_from([0.0, 0.01]),
    delay_s_max=st.sampled_from([0.02, 0.5, 3.0]),
)


def act(party: Party, peer: Party, action: str, dice: Random) -> None:
    """Do something to one of the legs that party ever had, sensible or not."""
    legs = sorted(legs_of(party))
    agent, now = party.agent, party.now
    if action.startswith("originate"):
        if agent.leg_count < 5:
            is_reliable = action == "originate_reliable"
            party.invite(peer, extra_headers=(("Require", "100rel"),) if is_reliable else ())
        return
    if not legs:
        return
    leg = dice.choice(legs)
    incoming = {event.leg for event in party.events if isinstance(event, on.IncomingInvite)}
    if leg in incoming:
        match action:
            case "trying":
                agent.trying(leg, now)
            case "ring":
                agent.ring(leg, now)
            case "answer":
                agent.answer(leg, ANSWER, now)
            case "refuse":
                agent.refuse(leg, dice.choice([302, 486, 503, 603]), now)
            case "drop" if dice.random() < 0.2:
                agent.drop(leg, now)
            case _:
                pass
    match action:
        case "hang_up":
            agent.hang_up(leg, now, q850=16)
        case "reoffer":
            agent.send_offer(leg, OFFER, now)
        case "update":
            agent.send_offer(leg, OFFER, now, update=True)
        case "answer_offer":
            agent.answer_offer(leg, ANSWER, now)
        case "reject_offer":
            agent.reject_offer(leg, 488, now)
        case _:
            pass


def legs_of(party: Party) -> set[on.LegID]:
    """Every leg that party ever had."""
    incoming = {event.leg for event in party.events if isinstance(event, on.IncomingInvite)}
    return incoming | set(party.originated)


def end_all(party: Party) -> None:
    for leg in legs_of(party):
        party.agent.hang_up(leg, party.now)


def check_ended(party: Party) -> None:
    """Every leg is released exactly once, as its last event, and nothing is left."""
    released = Counter(event.leg for event in party.events if isinstance(event, on.Released))
    legs = legs_of(party)
    assert set(released) == legs
    assert set(released.values()) <= {1}
    for leg in legs:
        own = [event for event in party.events if getattr(event, "leg", None) == leg]
        assert isinstance(own[-1], on.Released)
        assert sum(isinstance(event, on.Failed | on.Cancelled | on.HungUp) for event in own) <= 1
    assert party.agent.leg_count == 0
    assert party.agent.transaction_count == 0
    core = party.agent._core
    assert not core.legs_by_dialog
    assert not core.known_hosts
    assert not core.endings
    assert len(core.timers) == 0


def check_2xx_settled(caller: Party, callee: Party) -> None:
    """Each call a callee answered was acknowledged by the caller, or ended by BYE of the callee that waited."""
    acked = {each.call_id for each in requests_of(caller, "ACK")}
    ended = {each.call_id for each in requests_of(callee, "BYE")}
    answered = {
        each.call_id
        for each in callee.sent()
        if isinstance(each, Response) and each.cseq.method == "INVITE" and 200 <= each.status < 300
    }
    assert answered <= acked | ended


def requests_of(party: Party, method: str) -> list[Request]:
    return [each for each in party.sent() if isinstance(each, Request) and each.method == method]


@settings(deadline=None, max_examples=150)
@given(seed=st.integers(0, 2**32), impairment=impairments)
def test_everything_ends(seed: int, impairment: Impairment) -> None:
    """Random actions at random instants over a bad network end in one Released a leg and an empty user agent."""
    dice = Random(seed)
    network, alice, bob = pair(seed=seed, impairment=impairment, intervals_s=dice.choices(INTERVALS_S, k=2))
    at = 0.0
    for _ in range(dice.randint(5, 40)):
        party, peer = dice.choice([(alice, bob), (bob, alice)])
        action = dice.choice(ACTIONS)
        network.call_at(at, lambda party=party, peer=peer, action=action: act(party, peer, action, dice))  # type: ignore[misc]
        at += dice.choice([0.0, 0.001, 0.05, 0.5, 1.0, 4.0])
    network.run(until=max(at, CALL_S) + dice.choice([0.0, 100.0]))
    for _ in range(4):
        # What arrives late may begin new legs; they are hung up as well.
        end_all(alice)
        end_all(bob)
        network.run(until=network.now + SETTLE_S)
    network.run_until_idle()
    check_ended(alice)
    check_ended(bob)
    check_2xx_settled(alice, bob)
    check_2xx_settled(bob, alice)

"""How calls end: who is told what, what is given back, and the one account."""

import pytest
from tests.core.call.plans import CLAIMED, PATHS, PLANS, START, S, at, of_type, run

from maskline.core.call import commands as do
from maskline.core.call import events as on
from maskline.core.call.ending import RETRY_AFTER_S, end_for
from maskline.core.call.machine import step
from maskline.core.call.state import Claim, Phase
from maskline.core.call_record import Side
from maskline.core.events import EventKind
from maskline.core.termination import Reason

END = START + 100 * S
JOINED = (*PATHS[Phase.GREETING][1], on.PromptFinished(Side.B), on.BridgePrepared())


@pytest.mark.parametrize("phase", [phase for phase in PATHS if phase is not Phase.ENDED], ids=str)
def test_what_was_taken_is_given_back(phase: Phase) -> None:
    """From every phase: timers, relay and legs, and one account, unless the claim is still open."""
    before = at(phase)
    ended, commands = end_for(before, END, Reason.SWITCH_RESTARTED)
    assert ended.phase is Phase.ENDED
    assert commands[0] == do.CancelTimers()
    assert len(of_type(commands, do.CloseMedia)) == before.has_media
    assert len([*of_type(commands, do.HangUp), *of_type(commands, do.RefuseCaller)]) == len(before.legs)
    accounts = [*of_type(commands, do.WriteRecord), *of_type(commands, do.WriteRefusal)]
    assert len(accounts) == (before.claim is not Claim.ASKED)


@pytest.mark.parametrize(
    ("reason", "retry_after_s"), [(Reason.OVERLOADED, RETRY_AFTER_S), (Reason.SESSION_ENDED, None)]
)
def test_a_caller_may_come_back_after_503_alone(reason: Reason, retry_after_s: int | None) -> None:
    """Retry-After is for what passes by itself."""
    _, commands = end_for(at(Phase.RINGING), END, reason)
    assert [it.retry_after_s for it in of_type(commands, do.RefuseCaller)] == [retry_after_s]


@pytest.mark.parametrize(("side", "roles"), [(Side.A, ["second", "first"]), (Side.B, ["first", "second"])])
def test_the_side_that_ended_the_call_is_told_of_first(side: Side, roles: list[str]) -> None:
    """Both answered legs end with the call; a started second of a leg counts whole."""
    bridged, _ = run(*JOINED, plan=PLANS["prompted"])
    assert bridged.phase is Phase.BRIDGED
    assert bridged.callee_answered_at is not None
    instant = bridged.callee_answered_at + 2 * S + 1
    _, commands = step(bridged, on.LegEnded(side, on.LegEnd.BYE), instant)
    told = [it.event.facts for it in of_type(commands, do.Report)]
    assert [facts["role"] for facts in told] == roles
    assert {facts["role"]: facts["duration_s"] for facts in told}["first"] == 3


def test_a_leg_that_was_not_answered_has_not_hung_up() -> None:
    """The caller heard its prompt and gave up while the callee's phone rang: one hang-up, the caller's."""
    events = (*PATHS[Phase.PROMPTING][1], on.PromptFinished(Side.A), on.LegProgressed(Side.B, 180))
    ringing, _ = run(*events, plan=PLANS["prompted"])
    _, commands = step(ringing, on.LegEnded(Side.A, on.LegEnd.BYE), END)
    told = [it.event for it in of_type(commands, do.Report) if it.event.kind is EventKind.PARTY_HUNG_UP]
    assert [event.facts["role"] for event in told] == ["second"]


def test_a_service_initiated_call_without_session_says_whose_it_was() -> None:
    """An order whose session was taken leaves a refusal that names the service, and nobody was called."""
    plan = PLANS["ordered"]
    ended, commands = run(on.ClaimRefused(on.ClaimRefusal.BUSY), plan=plan)
    (refusal,) = of_type(commands, do.WriteRefusal)
    assert refusal.refused.is_service_initiated
    assert refusal.refused.session_id == plan.session_id
    assert of_type(commands, do.Originate) == []
    assert ended.is_forgotten


def test_a_recording_is_of_calls_that_were_bridged() -> None:
    """A call that ended before has none, though its session asks for one."""
    for events, recording_id in (((CLAIMED, on.MediaOpened()), None), (JOINED, "r1")):
        state, _ = run(*events, plan=PLANS["prompted"])
        _, commands = end_for(state, END, Reason.MEDIA_LOST)
        assert [it.record.recording_id for it in of_type(commands, do.WriteRecord)] == [recording_id]

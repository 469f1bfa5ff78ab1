"""From B's answer to the bridge, with a prompt for B."""

import pytest
from tests.core.call.plans import CLAIMED, PLANS, PROMPTED, START, S, of_type, run

from maskline.core.call import commands as do
from maskline.core.call import events as on
from maskline.core.call.events import PromptKind, Timer
from maskline.core.call.state import Phase
from maskline.core.call_record import Side
from maskline.core.termination import Reason

MET: tuple[on.Event, ...] = (
    CLAIMED,
    on.MediaOpened(),
    on.PromptFailed(PromptKind.CALLER, "codec"),
    on.LegProgressed(Side.B, 180),
    on.LegAnswered(Side.B),
)
GREETED = (*MET, on.CalleeReady(), on.PromptFinished(Side.B))


def test_callee_hears_its_prompt_before_the_bridge() -> None:
    """B is met, hears its prompt alone, and only then is A answered."""
    state, said = run(*GREETED, on.BridgePrepared(), plan=PLANS["prompted"])
    order = [type(command) for command in said]
    assert order.index(do.ConnectCallee) < order.index(do.Play) < order.index(do.PrepareBridge)
    assert order.index(do.PrepareBridge) < order.index(do.AnswerCaller) < order.index(do.StartRecording)
    assert of_type(said, do.Play) == [
        do.Play(Side.B, do.Prompt(PromptKind.CALLEE, PROMPTED.callee_play_url)),
        do.Play(Side.B, do.Prompt(PromptKind.SILENCE), repeats=True),
    ]
    assert do.StopPlaying(Side.B) in said[order.index(do.AnswerCaller) :]
    assert state.phase is Phase.BRIDGED
    limits = {c.timer: c.at for c in of_type(said, do.ArmTimer)}
    assert limits[Timer.LIMIT_B] - limits[Timer.LIMIT_A] == -3 * S  # B answered three seconds before A was


@pytest.mark.parametrize(
    "failure", [on.PromptFailed(PromptKind.CALLEE, "too-long"), on.TimerFired(Timer.STEP)]
)
def test_callees_prompt_never_keeps_the_two_apart(failure: on.Event) -> None:
    """A prompt that fails, or never ends, is left and the parties joined."""
    state, said = run(*MET, on.CalleeReady(), failure, plan=PLANS["prompted"])
    assert state.phase is Phase.JOINING
    assert of_type(said, do.PrepareBridge)


def test_callee_hears_nothing_of_the_caller_until_the_bridge() -> None:
    """Between its prompt and the bridge silence plays: the session may turn out to be over (I2)."""
    state, said = run(*GREETED, plan=PLANS["prompted"])
    assert state.phase is Phase.JOINING
    assert said[-2:] == [
        do.Play(Side.B, do.Prompt(PromptKind.SILENCE), repeats=True),
        do.PrepareBridge(),
    ]
    assert not of_type(said, do.StopPlaying)


def test_ringback_that_fails_does_not_skip_the_callees_prompt() -> None:
    """Each failure is of one prompt; the callee goes on listening to its own."""
    failed = on.PromptFailed(PromptKind.RINGBACK, "relay", is_built_in=True)
    state, said = run(*MET, on.CalleeReady(), failed, plan=PLANS["prompted"])
    assert state.phase is Phase.GREETING
    assert not of_type(said, do.PrepareBridge)


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (on.LegEnded(Side.A, on.LegEnd.CANCEL), Reason.CALLER_CANCELLED),
        (on.LegEnded(Side.B, on.LegEnd.BYE), Reason.CALLEE_GONE),
        (on.TimerFired(Timer.WINDOW), Reason.SESSION_ENDED),
        (on.SessionRevoked(), Reason.SESSION_ENDED),
        (on.MediaLost(), Reason.MEDIA_LOST),
    ],
)
def test_call_may_end_while_the_callee_listens(event: on.Event, reason: Reason) -> None:
    """Whatever ends a call ends it then too: nothing is bridged outside the window (I2)."""
    state, said = run(*MET, on.CalleeReady(), event, plan=PLANS["prompted"])
    assert state.termination is not None
    assert state.termination.reason is reason
    assert not of_type(said, do.StartRecording)
    (written,) = of_type(said, do.WriteRecord)
    assert written.record.recording_id is None
    assert written.record.callee_answered_at == START + 5 * S


def test_callee_whose_answer_is_of_no_use_is_let_go() -> None:
    """An answer without a codec of ours ends the call as not acceptable."""
    state, _ = run(*MET, on.BridgeRefused(on.BridgeRefusal.ANSWER), plan=PLANS["prompted"])
    assert state.termination is not None
    assert state.termination.reason is Reason.CALLEE_NOT_ACCEPTABLE

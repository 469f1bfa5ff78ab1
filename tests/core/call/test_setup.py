"""What comes before leg B: prompts for the caller, announcements, calls of our own, targets in turn."""

import pytest
from tests.core.call.plans import CLAIMED, PLANS, PROMPTED, START, S, of_type, run

from maskline.core.call import commands as do
from maskline.core.call import events as on
from maskline.core.call.events import PromptKind, Timer
from maskline.core.call.state import Phase
from maskline.core.call_record import Side
from maskline.core.events import EventKind
from maskline.core.targets import TARGET_TIMEOUT_S
from maskline.core.termination import Reason

OVER = on.PromptFinished(Side.A)
FETCHING: tuple[on.Event, ...] = (CLAIMED, on.MediaOpened())
HEARD = (*FETCHING, on.PromptReady(), on.CallerReady(), OVER)


def kinds_of(said: list[do.Command]) -> list[EventKind]:
    return [command.event.kind for command in of_type(said, do.Report)]


def test_caller_hears_its_prompt_before_anybody_is_dialled() -> None:
    """Fetched, answered, played to the end, and only then leg B; then our ringback in place of 180."""
    state, said = run(*HEARD, on.LegProgressed(Side.B, 180), plan=PLANS["prompted"])
    order = [type(command) for command in said]
    assert order.index(do.FetchPrompt) < order.index(do.AnswerCaller) < order.index(do.Play)
    assert order.index(do.SaveDialogs) < order.index(do.Play) < order.index(do.Originate)
    assert state.phase is Phase.RINGING
    assert not of_type(said, do.RingCaller)
    assert of_type(said, do.Play)[-1] == do.Play(Side.A, do.Prompt(PromptKind.RINGBACK), repeats=True)


def test_nothing_is_played_before_the_caller_has_acknowledged() -> None:
    """The first word of a prompt is not spoken into a leg that does not stand yet."""
    _, said = run(*FETCHING, on.PromptReady(), plan=PLANS["prompted"])
    assert of_type(said, do.AnswerCaller)
    assert not of_type(said, do.Play)


@pytest.mark.parametrize(
    "failure", [on.PromptFailed(PromptKind.CALLER, "not-found"), on.TimerFired(Timer.STEP)]
)
def test_prompt_that_cannot_be_had_is_skipped(failure: on.Event) -> None:
    """The caller is not answered for it: the call goes on as without a prompt, and the failure is told."""
    state, said = run(*FETCHING, failure, on.LegProgressed(Side.B, 180), plan=PLANS["prompted"])
    assert state.phase is Phase.RINGING
    assert not of_type(said, do.AnswerCaller)
    assert of_type(said, do.RingCaller)
    assert EventKind.PROMPT_FAILED in kinds_of(said)


@pytest.mark.parametrize("failure", [on.PromptFailed(PromptKind.CALLER, "relay"), on.TimerFired(Timer.STEP)])
def test_prompt_that_stops_half_way_is_left(failure: on.Event) -> None:
    """The caller is on the line already: the other party is dialled."""
    state, said = run(*FETCHING, on.PromptReady(), on.CallerReady(), failure, plan=PLANS["prompted"])
    assert state.phase is Phase.DIALLING
    assert of_type(said, do.Originate) == [do.Originate(Side.B)]


def test_registered_caller_of_a_session_with_pin_is_told_of() -> None:
    """That no PIN was needed is an event of its own."""
    _, said = run(CLAIMED, plan=PLANS["prompted"])
    (told,) = of_type(said, do.Report)
    assert told.event.kind is EventKind.PIN_CHECKED
    assert told.event.facts["result"] == "authorized"


def test_announcement_is_heard_and_the_call_ends() -> None:
    """Answered, told, hung up; no session is claimed and the refusal says when the caller was answered."""
    state, said = run(on.MediaOpened(), on.PromptReady(), on.CallerReady(), OVER, plan=PLANS["announced"])
    assert state.phase is Phase.ENDED
    assert not of_type(said, do.ClaimSession)
    assert [command.side for command in of_type(said, do.HangUp)] == [Side.A]
    (written,) = of_type(said, do.WriteRefusal)
    assert written.refused.answered_at == START + 2 * S
    assert written.refused.session_id == "s1"
    assert written.refused.termination.reason is Reason.NO_SESSION


def test_announcement_that_cannot_be_had_is_a_plain_refusal() -> None:
    """Nobody is answered to hear nothing."""
    failed = on.PromptFailed(PromptKind.ANNOUNCEMENT, "fetch-failed")
    _, said = run(on.MediaOpened(), failed, plan=PLANS["announced"])
    assert not of_type(said, do.AnswerCaller)
    assert of_type(said, do.RefuseCaller) == [do.RefuseCaller(480)]


def test_service_calls_the_first_party_then_the_second() -> None:
    """Leg A is dialled, answers, hears its prompt; then leg B, ringback meanwhile, its prompt, the bridge."""
    ladder = (
        CLAIMED,
        on.MediaOpened(),
        on.LegProgressed(Side.A, 180),
        on.LegAnswered(Side.A),
        on.CallerReady(),
        OVER,
        on.LegProgressed(Side.B, 180),
        on.LegAnswered(Side.B),
        on.CalleeReady(),
        on.PromptFinished(Side.B),
        on.BridgePrepared(),
        on.LegEnded(Side.A, on.LegEnd.BYE),
    )
    state, said = run(*ladder, plan=PLANS["ordered"])
    assert [c.side for c in of_type(said, do.Originate)] == [Side.A, Side.B]
    assert not of_type(said, do.AnswerCaller)
    assert [c.prompt.kind for c in of_type(said, do.Play)] == [
        PromptKind.CALLER,
        PromptKind.RINGBACK,
        PromptKind.CALLEE,
        PromptKind.SILENCE,
    ]
    assert kinds_of(said) == [
        EventKind.PIN_CHECKED,
        EventKind.PARTY_ANSWERED,
        EventKind.PARTY_RINGING,
        EventKind.PARTY_ANSWERED,
        EventKind.PARTY_HUNG_UP,
        EventKind.PARTY_HUNG_UP,
    ]
    (written,) = of_type(said, do.WriteRecord)
    record = written.record
    assert record.is_service_initiated
    assert record.recording_id == "r1"
    assert (record.answered_at, record.bridged_at) == (START + 4 * S, START + 11 * S)
    assert state.termination is not None
    assert state.termination.reason is Reason.CALLER_HUNG_UP


def test_first_party_that_does_not_answer_ends_the_order() -> None:
    """The second party is never dialled, and leg A is cancelled."""
    _, said = run(CLAIMED, on.MediaOpened(), on.TimerFired(Timer.RING), plan=PLANS["ordered"])
    assert [c.side for c in of_type(said, do.Originate)] == [Side.A]
    assert [c.side for c in of_type(said, do.HangUp)] == [Side.A]
    (written,) = of_type(said, do.WriteRecord)
    assert written.record.answered_at is None
    assert not written.record.is_callee_dialled
    assert written.record.termination.reason is Reason.FIRST_RING_TIMEOUT


def test_first_party_that_is_busy_is_not_called_the_callee() -> None:
    """What befalls leg A of an order has reasons of its own."""
    state, _ = run(CLAIMED, on.MediaOpened(), on.LegFailed(Side.A, 486), plan=PLANS["ordered"])
    assert state.termination is not None
    assert state.termination.reason is Reason.FIRST_BUSY


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (on.LegFailed(Side.A, 486), Reason.FIRST_BUSY),
        (on.LegFailed(Side.A, 603), Reason.FIRST_DECLINED),
        (on.LegFailed(Side.A, 500), Reason.CARRIER_FAILED),
        (on.TimerFired(Timer.RING), Reason.FIRST_RING_TIMEOUT),
    ],
)
def test_what_befalls_the_first_party_is_told_as_its_own(event: on.Event, reason: Reason) -> None:
    """Leg A's failure is not taken for the second party's, who never heard of the call."""
    state, said = run(CLAIMED, on.MediaOpened(), on.LegProgressed(Side.A, 180), event, plan=PLANS["ordered"])
    assert state.termination is not None
    assert state.termination.reason is reason
    assert [c.side for c in of_type(said, do.Originate)] == [Side.A]


def test_order_that_finds_its_session_busy_is_an_order_in_the_books() -> None:
    """What was refused before anybody was called is told as a call the service owed."""
    _, said = run(on.ClaimRefused(on.ClaimRefusal.BUSY), plan=PLANS["ordered"])
    (written,) = of_type(said, do.WriteRefusal)
    assert written.refused.is_service_initiated


def test_first_party_on_the_line_is_known_to_a_successor() -> None:
    """Its dialog is kept as soon as it stands, not when the second party is dialled a long prompt later."""
    _, said = run(CLAIMED, on.MediaOpened(), on.LegAnswered(Side.A), on.CallerReady(), plan=PLANS["ordered"])
    assert of_type(said, do.SaveDialogs)
    assert of_type(said, do.Originate) == [do.Originate(Side.A)]


def test_order_that_ends_before_its_first_leg_leaves_none() -> None:
    """Nobody is told of a call that was never placed."""
    state, said = run(CLAIMED, on.SessionRevoked(), plan=PLANS["ordered"])
    assert not of_type(said, do.HangUp)
    assert of_type(said, do.Forget)
    assert state.is_forgotten


DIALLED = (*FETCHING, on.PromptFailed(PromptKind.CALLER, "codec"))


@pytest.mark.parametrize("failure", [on.LegFailed(Side.B, 503), on.LegFailed(Side.B, 408, is_local=True)])
def test_next_target_is_tried_before_anything_was_heard(failure: on.Event) -> None:
    """A target that is congested or mute is left for the next, as often as there are targets."""
    state, said = run(*DIALLED, failure, failure, plan=PLANS["prompted"])
    assert of_type(said, do.Originate) == [do.Originate(Side.B)] * 3
    assert state.phase is Phase.DIALLING
    state, _ = run(*DIALLED, failure, failure, failure, plan=PLANS["prompted"])
    assert state.phase is Phase.ENDED


def test_silent_target_is_abandoned_in_time() -> None:
    """While others are left, a target that says nothing gets four seconds; the last one all it needs."""
    patience = on.TimerFired(Timer.STEP)
    state, said = run(*DIALLED, patience, patience, patience, plan=PLANS["prompted"])
    assert len(of_type(said, do.Originate)) == 3
    assert of_type(said, do.Abandon) == [do.Abandon(Side.B)] * 2
    assert state.phase is Phase.DIALLING
    armed = [c.at for c in of_type(said, do.ArmTimer) if c.timer is Timer.STEP]
    assert START + 3 * S + round(TARGET_TIMEOUT_S * S) in armed


@pytest.mark.parametrize("sign", [180, 181, 183])
def test_target_that_may_have_rung_is_the_one(sign: int) -> None:
    """After any word of the callee neither silence nor a failure leads to another target."""
    state, said = run(
        *DIALLED,
        on.LegProgressed(Side.B, sign),
        on.TimerFired(Timer.STEP),
        on.LegFailed(Side.B, 503),
        plan=PLANS["prompted"],
    )
    assert len(of_type(said, do.Originate)) == 1
    assert state.phase is Phase.ENDED


def test_target_that_only_says_it_is_there_is_waited_for_and_may_still_fail() -> None:
    """A 100 keeps a slow target; a 503 behind it, as proxies send it, leads to the next."""
    trying = on.LegProgressed(Side.B, 100)
    state, said = run(*DIALLED, trying, on.LegFailed(Side.B, 503), plan=PLANS["prompted"])
    assert len(of_type(said, do.Originate)) == 2
    assert state.phase is Phase.DIALLING
    assert said.count(do.CancelTimer(Timer.STEP)) >= 1


def test_busy_callee_is_not_tried_elsewhere() -> None:
    """What the callee itself says is final."""
    state, said = run(*DIALLED, on.LegFailed(Side.B, 486), plan=PLANS["prompted"])
    assert len(of_type(said, do.Originate)) == 1
    assert state.phase is Phase.ENDED


def test_ringing_is_limited_on_either_leg() -> None:
    """ring_timeout counts from the dialling of each leg."""
    _, said = run(CLAIMED, on.MediaOpened(), plan=PLANS["ordered"])
    assert do.ArmTimer(Timer.RING, START + (2 + PROMPTED.ring_timeout_s) * S) in said

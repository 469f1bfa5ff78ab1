"""On the way to leg B: claim, relay, what the caller hears first, and the dialling of either leg."""

from typing import Final

from maskline.core.call import commands as do
from maskline.core.call import events as on
from maskline.core.call.common import (
    CANCEL,
    FETCH_TIMEOUT_S,
    PROMPT_TIMEOUT_S,
    STEP_TIMEOUT_S,
    Step,
    arm,
    check_side,
    limit,
    report,
    tell,
)
from maskline.core.call.ending import end, end_for, settle_claim
from maskline.core.call.events import PromptKind, Timer
from maskline.core.call.pin_entry import ask_for_pin
from maskline.core.call.state import CallPlan, CallState, Claim, Phase
from maskline.core.call_record import Side
from maskline.core.events import EventKind
from maskline.core.routing import PinStanding
from maskline.core.targets import TARGET_TIMEOUT_S, is_worth_another_target
from maskline.core.termination import Reason, terminate, terminate_callee_failure, terminate_first_failure

_CLAIM_REFUSED: Final = {
    on.ClaimRefusal.BUSY: Reason.SESSION_BUSY,
    on.ClaimRefusal.ENDED: Reason.SESSION_ENDED,
    on.ClaimRefusal.UNAVAILABLE: Reason.OVERLOADED,
}
_MEDIA_REFUSED: Final = {
    on.MediaRefusal.FULL: Reason.OVERLOADED,
    on.MediaRefusal.UNAVAILABLE: Reason.MEDIA_LOST,
    on.MediaRefusal.NO_COMMON_CODEC: Reason.CALLER_NOT_ACCEPTABLE,
}


def begin(plan: CallPlan) -> Step:
    """Start a call that routing admitted."""
    patience = arm(Timer.STEP, plan.started_at, STEP_TIMEOUT_S)
    if plan.connect is None:
        return CallState(plan=plan, phase=Phase.OPENING, has_media=True), (patience, do.OpenMedia())
    state = CallState(
        plan=plan,
        connect=plan.connect,
        claim=Claim.ASKED,
        has_leg_a=not plan.is_service_initiated,
        window_ends_at=plan.connect.ends_at,
    )
    return state, (do.ArmTimer(Timer.WINDOW, plan.connect.ends_at), patience, do.ClaimSession())


# --- claim and relay ----------------------------------------------------------------------------------------


def claimed(state: CallState, event: on.CallClaimed, now: int) -> Step:
    """The session is ours."""
    assert state.connect is not None
    moved: tuple[do.Command, ...] = ()
    if event.window_ends_at != state.window_ends_at:
        moved = (do.ArmTimer(Timer.WINDOW, event.window_ends_at),)
    if state.connect.pin is PinStanding.AUTHORIZED:
        moved += report(state, EventKind.PIN_CHECKED, now, result="authorized", attempt=0)
    window_ends_at = event.window_ends_at
    if not state.has_media:
        opening = state._replace(
            phase=Phase.OPENING, claim=Claim.HELD, window_ends_at=window_ends_at, has_media=True
        )
        return opening, (*moved, do.OpenMedia())
    # A PIN opened this session: the caller is on the line, and only now it is known for whom.
    assert state.answered_at is not None
    moved += tell(state, EventKind.PARTY_ANSWERED, Side.A, state.answered_at)
    after, commands = _greet_caller(state._replace(claim=Claim.HELD, window_ends_at=window_ends_at), now)
    return after, (*moved, *commands)


def claim_refused(state: CallState, event: on.ClaimRefused, now: int) -> Step:
    """The session is not ours, and the call over."""
    ended, commands = end(state, now, terminate(_CLAIM_REFUSED[event.reason]))
    ended, writing = settle_claim(ended, event, now)
    return ended, (*commands, *writing)


def media_refused(state: CallState, event: on.MediaRefused, now: int) -> Step:
    """No relay, or nothing to offer."""
    return end_for(state, now, _MEDIA_REFUSED[event.reason])


def media_opened(state: CallState, _event: on.MediaOpened, now: int) -> Step:
    """The relay has ports: answer, fetch or dial, as the call needs."""
    plan = state.plan
    if plan.is_service_initiated:
        return _dial(state, Side.A, now)
    if plan.dialogue is not None:
        return _answer_early(state, now)
    prompt = _prompt_for_caller(state)
    if prompt is None:
        return _dial_callee(state, now)
    return state._replace(phase=Phase.FETCHING), (
        arm(Timer.STEP, now, FETCH_TIMEOUT_S),
        do.FetchPrompt(prompt),
    )


def _prompt_for_caller(state: CallState) -> do.Prompt | None:
    """What A hears before anything else, if A has to be answered for it."""
    if state.plan.announcement is not None:
        return do.Prompt(PromptKind.ANNOUNCEMENT, state.plan.announcement.url)
    if state.connect is None or not state.connect.caller_play_url:
        return None
    return do.Prompt(PromptKind.CALLER, state.connect.caller_play_url)


# --- what the caller hears first ----------------------------------------------------------------------------


def prompt_ready(state: CallState, _event: on.PromptReady, now: int) -> Step:
    """There is something to hear: now A may be answered."""
    return _answer_early(state, now)


def prompt_missing(state: CallState, event: on.PromptFailed, now: int) -> Step:
    """There is nothing to hear: A is put through, or refused, as if there had never been a prompt."""
    told = report(state, EventKind.PROMPT_FAILED, now, prompt=event.prompt.value, failure=event.failure)
    after, commands = _without_prompt(state, now)
    return after, (*told, *commands)


def fetch_timed_out(state: CallState, now: int) -> Step:
    """The prompt takes too long to get."""
    prompt = _prompt_for_caller(state)
    assert prompt is not None
    return prompt_missing(state, on.PromptFailed(prompt.kind, "fetch-timeout"), now)


def _without_prompt(state: CallState, now: int) -> Step:
    if state.plan.announcement is not None:
        return end_for(state, now, Reason(state.plan.announcement.reason.value))
    return _dial_callee(state, now)


def _answer_early(state: CallState, now: int) -> Step:
    """Answer A before B is dialled; nothing is played until A's ACK, so that no word is lost."""
    answering = state._replace(phase=Phase.ANSWERING, answered_at=now)
    commands = (CANCEL[Timer.STEP], do.AnswerCaller())  # the user agent does not wait for an ACK for ever
    if state.connect is None:
        return answering, commands
    told = tell(answering, EventKind.PARTY_ANSWERED, Side.A, now)
    return answering, (*commands, limit(state, Side.A, now), *told)


def caller_ready(state: CallState, _event: on.CallerReady, now: int) -> Step:
    """A is on the line and can be played to."""
    if state.plan.announcement is not None:
        prompt = _prompt_for_caller(state)
        assert prompt is not None
        announcing = state._replace(phase=Phase.ANNOUNCING)
        return announcing, (arm(Timer.STEP, now, PROMPT_TIMEOUT_S), do.Play(Side.A, prompt))
    if state.connect is None:
        asking, commands = ask_for_pin(state, now)
        return asking, (do.TakeDigits(), *commands)
    return _greet_caller(state, now)


def _greet_caller(state: CallState, now: int) -> Step:
    """A is on the line with its session claimed: play its prompt, else dial B."""
    save = do.SaveDialogs()  # from now on a successor must be able to let A go
    prompt = _prompt_for_caller(state)
    if prompt is None:
        dialling, commands = _dial_callee(state, now)
        return dialling, (save, *commands)
    prompting = state._replace(phase=Phase.PROMPTING)
    return prompting, (save, arm(Timer.STEP, now, PROMPT_TIMEOUT_S), do.Play(Side.A, prompt))


def caller_prompted(state: CallState, _event: object, now: int) -> Step:
    """A heard its prompt."""
    return _dial_callee(state, now)


def caller_not_prompted(state: CallState, event: on.PromptFailed, now: int) -> Step:
    """A's prompt could not be played: it is skipped and reported."""
    return prompt_missing(state, event, now) if event.prompt is PromptKind.CALLER else (state, ())


def announced(state: CallState, _event: object, now: int) -> Step:
    """A heard why it is not put through."""
    assert state.plan.announcement is not None
    return end_for(state, now, Reason(state.plan.announcement.reason.value))


# --- dialling -----------------------------------------------------------------------------------------------


def _dial_callee(state: CallState, now: int) -> Step:
    return _dial(state, Side.B, now)


def _dial(state: CallState, side: Side, now: int) -> Step:
    """Send a leg's INVITE to the first target."""
    assert state.connect is not None
    count_left = state.plan.target_count - 1
    if side is Side.A:
        dialling = state._replace(phase=Phase.CALLING, has_leg_a=True, target_count_left=count_left)
    else:
        dialling = state._replace(phase=Phase.DIALLING, has_leg_b=True, target_count_left=count_left)
    ringing = arm(Timer.RING, now, state.connect.ring_timeout_s)
    return dialling, (_target_patience(dialling, now), do.Originate(side), ringing)


def _target_patience(state: CallState, now: int) -> do.Command:
    """While there is another target, one that says nothing at all is not waited for long."""
    if state.target_count_left > 0:
        return arm(Timer.STEP, now, TARGET_TIMEOUT_S)
    return CANCEL[Timer.STEP]


def heard_of(state: CallState, event: on.LegProgressed, _now: int) -> Step:
    """The target is there, and not left for being slow; once it says more than 100 a phone may ring: it is the one."""
    if state.target_count_left == 0:
        return state, ()
    left = state.target_count_left if event.status == 100 else 0
    return state._replace(target_count_left=left), (CANCEL[Timer.STEP],)


def caller_rang(state: CallState, event: on.LegProgressed, now: int) -> Step:
    """The first party's own phone was heard of."""
    check_side(state, event.side, Side.A)
    return heard_of(state, event, now)


def caller_answered(state: CallState, event: on.LegAnswered, now: int) -> Step:
    """The first party took the call that we place."""
    check_side(state, event.side, Side.A)
    answering = state._replace(phase=Phase.ANSWERING, answered_at=now, target_count_left=0)
    return answering, (
        CANCEL[Timer.RING],
        arm(Timer.STEP, now, STEP_TIMEOUT_S),
        limit(state, Side.A, now),
        do.ConnectCaller(),
        *tell(answering, EventKind.PARTY_ANSWERED, Side.A, now),
    )


def caller_not_connected(state: CallState, event: on.BridgeRefused, now: int) -> Step:
    """What the first party answered with is of no use, or the relay is gone."""
    reason = Reason.MEDIA_LOST if event.reason is on.BridgeRefusal.MEDIA else Reason.FIRST_NOT_ACCEPTABLE
    return end_for(state, now, reason)


def leg_failed(state: CallState, event: on.LegFailed, now: int) -> Step:
    """A leg we dialled ended without an answer: try another target while that makes sense."""
    is_calling = state.phase is Phase.CALLING
    check_side(state, event.side, Side.A if is_calling else Side.B)
    has_rung = state.phase is Phase.RINGING
    if state.target_count_left > 0 and is_worth_another_target(
        event.status, is_local=event.is_local, has_rung=has_rung
    ):
        return _try_next(state, event.side, now)
    told = terminate_first_failure if is_calling else terminate_callee_failure
    return end(state, now, told(event.status, q850=event.q850, is_local=event.is_local))


def target_timed_out(state: CallState, now: int) -> Step:
    """The target said nothing: leave it for the next."""
    if state.target_count_left == 0:
        return state, ()
    side = Side.A if state.phase is Phase.CALLING else Side.B
    after, commands = _try_next(state, side, now)
    return after, (do.Abandon(side), *commands)


def _try_next(state: CallState, side: Side, now: int) -> Step:
    after = state._replace(target_count_left=state.target_count_left - 1)
    return after, (_target_patience(after, now), do.Originate(side))

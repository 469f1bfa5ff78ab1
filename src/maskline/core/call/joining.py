"""From B's first sign of life to the bridge."""

from typing import Final

from maskline.core.call import commands as do
from maskline.core.call import events as on
from maskline.core.call.common import (
    CANCEL,
    PROMPT_TIMEOUT_S,
    STEP_TIMEOUT_S,
    Step,
    arm,
    check_side,
    limit,
    report,
    tell,
)
from maskline.core.call.ending import end_for
from maskline.core.call.events import PromptKind, Timer
from maskline.core.call.setup import heard_of
from maskline.core.call.state import CallState, Phase
from maskline.core.call_record import Side
from maskline.core.events import EventKind
from maskline.core.termination import Reason

RINGING_STATUSES: Final = frozenset({180, 183})
KEY_UP_S: Final = 1
"""The key that ends a PIN may still be down when B's phone answers by itself."""
_BRIDGE_REFUSED: Final = {
    on.BridgeRefusal.WINDOW: Reason.SESSION_ENDED,
    on.BridgeRefusal.MEDIA: Reason.MEDIA_LOST,
    on.BridgeRefusal.ANSWER: Reason.CALLEE_NOT_ACCEPTABLE,
}


def callee_progressed(state: CallState, event: on.LegProgressed, now: int) -> Step:
    """B was heard of; its first ringing rings A, by 180 or, where A is on the line already, by a tone."""
    check_side(state, event.side, Side.B)
    heard, commands = heard_of(state, event, now)
    if event.status not in RINGING_STATUSES:
        return heard, commands
    is_on_the_line = state.answered_at is not None
    ringing = heard._replace(phase=Phase.RINGING, ringing_at=now, is_ringback_on=is_on_the_line)
    sign: do.Command = (
        do.Play(Side.A, do.Prompt(PromptKind.RINGBACK), repeats=True) if is_on_the_line else do.RingCaller()
    )
    return ringing, (*commands, sign, *tell(ringing, EventKind.PARTY_RINGING, Side.B, now))


def callee_answered(state: CallState, event: on.LegAnswered, now: int) -> Step:
    """B answered: it hears its prompt, or is joined at once."""
    check_side(state, event.side, Side.B)
    assert state.connect is not None
    phase, then = (
        (Phase.MEETING, do.ConnectCallee())
        if state.connect.callee_play_url
        else (Phase.JOINING, do.PrepareBridge())
    )
    return state._replace(phase=phase, callee_answered_at=now, target_count_left=0), (
        CANCEL[Timer.RING],
        arm(Timer.STEP, now, STEP_TIMEOUT_S),
        limit(state, Side.B, now),
        then,
        *tell(state, EventKind.PARTY_ANSWERED, Side.B, now),
    )


def callee_ready(state: CallState, _event: on.CalleeReady, now: int) -> Step:
    """B can be played to."""
    assert state.connect is not None
    prompt = do.Prompt(PromptKind.CALLEE, state.connect.callee_play_url)
    greeting = state._replace(phase=Phase.GREETING)
    return greeting, (arm(Timer.STEP, now, PROMPT_TIMEOUT_S), do.Play(Side.B, prompt))


def callee_greeted(state: CallState, _event: object, now: int) -> Step:
    """B heard its prompt; until the bridge it hears nothing, not A either."""
    return state._replace(phase=Phase.JOINING), (
        arm(Timer.STEP, now, STEP_TIMEOUT_S),
        do.Play(Side.B, do.Prompt(PromptKind.SILENCE), repeats=True),
        do.PrepareBridge(),
    )


def callee_not_greeted(state: CallState, event: on.PromptFailed, now: int) -> Step:
    """B's prompt could not be played: it is skipped and reported."""
    if event.prompt is not PromptKind.CALLEE:
        return state, ()
    told = report(state, EventKind.PROMPT_FAILED, now, prompt=event.prompt.value, failure=event.failure)
    joining, commands = callee_greeted(state, event, now)
    return joining, (*told, *commands)


def bridge_prepared(state: CallState, _event: on.BridgePrepared, now: int) -> Step:
    """Both are there and the session stood a moment ago: join them, if it is not over by now."""
    assert state.connect is not None
    if now >= state.window_ends_at:  # its timer is due as well, but may come a moment later
        return end_for(state, now, Reason.SESSION_ENDED)
    answered_at = now if state.answered_at is None else state.answered_at
    bridged = state._replace(
        phase=Phase.BRIDGED, bridged_at=now, answered_at=answered_at, is_ringback_on=False
    )
    commands: list[do.Command] = [CANCEL[Timer.STEP], CANCEL[Timer.WINDOW]]
    if state.answered_at is None:
        commands.append(do.AnswerCaller())
        commands.append(limit(state, Side.A, now))
        commands += tell(bridged, EventKind.PARTY_ANSWERED, Side.A, now)
    if state.is_ringback_on:
        commands.append(do.StopPlaying(Side.A))
    if state.connect.callee_play_url:
        commands.append(do.StopPlaying(Side.B))
    commands.append(do.SaveDialogs())
    if state.connect.is_recorded:
        commands.append(do.StartRecording())
    if state.plan.dialogue is not None:
        commands.append(arm(Timer.STEP, now, KEY_UP_S))
    return bridged, tuple(commands)


def keys_are_up(state: CallState, _now: int) -> Step:
    """The keys of a PIN have long been let go: from now on they are the parties' own."""
    return state, () if state.plan.dialogue is None else (do.PassDigits(),)


def bridge_refused(state: CallState, event: on.BridgeRefused, now: int) -> Step:
    """The legs may not, or cannot, be joined."""
    return end_for(state, now, _BRIDGE_REFUSED[event.reason])

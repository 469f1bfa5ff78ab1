"""The call machine: `step(state, event, now) -> (state, commands)`.

Theory of operation. A call is admitted for one of four ends. A registered party is joined to the other: the call
claims its session, opens the relay, dials the callee from the virtual number, rings the caller when the callee
rings, and, when the callee answers, looks at the session once more before it answers the caller and joins the two.
A party with a prompt hears it first: the caller, answered for it, before the callee is dialled; the callee before
the bridge. A caller who has to enter a PIN is answered and asked; a right PIN names the session, and the call goes on
as above. A caller who is not put through may be answered to hear why. And the service may call the first party
itself, and then the second. From the bridge a call ends by either side, a time limit, silence on the media, or us.
Every way out goes through `ending.end`, so a call has one ending and one record (I4), and nothing is joined outside
its window (I2).

The table at the end is the whole machine: a pair (phase, event) that is not in it cannot happen, and says so.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import assert_never

from maskline.core.call import commands as do
from maskline.core.call import events as on
from maskline.core.call.common import Handler, ImpossibleEventError, Step
from maskline.core.call.ending import RETRY_AFTER_S, end, end_for, leg_ended, released, settle_claim
from maskline.core.call.events import Timer
from maskline.core.call.joining import (
    bridge_prepared,
    bridge_refused,
    callee_answered,
    callee_greeted,
    callee_not_greeted,
    callee_progressed,
    callee_ready,
    keys_are_up,
)
from maskline.core.call.pin_entry import (
    ask_for_pin,
    await_digits,
    corrected,
    digit_pressed,
    entered,
    pin_accepted,
    pin_prompt_failed,
    pin_refused,
)
from maskline.core.call.setup import (
    announced,
    begin,
    caller_answered,
    caller_not_connected,
    caller_not_prompted,
    caller_prompted,
    caller_rang,
    caller_ready,
    claim_refused,
    claimed,
    fetch_timed_out,
    leg_failed,
    media_opened,
    media_refused,
    prompt_missing,
    prompt_ready,
    target_timed_out,
)
from maskline.core.call.state import CallState, Phase
from maskline.core.call_record import Side
from maskline.core.termination import Reason, Result, Termination, terminate

__all__ = ["RETRY_AFTER_S", "TABLE", "ImpossibleEventError", "begin", "step"]


def step(state: CallState, event: on.Event, now: int) -> Step:
    """Take one event. `now` is microseconds UTC. Raises `ImpossibleEventError` for a pair outside the table."""
    handler = TABLE[state.phase].get(type(event))
    if handler is None:
        raise ImpossibleEventError(f"{type(event).__name__} while {state.phase}")
    return handler(state, event, now)


_NOT_TAKEN: Mapping[Phase, Reason] = {
    Phase.CALLING: Reason.FIRST_RING_TIMEOUT,
    Phase.DIALLING: Reason.RING_TIMEOUT,
    Phase.RINGING: Reason.RING_TIMEOUT,
}


# --- timers -------------------------------------------------------------------------------------------------


def _timer_fired(state: CallState, event: on.TimerFired, now: int) -> Step:
    match event.timer:
        case Timer.STEP:
            return OUT_OF_PATIENCE[state.phase](state, now)
        case Timer.RING:
            reason = _NOT_TAKEN.get(state.phase)
            return (state, ()) if reason is None else end_for(state, now, reason)
        case Timer.WINDOW:
            return (state, ()) if state.phase is Phase.BRIDGED else end_for(state, now, Reason.SESSION_ENDED)
        case Timer.LIMIT_A | Timer.LIMIT_B:
            return end(state, now, _time_limit(state))
        case _:
            assert_never(event.timer)


def _time_limit(state: CallState) -> Termination:
    """A leg has had its time; where the two were never joined, that is no success."""
    reached = terminate(Reason.TIME_LIMIT)
    return reached if state.phase is Phase.BRIDGED else replace(reached, result=Result.US)


def _overdue(state: CallState, now: int) -> Step:
    return end_for(state, now, Reason.OVERLOADED)


def _unmoved(state: CallState, _now: int) -> Step:
    return state, ()


def _cut_off(side: Side, then: Handler) -> Callable[[CallState, int], Step]:
    """Go on as if the prompt had ended, and see to it that it has."""

    def handle(state: CallState, now: int) -> Step:
        after, commands = then(state, None, now)
        return after, (do.StopPlaying(side), *commands)

    return handle


OUT_OF_PATIENCE: Mapping[Phase, Callable[[CallState, int], Step]] = {
    Phase.CLAIMING: _overdue,
    Phase.OPENING: _overdue,
    Phase.FETCHING: fetch_timed_out,
    Phase.CALLING: target_timed_out,
    Phase.ANSWERING: _overdue,
    Phase.ANNOUNCING: _cut_off(Side.A, announced),
    Phase.PIN_PROMPTING: _cut_off(Side.A, await_digits),
    Phase.PIN_COLLECTING: entered,
    Phase.PIN_CHECKING: _overdue,
    Phase.PIN_CORRECTING: _cut_off(Side.A, corrected),
    Phase.PIN_WAITING: ask_for_pin,
    Phase.PROMPTING: _cut_off(Side.A, caller_prompted),
    Phase.DIALLING: target_timed_out,
    Phase.RINGING: _unmoved,
    Phase.MEETING: _overdue,
    Phase.GREETING: _cut_off(Side.B, callee_greeted),
    Phase.JOINING: _overdue,
    Phase.BRIDGED: keys_are_up,
}
"""What follows when what a phase waits for does not come."""


# --- what can end any call ----------------------------------------------------------------------------------


def _media_timed_out(state: CallState, _event: on.MediaTimedOut, now: int) -> Step:
    return end_for(state, now, Reason.MEDIA_TIMEOUT)


def _media_lost(state: CallState, _event: on.MediaLost, now: int) -> Step:
    return end_for(state, now, Reason.MEDIA_LOST)


def _session_revoked(state: CallState, _event: on.SessionRevoked, now: int) -> Step:
    return end_for(state, now, Reason.SESSION_ENDED)


def _window_moved(state: CallState, event: on.WindowMoved, _now: int) -> Step:
    """The call may be set up until the session's new end; one that belongs to no session yet has none."""
    if state.window_ends_at in (0, event.window_ends_at):
        return state, ()
    moved = state._replace(window_ends_at=event.window_ends_at)
    return moved, (do.ArmTimer(Timer.WINDOW, event.window_ends_at),)


def _switch_stopping(state: CallState, _event: on.SwitchStopping, now: int) -> Step:
    return end_for(state, now, Reason.SWITCH_RESTARTED)


def _broken(state: CallState, _event: on.Broken, now: int) -> Step:
    return end_for(state, now, Reason.INTERNAL_ERROR)


def _ignore(state: CallState, _event: on.Event, _now: int) -> Step:
    """Nothing to do: the event crossed a decision already taken."""
    return state, ()


# --- the table ----------------------------------------------------------------------------------------------

_ALWAYS: Mapping[type, Handler] = {
    on.LegEnded: leg_ended,
    on.TimerFired: _timer_fired,
    on.SessionRevoked: _session_revoked,
    on.WindowMoved: _window_moved,
    on.SwitchStopping: _switch_stopping,
    on.Broken: _broken,
    on.LegReleased: released,
}
_WITH_MEDIA: Mapping[type, Handler] = {
    **_ALWAYS,
    on.MediaTimedOut: _media_timed_out,
    on.MediaLost: _media_lost,
    on.DigitPressed: _ignore,  # outside a PIN dialogue keys mean nothing to us
    on.PromptFinished: _ignore,
    on.PromptFailed: _ignore,  # one that was cut off already; or ringback, for which silence does as well
}
_WITH_LEG_B: Mapping[type, Handler] = {
    **_WITH_MEDIA,
    on.LegProgressed: _ignore,  # rang before, or a fork still rings
    on.PromptReady: _ignore,  # A's prompt, which was not waited for any longer
}

TABLE: Mapping[Phase, Mapping[type, Handler]] = {
    Phase.CLAIMING: {**_WITH_MEDIA, on.CallClaimed: claimed, on.ClaimRefused: claim_refused},
    Phase.OPENING: {**_WITH_MEDIA, on.MediaOpened: media_opened, on.MediaRefused: media_refused},
    Phase.FETCHING: {**_WITH_MEDIA, on.PromptReady: prompt_ready, on.PromptFailed: prompt_missing},
    Phase.CALLING: {
        **_WITH_MEDIA,
        on.LegProgressed: caller_rang,
        on.LegAnswered: caller_answered,
        on.LegFailed: leg_failed,
    },
    Phase.ANSWERING: {
        **_WITH_MEDIA,
        on.CallerReady: caller_ready,
        on.BridgeRefused: caller_not_connected,
        on.LegProgressed: _ignore,  # a fork of the first party's still rings
    },
    Phase.ANNOUNCING: {**_WITH_MEDIA, on.PromptFinished: announced, on.PromptFailed: announced},
    Phase.PIN_PROMPTING: {
        **_WITH_MEDIA,
        on.PromptFinished: await_digits,
        on.PromptFailed: pin_prompt_failed,
        on.DigitPressed: digit_pressed,
    },
    Phase.PIN_COLLECTING: {**_WITH_MEDIA, on.DigitPressed: digit_pressed},
    Phase.PIN_CHECKING: {**_WITH_MEDIA, on.PinAccepted: pin_accepted, on.PinRefused: pin_refused},
    Phase.PIN_CORRECTING: {
        **_WITH_MEDIA,
        on.PromptFinished: corrected,
        on.PromptFailed: pin_prompt_failed,
    },
    Phase.PIN_WAITING: _WITH_MEDIA,
    Phase.PROMPTING: {
        **_WITH_MEDIA,
        on.LegProgressed: _ignore,
        on.PromptFinished: caller_prompted,
        on.PromptFailed: caller_not_prompted,
    },
    Phase.DIALLING: {
        **_WITH_LEG_B,
        on.LegProgressed: callee_progressed,
        on.LegAnswered: callee_answered,
        on.LegFailed: leg_failed,
    },
    Phase.RINGING: {**_WITH_LEG_B, on.LegAnswered: callee_answered, on.LegFailed: leg_failed},
    Phase.MEETING: {**_WITH_LEG_B, on.CalleeReady: callee_ready, on.BridgeRefused: bridge_refused},
    Phase.GREETING: {
        **_WITH_LEG_B,
        on.PromptFinished: callee_greeted,
        on.PromptFailed: callee_not_greeted,
    },
    Phase.JOINING: {**_WITH_LEG_B, on.BridgePrepared: bridge_prepared, on.BridgeRefused: bridge_refused},
    Phase.BRIDGED: {**_WITH_LEG_B, on.SessionRevoked: _ignore, on.WindowMoved: _ignore},
    Phase.ENDED: {
        **dict.fromkeys(
            (
                # Answers to what was asked before the end.
                on.MediaOpened,
                on.MediaRefused,
                on.PromptReady,
                on.PromptFailed,
                on.PromptFinished,
                on.CallerReady,
                on.CalleeReady,
                on.PinAccepted,
                on.PinRefused,
                on.BridgePrepared,
                on.BridgeRefused,
                # What the legs said before they heard of the end.
                on.DigitPressed,
                on.LegProgressed,
                on.LegAnswered,
                on.LegFailed,
                on.LegEnded,
                on.TimerFired,
                on.MediaTimedOut,
                on.MediaLost,
                on.SessionRevoked,
                on.WindowMoved,
                on.SwitchStopping,
                on.Broken,
            ),
            _ignore,
        ),
        on.CallClaimed: settle_claim,
        on.ClaimRefused: settle_claim,
        on.LegReleased: released,
    },
}

"""The call machine: `step(state, event, now) -> (state, commands)`.

Theory of operation. A call is admitted when (dialled number, caller) names a live session. It then claims the
session, opens the relay, dials the callee from the virtual number, rings the caller when the callee rings, and,
when the callee answers, looks at the session once more before it answers the caller and joins the two. From there
it ends by either side, a time limit, silence on the media, or us. Every way out goes through `_end`, so a call has
one ending and one record (I4), and nothing is joined outside its window (I2).

The table at the end is the whole machine: a pair (phase, event) that is not in it cannot happen, and says so.
"""

from collections.abc import Callable, Mapping
from typing import Any, assert_never

from maskline.core.call import commands as do
from maskline.core.call import events as on
from maskline.core.call.events import Timer
from maskline.core.call.state import CallPlan, CallState, Phase
from maskline.core.call_record import CallRecord, RefusedCall, Side
from maskline.core.termination import TERMINATIONS, Reason, Termination, terminate, terminate_callee_failure

Step = tuple[CallState, tuple[do.Command, ...]]
Handler = Callable[[CallState, Any, int], Step]

US_PER_S = 1_000_000
RETRY_AFTER_S = 5  # long enough for a burst to pass, short enough that a carrier does not mark the trunk down
STEP_TIMEOUT_S = (
    8  # database and relay answer in milliseconds; a caller who hears nothing waits about this long
)
RINGING_STATUSES = frozenset({180, 183})
_TIMERS_BEFORE_BRIDGE = (Timer.STEP, Timer.RING, Timer.WINDOW)
_TIMERS_OF_BRIDGE = (Timer.LIMIT_A, Timer.LIMIT_B)
_CANCEL = {timer: do.CancelTimer(timer) for timer in Timer}

_CLAIM_REFUSED = {
    on.ClaimRefusal.BUSY: Reason.SESSION_BUSY,
    on.ClaimRefusal.ENDED: Reason.SESSION_ENDED,
    on.ClaimRefusal.UNAVAILABLE: Reason.OVERLOADED,
}
_MEDIA_REFUSED = {
    on.MediaRefusal.FULL: Reason.OVERLOADED,
    on.MediaRefusal.UNAVAILABLE: Reason.MEDIA_LOST,
    on.MediaRefusal.NO_COMMON_CODEC: Reason.CALLER_NOT_ACCEPTABLE,
}
_BRIDGE_REFUSED = {
    on.BridgeRefusal.WINDOW: Reason.SESSION_ENDED,
    on.BridgeRefusal.MEDIA: Reason.MEDIA_LOST,
    on.BridgeRefusal.ANSWER: Reason.CALLEE_NOT_ACCEPTABLE,
}
_TIMER_FIRED = {
    Timer.STEP: Reason.OVERLOADED,
    Timer.RING: Reason.RING_TIMEOUT,
    Timer.WINDOW: Reason.SESSION_ENDED,
    Timer.LIMIT_A: Reason.TIME_LIMIT,
    Timer.LIMIT_B: Reason.TIME_LIMIT,
}
_HUNG_UP = {Side.A: Reason.CALLER_HUNG_UP, Side.B: Reason.CALLEE_HUNG_UP}
_GONE = {Side.A: Reason.CALLER_GONE, Side.B: Reason.CALLEE_GONE}


class ImpossibleEventError(AssertionError):
    """The driver reported something that cannot happen in this phase: a bug, which ends this one call."""


def begin(plan: CallPlan) -> Step:
    """Start a call that routing admitted."""
    return CallState(plan=plan), (
        do.ArmTimer(Timer.WINDOW, plan.window_ends_at),
        do.ArmTimer(Timer.STEP, plan.started_at + STEP_TIMEOUT_S * US_PER_S),
        do.ClaimSession(),
    )


def step(state: CallState, event: on.Event, now: int) -> Step:
    """Take one event. `now` is microseconds UTC. Raises `ImpossibleEventError` for a pair outside the table."""
    handler = TABLE[state.phase].get(type(event))
    if handler is None:
        raise ImpossibleEventError(f"{type(event).__name__} while {state.phase}")
    return handler(state, event, now)


# --- on the way to the bridge -------------------------------------------------------------------------------


def _claimed(state: CallState, event: on.CallClaimed, _now: int) -> Step:
    opening = state._replace(phase=Phase.OPENING, is_claim_open=False)
    if event.window_ends_at == state.plan.window_ends_at:
        return opening, (do.OpenMedia(),)
    return opening, (do.ArmTimer(Timer.WINDOW, event.window_ends_at), do.OpenMedia())


def _claim_refused(state: CallState, event: on.ClaimRefused, now: int) -> Step:
    ended, commands = _end(state, now, terminate(_CLAIM_REFUSED[event.reason]))
    ended, writing = _settle(ended, event)
    return ended, (*commands, *writing)


def _media_refused(state: CallState, event: on.MediaRefused, now: int) -> Step:
    return _end(state, now, terminate(_MEDIA_REFUSED[event.reason]))


def _media_opened(state: CallState, _event: on.MediaOpened, now: int) -> Step:
    ring_ends_at = now + state.plan.ring_timeout_s * US_PER_S
    dialling = state._replace(phase=Phase.DIALLING, has_leg_b=True)
    return dialling, (_CANCEL[Timer.STEP], do.Originate(), do.ArmTimer(Timer.RING, ring_ends_at))


def _rang(state: CallState, event: on.LegProgressed, now: int) -> Step:
    if event.status not in RINGING_STATUSES:
        return state, ()
    return state._replace(phase=Phase.RINGING, ringing_at=now), (do.RingCaller(),)


def _answered(state: CallState, _event: on.LegAnswered, now: int) -> Step:
    joining = state._replace(phase=Phase.JOINING, callee_answered_at=now)
    deadline = do.ArmTimer(Timer.STEP, now + STEP_TIMEOUT_S * US_PER_S)
    return joining, (_CANCEL[Timer.RING], deadline, do.PrepareBridge())


def _bridge_prepared(state: CallState, _event: on.BridgePrepared, now: int) -> Step:
    limit_us = state.plan.call_time_limit_s * US_PER_S
    assert state.callee_answered_at is not None
    return state._replace(phase=Phase.BRIDGED, bridged_at=now), (
        _CANCEL[Timer.STEP],
        _CANCEL[Timer.WINDOW],
        do.AnswerCaller(),
        do.ArmTimer(Timer.LIMIT_A, now + limit_us),
        do.ArmTimer(Timer.LIMIT_B, state.callee_answered_at + limit_us),
    )


def _bridge_refused(state: CallState, event: on.BridgeRefused, now: int) -> Step:
    return _end(state, now, terminate(_BRIDGE_REFUSED[event.reason]))


def _leg_b_failed(state: CallState, event: on.LegFailed, now: int) -> Step:
    return _end(state, now, terminate_callee_failure(event.status, q850=event.q850, is_local=event.is_local))


# --- endings ------------------------------------------------------------------------------------------------


def _leg_ended(state: CallState, event: on.LegEnded, now: int) -> Step:
    is_bridged = state.phase is Phase.BRIDGED
    reason = _reason_of_leg_end(event, is_bridged=is_bridged)
    return _end(state, now, terminate(reason, q850=event.q850), gone=event.side)


def _reason_of_leg_end(event: on.LegEnded, *, is_bridged: bool) -> Reason:
    match event.cause:
        case on.LegEnd.BYE if is_bridged:
            return _HUNG_UP[event.side]
        case on.LegEnd.BYE if event.side is Side.A:
            return Reason.CALLER_CANCELLED  # a BYE in the early dialog (RFC 3261 section 15.1.1)
        case on.LegEnd.BYE:
            return Reason.CALLEE_GONE
        case on.LegEnd.CANCEL:
            return Reason.CALLER_CANCELLED
        case on.LegEnd.ACK_TIMEOUT | on.LegEnd.TRANSPORT | on.LegEnd.PROTOCOL:
            return _GONE[event.side]
        case _:
            assert_never(event.cause)


def _timer_fired(state: CallState, event: on.TimerFired, now: int) -> Step:
    if event.timer in _TIMERS_OF_BRIDGE and state.phase is not Phase.BRIDGED:
        raise ImpossibleEventError(f"{event.timer} before the bridge")
    if event.timer in _TIMERS_BEFORE_BRIDGE and state.phase is Phase.BRIDGED:
        return state, ()  # ran out while its cancellation was on its way
    if event.timer is Timer.RING and state.phase is Phase.JOINING:
        return state, ()
    if event.timer is Timer.STEP and state.phase in {Phase.DIALLING, Phase.RINGING}:
        return state, ()
    return _end(state, now, terminate(_TIMER_FIRED[event.timer]))


def _media_timed_out(state: CallState, _event: on.MediaTimedOut, now: int) -> Step:
    return _end(state, now, terminate(Reason.MEDIA_TIMEOUT))


def _media_lost(state: CallState, _event: on.MediaLost, now: int) -> Step:
    return _end(state, now, terminate(Reason.MEDIA_LOST))


def _session_revoked(state: CallState, _event: on.SessionRevoked, now: int) -> Step:
    return _end(state, now, terminate(Reason.SESSION_ENDED))


def _switch_stopping(state: CallState, _event: on.SwitchStopping, now: int) -> Step:
    return _end(state, now, terminate(Reason.SWITCH_RESTARTED))


def _broken(state: CallState, _event: on.Broken, now: int) -> Step:
    return _end(state, now, terminate(Reason.INTERNAL_ERROR))


def _end(state: CallState, now: int, termination: Termination, *, gone: Side | None = None) -> Step:
    """End the call: tell every leg that is still there, give everything back, write the one record.

    While the claim is open the record waits for it: only then is known whether the call had its session.
    """
    ended = state._replace(phase=Phase.ENDED, ended_at=now, termination=termination)
    timers = _TIMERS_OF_BRIDGE if state.phase is Phase.BRIDGED else _TIMERS_BEFORE_BRIDGE
    commands: list[do.Command] = [_CANCEL[timer] for timer in timers]
    if gone is not Side.A and Side.A not in state.released:
        commands.append(_farewell_to_caller(state, termination))
    if state.has_leg_b and gone is not Side.B and Side.B not in state.released:
        commands.append(do.HangUp(Side.B, TERMINATIONS[termination.reason].q850))
    if state.phase is not Phase.CLAIMING:
        commands += [do.CloseMedia(), do.WriteRecord(_record(ended, termination, now))]
    if ended.is_forgotten:
        commands.append(do.Forget())
    return ended, tuple(commands)


def _settle(state: CallState, event: on.CallClaimed | on.ClaimRefused) -> Step:
    """The claim of a call that is over already was answered: write what the call came to."""
    if not state.is_claim_open:
        return state, ()
    assert state.termination is not None
    assert state.ended_at is not None
    settled = state._replace(is_claim_open=False)
    # A database that did not answer may have taken the claim all the same: then a record frees the session.
    is_refused = isinstance(event, on.ClaimRefused) and event.reason is not on.ClaimRefusal.UNAVAILABLE
    writing: do.Command
    if is_refused:
        writing = do.WriteRefusal(_refusal(state.plan, state.termination, state.ended_at))
    else:
        writing = do.WriteRecord(_record(state, state.termination, state.ended_at))
    return settled, (writing, do.Forget()) if settled.is_forgotten else (writing,)


def _claim_settled(state: CallState, event: on.CallClaimed | on.ClaimRefused, _now: int) -> Step:
    return _settle(state, event)


def _farewell_to_caller(state: CallState, termination: Termination) -> do.Command:
    if state.phase is Phase.BRIDGED:
        return do.HangUp(Side.A, TERMINATIONS[termination.reason].q850)
    # The table's status, not the one the carrier sent: what leg A hears comes from a closed list.
    status = TERMINATIONS[termination.reason].sip_status
    return do.RefuseCaller(status, RETRY_AFTER_S if status == 503 else None)


def _refusal(plan: CallPlan, termination: Termination, now: int) -> RefusedCall:
    return RefusedCall(
        call_id=plan.call_id,
        number=plan.number,
        account_id=plan.account_id,
        session_id=plan.session_id,
        caller=plan.caller,
        role=plan.role,
        started_at=plan.started_at,
        ended_at=now,
        termination=termination,
    )


def _record(state: CallState, termination: Termination, now: int) -> CallRecord:
    plan = state.plan
    return CallRecord(
        call_id=plan.call_id,
        account_id=plan.account_id,
        session_id=plan.session_id,
        role=plan.role,
        number=plan.number,
        caller=plan.caller,
        callee=plan.callee,
        started_at=plan.started_at,
        ringing_at=state.ringing_at,
        callee_answered_at=state.callee_answered_at,
        answered_at=state.bridged_at,
        bridged_at=state.bridged_at,
        ended_at=now,
        is_callee_dialled=state.has_leg_b,
        termination=termination,
    )


def _released(state: CallState, event: on.LegReleased, _now: int) -> Step:
    after = state._replace(released=state.released | {event.side})
    return after, (do.Forget(),) if after.is_forgotten else ()


def _ignore(state: CallState, _event: on.Event, _now: int) -> Step:
    """Nothing to do: the event crossed a decision already taken."""
    return state, ()


# --- the table ----------------------------------------------------------------------------------------------

_ALWAYS: Mapping[type, Handler] = {
    on.LegEnded: _leg_ended,
    on.TimerFired: _timer_fired,
    on.SessionRevoked: _session_revoked,
    on.SwitchStopping: _switch_stopping,
    on.Broken: _broken,
    on.LegReleased: _released,
}
_WITH_MEDIA: Mapping[type, Handler] = {
    **_ALWAYS,
    on.MediaTimedOut: _media_timed_out,
    on.MediaLost: _media_lost,
}
_WITH_LEG_B: Mapping[type, Handler] = {**_WITH_MEDIA, on.LegAnswered: _answered, on.LegFailed: _leg_b_failed}

TABLE: Mapping[Phase, Mapping[type, Handler]] = {
    Phase.CLAIMING: {**_ALWAYS, on.CallClaimed: _claimed, on.ClaimRefused: _claim_refused},
    Phase.OPENING: {**_WITH_MEDIA, on.MediaOpened: _media_opened, on.MediaRefused: _media_refused},
    Phase.DIALLING: {**_WITH_LEG_B, on.LegProgressed: _rang},
    Phase.RINGING: {**_WITH_LEG_B, on.LegProgressed: _ignore},
    Phase.JOINING: {
        **_WITH_MEDIA,
        on.LegProgressed: _ignore,  # a fork still rings
        on.BridgePrepared: _bridge_prepared,
        on.BridgeRefused: _bridge_refused,
    },
    Phase.BRIDGED: {**_WITH_MEDIA, on.LegProgressed: _ignore, on.SessionRevoked: _ignore},
    Phase.ENDED: {
        **dict.fromkeys(
            (
                # Answers to what was asked before the end.
                on.MediaOpened,
                on.MediaRefused,
                on.BridgePrepared,
                on.BridgeRefused,
                # What the legs said before they heard of the end.
                on.LegProgressed,
                on.LegAnswered,
                on.LegFailed,
                on.LegEnded,
                on.TimerFired,
                on.MediaTimedOut,
                on.MediaLost,
                on.SessionRevoked,
                on.SwitchStopping,
                on.Broken,
            ),
            _ignore,
        ),
        on.CallClaimed: _claim_settled,
        on.ClaimRefused: _claim_settled,
        on.LegReleased: _released,
    },
}

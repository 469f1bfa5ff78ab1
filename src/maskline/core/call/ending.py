"""How a call ends: one function on every way out, one record (I4)."""

from typing import Final, assert_never

from maskline.core.call import commands as do
from maskline.core.call import events as on
from maskline.core.call.common import Step, tell
from maskline.core.call.state import CallState, Claim, Phase, PinEntry
from maskline.core.call_record import CallRecord, RefusedCall, Side
from maskline.core.events import EventKind
from maskline.core.termination import TERMINATIONS, Reason, Termination, terminate

RETRY_AFTER_S: Final = 5
"""Long enough for a burst to pass, short enough that a carrier does not mark the trunk down."""

_HUNG_UP: Final = {Side.A: Reason.CALLER_HUNG_UP, Side.B: Reason.CALLEE_HUNG_UP}
_GONE: Final = {Side.A: Reason.CALLER_GONE, Side.B: Reason.CALLEE_GONE}


def end_for(state: CallState, now: int, reason: Reason) -> Step:
    """End the call for a reason of ours."""
    return end(state, now, terminate(reason))


def end(state: CallState, now: int, termination: Termination, *, gone: Side | None = None) -> Step:
    """End the call: tell every leg that is still there, give everything back, write the one record.

    While the claim is open the record waits for it: only then is known whether the call had its session.
    """
    ended = state._replace(phase=Phase.ENDED, ended_at=now, termination=termination, entry=PinEntry())
    commands: list[do.Command] = [do.CancelTimers()]
    if state.has_leg_a and gone is not Side.A and Side.A not in state.released:
        commands.append(_farewell_to_caller(state, termination))
    if state.has_leg_b and gone is not Side.B and Side.B not in state.released:
        commands.append(do.HangUp(Side.B, TERMINATIONS[termination.reason].q850))
    if state.has_media:
        commands.append(do.CloseMedia())
    if state.claim is Claim.HELD:
        commands += _hang_up_reports(ended, gone)
    if state.claim is not Claim.ASKED:
        commands.append(_account(ended))
    if ended.is_forgotten:
        commands.append(do.Forget())
    return ended, tuple(commands)


def settle_claim(state: CallState, event: on.CallClaimed | on.ClaimRefused, _now: int) -> Step:
    """The claim of a call that is over already was answered: write what the call came to."""
    if state.claim is not Claim.ASKED:
        return state, ()
    # A database that did not answer may have taken the claim all the same: then a record frees the session.
    is_refused = isinstance(event, on.ClaimRefused) and event.reason is not on.ClaimRefusal.UNAVAILABLE
    settled = state._replace(claim=Claim.SETTLED if is_refused else Claim.HELD)
    commands = [] if is_refused else _late_reports(settled)
    commands.append(_account(settled))
    if settled.is_forgotten:
        commands.append(do.Forget())
    return settled, tuple(commands)


def _late_reports(settled: CallState) -> list[do.Command]:
    """Tell of a caller who was answered to enter a PIN: only now is it known whose session that was."""
    if settled.answered_at is None:
        return []
    answered = tell(settled, EventKind.PARTY_ANSWERED, Side.A, settled.answered_at)
    return [*answered, *_hang_up_reports(settled, None)]


def leg_ended(state: CallState, event: on.LegEnded, now: int) -> Step:
    """A side hung up, or its leg broke."""
    return end(state, now, terminate(_reason_of_leg_end(state, event), q850=event.q850), gone=event.side)


def _reason_of_leg_end(state: CallState, event: on.LegEnded) -> Reason:
    match event.cause:
        case on.LegEnd.BYE if state.phase is Phase.BRIDGED:
            return _HUNG_UP[event.side]
        case on.LegEnd.BYE if event.side is Side.A:
            return (
                Reason.CALLER_CANCELLED
            )  # before the bridge, or in the early dialog (RFC 3261 section 15.1.1)
        case on.LegEnd.BYE:
            return Reason.CALLEE_GONE
        case on.LegEnd.CANCEL:
            return Reason.CALLER_CANCELLED
        case on.LegEnd.ACK_TIMEOUT | on.LegEnd.TRANSPORT | on.LegEnd.PROTOCOL | on.LegEnd.EXPIRED:
            return _GONE[event.side]
        case _:
            assert_never(event.cause)


def released(state: CallState, event: on.LegReleased, _now: int) -> Step:
    """Nothing remains of a leg."""
    after = state._replace(released=state.released | {event.side})
    return after, (do.Forget(),) if after.is_forgotten else ()


def _farewell_to_caller(state: CallState, termination: Termination) -> do.Command:
    if state.is_caller_on_the_line:
        return do.HangUp(Side.A, TERMINATIONS[termination.reason].q850)
    # The table's status, not the one the carrier sent: what leg A hears comes from a closed list.
    status = TERMINATIONS[termination.reason].sip_status
    return do.RefuseCaller(status, RETRY_AFTER_S if status == 503 else None)


def _hang_up_reports(ended: CallState, gone: Side | None) -> list[do.Command]:
    """Tell of both answered legs' ends, beginning with the side that ended the call."""
    assert ended.ended_at is not None
    assert ended.termination is not None
    assert ended.connect is not None
    if not ended.connect.is_reported:
        return []
    answered = {Side.A: ended.answered_at, Side.B: ended.callee_answered_at}
    sides = (Side.B, Side.A) if gone is Side.B else (Side.A, Side.B)
    told: list[do.Command] = []
    for side in sides:
        answered_at = answered[side]
        if answered_at is not None:
            told += tell(
                ended,
                EventKind.PARTY_HUNG_UP,
                side,
                ended.ended_at,
                duration_s=-((answered_at - ended.ended_at) // 1_000_000),  # a started second counts whole
                reason=ended.termination.reason.value,
                q850=ended.termination.q850,
            )
    return told


def _account(ended: CallState) -> do.Command:
    """The one account of a call: a record where it had its session, else a refusal."""
    assert ended.termination is not None
    assert ended.ended_at is not None
    if ended.claim is Claim.HELD:
        return do.WriteRecord(_record(ended, ended.termination, ended.ended_at))
    return do.WriteRefusal(_refusal(ended, ended.termination, ended.ended_at))


def _refusal(state: CallState, termination: Termination, now: int) -> RefusedCall:
    plan, connect = state.plan, state.connect
    return RefusedCall(
        call_id=plan.call_id,
        number=plan.number,
        account_id=plan.account_id,
        session_id=plan.session_id if connect is None else connect.session_id,
        caller=plan.caller,
        role=plan.role if connect is None else connect.caller_role,
        started_at=plan.started_at,
        ended_at=now,
        termination=termination,
        answered_at=state.answered_at,
        is_service_initiated=plan.is_service_initiated,
    )


def _record(state: CallState, termination: Termination, now: int) -> CallRecord:
    plan, connect = state.plan, state.connect
    assert connect is not None
    is_recorded = connect.is_recorded and state.bridged_at is not None
    return CallRecord(
        call_id=plan.call_id,
        account_id=connect.account_id,
        session_id=connect.session_id,
        role=connect.caller_role,
        number=plan.number,
        caller=plan.caller,
        callee=connect.callee,
        started_at=plan.started_at,
        ringing_at=state.ringing_at,
        callee_answered_at=state.callee_answered_at,
        answered_at=state.answered_at,
        bridged_at=state.bridged_at,
        ended_at=now,
        is_callee_dialled=state.has_leg_b,
        termination=termination,
        is_service_initiated=plan.is_service_initiated,
        recording_id=plan.recording_id if is_recorded else None,
    )

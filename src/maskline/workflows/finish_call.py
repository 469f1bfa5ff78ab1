"""Account for a finished call."""

from maskline.core.call_record import CallRecord
from maskline.core.events import EventKind
from maskline.store import calls, outbox, recordings
from maskline.store.engine import Tx


def finish_call(tx: Tx, finished: CallRecord, now: int) -> None:
    """Write the call's one record, its interaction, its session's totals and its event; free the session.

    Doing it again changes nothing.
    """
    keys = tx.keys
    caller_ref = None if finished.caller is None else keys.ref(finished.caller)
    callee_ref = None if finished.callee is None else keys.ref(finished.callee)
    is_new = calls.insert_record(
        tx,
        finished,
        {
            "caller_ref": caller_ref,
            "callee_ref": callee_ref,
            "is_callee_dialled": finished.is_callee_dialled,
            "ringing_at": finished.ringing_at,
            "answered_at": finished.answered_at,
            "callee_answered_at": finished.callee_answered_at,
            "bridged_at": finished.bridged_at,
        },
    )
    calls.delete_live_call(tx, finished.call_id)
    recording_id = finished.recording_id
    if recording_id is not None:
        recordings.mark_captured(tx, recording_id, finished.ended_at)
    if not is_new or finished.session_id is None or finished.account_id is None:
        return
    if recording_id is not None and not recordings.is_unsettled(tx, recording_id):
        recording_id = None  # it was given up before the call ended
    sequence = calls.insert_interaction(tx, finished)
    termination = finished.termination
    outbox.insert_event(
        tx,
        EventKind.CALL_FINISHED,
        account_id=finished.account_id,
        session_id=finished.session_id,
        call_id=finished.call_id,
        sequence=sequence,
        occurred_at=now,
        facts={
            "caller": caller_ref,
            "callee": callee_ref,
            "role": None if finished.role is None else finished.role.value,
            "is_service_initiated": finished.is_service_initiated,
            "result": termination.result.value,
            "reason": termination.reason.value,
            "bridged_at": finished.bridged_at,
            "caller_leg_s": finished.caller_leg_s,
            "callee_leg_s": finished.callee_leg_s,
            "recording_id": recording_id,
        },
    )

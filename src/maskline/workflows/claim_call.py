"""Claim a session for one call."""

from maskline.core.call_record import CallClaim, CallClaimed, NewCall, SessionBusy, SessionEnded
from maskline.core.events import EventKind
from maskline.store import calls, outbox, session_writes
from maskline.store.engine import Tx


def claim_call(tx: Tx, new: NewCall, now: int) -> CallClaim:
    """Take the session for this call until it is finished or its lease runs out.

    The window is read again here. A claim whose lease has run out is taken over; the dead call's row
    stays for whoever ends it. Claiming twice under one call id is refused as busy.
    """
    keys = tx.keys
    caller_ref = None if new.caller is None else keys.ref(new.caller)
    callee_ref = keys.ref(new.callee)
    if not calls.insert_live_call(tx, new, caller_ref, callee_ref, now):
        if not calls.is_session_live(tx, new.session_id, now):
            return SessionEnded()
        if not calls.free_dead_call(tx, new.session_id, now):
            return SessionBusy()
        if not calls.insert_live_call(tx, new, caller_ref, callee_ref, now):
            return SessionBusy()
    taken = calls.take_live_sequence(tx, new.session_id, now)
    if taken is None:  # ended by another machine between the two statements
        calls.delete_live_call(tx, new.call_id)
        return SessionEnded()
    if caller_ref not in {taken.first_ref, taken.second_ref} and new.caller and caller_ref:
        # A stranger, or somebody who entered a party's PIN.
        session_writes.insert_party(tx, new.account_id, caller_ref, new.caller, now)
    outbox.insert_event(
        tx,
        EventKind.CALL_STARTED,
        account_id=new.account_id,
        session_id=new.session_id,
        call_id=new.call_id,
        sequence=taken.sequence,
        occurred_at=new.started_at,
        facts={"caller": caller_ref, "callee": callee_ref, "role": new.role.value},
    )
    return CallClaimed(ends_at=taken.end_at)

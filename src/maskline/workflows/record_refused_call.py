"""Account for a call that was refused before it claimed anything."""

from maskline.core.call_record import REFUSED_CALLS_STORED_MAX, RefusedCall
from maskline.store import calls, session_writes
from maskline.store.engine import Tx


def record_refused_call(tx: Tx, refused: RefusedCall, now: int) -> bool:
    """Write the record of a refused call; False when it was only counted.

    Of the calls refused on one number in one minute (of the clock) ten are kept. Nothing is written
    for a number that is not ours.
    """
    count = calls.count_refused(tx, refused.number, now)
    if not 1 <= count <= REFUSED_CALLS_STORED_MAX:
        return False
    caller_ref = None if refused.caller is None else tx.keys.ref(refused.caller)
    if caller_ref is not None and refused.caller is not None and refused.account_id is not None:
        session_writes.insert_party(tx, refused.account_id, caller_ref, refused.caller, now)
    return calls.insert_record(
        tx,
        refused,
        {
            "caller_ref": caller_ref,
            "callee_ref": None,
            "is_callee_dialled": False,
            "ringing_at": None,
            "answered_at": refused.answered_at,
            "callee_answered_at": None,
            "bridged_at": None,
        },
    )

"""Find the calls that a switch left behind, and end them."""

from typing import Final

from maskline.core.call_record import CallRecord, OrphanCall
from maskline.core.termination import Reason, terminate
from maskline.store import calls, recordings
from maskline.store.engine import Tx

from .finish_call import finish_call

LOST_AFTER_US: Final = 60_000_000
"""How long after its lease a call counts as lost. A switch that is back within a minute ends its own."""


def load_orphan_calls(tx: Tx, switch_id: str, now: int) -> tuple[OrphanCall, ...]:  # noqa: ARG001 - workflows end with now
    """Load the unfinished calls of an earlier life of this switch; meant for before it takes new ones."""
    return calls.load_orphans(tx, switch_id)


def finish_orphan_call(tx: Tx, orphan: OrphanCall, now: int) -> None:
    """Account for a call whose switch has come back without it; both legs have been hung up."""
    _finish(tx, orphan, Reason.SWITCH_RESTARTED, now)


def end_lost_calls(tx: Tx, now: int) -> tuple[str, ...]:
    """End up to 100 calls of switches that did not come back within a minute of the lease; return their ids.

    Nobody is left who could hang up; what remains is to say so. Run again while it returns 100.
    """
    lost = calls.load_lapsed(tx, now - LOST_AFTER_US)
    for orphan in lost:
        _finish(tx, orphan, Reason.SWITCH_LOST, now)
    return tuple(orphan.call_id for orphan in lost)


def _finish(tx: Tx, orphan: OrphanCall, reason: Reason, now: int) -> None:
    recordings.mark_captured_of_call(tx, orphan.call_id, now)
    record = CallRecord(
        call_id=orphan.call_id,
        session_id=orphan.session_id,
        account_id=orphan.account_id,
        number=orphan.number,
        caller=orphan.caller,
        callee=orphan.callee,
        role=orphan.role,
        is_callee_dialled=orphan.dialog_b is not None,
        started_at=orphan.started_at,
        ringing_at=None,
        answered_at=None,
        callee_answered_at=None,
        bridged_at=None,
        ended_at=max(now, orphan.started_at),  # a clock may have been set back meanwhile
        termination=terminate(reason),
        is_service_initiated=orphan.is_service_initiated,
    )
    finish_call(tx, record, now)

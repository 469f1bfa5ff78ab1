"""What a report tells of a finished call, from its record, its session and its recording."""

from typing import Final

from sqlalchemy import and_, bindparam, func, select

from maskline.core.call_record import leg_status
from maskline.core.call_report import CallReport, ReportedLeg, ReportedRecording
from maskline.core.masking import RecordFormat, Role
from maskline.core.recording import RecordingState
from maskline.core.termination import Reason, Result, Termination

from .engine import Row, Tx
from .schema import account, call_record, masking_session
from .schema_deepcall import deepcall_user
from .schema_recordings import recording
from .statement import Statement

_c: Final = call_record.c
_r: Final = recording.c
_SELECT: Final = Statement(
    select(
        func.coalesce(deepcall_user.c.user_id, account.c.auth_id),
        account.c.timezone,
        masking_session.c.reference,
        masking_session.c.first_ref,
        _c.role,
        _c.is_callee_dialled,
        _c.started_at,
        _c.ringing_at,
        _c.answered_at,
        _c.callee_answered_at,
        _c.bridged_at,
        _c.ended_at,
        _c.is_service_initiated,
        _c.result,
        _c.reason,
        _c.q850,
        _c.sip_status,
        _r.id,
        _r.format,
        _r.started_at,
        _r.duration_ms,
    )
    .select_from(call_record)
    .join(account, account.c.id == _c.account_id)
    .join(masking_session, masking_session.c.id == _c.session_id)
    .outerjoin(deepcall_user, deepcall_user.c.account_id == _c.account_id)
    .outerjoin(
        recording,
        and_(
            _r.call_id == _c.call_id,
            _r.state == RecordingState.COMPLETED.value,
            _r.deleted_at.is_(None),
        ),
    )
    .where(_c.call_id == bindparam("call_id"))
)


def load_call_report(tx: Tx, call_id: str) -> CallReport | None:
    """Load what is to be told of a call; None while it has no record."""
    row = tx.row(_SELECT, call_id=call_id)
    return None if row is None else _report(row)


def _report(row: Row) -> CallReport:
    user_id, timezone, reference, first_ref, role, is_callee_dialled, started_at, *rest = row
    ringing_at, answered_at, callee_answered_at, bridged_at, ended_at, is_service_initiated, *rest = rest
    result, reason, q850, sip_status, *recorded = rest
    termination = Termination(result=Result(result), reason=Reason(reason), q850=q850, sip_status=sip_status)
    callee = None
    if is_callee_dialled:
        callee = ReportedLeg(
            started_at=started_at if ringing_at is None else ringing_at,
            answered_at=callee_answered_at,
            status=leg_status(termination.reason, is_answered=callee_answered_at is not None),
        )
    return CallReport(
        user_id=user_id,
        timezone=timezone,
        reference=reference,
        started_at=started_at,
        bridged_at=bridged_at,
        ended_at=ended_at,
        caller=ReportedLeg(
            started_at=started_at,
            answered_at=answered_at,
            status=leg_status(termination.reason, is_answered=answered_at is not None),
        ),
        callee=callee,
        # The stranger of a one-party session stands where the session has no party.
        is_caller_first=role == Role.FIRST or (role == Role.ANYONE and first_ref is None),
        is_service_initiated=bool(is_service_initiated),
        termination=termination,
        recording=_recording(*recorded),
    )


def _recording(id_: str | None, format_: str, started_at: int, duration_ms: int) -> ReportedRecording | None:
    if id_ is None:
        return None
    return ReportedRecording(
        id=id_, format=RecordFormat(format_), started_at=started_at, duration_ms=duration_ms
    )

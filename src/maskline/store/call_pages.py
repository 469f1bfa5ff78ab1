"""Read calls, finished and running, one by one and page by page behind the last thing seen."""

from functools import lru_cache
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, bindparam, or_, select

from maskline.core.call_record import CallRecord
from maskline.core.listing import PAGE_LIMIT_MAX, CallListFilter, ListedCalls, LiveCall
from maskline.core.masking import Role
from maskline.core.numbers import DID
from maskline.core.termination import Reason, Result, Termination

from .engine import Row, Tx
from .routes import read_party
from .schema import call_record, live_call, masking_session, party, virtual_number
from .schema_recordings import recording
from .session_pages import unindexed
from .statement import Statement

_c: Final = call_record.c
_l: Final = live_call.c
_n: Final = virtual_number.c
_caller: Final = party.alias("caller")
_callee: Final = party.alias("callee")

_FINISHED: Final[Select[Any]] = (
    select(
        _c.call_id,
        _c.session_id,
        _c.account_id,
        _n.number,
        _c.caller_ref,
        _caller.c.sealed,
        _c.callee_ref,
        _callee.c.sealed,
        _c.role,
        _c.is_callee_dialled,
        _c.started_at,
        _c.ringing_at,
        _c.answered_at,
        _c.callee_answered_at,
        _c.bridged_at,
        _c.ended_at,
        _c.result,
        _c.reason,
        _c.q850,
        _c.sip_status,
        _c.is_service_initiated,
        recording.c.id,
    )
    .join_from(call_record, virtual_number, _n.id == _c.virtual_number_id)
    .outerjoin(_caller, and_(_caller.c.account_id == _c.account_id, _caller.c.ref == _c.caller_ref))
    .outerjoin(_callee, and_(_callee.c.account_id == _c.account_id, _callee.c.ref == _c.callee_ref))
    .outerjoin(
        recording,
        and_(
            recording.c.call_id == _c.call_id, recording.c.deleted_at.is_(None), recording.c.state != "failed"
        ),
    )
    .outerjoin(masking_session, masking_session.c.id == _c.session_id)
)
_RUNNING: Final[Select[Any]] = (
    select(
        _l.call_id,
        _l.session_id,
        _l.account_id,
        _n.number,
        _l.caller_ref,
        _caller.c.sealed,
        _l.callee_ref,
        _callee.c.sealed,
        _l.role,
        _l.started_at,
        _l.is_service_initiated,
    )
    .join_from(live_call, virtual_number, _n.id == _l.virtual_number_id)
    .join(masking_session, masking_session.c.id == _l.session_id)
    .outerjoin(_caller, and_(_caller.c.account_id == _l.account_id, _caller.c.ref == _l.caller_ref))
    .outerjoin(_callee, and_(_callee.c.account_id == _l.account_id, _callee.c.ref == _l.callee_ref))
    .where(
        _l.lease_until > bindparam("now")
    )  # one whose switch is lost does not run, though it has no record yet
)


def _conditions(table: Any) -> dict[str, ColumnElement[bool]]:
    return {
        "subaccount_id": masking_session.c.subaccount_id == bindparam("subaccount_id"),
        "session_id": table.session_id == bindparam("session_id"),
        "started_from": table.started_at >= bindparam("started_from"),
        "started_until": table.started_at < bindparam("started_until"),
        "before_at": and_(
            table.started_at <= bindparam("before_at"),
            or_(table.started_at < bindparam("before_at"), table.call_id < bindparam("before_id")),
        ),
        "call_id": table.call_id == bindparam("call_id"),
    }


_FINISHED_CONDITIONS: Final = {**_conditions(_c), "result": _c.result == bindparam("result")}
_RUNNING_CONDITIONS: Final = _conditions(_l)


def load_listed_calls(tx: Tx, wanted: CallListFilter, now: int) -> ListedCalls:
    """Load one page of an account's calls, newest first: those that run, or those that are over."""
    params = _params(wanted)
    statement = _statement(frozenset(params), is_live=wanted.is_live)
    if wanted.before is not None:
        params["before_id"] = wanted.before.id
    if wanted.is_live:
        params["now"] = now
    limit = min(wanted.limit, PAGE_LIMIT_MAX)
    rows = tx.rows(statement, account_id=wanted.account_id, limit_=limit + 1, **params)
    read = _live_call if wanted.is_live else _record
    return ListedCalls(calls=tuple(read(tx, row) for row in rows[:limit]), has_more=len(rows) > limit)


def load_call(
    tx: Tx, account_id: int, subaccount_id: int | None, call_id: str, now: int
) -> LiveCall | CallRecord | None:
    """Load a call of an account, or of a sub-account's sessions: running, or as it was recorded."""
    params: dict[str, Any] = {"call_id": call_id}
    if subaccount_id is not None:
        params["subaccount_id"] = subaccount_id
    names = frozenset(params)
    params |= {"account_id": account_id, "limit_": 1}
    found = tx.row(_statement(names, is_live=False), **params)
    if found is not None:
        return _record(tx, found)
    running = tx.row(_statement(names, is_live=True), **params, now=now)
    if running is not None:
        return _live_call(tx, running)
    # It may have ended between the two looks.
    found = tx.row(_statement(names, is_live=False), **params)
    return None if found is None else _record(tx, found)


@lru_cache(maxsize=128)  # combinations of filters in use
def _statement(names: frozenset[str], *, is_live: bool) -> Statement:
    table, known = (_l, _RUNNING_CONDITIONS) if is_live else (_c, _FINISHED_CONDITIONS)
    # A session has few calls: they are found by it and sorted, not looked for among all of the account.
    is_few = "session_id" in names
    account_id = unindexed(table.account_id) if is_few else table.account_id
    order = unindexed(table.started_at) if is_few else table.started_at
    return Statement(
        (_RUNNING if is_live else _FINISHED)
        .where(account_id == bindparam("account_id"), *(known[name] for name in sorted(names)))
        .order_by(order.desc(), table.call_id.desc())
        .limit(bindparam("limit_"))
    )


def _params(wanted: CallListFilter) -> dict[str, Any]:
    given = {
        "subaccount_id": wanted.subaccount_id,
        "session_id": wanted.session_id,
        "result": None if wanted.result is None or wanted.is_live else wanted.result.value,
        "started_from": wanted.started_at.from_,
        "started_until": wanted.started_at.until,
        "before_at": None if wanted.before is None else wanted.before.at,
    }
    return {name: value for name, value in given.items() if value is not None}


def _live_call(tx: Tx, row: Row) -> LiveCall:
    call_id, session_id, account_id, number, caller_ref, caller, callee_ref, callee, role, *rest = row
    started_at, is_service_initiated = rest
    return LiveCall(
        call_id=call_id,
        session_id=session_id,
        account_id=account_id,
        number=DID(number),
        caller=read_party(tx, account_id, caller_ref, caller),
        callee=read_party(tx, account_id, callee_ref, callee),
        role=Role(role),
        started_at=started_at,
        is_service_initiated=bool(is_service_initiated),
    )


def _record(tx: Tx, row: Row) -> CallRecord:
    call_id, session_id, account_id, number, caller_ref, caller, callee_ref, callee, role, *rest = row
    is_callee_dialled, started_at, ringing_at, answered_at, callee_answered_at, bridged_at, *ending = rest
    ended_at, result, reason, q850, sip_status, is_service_initiated, recording_id = ending
    return CallRecord(
        call_id=call_id,
        session_id=session_id,
        account_id=account_id,
        number=DID(number),
        caller=read_party(tx, account_id, caller_ref, caller),
        callee=read_party(tx, account_id, callee_ref, callee),
        role=None if role is None else Role(role),
        is_callee_dialled=bool(is_callee_dialled),
        started_at=started_at,
        ringing_at=ringing_at,
        answered_at=answered_at,
        callee_answered_at=callee_answered_at,
        bridged_at=bridged_at,
        ended_at=ended_at,
        termination=Termination(
            result=Result(result), reason=Reason(reason), q850=q850, sip_status=sip_status
        ),
        is_service_initiated=bool(is_service_initiated),
        recording_id=recording_id,
    )

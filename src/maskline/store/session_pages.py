"""Read masking sessions page by page, each page behind the last thing seen: nothing added since moves it."""

from functools import lru_cache
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, bindparam, or_, select

from maskline.core.listing import PAGE_LIMIT_MAX, ListedSessions, SessionListFilter
from maskline.core.masking import MaskingSession

from .engine import Tx
from .schema import live_call, masking_session, virtual_number
from .sessions import SELECT_SESSIONS, read_plain_sessions
from .statement import Statement

_s: Final = masking_session.c
_IS_IN_CALL: Final = (
    select(live_call.c.call_id)
    .where(live_call.c.busy_session_id == _s.id)
    .correlate(masking_session)
    .exists()
)
_CONDITIONS: Final[dict[str, ColumnElement[bool]]] = {
    "first_ref": _s.first_ref == bindparam("first_ref"),
    "second_ref": _s.second_ref == bindparam("second_ref"),
    "number": virtual_number.c.number == bindparam("number"),
    "reference": _s.reference == bindparam("reference"),
    "subaccount_id": _s.subaccount_id == bindparam("subaccount_id"),
    "active": _s.end_at > bindparam("now"),
    "expired": _s.end_at <= bindparam("now"),
    "in-progress": and_(_s.end_at > bindparam("now"), _IS_IN_CALL),
    "created_from": _s.created_at >= bindparam("created_from"),
    "created_until": _s.created_at < bindparam("created_until"),
    "before_at": and_(
        _s.created_at <= bindparam("before_at"),
        or_(_s.created_at < bindparam("before_at"), _s.id < bindparam("before_id")),
    ),
}


def load_listed_sessions(tx: Tx, wanted: SessionListFilter, now: int) -> ListedSessions:
    """Load one page of an account's sessions, newest first, without their interactions."""
    params = _params(tx, wanted)
    names = frozenset(params)
    if wanted.status is not None:
        names |= {wanted.status.value}
        params["now"] = now
    if wanted.before is not None:
        params["before_id"] = wanted.before.id
    limit = min(wanted.limit, PAGE_LIMIT_MAX)
    rows = tx.rows(_statement(names), account_id=wanted.account_id, limit_=limit + 1, **params)
    sessions: tuple[MaskingSession, ...] = read_plain_sessions(tx, rows[:limit])
    return ListedSessions(sessions=sessions, has_more=len(rows) > limit)


@lru_cache(maxsize=512)  # combinations of filters in use; each is a few kilobytes
def _statement(names: frozenset[str]) -> Statement:
    return Statement(
        SELECT_SESSIONS.where(
            _s.account_id == bindparam("account_id"), *(_CONDITIONS[name] for name in sorted(names))
        )
        .order_by(_s.created_at.desc(), _s.id.desc())
        .limit(bindparam("limit_"))
    )


def _params(tx: Tx, wanted: SessionListFilter) -> dict[str, Any]:
    given = {
        "first_ref": None if wanted.first is None else tx.keys.ref(wanted.first),
        "second_ref": None if wanted.second is None else tx.keys.ref(wanted.second),
        "number": wanted.virtual_number,
        "reference": wanted.reference,
        "subaccount_id": wanted.subaccount_id,
        "created_from": wanted.created_at.from_,
        "created_until": wanted.created_at.until,
        "before_at": None if wanted.before is None else wanted.before.at,
    }
    return {name: value for name, value in given.items() if value is not None}

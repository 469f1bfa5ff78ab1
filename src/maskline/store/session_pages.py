"""Read masking sessions page by page, each page behind the last thing seen: nothing added since moves it.

A page's ids are found in an index alone; only the sessions of the page are looked up.
"""

from functools import lru_cache
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, bindparam, literal_column, or_, select

from maskline.core.listing import PAGE_LIMIT_MAX, ListedSessions, SessionListFilter
from maskline.core.masking import MaskingSession

from .engine import Tx
from .schema import live_call, masking_session, virtual_number
from .sessions import SELECT_SESSIONS, read_plain_sessions
from .statement import Statement

_s: Final = masking_session.c
IS_ON_NUMBER: Final = (
    _s.virtual_number_id
    == select(virtual_number.c.id).where(virtual_number.c.number == bindparam("number")).scalar_subquery()
)
# Asked from the calls' side: there are few of them.
IS_IN_CALL: Final = _s.id.in_(
    select(live_call.c.busy_session_id).where(live_call.c.busy_session_id.is_not(None))
)
FEW: Final = frozenset({"first_ref", "second_ref", "number", "reference", "in-progress"})
"""Filters that leave few sessions, which are found by indexes of their own and sorted. SQLite, which keeps no
statistics here, might rather walk through all sessions of the account."""


def unindexed(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """The same number, in words that keep a database from choosing an index for it."""
    return column + literal_column("0")


_CONDITIONS: Final[dict[str, ColumnElement[bool]]] = {
    "first_ref": _s.first_ref == bindparam("first_ref"),
    "second_ref": _s.second_ref == bindparam("second_ref"),
    "number": IS_ON_NUMBER,
    "reference": _s.reference == bindparam("reference"),
    "subaccount_id": _s.subaccount_id == bindparam("subaccount_id"),
    "active": _s.end_at > bindparam("now"),
    "expired": unindexed(_s.end_at) <= bindparam("now"),  # most are, so that their ends narrow nothing
    "in-progress": and_(unindexed(_s.end_at) > bindparam("now"), IS_IN_CALL),
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
    rows = tx.rows(page_statement(names), account_id=wanted.account_id, limit_=limit + 1, **params)
    sessions: tuple[MaskingSession, ...] = read_plain_sessions(tx, rows[:limit])
    return ListedSessions(sessions=sessions, has_more=len(rows) > limit)


@lru_cache(maxsize=512)  # combinations of filters in use; each is a few kilobytes
def page_statement(names: frozenset[str]) -> Statement:
    """Return the statement of a page, for the filters of these names."""
    is_few = bool(names & FEW)
    account_id = unindexed(_s.account_id) if "in-progress" in names else _s.account_id
    order = unindexed(_s.created_at) if is_few else _s.created_at
    ids = (
        select(_s.id)
        .where(account_id == bindparam("account_id"), *(_CONDITIONS[name] for name in sorted(names)))
        .order_by(order.desc(), _s.id.desc())
        .limit(bindparam("limit_"))
    )
    in_page = _s.id.in_(select(ids.subquery("page").c.id))
    return Statement(SELECT_SESSIONS.where(in_page).order_by(_s.created_at.desc(), _s.id.desc()))


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

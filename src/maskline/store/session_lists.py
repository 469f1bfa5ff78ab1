"""Read pages of masking sessions, newest first, with the exact count of all that match.

A million sessions must not be felt, so both statements read an index alone: the page's ids are found there, however
far down the list, and only the sessions of the page are looked up.
"""

from functools import lru_cache
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, bindparam, func, select

from maskline.core.masking import LIST_LIMIT_MAX, MICROSECONDS, SessionFilter, SessionPage
from maskline.core.numbers import E164

from .engine import Tx
from .schema import masking_session
from .session_pages import FEW, IS_IN_CALL, IS_ON_NUMBER, unindexed
from .sessions import SELECT_SESSIONS, read_sessions
from .statement import Statement

SPAN_S_MAX: Final = 10**12
"""Seconds that a filter may name, some 30,000 years either way."""

_s: Final = masking_session.c
_DURATION: Final = _s.end_at - _s.created_at


def _conditions(created_at: ColumnElement[int], end_at: ColumnElement[int]) -> dict[str, ColumnElement[bool]]:
    return {
        "first_ref": _s.first_ref == bindparam("first_ref"),
        "second_ref": _s.second_ref == bindparam("second_ref"),
        "number": IS_ON_NUMBER,
        "reference": _s.reference == bindparam("reference"),
        "subaccount_id": _s.subaccount_id == bindparam("subaccount_id"),
        "active": end_at > bindparam("now"),
        "expired": unindexed(end_at) <= bindparam("now"),  # most are, so that their ends narrow nothing
        "in-progress": and_(unindexed(end_at) > bindparam("now"), IS_IN_CALL),
        "created_from": created_at >= bindparam("created_from"),
        "created_until": created_at < bindparam("created_until"),
        "end_from": end_at >= bindparam("end_from"),
        # No session ends before it was created: the newest first need not be sought among all that came later.
        "end_until": and_(end_at < bindparam("end_until"), created_at < bindparam("end_until")),
        "duration_from": bindparam("duration_from") <= _DURATION,
        "duration_until": bindparam("duration_until") > _DURATION,
    }


def load_session_page(tx: Tx, account_id: int, wanted: SessionFilter, now: int) -> SessionPage:
    """Load one page of an account's sessions, newest first, and the count of all that match."""
    params = _filter_params(tx, wanted)
    names = frozenset(params)
    if wanted.status is not None:
        names |= {wanted.status.value}
        params["now"] = now
    page, count = list_statements(names)
    params["account_id"] = account_id
    total = tx.row(count, **params)
    assert total is not None
    total_count = int(total[0])
    if wanted.offset >= total_count:
        return SessionPage(sessions=(), total_count=total_count)
    limit = min(wanted.limit, LIST_LIMIT_MAX)
    rows = tx.rows(page, **params, limit_=limit, offset_=wanted.offset)
    return SessionPage(sessions=read_sessions(tx, rows), total_count=total_count)


@lru_cache(maxsize=512)  # combinations of filters in use; each is a few kilobytes
def list_statements(names: frozenset[str]) -> tuple[Statement, Statement]:
    """Return the statements of a page and of its count, for the filters of these names."""
    is_few, is_in_call = bool(names & FEW), "in-progress" in names
    known = _conditions(
        unindexed(_s.created_at) if is_in_call else _s.created_at,
        unindexed(_s.end_at) if is_few else _s.end_at,
    )
    account_id = unindexed(_s.account_id) if is_in_call else _s.account_id
    conditions = [account_id == bindparam("account_id"), *(known[name] for name in sorted(names))]
    order = unindexed(_s.created_at) if is_few else _s.created_at
    ids = (
        select(_s.id)
        .where(*conditions)
        .order_by(order.desc(), _s.id.desc())
        .limit(bindparam("limit_"))
        .offset(bindparam("offset_"))
    )
    in_page = _s.id.in_(select(ids.subquery("page").c.id))
    page = SELECT_SESSIONS.where(in_page).order_by(_s.created_at.desc(), _s.id.desc())
    count = select(func.count()).select_from(masking_session).where(*conditions)
    return Statement(page), Statement(count)


def _filter_params(tx: Tx, wanted: SessionFilter) -> dict[str, Any]:
    def ref(number: E164 | None) -> str | None:
        return None if number is None else tx.keys.ref(number)

    def us(seconds: int | None) -> int | None:
        # No session lasts that long; the databases' integers end near there.
        return None if seconds is None else max(-SPAN_S_MAX, min(seconds, SPAN_S_MAX)) * MICROSECONDS

    params = {
        "first_ref": ref(wanted.first),
        "second_ref": ref(wanted.second),
        "number": wanted.virtual_number,
        "reference": wanted.reference,
        "subaccount_id": wanted.subaccount_id,
        "created_from": wanted.created_at.from_,
        "created_until": wanted.created_at.until,
        "end_from": wanted.ends_at.from_,
        "end_until": wanted.ends_at.until,
        "duration_from": us(wanted.duration_s.from_),
        "duration_until": us(wanted.duration_s.until),
    }
    return {name: value for name, value in params.items() if value is not None}

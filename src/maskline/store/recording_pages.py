"""Read recordings page by page, each page behind the last thing seen."""

from functools import lru_cache
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, bindparam, or_, select

from maskline.core.listing import PAGE_LIMIT_MAX, ListedRecordings, RecordingListFilter

from .engine import Tx
from .recording_lists import IS_THERE
from .recording_rows import COLUMNS, read_recording
from .schema import masking_session
from .schema_recordings import recording
from .session_pages import unindexed
from .statement import Statement

_r: Final = recording.c
_CONDITIONS: Final[dict[str, ColumnElement[bool]]] = {
    "subaccount_id": masking_session.c.subaccount_id == bindparam("subaccount_id"),
    "session_id": _r.session_id == bindparam("session_id"),
    "call_id": _r.call_id == bindparam("call_id"),
    "completed_from": _r.completed_at >= bindparam("completed_from"),
    "completed_until": _r.completed_at < bindparam("completed_until"),
    "before_at": and_(
        _r.completed_at <= bindparam("before_at"),
        or_(_r.completed_at < bindparam("before_at"), _r.id < bindparam("before_id")),
    ),
}


def load_listed_recordings(tx: Tx, wanted: RecordingListFilter, now: int) -> ListedRecordings:
    """Load one page of what an account can hear at `now`, newest first."""
    given = {
        "subaccount_id": wanted.subaccount_id,
        "session_id": wanted.session_id,
        "call_id": wanted.call_id,
        "completed_from": wanted.completed_at.from_,
        "completed_until": wanted.completed_at.until,
        "before_at": None if wanted.before is None else wanted.before.at,
    }
    params: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    statement = _statement(frozenset(params))
    if wanted.before is not None:
        params["before_id"] = wanted.before.id
    limit = min(wanted.limit, PAGE_LIMIT_MAX)
    rows = tx.rows(statement, account_id=wanted.account_id, now=now, limit_=limit + 1, **params)
    found = tuple(read_recording(row) for row in rows[:limit])
    return ListedRecordings(recordings=found, has_more=len(rows) > limit)


@lru_cache(maxsize=64)  # combinations of filters in use
def _statement(names: frozenset[str]) -> Statement:
    # A session or call has few recordings: they are found by it and sorted, not looked for among all of the account.
    is_few = bool(names & {"session_id", "call_id"})
    account_id = unindexed(_r.account_id) if is_few else _r.account_id
    order = unindexed(_r.completed_at) if is_few else _r.completed_at
    return Statement(
        select(*COLUMNS)
        .join_from(recording, masking_session, masking_session.c.id == _r.session_id)
        .where(
            account_id == bindparam("account_id"),
            IS_THERE,
            *(_CONDITIONS[name] for name in sorted(names)),
        )
        .order_by(order.desc(), _r.id.desc())
        .limit(bindparam("limit_"))
    )

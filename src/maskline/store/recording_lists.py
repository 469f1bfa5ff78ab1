"""Recordings as their account has them: what it can hear, for how long, and what is deleted."""

from collections.abc import Collection
from functools import lru_cache
from itertools import zip_longest
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, bindparam, delete, func, not_, or_, select, update
from sqlalchemy.dialects import postgresql

from maskline.core.recording import Recording, RecordingFilter, RecordingState

from .engine import Tx
from .recording_rows import COLUMNS, DAY_US, HAS_ID, read_recording
from .schema import call_record, masking_session, virtual_number
from .schema_recordings import recording, recording_retention
from .statement import Statement

_r: Final = recording.c
SWEEP_COUNT_MAX: Final = 500
"""Recordings one tidying transaction takes, so that no call waits long for the writer."""
IS_THERE: Final = and_(
    _r.state == RecordingState.COMPLETED.value,
    _r.deleted_at.is_(None),
    or_(_r.expires_at.is_(None), _r.expires_at > bindparam("now")),
)
_SUBACCOUNT: Final = (
    select(masking_session.c.subaccount_id).where(masking_session.c.id == _r.session_id).scalar_subquery()
)
_SELECT_THERE: Final = Statement(
    select(*COLUMNS, _SUBACCOUNT).where(HAS_ID, _r.account_id == bindparam("account_id"), IS_THERE)
)
_LOOK_COUNT: Final = 50
"""Recordings of one look by their ids: a page of sessions has few as a rule, and a thousand at most."""
_LOOK_KEYS: Final = tuple(f"id_{index}" for index in range(_LOOK_COUNT))
_SELECT_SEVERAL: Final = Statement(
    select(*COLUMNS).where(
        _r.id.in_([bindparam(key) for key in _LOOK_KEYS]), _r.account_id == bindparam("account_id"), IS_THERE
    )
)
_c: Final = call_record.c


def _is_of_call(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """Say whether one of these is true of the recorded call."""
    return (
        select(_c.call_id)
        .join_from(call_record, virtual_number, virtual_number.c.id == _c.virtual_number_id)
        .where(_c.call_id == _r.call_id, or_(*conditions))
        .correlate(recording)
        .exists()
    )


_CONDITIONS: Final = {
    # Each call has two legs: its caller dials the virtual number, which then dials the other party.
    "from_ref": _is_of_call(
        and_(not_(_c.is_service_initiated), _c.caller_ref == bindparam("from_ref")),
        virtual_number.c.number == bindparam("from_number"),
    ),
    "to_ref": _is_of_call(
        and_(_c.is_service_initiated, _c.caller_ref == bindparam("to_ref")),
        _c.callee_ref == bindparam("to_ref"),
        and_(not_(_c.is_service_initiated), virtual_number.c.number == bindparam("to_number")),
    ),
    "subaccount_id": bindparam("subaccount_id") == _SUBACCOUNT,
    "call": or_(
        _r.call_id == bindparam("call"),
        _r.leg_a_id == bindparam("call"),
        _r.leg_b_id == bindparam("call"),
    ),
    "session_id": _r.session_id == bindparam("session_id"),
    "completed_from": _r.completed_at >= bindparam("completed_from"),
    "completed_until": _r.completed_at < bindparam("completed_until"),
}
_DELETE: Final = Statement(
    update(recording)
    .where(HAS_ID, _r.account_id == bindparam("account_id_"), IS_THERE)
    .values(deleted_at=bindparam("now"))
)
_DELETE_EXPIRED: Final = Statement(
    update(recording)
    .where(
        _r.id.in_(
            select(_r.id)
            .where(_r.deleted_at.is_(None), _r.expires_at <= bindparam("now"))
            .order_by(_r.expires_at)
            .limit(SWEEP_COUNT_MAX)
        )
    )
    .values(deleted_at=bindparam("now"))
    .returning(_r.id)
)
_SELECT_ERASABLE: Final = Statement(
    select(_r.id, _r.storage_key)
    .where(_r.deleted_at.is_not(None), _r.erased_at.is_(None))
    .order_by(_r.deleted_at)
    .limit(SWEEP_COUNT_MAX)
)
_MARK_ERASED: Final = Statement(
    update(recording).where(HAS_ID, _r.deleted_at.is_not(None)).values(erased_at=bindparam("now"))
)
_SET_RETENTION: Final = Statement(
    postgresql.insert(recording_retention)
    .values(account_id=bindparam("account_id"), days=bindparam("days_"))
    .on_conflict_do_update(
        index_elements=[recording_retention.c.account_id], set_={"days": bindparam("days_")}
    )
)
_DROP_RETENTION: Final = Statement(
    delete(recording_retention).where(recording_retention.c.account_id == bindparam("account_id"))
)
_RESET_EXPIRY: Final = Statement(
    update(recording)
    .where(
        _r.account_id == bindparam("account_id_"),
        _r.state == RecordingState.COMPLETED.value,
        _r.deleted_at.is_(None),
    )
    .values(expires_at=_r.ended_at + bindparam("kept_us", type_=_r.ended_at.type))
)
_SELECT_RETENTION: Final = Statement(
    select(recording_retention.c.days).where(recording_retention.c.account_id == bindparam("account_id"))
)


def load_completed(
    tx: Tx, account_id: int, recording_id: str, now: int
) -> tuple[Recording, int | None] | None:
    """Load what an account can hear at `now`, with the sub-account of its session."""
    row = tx.row(_SELECT_THERE, id_=recording_id, account_id=account_id, now=now)
    return None if row is None else (read_recording(row[:-1]), row[-1])


def load_several(tx: Tx, account_id: int, ids: Collection[str], now: int) -> dict[str, Recording]:
    """Load those of these recordings that an account can hear at `now`, by id."""
    wanted = sorted(ids)
    found: dict[str, Recording] = {}
    for start in range(0, len(wanted), _LOOK_COUNT):
        look = wanted[start : start + _LOOK_COUNT]
        keys = dict(zip_longest(_LOOK_KEYS, look, fillvalue=look[0]))
        recordings = (
            read_recording(row) for row in tx.rows(_SELECT_SEVERAL, account_id=account_id, now=now, **keys)
        )
        found |= {it.id: it for it in recordings}
    return found


def load_page(tx: Tx, wanted: RecordingFilter, now: int) -> tuple[tuple[Recording, ...], int]:
    """Load a page of what an account can hear at `now`, newest first, and the count over all pages."""
    given: dict[str, Any] = {
        "subaccount_id": wanted.subaccount_id,
        "call": wanted.call,
        "session_id": wanted.session_id,
        "completed_from": wanted.completed_at.from_,
        "completed_until": wanted.completed_at.until,
    }
    for which, number in (("from", wanted.from_number), ("to", wanted.to_number)):
        given[f"{which}_ref"] = None if number is None else tx.keys.ref(number)
    params = {name: value for name, value in given.items() if value is not None}
    page, count = _list_statements(frozenset(params))
    for which, number in (("from", wanted.from_number), ("to", wanted.to_number)):
        if number is not None:
            params[f"{which}_number"] = number.reveal()
    params |= {"account_id": wanted.account_id, "now": now}
    rows = tx.rows(page, **params, limit_=wanted.limit, offset_=wanted.offset)
    counted = tx.row(count, **params)
    assert counted is not None
    return tuple(read_recording(row) for row in rows), counted[0]


@lru_cache(maxsize=64)  # combinations of filters in use
def _list_statements(names: frozenset[str]) -> tuple[Statement, Statement]:
    conditions = [_r.account_id == bindparam("account_id"), IS_THERE]
    conditions += [_CONDITIONS[name] for name in sorted(names)]
    page = (
        select(*COLUMNS)
        .where(*conditions)
        .order_by(_r.completed_at.desc(), _r.id.desc())
        .limit(bindparam("limit_"))
        .offset(bindparam("offset_"))
    )
    return Statement(page), Statement(select(func.count()).select_from(recording).where(*conditions))


def mark_deleted(tx: Tx, account_id: int, recording_id: str, now: int) -> bool:
    """Delete what an account can hear at `now`; its audio is erased from the storage afterwards."""
    return tx.run(_DELETE, id_=recording_id, account_id_=account_id, now=now) == 1


def mark_expired_deleted(tx: Tx, now: int) -> int:
    """Delete up to 500 recordings that are older than their account keeps them; return how many."""
    return len(tx.rows(_DELETE_EXPIRED, now=now))


def load_erasable(tx: Tx) -> tuple[tuple[str, str], ...]:
    """Load up to 500 deleted recordings whose audio may still be stored: id and storage key."""
    return tuple((row[0], row[1]) for row in tx.rows(_SELECT_ERASABLE))


def mark_erased(tx: Tx, recording_id: str, now: int) -> None:
    """Say that nothing of a deleted recording is stored any more."""
    tx.run(_MARK_ERASED, id_=recording_id, now=now)


def set_retention(tx: Tx, account_id: int, days: int | None) -> int:
    """Keep an account's recordings for so many days from their call's end, None: for good; return how many there are.

    What is stored already is measured by the new period as well.
    """
    if days is None:
        tx.run(_DROP_RETENTION, account_id=account_id)
    else:
        tx.run(_SET_RETENTION, account_id=account_id, days_=days)
    kept_us = None if days is None else days * DAY_US
    return tx.run(_RESET_EXPIRY, account_id_=account_id, kept_us=kept_us)


def load_retention(tx: Tx, account_id: int) -> int | None:
    """Load for how many days an account's recordings are kept; None: for good."""
    row = tx.row(_SELECT_RETENTION, account_id=account_id)
    return None if row is None else int(row[0])

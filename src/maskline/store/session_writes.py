"""Write masking sessions: insert, update, end, expire; and the parties they name."""

from typing import Any, Final, NamedTuple

from sqlalchemy import bindparam, func, or_, select, update

from maskline.core.masking import MICROSECONDS, SessionEndCause
from maskline.core.numbers import E164, PartyRef

from .engine import Tx
from .schema import binding, call_record, live_call, masking_session, party
from .sessions import FLOOR_AT
from .statement import Statement, insert_row

EXPIRY_BATCH_SIZE: Final = 500
"""Sessions expired in one transaction; keeps the writer free for calls in between."""
CALL_FIRST_PAUSE_S: Final = 30
"""A repeated create calls the first party again only if no call was started for so long."""

_s: Final = masking_session.c
_INSERT_COLUMNS: Final = tuple(
    column.name
    for column in masking_session.columns
    if column.name not in {"ended_at", "end_cause", "released_at", "last_interaction_at"}
)
_INSERT: Final = Statement(insert_row(masking_session, *_INSERT_COLUMNS).on_conflict_do_nothing())
_INSERT_PARTY: Final = Statement(
    insert_row(party, "account_id", "ref", "sealed", "created_at").on_conflict_do_nothing()
)
_RELEASE_PAIR: Final = Statement(
    update(masking_session)
    .where(
        _s.account_id == bindparam("account_id"),
        _s.pair_key == bindparam("pair_key"),
        _s.released_at.is_(None),
        _s.end_at <= bindparam("now"),
    )
    .values(released_at=bindparam("now"))
)
_LOCK_PAIR: Final = Statement(
    select(_s.id, FLOOR_AT, _s.cooloff_s, _s.called_first_at, _s.end_at)
    .where(
        _s.account_id == bindparam("account_id"),
        _s.pair_key == bindparam("pair_key"),
        _s.released_at.is_(None),
    )
    .with_for_update()
)
UPDATABLE: Final = (
    "call_time_limit_s",
    "ring_timeout_s",
    "is_recorded",
    "record_format",
    "recording_callback_url",
    "recording_callback_method",
    "callback_url",
    "callback_method",
    "first_play_url",
    "second_play_url",
    "called_first_at",
    "unknown_caller_url",
    "reference",
)
"""Columns a repeated create replaces when it gives them. Source: docs/api/plivo.md, Create."""
_UPDATE: Final = Statement(
    update(masking_session)
    .where(_s.id == bindparam("id_"), _s.ended_at.is_(None))
    .values(
        end_at=bindparam("end_at"),
        modified_at=bindparam("now"),
        event_count=_s.event_count + 1,
        **{name: func.coalesce(bindparam(name, type_=_s[name].type), _s[name]) for name in UPDATABLE},
    )
    .returning(_s.event_count)
)
# Those of a party that was replaced have ended before, and cool off by themselves.
_MOVE_BINDINGS: Final = Statement(
    update(binding)
    .where(
        binding.c.session_id == bindparam("id_"),
        binding.c.released_at.is_(None),
        binding.c.end_at == select(_s.end_at).where(_s.id == bindparam("id_")).scalar_subquery(),
    )
    .values(end_at=bindparam("end_at"), free_at=bindparam("free_at"), released_at=bindparam("released_at"))
)
_END: Final = Statement(
    update(masking_session)
    .where(_s.id == bindparam("id_"), _s.ended_at.is_(None))
    .values(
        end_at=bindparam("now"),
        ended_at=bindparam("now"),
        end_cause=bindparam("cause"),
        modified_at=bindparam("now"),
        released_at=bindparam("now"),
        event_count=_s.event_count + 1,
    )
    .returning(_s.event_count)
)
_EXPIRE: Final = Statement(
    update(masking_session)
    .where(
        _s.id.in_(
            select(_s.id)
            .where(_s.ended_at.is_(None), _s.end_at <= bindparam("now"))
            .order_by(_s.end_at)
            .limit(EXPIRY_BATCH_SIZE)
            .with_for_update(skip_locked=True)
            .scalar_subquery()
        )
    )
    .values(
        ended_at=_s.end_at,
        end_cause=SessionEndCause.EXPIRED.value,
        released_at=func.coalesce(_s.released_at, bindparam("now")),
        event_count=_s.event_count + 1,
    )
    .returning(_s.id, _s.account_id, _s.end_at, _s.event_count)
)
_SELECT_NEXT_END: Final = Statement(select(func.min(_s.end_at)).where(_s.ended_at.is_(None)))
_LOCK_OPEN: Final = Statement(
    select(
        _s.id,
        _s.subaccount_id,
        _s.virtual_number_id,
        _s.first_ref,
        _s.second_ref,
        _s.pair_key,
        FLOOR_AT,
        _s.end_at,
        _s.ended_at,
        _s.cooloff_s,
        _s.is_single_party,
        _s.has_pin,
    )
    .where(_s.id == bindparam("id"), _s.account_id == bindparam("account_id"))
    .with_for_update(of=masking_session)
)
_UPDATE_PARTIES: Final = Statement(
    update(masking_session)
    .where(_s.id == bindparam("id_"))
    .values({name: bindparam(name) for name in ("first_ref", "second_ref", "pair_key", "kind")})
)
_HAS_RECENT_CALL: Final = Statement(
    select(_s.id).where(
        _s.id == bindparam("id_"),
        or_(
            select(live_call.c.call_id).where(live_call.c.busy_session_id == bindparam("id_")).exists(),
            select(call_record.c.call_id)
            .where(
                call_record.c.session_id == bindparam("id_"), call_record.c.started_at > bindparam("since")
            )
            .exists(),
        ),
    )
)


class LivePair(NamedTuple):
    """The live session of a pair; its row is locked. µs UTC."""

    id: str
    start_at: int
    """Since when all its bindings are there."""
    cooloff_s: int
    called_first_at: int | None


class OpenSession(NamedTuple):
    """What changing a session needs to know of it; its row is locked. µs UTC."""

    id: str
    subaccount_id: int | None
    virtual_number_id: int
    first_ref: str | None
    second_ref: str | None
    pair_key: str
    start_at: int
    """Since when all its bindings are there."""
    end_at: int
    ended_at: int | None
    cooloff_s: int
    is_single_party: bool | None
    has_pin: bool


class ExpiredSession(NamedTuple):
    """A session that has just been marked as expired. µs UTC."""

    id: str
    account_id: int
    end_at: int
    event_count: int


def insert_party(tx: Tx, account_id: int, ref: PartyRef, number: E164, now: int) -> None:
    """Make the one row that holds a number, unless the account has it."""
    sealed = tx.keys.seal_party(account_id, ref, number)
    tx.run(_INSERT_PARTY, account_id=account_id, ref=ref, sealed=sealed, created_at=now)


def lock_live_pair(tx: Tx, account_id: int, pair_key: str, now: int) -> LivePair | None:
    """Lock the live session of a pair; one that is over gives up the pair's place in the unique index."""
    row = tx.row(_LOCK_PAIR, account_id=account_id, pair_key=pair_key)
    if row is None:
        return None
    *pair, end_at = row
    if end_at > now:
        return LivePair(*pair)
    tx.run(_RELEASE_PAIR, account_id=account_id, pair_key=pair_key, now=now)
    return None


def insert_session(tx: Tx, **columns: Any) -> bool:
    """Insert a session; False when another one of the pair has come first."""
    return tx.run(_INSERT, **columns) == 1


def update_session(tx: Tx, live: LivePair, *, end_at: int, now: int, **given: Any) -> int:
    """Replace what is given (None: not given) and move the end; return the event's sequence.

    A clock that was set back moves no end before the beginning.
    """
    end_at = max(end_at, live.start_at)
    free_at = end_at + live.cooloff_s * MICROSECONDS
    tx.run(_MOVE_BINDINGS, id_=live.id, end_at=end_at, free_at=free_at, released_at=None)
    params = dict.fromkeys(UPDATABLE) | given
    row = tx.row(_UPDATE, id_=live.id, end_at=end_at, now=now, **params)
    assert row is not None, "the row is locked and live"
    return int(row[0])


def lock_open_session(tx: Tx, account_id: int, id_: str) -> OpenSession | None:
    """Lock a session of an account, to change it; whether its window is open is for the caller to see."""
    row = tx.row(_LOCK_OPEN, id=id_, account_id=account_id)
    return None if row is None else OpenSession(*row)


def update_parties(tx: Tx, id_: str, *, first_ref: str | None, second_ref: str | None, pair_key: str) -> None:
    """Write who the parties of a locked session are. Another live session with `pair_key` makes it run again."""
    is_pair = first_ref is not None and second_ref is not None
    tx.run(
        _UPDATE_PARTIES,
        id_=id_,
        first_ref=first_ref,
        second_ref=second_ref,
        pair_key=pair_key,
        kind="pair" if is_pair else "one-party",
    )


def update_ended(tx: Tx, id_: str, *, cooloff_s: int, cause: SessionEndCause, now: int) -> int:
    """End a live session at `now`; return the event's sequence. Its bindings cool off from now."""
    free_at = now + cooloff_s * MICROSECONDS
    released_at = now if cooloff_s == 0 else None
    tx.run(_MOVE_BINDINGS, id_=id_, end_at=now, free_at=free_at, released_at=released_at)
    row = tx.row(_END, id_=id_, cause=cause.value, now=now)
    assert row is not None, "the row is locked and live"
    return int(row[0])


def update_expired(tx: Tx, now: int) -> tuple[ExpiredSession, ...]:
    """Mark the next batch of sessions whose end has passed; each is returned exactly once, ever."""
    return tuple(ExpiredSession(*row) for row in tx.rows(_EXPIRE, now=now))


def load_next_end(tx: Tx) -> int | None:
    """Load the earliest end of a session not yet marked as ended."""
    row = tx.row(_SELECT_NEXT_END)
    return None if row is None or row[0] is None else int(row[0])


def has_recent_call(tx: Tx, live: LivePair, now: int) -> bool:
    """Say whether a call of the session runs or one was started in the last 30 s."""
    since = now - CALL_FIRST_PAUSE_S * MICROSECONDS
    if live.called_first_at is not None and live.called_first_at > since:
        return True
    return tx.row(_HAS_RECENT_CALL, id_=live.id, since=since) is not None

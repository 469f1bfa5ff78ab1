"""Rows of the outbox: events written in the transaction that made them true."""

import json
from typing import Final

from sqlalchemy import bindparam, select, update

from maskline.core.events import DomainEvent, EventKind, EventValue

from .engine import Row, Tx
from .schema import call_record, live_call, masking_session, outbox
from .statement import Statement, insert_row

_encode: Final = json.JSONEncoder(separators=(",", ":")).encode
_INSERT: Final = Statement(
    insert_row(outbox, "account_id", "session_id", "call_id", "kind", "sequence", "occurred_at", "facts")
)
_NEXT_SEQUENCE: Final = Statement(
    update(masking_session)
    .where(masking_session.c.id == bindparam("session_id"))
    .values(event_count=masking_session.c.event_count + 1)
    .returning(masking_session.c.event_count)
)
_COLUMNS: Final = (
    outbox.c.id,
    outbox.c.account_id,
    outbox.c.session_id,
    outbox.c.call_id,
    outbox.c.kind,
    outbox.c.sequence,
    outbox.c.occurred_at,
    outbox.c.facts,
)
_SELECT_LIVE_PARTIES: Final = Statement(
    select(live_call.c.caller_ref, live_call.c.callee_ref).where(live_call.c.call_id == bindparam("call_id"))
)
_SELECT_RECORDED_PARTIES: Final = Statement(
    select(call_record.c.caller_ref, call_record.c.callee_ref).where(
        call_record.c.call_id == bindparam("call_id")
    )
)
_SELECT_UNPUBLISHED: Final = Statement(
    select(*_COLUMNS)
    .where(outbox.c.published_at.is_(None))
    .order_by(outbox.c.id)
    .limit(bindparam("row_count_max"))
)


def insert_event(
    tx: Tx,
    kind: EventKind,
    *,
    account_id: int,
    session_id: str,
    sequence: int,
    occurred_at: int,
    call_id: str | None = None,
    facts: dict[str, EventValue],
) -> None:
    """Write an event whose place in its session's sequence the caller has just taken."""
    tx.run(
        _INSERT,
        account_id=account_id,
        session_id=session_id,
        call_id=call_id,
        kind=kind.value,
        sequence=sequence,
        occurred_at=occurred_at,
        facts=_encode(facts),
    )


def take_sequence(tx: Tx, session_id: str) -> int:
    """Take the next place in a session's sequence of events; locks the session's row."""
    row = tx.row(_NEXT_SEQUENCE, session_id=session_id)
    assert row is not None
    return int(row[0])


def load_call_parties(tx: Tx, call_id: str) -> dict[str, EventValue] | None:
    """Load between whom a call is or was, as the facts `caller` and `callee`; None for a call nobody knows."""
    row = tx.row(_SELECT_LIVE_PARTIES, call_id=call_id) or tx.row(_SELECT_RECORDED_PARTIES, call_id=call_id)
    return None if row is None else {"caller": row[0], "callee": row[1]}


def load_unpublished(tx: Tx, row_count_max: int) -> tuple[DomainEvent, ...]:
    """Load the oldest events of which no delivery was made yet."""
    return tuple(_event(row) for row in tx.rows(_SELECT_UNPUBLISHED, row_count_max=row_count_max))


def _event(row: Row) -> DomainEvent:
    id_, account_id, session_id, call_id, kind, sequence, occurred_at, facts = row
    return DomainEvent(
        id=id_,
        account_id=account_id,
        session_id=session_id,
        call_id=call_id,
        kind=EventKind(kind),
        sequence=sequence,
        occurred_at=occurred_at,
        facts=json.loads(facts),
    )

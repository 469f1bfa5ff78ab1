"""Rows of the outbox: events written in the transaction that made them true."""

import json
from typing import Final, NamedTuple

from sqlalchemy import bindparam, literal_column, select, update

from maskline.core.delivery import Callbacks
from maskline.core.events import DomainEvent, EventKind, EventValue
from maskline.core.masking import CallbackMethod
from maskline.core.numbers import E164, PartyRef

from .engine import Row, Tx
from .schema import call_record, live_call, masking_session, meta, outbox, party
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
_SELECT_LIVE_PARTIES: Final = Statement(
    select(live_call.c.caller_ref, live_call.c.callee_ref).where(live_call.c.call_id == bindparam("call_id"))
)
_SELECT_RECORDED_PARTIES: Final = Statement(
    select(call_record.c.caller_ref, call_record.c.callee_ref).where(
        call_record.c.call_id == bindparam("call_id")
    )
)
EVENT_COLUMNS: Final = (
    outbox.c.id,
    outbox.c.account_id,
    outbox.c.session_id,
    outbox.c.call_id,
    outbox.c.kind,
    outbox.c.sequence,
    outbox.c.occurred_at,
    outbox.c.facts,
)
"""What `read_event` reads."""
_SELECT_UNPUBLISHED: Final = Statement(
    select(
        *EVENT_COLUMNS,
        masking_session.c.callback_url,
        masking_session.c.callback_method,
        masking_session.c.recording_callback_url,
        masking_session.c.recording_callback_method,
        masking_session.c.first_ref,
    )
    .join(masking_session, masking_session.c.id == outbox.c.session_id)
    .where(outbox.c.published_at.is_(None))
    .order_by(outbox.c.id)
    .limit(bindparam("row_count_max"))
)
_SELECT_SEALED: Final = Statement(
    select(party.c.sealed).where(
        party.c.account_id == bindparam("account_id"), party.c.ref == bindparam("ref")
    )
)
_HAS_UNPUBLISHED: Final = Statement(select(outbox.c.id).where(outbox.c.published_at.is_(None)).limit(1))
_MARK_PUBLISHED: Final = Statement(
    update(outbox)
    .where(outbox.c.id == bindparam("id_"))
    .values(published_at=bindparam("now"), position=bindparam("place"))
)
_PUBLISHER: Final = meta.c.name == literal_column("'publisher'")
_SELECT_LAST_POSITION: Final = Statement(select(meta.c.value).where(_PUBLISHER))
_SET_LAST_POSITION: Final = Statement(update(meta).where(_PUBLISHER).values(value=bindparam("value_")))


class UnpublishedEvent(NamedTuple):
    """An event of which no delivery was made yet, and where its session wants to be told of, as it stands."""

    event: DomainEvent
    callbacks: Callbacks


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


def load_unpublished(tx: Tx, row_count_max: int) -> tuple[UnpublishedEvent, ...]:
    """Load the oldest events of which no delivery was made yet."""
    return tuple(_unpublished(row) for row in tx.rows(_SELECT_UNPUBLISHED, row_count_max=row_count_max))


def has_unpublished(tx: Tx) -> bool:
    """Say whether there is an event of which no delivery was made yet."""
    return tx.row(_HAS_UNPUBLISHED) is not None


def load_last_position(tx: Tx) -> int:
    """Load the place of the event that was published last; 0 before the first."""
    row = tx.row(_SELECT_LAST_POSITION)
    return int(row[0] or 0) if row else 0


def set_last_position(tx: Tx, position: int) -> None:
    """Keep the place of the event published last; it outlives the event. For the publisher alone."""
    tx.run(_SET_LAST_POSITION, value_=str(position))


def mark_published(tx: Tx, event_id: int, position: int, now: int) -> None:
    """Say that the deliveries of an event are made, and which place it has among all published."""
    tx.run(_MARK_PUBLISHED, id_=event_id, place=position, now=now)


def read_event(row: Row) -> DomainEvent:
    """Read the event of a row that begins with `EVENT_COLUMNS`."""
    id_, account_id, session_id, call_id, kind, sequence, occurred_at, facts = row[: len(EVENT_COLUMNS)]
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


def load_party(tx: Tx, account_id: int, fact: EventValue) -> E164 | None:
    """Unseal the number of the party whose reference a fact is; None for no reference, and for an erased party."""
    row = tx.row(_SELECT_SEALED, account_id=account_id, ref=fact) if isinstance(fact, str) else None
    if row is None or row[0] is None:
        return None
    return tx.keys.unseal_party(account_id, PartyRef(str(fact)), row[0])


def _unpublished(row: Row) -> UnpublishedEvent:
    url, method, recording_url, recording_method, first_ref = row[len(EVENT_COLUMNS) :]
    callbacks = Callbacks(
        url=url,
        method=CallbackMethod(method),
        recording_url=recording_url,
        recording_method=CallbackMethod(recording_method),
        has_first=first_ref is not None,
    )
    return UnpublishedEvent(read_event(row), callbacks)

"""Published events, read in the order of their places.

Ids of the outbox will not do: concurrent transactions commit in another order than they drew their ids, so that a
reader who stands behind 7 may have passed a 6 that was not there yet. Places are given by the publisher, one
transaction after the other: when a place is seen, all before it are.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from sqlalchemy import bindparam, false, func, select, text, true, update

from maskline.core.event_stream import EVENT_LIST_LIMIT_MAX, EventFilter, EventPage, PublishedEvent
from maskline.core.events import DomainEvent, EventKind
from maskline.core.numbers import DID, E164

from .engine import Row, Tx
from .outbox import decode_facts, load_last_position
from .schema import account, masking_session, outbox, party, virtual_number
from .statement import Statement

_o: Final = outbox.c
_KIND_KEYS: Final = tuple(f"kind_{index}" for index in range(len(EventKind)))
_SELECT_NEWEST: Final = Statement(
    select(func.max(_o.position)).where(_o.account_id == bindparam("account_id"))
)
_SELECT_SEALED: Final = Statement(
    select(party.c.sealed).where(
        party.c.account_id == bindparam("account_id"), party.c.ref == bindparam("ref")
    )
)
_FOLLOW: Final = Statement(
    update(account)
    .where(account.c.id == bindparam("id_"))
    .values(has_streams=true(), streams_until=bindparam("until"))
)
_UNFOLLOW: Final = Statement(
    update(account)
    .where(text("has_streams"), account.c.streams_until <= bindparam("now"))  # as its index has it
    .values(has_streams=false())
)


@lru_cache(maxsize=2)
def _list_statement(*, has_subaccount: bool) -> Statement:
    conditions = [
        _o.account_id == bindparam("account_id"),
        _o.position > bindparam("after"),
        _o.kind.in_([bindparam(key) for key in _KIND_KEYS]),
    ]
    if has_subaccount:
        conditions.append(masking_session.c.subaccount_id == bindparam("subaccount_id"))
    return Statement(
        select(
            _o.position,
            _o.id,
            _o.account_id,
            _o.session_id,
            _o.call_id,
            _o.kind,
            _o.sequence,
            _o.occurred_at,
            _o.facts,
            account.c.auth_id,
            virtual_number.c.number,
        )
        .join_from(outbox, masking_session, masking_session.c.id == _o.session_id)
        .join(virtual_number, virtual_number.c.id == masking_session.c.virtual_number_id)
        .join(account, account.c.id == _o.account_id)
        .where(*conditions)
        .order_by(_o.position)
        .limit(bindparam("limit_"))
    )


def load_events(tx: Tx, wanted: EventFilter) -> EventPage:
    """Load the next events of an account behind a place."""
    seen_position = load_last_position(tx)  # before the events, so that it is not ahead of them
    kinds = sorted(wanted.kinds or EventKind)
    limit = min(wanted.limit, EVENT_LIST_LIMIT_MAX)
    params: dict[str, str | int] = {
        "account_id": wanted.account_id,
        "after": wanted.after,
        "limit_": limit + 1,
        **{key: kinds[min(index, len(kinds) - 1)].value for index, key in enumerate(_KIND_KEYS)},
    }
    if wanted.subaccount_id is not None:
        params["subaccount_id"] = wanted.subaccount_id
    rows = tx.rows(_list_statement(has_subaccount=wanted.subaccount_id is not None), **params)
    events = tuple(_event(tx, row, has_numbers=wanted.has_numbers) for row in rows[:limit])
    has_more = len(rows) > limit
    last = events[-1].position if events else wanted.after
    return EventPage(
        events=events, position=last if has_more else max(last, seen_position), has_more=has_more
    )


def load_newest_positions(tx: Tx, account_ids: Iterable[int]) -> dict[int, int]:
    """Load the place of the newest event of each of some accounts; 0 where there is none."""
    found: dict[int, int] = {}
    for account_id in account_ids:
        row = tx.row(_SELECT_NEWEST, account_id=account_id)
        found[account_id] = int(row[0] or 0) if row else 0
    return found


def mark_followed(tx: Tx, account_ids: Iterable[int], until: int) -> None:
    """Say that streams of some accounts are open until an instant, unless it is said again."""
    for account_id in sorted(account_ids):  # in one order, so that processes do not deadlock
        tx.run(_FOLLOW, id_=account_id, until=until)


def forget_followed(tx: Tx, now: int) -> int:
    """Say of accounts whose time has come that no stream of theirs is open; return how many."""
    return tx.run(_UNFOLLOW, now=now)


def _event(tx: Tx, row: Row, *, has_numbers: bool) -> PublishedEvent:
    position, id_, account_id, session_id, call_id, kind, sequence, occurred_at, facts, auth_id, number = row
    event = DomainEvent(
        id=id_,
        account_id=account_id,
        session_id=session_id,
        call_id=call_id,
        kind=EventKind(kind),
        sequence=sequence,
        occurred_at=occurred_at,
        facts=decode_facts(facts),
    )
    return PublishedEvent(
        position=position,
        event=event,
        auth_id=auth_id,
        virtual_number=DID(number),
        sends_numbers=has_numbers,
        caller=_number(tx, event, "caller") if has_numbers else None,
        callee=_number(tx, event, "callee") if has_numbers else None,
    )


def _number(tx: Tx, event: DomainEvent, fact: str) -> E164 | None:
    ref = event.facts.get(fact)
    if not isinstance(ref, str):
        return None
    row = tx.row(_SELECT_SEALED, account_id=event.account_id, ref=ref)
    if row is None or row[0] is None:
        return None
    return tx.keys.unseal_party(event.account_id, ref, row[0])

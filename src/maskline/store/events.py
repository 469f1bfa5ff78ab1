"""Published events, read in the order of their places.

Ids of the outbox will not do: concurrent transactions commit in another order than they drew their ids, so that a
reader who stands behind 7 may have passed a 6 that was not there yet. Places are given by the publisher, one
transaction after the other: when a place is seen, all before it are.
"""

from collections.abc import Callable, Iterable
from functools import cache, lru_cache
from typing import Final

from sqlalchemy import bindparam, false, func, select, text, true, update

from maskline.core.event_stream import EVENT_LIST_LIMIT_MAX, EventFilter, EventPage, PublishedEvent
from maskline.core.events import EventKind, EventValue
from maskline.core.numbers import DID, E164

from .engine import Row, Tx
from .outbox import EVENT_COLUMNS, load_last_position, load_party, read_event
from .schema import account, masking_session, outbox, virtual_number
from .statement import Statement

_o: Final = outbox.c
_KIND_KEYS: Final = tuple(f"kind_{index}" for index in range(len(EventKind)))
_SELECT_NEWEST: Final = Statement(
    select(func.max(_o.position)).where(_o.account_id == bindparam("account_id"))
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
            *EVENT_COLUMNS,
            _o.position,
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

    @cache  # the steps of a call name the same two
    def number(fact: EventValue) -> E164 | None:
        return load_party(tx, wanted.account_id, fact) if wanted.has_numbers else None

    events = tuple(_event(row, number, sends_numbers=wanted.has_numbers) for row in rows[:limit])
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


def _event(row: Row, number: Callable[[EventValue], E164 | None], *, sends_numbers: bool) -> PublishedEvent:
    event = read_event(row)
    position, auth_id, virtual = row[len(EVENT_COLUMNS) :]
    return PublishedEvent(
        position=position,
        event=event,
        auth_id=auth_id,
        virtual_number=DID(virtual),
        sends_numbers=sends_numbers,
        caller=number(event.facts.get("caller")),
        callee=number(event.facts.get("callee")),
    )

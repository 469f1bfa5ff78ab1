"""Rows of deliveries as those see them who look after them: lists, replays, and what is old enough to go."""

from functools import lru_cache
from typing import Any, Final, NamedTuple

from sqlalchemy import bindparam, delete, literal_column, not_, or_, select, text, update

from maskline.core.delivery import (
    DELIVERY_LIST_LIMIT_MAX,
    Delivery,
    DeliveryFilter,
    DeliveryState,
    Dialect,
)
from maskline.core.events import EventKind
from maskline.core.masking import MICROSECONDS, CallbackMethod

from .deliveries import GIVE_UP_AFTER_S
from .engine import Row, Tx
from .schema import account, outbox
from .schema_deliveries import delivery, webhook_endpoint
from .statement import Statement

PRUNE_BATCH_SIZE: Final = 500
"""Rows deleted in one transaction; keeps the writer free for calls in between."""
REPLAY_BATCH_SIZE: Final = 500
"""Deliveries replayed in one transaction, for the same reason."""

_d: Final = delivery.c
_e: Final = webhook_endpoint.c
_SELECT: Final = (
    select(
        _d.id,
        _d.message_id,
        _d.account_id,
        account.c.auth_id,
        outbox.c.kind,
        outbox.c.session_id,
        outbox.c.call_id,
        outbox.c.sequence,
        outbox.c.occurred_at,
        _d.dialect,
        _d.endpoint_id,
        _d.url,
        _d.method,
        _d.state,
        _d.attempt_count,
        _d.next_at,
        _d.created_at,
        _d.first_attempt_at,
        _d.last_attempt_at,
        _d.finished_at,
        _d.last_status,
        _d.last_error,
    )
    .join_from(delivery, outbox, outbox.c.id == _d.event_id)
    .join(account, account.c.id == _d.account_id)
)
_LOCK: Final = Statement(
    select(_d.id, _d.account_id, _d.state, _d.endpoint_id, _e.removed_at, _e.disabled_at)
    .join_from(delivery, webhook_endpoint, _e.id == _d.endpoint_id, isouter=True)
    .where(_d.message_id == bindparam("message_id"))
    .with_for_update(of=delivery)
)
_again = update(delivery).values(
    state=DeliveryState.PENDING.value,
    attempt_count=0,
    next_at=bindparam("now"),
    give_up_at=bindparam("give_up_at"),
    finished_at=None,
)
_REPLAY: Final = Statement(_again.where(_d.id == bindparam("id_")))
_dead = delivery.alias("dead")
_IS_DEAD: Final = text("dead.state = 'dead'")  # written out, so that the index over the dead is used


def _replay_dead(*conditions: Any) -> Statement:
    is_unreachable = (
        select(literal_column("1"))
        .where(_e.id == _dead.c.endpoint_id, or_(_e.removed_at.is_not(None), _e.disabled_at.is_not(None)))
        .correlate(_dead)
        .exists()
    )
    ids = (
        select(_dead.c.id)
        .where(_IS_DEAD, not_(is_unreachable), *conditions)
        .order_by(_dead.c.id)
        .limit(REPLAY_BATCH_SIZE)
        .with_for_update(skip_locked=True, of=_dead)
    )
    return Statement(_again.where(_d.id.in_(ids.scalar_subquery())))


_REPLAY_DEAD: Final = _replay_dead()
_REPLAY_DEAD_OF: Final = _replay_dead(_dead.c.account_id == bindparam("owner_id"))
_PRUNE: Final = Statement(
    delete(delivery).where(
        _d.id.in_(
            select(_dead.c.id)
            .where(_dead.c.finished_at.is_not(None), _dead.c.finished_at <= bindparam("before"))
            .order_by(_dead.c.finished_at)
            .limit(PRUNE_BATCH_SIZE)
            .with_for_update(skip_locked=True, of=_dead)
            .scalar_subquery()
        )
    )
)
_old = outbox.alias("old")
_PRUNE_EVENTS: Final = Statement(
    delete(outbox).where(
        outbox.c.id.in_(
            select(_old.c.id)
            .where(
                _old.c.published_at.is_not(None),
                _old.c.published_at <= bindparam("before"),
                not_(select(literal_column("1")).where(_d.event_id == _old.c.id).correlate(_old).exists()),
            )
            .order_by(_old.c.published_at)
            .limit(PRUNE_BATCH_SIZE)
            .with_for_update(skip_locked=True, of=_old)
            .scalar_subquery()
        )
    )
)


class LockedDelivery(NamedTuple):
    """A delivery whose row is locked."""

    id: int
    account_id: int
    state: DeliveryState
    is_endpoint_gone: bool


def load_delivery_page(tx: Tx, wanted: DeliveryFilter) -> tuple[Delivery, ...]:
    """Load one page, newest first."""
    given = {"account_id": wanted.account_id, "before": wanted.before}
    params = {name: value for name, value in given.items() if value is not None}
    statement = _list_statement(frozenset(params), wanted.state)
    limit = min(wanted.limit, DELIVERY_LIST_LIMIT_MAX + 1)  # one more tells whether there is more
    return tuple(_delivery(row) for row in tx.rows(statement, **params, limit_=limit))


def load_delivery(tx: Tx, message_id: str) -> Delivery | None:
    """Load one delivery by the id its receiver knows it by."""
    row = tx.row(_SELECT_ONE, message_id=message_id)
    return None if row is None else _delivery(row)


_SELECT_ONE: Final = Statement(_SELECT.where(_d.message_id == bindparam("message_id")))


def lock_delivery(tx: Tx, message_id: str) -> LockedDelivery | None:
    """Lock a delivery."""
    row = tx.row(_LOCK, message_id=message_id)
    if row is None:
        return None
    id_, account_id, state, endpoint_id, removed_at, disabled_at = row
    is_gone = endpoint_id is not None and (removed_at is not None or disabled_at is not None)
    return LockedDelivery(id_, account_id, DeliveryState(state), is_gone)


def replay(tx: Tx, id_: int, now: int) -> None:
    """Make a locked, finished delivery pending again, with the whole time to be tried."""
    tx.run(_REPLAY, id_=id_, now=now, give_up_at=now + GIVE_UP_AFTER_S * MICROSECONDS)


def replay_dead(tx: Tx, account_id: int | None, now: int) -> int:
    """Make up to 500 dead deliveries pending again whose endpoint takes them; return how many."""
    give_up_at = now + GIVE_UP_AFTER_S * MICROSECONDS
    if account_id is None:
        return tx.run(_REPLAY_DEAD, now=now, give_up_at=give_up_at)
    return tx.run(_REPLAY_DEAD_OF, owner_id=account_id, now=now, give_up_at=give_up_at)


def prune(tx: Tx, before: int) -> int:
    """Delete up to 500 deliveries that were finished, and as many events that have none left; return how many."""
    return tx.run(_PRUNE, before=before) + tx.run(_PRUNE_EVENTS, before=before)


@lru_cache(maxsize=64)  # combinations of filters
def _list_statement(names: frozenset[str], state: DeliveryState | None) -> Statement:
    conditions: list[Any] = []
    if "account_id" in names:
        conditions.append(_d.account_id == bindparam("account_id"))
    if "before" in names:
        conditions.append(_d.id < bindparam("before"))
    if state is not None:
        conditions.append(text(f"delivery.state = '{state.value}'"))
    return Statement(_SELECT.where(*conditions).order_by(_d.id.desc()).limit(bindparam("limit_")))


def _delivery(row: Row) -> Delivery:
    (
        id_,
        message_id,
        account_id,
        auth_id,
        kind,
        session_id,
        call_id,
        sequence,
        occurred_at,
        dialect,
        endpoint_id,
        url,
        method,
        state,
        attempt_count,
        next_at,
        created_at,
        first_attempt_at,
        last_attempt_at,
        finished_at,
        last_status,
        last_error,
    ) = row
    return Delivery(
        id=id_,
        message_id=message_id,
        account_id=account_id,
        auth_id=auth_id,
        kind=EventKind(kind),
        session_id=session_id,
        call_id=call_id,
        sequence=sequence,
        occurred_at=occurred_at,
        dialect=Dialect(dialect),
        endpoint_id=endpoint_id,
        url=url,
        method=CallbackMethod(method),
        state=DeliveryState(state),
        attempt_count=attempt_count,
        next_at=next_at,
        created_at=created_at,
        first_attempt_at=first_attempt_at,
        last_attempt_at=last_attempt_at,
        finished_at=finished_at,
        last_status=last_status,
        last_error=last_error,
    )

"""Rows of deliveries as a worker sees them: made of events, leased, finished.

What is pending or leased is told by what is NULL (`finished_at`, `lease_until`), as the indexes are.
"""

import uuid
from typing import Any, Final, NamedTuple

from sqlalchemy import Select, and_, bindparam, case, func, literal_column, not_, or_, select, update

from maskline.core.call_report import CallReport
from maskline.core.delivery import (
    ORDER_WAIT_S,
    DeliveryFacts,
    DeliveryState,
    Dialect,
    FinishedAttempt,
    LeasedDelivery,
    Receiver,
)
from maskline.core.events import DomainEvent
from maskline.core.masking import MICROSECONDS, CallbackMethod
from maskline.core.numbers import DID
from maskline.core.secret import Secret

from .call_reports import load_call_report
from .engine import Row, Tx
from .keys import SealError
from .outbox import EVENT_COLUMNS, load_party, read_event
from .schema import account, masking_session, meta, outbox, subaccount, virtual_number
from .schema_deliveries import delivery, webhook_endpoint
from .statement import Statement, insert_row
from .webhook_endpoints import secret_place

GIVE_UP_AFTER_S: Final = 72 * 3600
"""How long an event is tried: a receiver that breaks on a Friday evening is mended on Monday."""
DUE_RECEIVER_COUNT_MAX: Final = 256
"""Receivers looked at in one round; the rest is due in the next one, some milliseconds later."""

_WAIT_US: Final = ORDER_WAIT_S * MICROSECONDS
_d: Final = delivery.c
_mine: Final = delivery.alias("mine")
_earlier: Final = delivery.alias("earlier")

_LOCK_PUBLISHER: Final = Statement(
    select(meta.c.value).where(meta.c.name == literal_column("'publisher'")).with_for_update(skip_locked=True)
)
_INSERT: Final = Statement(
    insert_row(
        delivery,
        "message_id",
        "event_id",
        "account_id",
        "dialect",
        "receiver",
        "endpoint_id",
        "order_key",
        "url",
        "method",
        "state",
        "attempt_count",
        "created_at",
        "next_at",
        "give_up_at",
    )
)


def _first_receiver(after: Any) -> Any:
    """The first receiver with something pending, after another one: one look into the index."""
    mine = delivery.alias("next_one")
    found: Select[Any] = select(func.min(mine.c.receiver)).where(
        mine.c.finished_at.is_(None), mine.c.lease_until.is_(None)
    )
    return found if after is None else found.where(mine.c.receiver > after)


# Receivers are few and their pending deliveries may be very many, so that the index is read in leaps.
_receivers = _first_receiver(None).cte("receivers", recursive=True)
_receivers = _receivers.union_all(
    select(_first_receiver(_receivers.c[0]).correlate(_receivers).scalar_subquery()).where(
        _receivers.c[0].is_not(None)
    )
)
_due_at: Final = (
    select(func.min(_mine.c.next_at))
    .where(
        _mine.c.finished_at.is_(None),
        _mine.c.lease_until.is_(None),
        _mine.c.receiver == _receivers.c[0],
    )
    .correlate(_receivers)
    .scalar_subquery()
)
_heads = select(_receivers.c[0].label("receiver"), _due_at.label("due_at")).subquery("heads")
_SELECT_DUE_RECEIVERS: Final = Statement(
    select(_heads.c.receiver)
    .where(_heads.c.due_at <= bindparam("now"))
    .order_by(_heads.c.due_at, _heads.c.receiver)
    .limit(DUE_RECEIVER_COUNT_MAX)
)
_LEASE: Final = Statement(
    update(delivery)
    .where(
        _d.id.in_(
            select(_mine.c.id)
            .where(
                _mine.c.receiver == bindparam("for_receiver"),
                _mine.c.finished_at.is_(None),
                _mine.c.lease_until.is_(None),
                _mine.c.next_at <= bindparam("now"),
                or_(
                    _mine.c.created_at <= bindparam("waited_since"),
                    not_(
                        select(literal_column("1"))
                        .where(
                            _earlier.c.receiver == _mine.c.receiver,
                            _earlier.c.order_key == _mine.c.order_key,
                            _earlier.c.finished_at.is_(None),
                            _earlier.c.id < _mine.c.id,
                        )
                        .correlate(_mine)
                        .exists()
                    ),
                ),
            )
            .order_by(_mine.c.next_at, _mine.c.id)
            .limit(bindparam("count_max"))
            .with_for_update(skip_locked=True, of=_mine)
            .scalar_subquery()
        )
    )
    .values(
        state=DeliveryState.LEASED.value, leased_by=bindparam("worker_id"), lease_until=bindparam("until")
    )
    .returning(_d.id)
)
_SELECT_LEASED: Final = Statement(
    select(
        _d.message_id,
        _d.receiver,
        _d.dialect,
        _d.url,
        _d.method,
        _d.attempt_count,
        _d.created_at,
        _d.give_up_at,
        *EVENT_COLUMNS,
        account.c.auth_id,
        account.c.token_sealed,
        subaccount.c.auth_id,
        subaccount.c.token_sealed,
        webhook_endpoint.c.id,
        webhook_endpoint.c.secret_sealed,
        webhook_endpoint.c.disabled_at,
        webhook_endpoint.c.sends_numbers,
        virtual_number.c.number,
        masking_session.c.first_ref,
    )
    .join_from(delivery, outbox, outbox.c.id == _d.event_id)
    .join(masking_session, masking_session.c.id == outbox.c.session_id)
    .join(virtual_number, virtual_number.c.id == masking_session.c.virtual_number_id)
    .join(account, account.c.id == outbox.c.account_id)
    .outerjoin(subaccount, subaccount.c.id == masking_session.c.subaccount_id)
    .outerjoin(webhook_endpoint, webhook_endpoint.c.id == _d.endpoint_id)
    .where(_d.id == bindparam("id"))
)
_FINISH: Final = Statement(
    update(delivery)
    .where(
        _d.id == bindparam("id_"),
        _d.lease_until == bindparam("leased_until"),
        _d.leased_by == bindparam("worker_id"),
    )
    .values(
        state=bindparam("new_state"),
        attempt_count=_d.attempt_count + 1,
        next_at=func.coalesce(bindparam("retry_at", type_=_d.next_at.type), _d.next_at),
        leased_by=None,
        lease_until=None,
        first_attempt_at=func.coalesce(
            _d.first_attempt_at, bindparam("started_at", type_=_d.first_attempt_at.type)
        ),
        last_attempt_at=bindparam("started_at", type_=_d.last_attempt_at.type),
        finished_at=bindparam("ended_at"),
        last_status=bindparam("status"),
        last_error=bindparam("error"),
    )
)
_CANCEL: Final = Statement(
    update(delivery)
    .where(_d.id == bindparam("id_"))
    .values(
        state=DeliveryState.CANCELLED.value,
        leased_by=None,
        lease_until=None,
        finished_at=bindparam("now"),
        last_error=bindparam("error"),
    )
)
_wait_end = _d.created_at + _WAIT_US
_HOLD_FOLLOWERS: Final = Statement(
    update(delivery)
    .where(
        _d.receiver == bindparam("for_receiver"),
        _d.order_key == select(_mine.c.order_key).where(_mine.c.id == bindparam("id_")).scalar_subquery(),
        _d.finished_at.is_(None),
        _d.lease_until.is_(None),
        _d.id > bindparam("id_"),
        _d.attempt_count == 0,
        _d.next_at < bindparam("retry_at", type_=_d.next_at.type),
    )
    .values(
        next_at=case(
            (_wait_end < bindparam("retry_at", type_=_d.next_at.type), _wait_end),
            else_=bindparam("retry_at", type_=_d.next_at.type),
        )
    )
)
_interrupted = update(delivery).values(
    state=DeliveryState.PENDING.value,
    attempt_count=_d.attempt_count + 1,
    next_at=bindparam("now"),
    leased_by=None,
    lease_until=None,
    last_error="interrupted",
)
_RECLAIM_LAPSED: Final = Statement(
    _interrupted.where(
        and_(_d.lease_until.is_not(None), _d.lease_until <= bindparam("now", type_=_d.next_at.type))
    )
)
_RECLAIM_OWN: Final = Statement(
    _interrupted.where(and_(_d.lease_until.is_not(None), _d.leased_by == bindparam("worker_id")))
)


class LeasedRow(NamedTuple):
    """What was leased: with what a request needs, or a kebab-case word that says why it cannot be made."""

    id: int
    delivery: LeasedDelivery | str


def lock_publisher(tx: Tx) -> bool:
    """Become the one who makes deliveries until the end of the transaction; False while somebody else is.

    One at a time, so that the deliveries of a call are made in the order of its events.
    """
    return tx.row(_LOCK_PUBLISHER) is not None


def insert_delivery(tx: Tx, event: DomainEvent, receiver: Receiver, now: int) -> None:
    """Make the delivery of an event to one receiver, due at once."""
    tx.run(
        _INSERT,
        message_id=_draw_message_id(tx),
        event_id=event.id,
        account_id=event.account_id,
        dialect=receiver.dialect.value,
        receiver=receiver.key,
        endpoint_id=receiver.endpoint_id,
        order_key=event.call_id or event.session_id,
        url=receiver.url,
        method=receiver.method.value,
        state=DeliveryState.PENDING.value,
        attempt_count=0,
        created_at=now,
        next_at=now,
        give_up_at=now + GIVE_UP_AFTER_S * MICROSECONDS,
    )


def load_due_receivers(tx: Tx, now: int) -> tuple[str, ...]:
    """Load the receivers that have something due, whoever has waited longest first."""
    return tuple(row[0] for row in tx.rows(_SELECT_DUE_RECEIVERS, now=now))


def lease_due(
    tx: Tx, receiver: str, *, count_max: int, worker_id: str, lease_until: int, now: int
) -> tuple[LeasedRow, ...]:
    """Lease what is due for a receiver and need not wait for an earlier event of its call, in the events' order."""
    rows = tx.rows(
        _LEASE,
        for_receiver=receiver,
        count_max=count_max,
        worker_id=worker_id,
        until=lease_until,
        waited_since=now - _WAIT_US,
        now=now,
    )
    ids = sorted(row[0] for row in rows)
    return tuple(LeasedRow(id_, _try_to_load(tx, id_, worker_id, lease_until)) for id_ in ids)


def finish(tx: Tx, attempt: FinishedAttempt, now: int) -> bool:
    """Write what came of an attempt; False when the lease was lost meanwhile, which changes nothing."""
    leased = attempt.delivery
    is_over = attempt.state is not DeliveryState.PENDING
    changed = tx.run(
        _FINISH,
        id_=leased.id,
        leased_until=leased.lease_until,
        worker_id=leased.worker_id,
        new_state=attempt.state.value,
        retry_at=attempt.retry_at,
        started_at=attempt.started_at,
        ended_at=now if is_over else None,
        status=attempt.status,
        error=attempt.error,
    )
    if changed and not is_over:
        # They could not be sent before; until then nobody needs to look at them.
        tx.run(_HOLD_FOLLOWERS, for_receiver=leased.receiver, id_=leased.id, retry_at=attempt.retry_at)
    return changed == 1


def cancel(tx: Tx, id_: int, error: str, now: int) -> None:
    """Give up a delivery that must not be sent; `error` says why, in kebab case."""
    tx.run(_CANCEL, id_=id_, error=error, now=now)


def reclaim_lapsed(tx: Tx, now: int) -> int:
    """Make what was leased until now pending again: its worker is gone or stuck. The attempt counts."""
    return tx.run(_RECLAIM_LAPSED, now=now)


def reclaim_own(tx: Tx, worker_id: str, now: int) -> int:
    """Make pending again what a worker's predecessor of the same name had leased."""
    return tx.run(_RECLAIM_OWN, worker_id=worker_id, now=now)


def _draw_message_id(tx: Tx) -> str:
    return str(uuid.UUID(bytes=tx.random_bytes(16), version=4))


def _try_to_load(tx: Tx, id_: int, worker_id: str, lease_until: int) -> LeasedDelivery | str:
    try:
        return _load_leased(tx, id_, worker_id, lease_until)
    except SealError:  # one row that cannot be read must not hold up the others
        return "seal-broken"


def _load_leased(tx: Tx, id_: int, worker_id: str, lease_until: int) -> LeasedDelivery | str:
    row = tx.row(_SELECT_LEASED, id=id_)
    assert row is not None, "leased in this transaction"
    message_id, receiver, dialect, url, method, attempt_count, created_at, give_up_at = row[:8]
    if dialect != Dialect.PLIVO and (row[21] is None or row[22] is not None):
        return "endpoint-disabled"
    event = read_event(row[8:16])
    report = None
    if dialect == Dialect.DEEPCALL:
        report = None if event.call_id is None else load_call_report(tx, event.call_id)
        if report is None:
            return "no-call-record"
    return LeasedDelivery(
        id=id_,
        message_id=message_id,
        receiver=receiver,
        dialect=Dialect(dialect),
        url=url,
        method=CallbackMethod(method),
        worker_id=worker_id,
        lease_until=lease_until,
        attempt_count=attempt_count,
        created_at=created_at,
        give_up_at=give_up_at,
        event=event,
        facts=_facts(tx, event, row[16:], report),
    )


def _facts(tx: Tx, event: DomainEvent, row: Row, report: CallReport | None) -> DeliveryFacts:
    (
        auth_id,
        token_sealed,
        sub_auth_id,
        sub_token_sealed,
        endpoint_id,
        secret_sealed,
        _,
        sends,
        number,
        first,
    ) = row
    unseal = tx.keys.unseal
    token = owner_token = Secret(unseal(token_sealed, f"account.token_sealed:{auth_id}"))
    if sub_token_sealed is not None:
        owner_token = Secret(unseal(sub_token_sealed, f"subaccount.token_sealed:{sub_auth_id}"))
    secret = None
    if secret_sealed is not None:
        secret = Secret(unseal(secret_sealed, secret_place(endpoint_id)))
    return DeliveryFacts(
        auth_id=auth_id,
        account_token=token,
        owner_token=owner_token,
        endpoint_secret=secret,
        sends_numbers=bool(sends),
        virtual_number=DID(number),
        has_first=first is not None,
        caller=load_party(tx, event.account_id, event.facts.get("caller")),
        callee=load_party(tx, event.account_id, event.facts.get("callee")),
        report=report,
    )

"""Give a switch the calls that the service owes."""

from typing import Final

from maskline.core.call_record import RefusedCall
from maskline.core.masking import MICROSECONDS
from maskline.core.routing import CallOrder, PinStanding, build_connect
from maskline.core.termination import Reason, terminate
from maskline.store import call_orders
from maskline.store.call_orders import OrderedSession, TakenOrder
from maskline.store.engine import Tx

from .record_refused_call import record_refused_call

ORDER_PATIENCE_S: Final = 60
"""How long an order waits for a switch. Who asked to be called a minute ago has turned to something else."""


def take_call_orders(
    tx: Tx, switch_id: str, now: int, count_max: int = call_orders.ORDER_BATCH_SIZE
) -> tuple[CallOrder, ...]:
    """Take up to 50 open orders for a switch that has room for `count_max`, oldest first; no other one gets them.

    Orders that cannot be carried out any more leave a record of a refused call and are not returned. Run again
    while `are_call_orders_open`.
    """
    orders = []
    for taken in call_orders.take_orders(tx, switch_id, now, count_max):
        it = call_orders.load_ordered_session(tx, taken)
        found = _build_order(taken, it, now)
        if isinstance(found, CallOrder):
            orders.append(found)
        else:
            _record_dropped(tx, it, taken, found, now)
    return tuple(orders)


def are_call_orders_open(tx: Tx, now: int) -> bool:  # noqa: ARG001 - workflows end with now
    """Say whether any order waits; a switch asks this, which writes nothing, before it takes."""
    return call_orders.has_open_order(tx)


def _build_order(taken: TakenOrder, it: OrderedSession, now: int) -> CallOrder | Reason:
    facts = it.facts
    if not facts.starts_at <= now < facts.ends_at:
        return Reason.SESSION_ENDED
    if now - taken.created_at > ORDER_PATIENCE_S * MICROSECONDS:
        return Reason.ORDER_EXPIRED
    if not it.is_leased:
        return Reason.NOT_LEASED
    if it.caller is None or facts.callee is None:
        return Reason.NO_COUNTERPART
    connect = build_connect(facts, facts.callee, it.number, it.trunk_id, PinStanding.OFF)
    return CallOrder(id=taken.id, call_id=taken.call_id, first=it.caller, connect=connect)


def _record_dropped(tx: Tx, it: OrderedSession, taken: TakenOrder, reason: Reason, now: int) -> None:
    refused = RefusedCall(
        call_id=taken.call_id,
        number=it.number,
        account_id=it.facts.account_id,
        session_id=taken.session_id,
        caller=it.caller,
        role=taken.role,
        started_at=taken.created_at,
        ended_at=now,
        termination=terminate(reason),
        is_service_initiated=True,
    )
    record_refused_call(tx, refused, now)

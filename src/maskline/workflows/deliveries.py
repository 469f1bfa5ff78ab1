"""Look after deliveries: list them, send them again, let old ones go."""

from typing import Final

from maskline.core.delivery import (
    Delivery,
    DeliveryFilter,
    DeliveryNotFound,
    DeliveryState,
    DeliveryUnfinished,
    EndpointUnavailable,
)
from maskline.core.masking import MICROSECONDS
from maskline.store import delivery_lists as rows
from maskline.store.engine import Tx

RETENTION_S: Final = 30 * 86_400
"""How long finished deliveries and published events are kept: long enough to ask what was sent last month."""

ReplayRefused = DeliveryNotFound | DeliveryUnfinished | EndpointUnavailable


def list_deliveries(tx: Tx, wanted: DeliveryFilter) -> tuple[Delivery, ...]:
    """List deliveries, newest first."""
    return rows.load_delivery_page(tx, wanted)


def load_delivery(tx: Tx, message_id: str, account_id: int | None) -> Delivery | DeliveryNotFound:
    """Load a delivery, of one account if one is given."""
    found = rows.load_delivery(tx, message_id)
    if found is None or account_id not in (None, found.account_id):
        return DeliveryNotFound()
    return found


def replay_delivery(tx: Tx, message_id: str, account_id: int | None, now: int) -> Delivery | ReplayRefused:
    """Send a finished delivery again under its old id: dead, cancelled, or delivered and lost by its receiver."""
    locked = rows.lock_delivery(tx, message_id)
    if locked is None or account_id not in (None, locked.account_id):
        return DeliveryNotFound()
    if locked.state in (DeliveryState.PENDING, DeliveryState.LEASED):
        return DeliveryUnfinished()
    if locked.is_endpoint_gone:
        return EndpointUnavailable()
    rows.replay(tx, locked.id, now)
    found = rows.load_delivery(tx, message_id)
    assert found is not None, "the row is locked"
    return found


def replay_dead_deliveries(tx: Tx, account_id: int | None, now: int) -> int:
    """Send up to 500 dead deliveries again, of one account if one is given; run again while it returns 500."""
    return rows.replay_dead(tx, account_id, now)


def prune_deliveries(tx: Tx, now: int) -> int:
    """Delete up to 500 deliveries finished, and as many events published, 30 days ago; return how many."""
    return rows.prune(tx, now - RETENTION_S * MICROSECONDS)

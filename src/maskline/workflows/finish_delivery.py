"""Write what came of an attempt to deliver."""

from maskline.core.delivery import FinishedAttempt
from maskline.store import deliveries, webhook_endpoints
from maskline.store.engine import Tx


def finish_delivery(tx: Tx, attempt: FinishedAttempt, now: int) -> bool:
    """Settle an attempt: delivered, to be tried again, or dead; an endpoint that is gone is disabled.

    False when the lease was lost meanwhile; then whoever has it now writes what came of theirs.
    """
    endpoint_id = attempt.delivery.receiver
    if attempt.is_gone:
        webhook_endpoints.disable(tx, endpoint_id, now)
    return deliveries.finish(tx, attempt, now)


def reclaim_deliveries(tx: Tx, now: int) -> int:
    """Make pending again what workers leased and let lapse; return how many."""
    return deliveries.reclaim_lapsed(tx, now)


def reclaim_own_deliveries(tx: Tx, worker_id: str, now: int) -> int:
    """Make pending again what a worker's predecessor of the same name had in its hands; return how many."""
    return deliveries.reclaim_own(tx, worker_id, now)

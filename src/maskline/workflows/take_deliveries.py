"""Make deliveries of new events, and lease those that are due."""

from dataclasses import replace
from typing import Final, NamedTuple

from maskline.core.delivery import LeasedDelivery, LeasePlan, WebhookEndpoint, choose_receivers
from maskline.core.events import EventKind
from maskline.core.masking import MICROSECONDS, RecordFormat
from maskline.store import deliveries, outbox, webhook_endpoints
from maskline.store.engine import Tx

from .recordings import sign_recording_link

PUBLISH_BATCH_SIZE: Final = 200
"""Events of one transaction; keeps the writer free for calls in between."""


class TakenDeliveries(NamedTuple):
    """What one round came to."""

    published_count: int
    leased: tuple[LeasedDelivery, ...]


def has_delivery_work(tx: Tx, now: int) -> bool:
    """Say whether `take_deliveries` would find something."""
    return outbox.has_unpublished(tx) or bool(deliveries.load_due_receivers(tx, now))


def take_deliveries(tx: Tx, plan: LeasePlan, now: int, *, recording_links_s: int = 0) -> TakenDeliveries:
    """Publish what is new and lease what the plan has places for, whoever has waited longest first.

    What is leased carries people's numbers, unsealed for its one attempt. A delivery whose endpoint is
    disabled or removed, or whose parties cannot be unsealed, is cancelled instead. Who is told of a completed
    recording gets a link that works without credentials for `recording_links_s` from now, if that is not 0.
    """
    published_count = publish_events(tx, now)
    leased: list[LeasedDelivery] = []
    cautious_left = plan.cautious_max
    for receiver in deliveries.load_due_receivers(tx, now):
        total_left = plan.total_max - len(leased)
        is_trusted = receiver in plan.trusted
        count_max = min(
            plan.free.get(receiver, plan.free_default),
            total_left,
            total_left if is_trusted else cautious_left,
        )
        if total_left <= 0:
            break
        if count_max <= 0:
            continue
        rows = deliveries.lease_due(
            tx,
            receiver,
            count_max=count_max,
            worker_id=plan.worker_id,
            lease_until=plan.lease_until,
            now=now,
        )
        for row in rows:
            if isinstance(row.delivery, str):
                deliveries.cancel(tx, row.id, row.delivery, now)
            else:
                leased.append(_with_link(tx, row.delivery, recording_links_s, now))
                cautious_left -= 0 if is_trusted else 1
    return TakenDeliveries(published_count, tuple(leased))


def _with_link(tx: Tx, delivery: LeasedDelivery, links_s: int, now: int) -> LeasedDelivery:
    event = delivery.event
    if not links_s or event.kind is not EventKind.RECORDING_COMPLETED:
        return delivery
    link = sign_recording_link(
        tx,
        delivery.facts.auth_id,
        str(event.facts["recording_id"]),
        RecordFormat(str(event.facts["format"])),
        now // MICROSECONDS + links_s,
    )
    return replace(delivery, facts=replace(delivery.facts, recording_link=link))


def publish_events(tx: Tx, now: int) -> int:
    """Make the deliveries of up to 200 new events in their order; return how many events.

    Somebody else's doing it at this moment makes it nobody's turn here: 0.
    """
    if not deliveries.lock_publisher(tx):
        return 0
    new = outbox.load_unpublished(tx, PUBLISH_BATCH_SIZE)
    endpoints: dict[int, tuple[WebhookEndpoint, ...]] = {}
    last_position = outbox.load_last_position(tx) if new else 0
    for position, (event, callbacks) in enumerate(new, last_position + 1):
        if event.account_id not in endpoints:
            endpoints[event.account_id] = webhook_endpoints.load_endpoints(
                tx, event.account_id, only_enabled=True
            )
        for receiver in choose_receivers(event, callbacks, endpoints[event.account_id]):
            deliveries.insert_delivery(tx, event, receiver, now)
        outbox.mark_published(tx, event.id, position, now)
    if new:
        outbox.set_last_position(tx, last_position + len(new))
    return len(new)

"""Deliveries over the native interface."""

from starlette.responses import Response

from maskline.api.native.errors import NativeError
from maskline.api.native.kernel import NativeKernel, refuse, reply
from maskline.api.native.models.common import ListOf, instant, optional_instant
from maskline.api.native.models.webhooks import DeliveryQuery, DeliveryView
from maskline.api.native.paging import page_of, read_cursor
from maskline.api.native.routes import Asked, Route
from maskline.core.access import Permission
from maskline.core.delivery import (
    Delivery,
    DeliveryFilter,
    DeliveryNotFound,
    DeliveryUnfinished,
    EndpointUnavailable,
)
from maskline.workflows.deliveries import ReplayRefused, list_deliveries, load_delivery, replay_delivery

_LIST = "deliveries"


class DeliveriesAPI:
    """Operations on what is told to an account's receivers."""

    def __init__(self, kernel: NativeKernel) -> None:
        self._kernel = kernel

    async def list_deliveries(self, asked: Asked) -> Response:
        """List deliveries, newest first."""
        query = asked.query(DeliveryQuery)
        key = read_cursor(_LIST, query.after, int)
        wanted = DeliveryFilter(
            account_id=asked.account.id,
            state=query.state,
            before=None if key is None else int(key[0]),
            limit=query.limit + 1,
        )
        found = await self._kernel.store.read(list_deliveries, wanted)
        return reply(200, page_of(_LIST, found, query.limit, render=render_delivery, key=lambda it: (it.id,)))

    async def get_delivery(self, asked: Asked) -> Response:
        """Show one delivery."""
        found = await self._kernel.store.read(load_delivery, asked.path(), asked.account.id)
        if isinstance(found, DeliveryNotFound):
            raise NativeError("not-found")
        return reply(200, render_delivery(found))

    async def replay_delivery(self, asked: Asked) -> Response:
        """Send a finished delivery again under its old id."""
        answer = await self._kernel.write(
            asked, replay_delivery, _tell_replayed, asked.path(), asked.account.id, self._kernel.clock.now()
        )
        self._kernel.notify()
        return answer


def _tell_replayed(outcome: Delivery | ReplayRefused) -> Response:
    match outcome:
        case DeliveryNotFound():
            return refuse(NativeError("not-found"))
        case DeliveryUnfinished():
            return refuse(NativeError("delivery-unfinished"))
        case EndpointUnavailable():
            return refuse(NativeError("webhook-unavailable"))
        case Delivery():
            return reply(202, render_delivery(outcome))


def render_delivery(delivery: Delivery) -> DeliveryView:
    """A delivery as it is told."""
    return DeliveryView(
        id=delivery.message_id,
        event=delivery.kind.value,
        session_id=delivery.session_id,
        call_id=delivery.call_id,
        sequence=delivery.sequence,
        occurred_at=instant(delivery.occurred_at),
        dialect=delivery.dialect,
        webhook_id=delivery.endpoint_id,
        url=delivery.url,
        method=delivery.method,
        state=delivery.state,
        attempt_count=delivery.attempt_count,
        next_attempt_at=instant(delivery.next_at) if delivery.finished_at is None else None,
        first_attempt_at=optional_instant(delivery.first_attempt_at),
        last_attempt_at=optional_instant(delivery.last_attempt_at),
        finished_at=optional_instant(delivery.finished_at),
        last_status=delivery.last_status,
        last_error=delivery.last_error,
    )


def delivery_routes(api: DeliveriesAPI) -> tuple[Route, ...]:
    """The rows of the table."""
    return (
        Route(
            path="/deliveries",
            method="GET",
            name="list_deliveries",
            operation=api.list_deliveries,
            permission=Permission.WEBHOOKS_READ,
            query=DeliveryQuery,
            response=ListOf[DeliveryView],
        ),
        Route(
            path="/deliveries/{id}",
            method="GET",
            name="get_delivery",
            operation=api.get_delivery,
            permission=Permission.WEBHOOKS_READ,
            response=DeliveryView,
        ),
        Route(
            path="/deliveries/{id}/replay",
            method="POST",
            name="replay_delivery",
            operation=api.replay_delivery,
            permission=Permission.WEBHOOKS_WRITE,
            response=DeliveryView,
            status=202,
            problems=("delivery-unfinished", "webhook-unavailable"),
        ),
    )

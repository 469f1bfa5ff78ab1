"""What is told to an account's programs: webhooks, deliveries and the stream of events."""

from collections.abc import Iterable

from maskline.api.native.models.common import ListOf
from maskline.api.native.models.events import EventQuery, EventView
from maskline.api.native.models.webhooks import (
    DeliveryQuery,
    DeliveryView,
    NewWebhook,
    Webhook,
    WebhookWithSecret,
)
from maskline.client._async.paging import AsyncPages
from maskline.client._async.streaming import AsyncEventStream
from maskline.client._async.transport import AsyncResource
from maskline.client.takes import takes
from maskline.client.wire import build_path
from maskline.core.events import EventKind


class AsyncWebhooks(AsyncResource):
    """Where an account wants its events told. Every method raises ClientError."""

    def list(self) -> AsyncPages[Webhook]:
        """Webhooks, oldest first, without their secrets."""
        return AsyncPages(self._transport, "/webhooks", ListOf[Webhook])

    @takes(NewWebhook)
    async def create(self, new: NewWebhook) -> WebhookWithSecret:
        """Make a webhook; its secret is shown this once."""
        return await self._transport.post("/webhooks", WebhookWithSecret, body=new)

    async def delete(self, id_: str) -> None:
        """Remove a webhook; what was still to be sent there is cancelled."""
        await self._transport.delete(build_path("webhooks", id_))


class AsyncDeliveries(AsyncResource):
    """Events on their way to callbacks and webhooks. Every method raises ClientError."""

    @takes(DeliveryQuery)
    def list(self, query: DeliveryQuery) -> AsyncPages[DeliveryView]:
        """Deliveries, newest first."""
        return AsyncPages(self._transport, "/deliveries", ListOf[DeliveryView], query)

    async def get(self, id_: str) -> DeliveryView:
        """One delivery."""
        return await self._transport.get(build_path("deliveries", id_), DeliveryView)

    async def replay(self, id_: str) -> DeliveryView:
        """Send a finished delivery again under its old id."""
        return await self._transport.post(build_path("deliveries", id_, "replay"), DeliveryView)


class AsyncEvents(AsyncResource):
    """What happens, as it happens. No kinds means all of them."""

    def list(
        self, *, kinds: Iterable[EventKind] = (), include_numbers: bool = False
    ) -> AsyncPages[EventView]:
        """Events that are still kept, oldest first. Every walk raises ClientError."""
        query = EventQuery(kinds=_join(kinds), include_numbers=include_numbers)
        return AsyncPages(self._transport, "/events", ListOf[EventView], query)

    def stream(
        self,
        *,
        kinds: Iterable[EventKind] = (),
        include_numbers: bool = False,
        after: str | None = None,
    ) -> AsyncEventStream:
        """Events from now on, or from the one behind the id `after`."""
        query = EventQuery(kinds=_join(kinds), include_numbers=include_numbers)
        return AsyncEventStream(self._transport, query.model_dump(mode="json", exclude_defaults=True), after)


def _join(kinds: Iterable[EventKind]) -> str | None:
    return ",".join(EventKind(kind) for kind in kinds) or None

# Made by tools/make-client; change the asynchronous one instead.
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
from maskline.client._sync.paging import Pages
from maskline.client._sync.streaming import EventStream
from maskline.client._sync.transport import Resource
from maskline.client.takes import takes
from maskline.client.wire import build_path
from maskline.core.events import EventKind


class Webhooks(Resource):
    """Where an account wants its events told. Every method raises ClientError."""

    def list(self) -> Pages[Webhook]:
        """Webhooks, oldest first, without their secrets."""
        return Pages(self._transport, "/webhooks", ListOf[Webhook])

    @takes(NewWebhook)
    def create(self, new: NewWebhook) -> WebhookWithSecret:
        """Make a webhook; its secret is shown this once."""
        return self._transport.post("/webhooks", WebhookWithSecret, body=new)

    def delete(self, id_: str) -> None:
        """Remove a webhook; what was still to be sent there is cancelled."""
        self._transport.delete(build_path("webhooks", id_))


class Deliveries(Resource):
    """Events on their way to callbacks and webhooks. Every method raises ClientError."""

    @takes(DeliveryQuery)
    def list(self, query: DeliveryQuery) -> Pages[DeliveryView]:
        """Deliveries, newest first."""
        return Pages(self._transport, "/deliveries", ListOf[DeliveryView], query)

    def get(self, id_: str) -> DeliveryView:
        """One delivery."""
        return self._transport.get(build_path("deliveries", id_), DeliveryView)

    def replay(self, id_: str) -> DeliveryView:
        """Send a finished delivery again under its old id."""
        return self._transport.post(build_path("deliveries", id_, "replay"), DeliveryView)


class Events(Resource):
    """What happens, as it happens. No kinds means all of them."""

    def list(self, *, kinds: Iterable[EventKind] = (), include_numbers: bool = False) -> Pages[EventView]:
        """Events that are still kept, oldest first. Every walk raises ClientError."""
        query = EventQuery(kinds=_join(kinds), include_numbers=include_numbers)
        return Pages(self._transport, "/events", ListOf[EventView], query)

    def stream(
        self,
        *,
        kinds: Iterable[EventKind] = (),
        include_numbers: bool = False,
        after: str | None = None,
    ) -> EventStream:
        """Events from now on, or from the one behind the id `after`."""
        query = EventQuery(kinds=_join(kinds), include_numbers=include_numbers)
        return EventStream(self._transport, query.model_dump(mode="json", exclude_defaults=True), after)


def _join(kinds: Iterable[EventKind]) -> str | None:
    return ",".join(EventKind(kind) for kind in kinds) or None

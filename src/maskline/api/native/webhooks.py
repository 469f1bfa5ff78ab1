"""Webhooks over the native interface."""

from starlette.responses import Response

from maskline.api.native.errors import NativeError, refuse_field
from maskline.api.native.kernel import NativeKernel, refuse, reply
from maskline.api.native.models.common import ListOf, instant, optional_instant
from maskline.api.native.models.webhooks import NewWebhook, Webhook, WebhookWithSecret
from maskline.api.native.routes import Asked, Route
from maskline.core.access import Permission, is_granted
from maskline.core.delivery import (
    Dialect,
    EndpointCheck,
    EndpointCreated,
    EndpointURLRefused,
    NewEndpoint,
    TooManyEndpoints,
    WebhookEndpoint,
)
from maskline.workflows.webhook_endpoints import create_endpoint, judge_url, list_endpoints, remove_endpoint


class WebhooksAPI:
    """Operations on an account's webhooks."""

    def __init__(self, kernel: NativeKernel) -> None:
        self._kernel = kernel

    async def list_webhooks(self, asked: Asked) -> Response:
        """List webhooks, oldest first; an account has at most ten, so there is one page."""
        found = await self._kernel.store.read(list_endpoints, asked.account.id)
        return reply(200, ListOf[Webhook](data=[Webhook(**_fields(it)) for it in found]))

    async def create_webhook(self, asked: Asked) -> Response:
        """Make a webhook; the answer has the secret, this once. To be told people's numbers takes `calls:read` too."""
        wanted = asked.read(NewWebhook)
        new = NewEndpoint(
            url=wanted.url,
            kinds=frozenset(wanted.events),
            sends_numbers=wanted.include_numbers,
            dialect=Dialect(wanted.format),
        )
        tells_numbers = (
            new.sends_numbers or new.dialect is Dialect.DEEPCALL
        )  # whose reports name both parties
        if tells_numbers and not is_granted(asked.caller.permissions, Permission.CALLS_READ):
            raise NativeError("not-permitted", "People's numbers take calls:read.")
        if new.dialect is Dialect.DEEPCALL:
            if (kept := await self._kernel.replay(asked)) is not None:
                return kept  # its receiver was asked for the first one
            await self._check(new)
        return await self._kernel.write(
            asked, create_endpoint, _tell_created, asked.account.id, new, self._kernel.clock.now()
        )

    async def _check(self, new: NewEndpoint) -> None:
        """Ask a receiver of reports whether it is one. Raises NativeError."""
        if new.kinds:
            raise refuse_field(
                "/events", "not-with-format", "Reports are of calls: there is nothing to choose."
            )
        if (reason := judge_url(new.url)) is not None:
            raise NativeError("url-refused", reason)
        found = await self._kernel.check_receiver(new.url)
        if found is not EndpointCheck.CONFIRMED:
            raise NativeError("webhook-unconfirmed", found.value)

    async def delete_webhook(self, asked: Asked) -> Response:
        """Remove a webhook: what was still to be sent there is cancelled."""
        now = self._kernel.clock.now()
        if not await self._kernel.store.write(remove_endpoint, asked.account.id, asked.path(), now):
            raise NativeError("not-found")
        return reply(204)


def _tell_created(outcome: EndpointCreated | EndpointURLRefused | TooManyEndpoints) -> Response:
    match outcome:
        case EndpointURLRefused(reason=reason):
            return refuse(NativeError("url-refused", reason))
        case TooManyEndpoints():
            return refuse(NativeError("too-many-webhooks"))
        case EndpointCreated(endpoint=endpoint, secret=secret):
            return reply(201, WebhookWithSecret(**_fields(endpoint), secret=secret))


def _fields(endpoint: WebhookEndpoint) -> dict[str, object]:
    return {
        "id": endpoint.id,
        "url": endpoint.url,
        "events": sorted(endpoint.kinds),
        "include_numbers": endpoint.sends_numbers,
        "format": endpoint.dialect.value,
        "created_at": instant(endpoint.created_at),
        "disabled_at": optional_instant(endpoint.disabled_at),
    }


def webhook_routes(api: WebhooksAPI) -> tuple[Route, ...]:
    """The rows of the table."""
    return (
        Route(
            path="/webhooks",
            method="GET",
            name="list_webhooks",
            operation=api.list_webhooks,
            permission=Permission.WEBHOOKS_READ,
            response=ListOf[Webhook],
        ),
        Route(
            path="/webhooks",
            method="POST",
            name="create_webhook",
            operation=api.create_webhook,
            permission=Permission.WEBHOOKS_WRITE,
            request=NewWebhook,
            response=WebhookWithSecret,
            status=201,
            problems=("url-refused", "webhook-unconfirmed", "too-many-webhooks"),
        ),
        Route(
            path="/webhooks/{id}",
            method="DELETE",
            name="delete_webhook",
            operation=api.delete_webhook,
            permission=Permission.WEBHOOKS_WRITE,
            status=204,
        ),
    )

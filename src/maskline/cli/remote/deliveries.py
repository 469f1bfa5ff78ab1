"""Webhooks and deliveries elsewhere."""

from itertools import islice
from typing import TYPE_CHECKING

from maskline.cli.remote.owners import act_for, find_account
from maskline.cli.remote.values import optional_micros
from maskline.clock import from_datetime
from maskline.core.delivery import (
    Delivery,
    DeliveryNotFound,
    DeliveryState,
    DeliveryUnfinished,
    Dialect,
    EndpointCheck,
    EndpointCreated,
    EndpointUnavailable,
    EndpointUnconfirmed,
    EndpointURLRefused,
    NewEndpoint,
    TooManyEndpoints,
    WebhookEndpoint,
)
from maskline.core.events import EventKind
from maskline.errors import InputError, RefusedError

if TYPE_CHECKING:
    from maskline.api.native.models.webhooks import DeliveryView, Webhook
    from maskline.client import Client
    from maskline.workflows.deliveries import ReplayRefused


def add_webhook(
    client: "Client", account: str, new: NewEndpoint, now: int
) -> EndpointCreated | EndpointURLRefused | EndpointUnconfirmed | TooManyEndpoints:
    """Make a webhook; the service elsewhere asks its receiver, where that is to confirm."""
    from maskline.client import ProblemError  # noqa: PLC0415  # slow to load; most commands are local

    try:
        made = act_for(client, account).webhooks.create(
            url=new.url,
            events=sorted(new.kinds),
            include_numbers=new.sends_numbers,
            format="deepcall" if new.dialect is Dialect.DEEPCALL else "native",
        )
    except ProblemError as error:
        match error.code:
            case "url-refused":
                return EndpointURLRefused(reason=error.detail)
            case "webhook-unconfirmed":
                return EndpointUnconfirmed(found=EndpointCheck(error.detail))
            case "too-many-webhooks":
                return TooManyEndpoints()
            case _:
                raise
    return EndpointCreated(endpoint=_endpoint(made), secret=made.secret)


def list_webhooks(client: "Client", account: str) -> tuple[WebhookEndpoint, ...]:
    """An account's webhooks, oldest first."""
    return tuple(_endpoint(it) for it in act_for(client, account).webhooks.list())


def remove_webhook(client: "Client", account: str, webhook: str, now: int) -> bool:
    """Remove a webhook; False when there is none of this id."""
    from maskline.client import NotFoundError  # noqa: PLC0415  # as above

    try:
        act_for(client, account).webhooks.delete(webhook)
    except NotFoundError:
        return False
    return True


def list_deliveries(
    client: "Client", account: str | None, state: DeliveryState | None, limit: int, before: str | None
) -> tuple[Delivery, ...]:
    """Deliveries of one account, newest first."""
    owner = find_account(client, _needed(account))
    found = iter(client.with_options(account=owner.auth_id).deliveries.list(state=state))
    if before is not None and all(it.id != before for it in found):
        raise RefusedError(f"there is no delivery {before!r}")
    return tuple(_delivery(it, owner.auth_id) for it in islice(found, limit))


def replay_delivery(
    client: "Client", delivery: str, account: str | None, now: int
) -> "Delivery | ReplayRefused":
    """Send a delivery again."""
    from maskline.client import ConflictError, NotFoundError  # noqa: PLC0415  # as above

    owner = find_account(client, _needed(account))
    try:
        found = client.with_options(account=owner.auth_id).deliveries.replay(delivery)
    except NotFoundError:
        return DeliveryNotFound()
    except ConflictError as error:
        return EndpointUnavailable() if error.code == "webhook-unavailable" else DeliveryUnfinished()
    return _delivery(found, owner.auth_id)


def replay_dead(client: "Client", account: str | None, now: int) -> int:
    """Send all dead deliveries again, but for those whose webhook is gone; return how many."""
    from maskline.client import ConflictError, NotFoundError  # noqa: PLC0415  # as above

    owner = act_for(client, _needed(account))
    count = 0
    for it in owner.deliveries.list(state=DeliveryState.DEAD):
        try:
            owner.deliveries.replay(it.id)
        except (ConflictError, NotFoundError):
            continue
        count += 1
    return count


def _needed(account: str | None) -> str:
    if account is None:
        raise InputError("--account is needed with --server")
    return account


def _endpoint(view: "Webhook") -> WebhookEndpoint:
    return WebhookEndpoint(
        id=view.id,
        account_id=0,
        url=view.url,
        kinds=frozenset(EventKind(it) for it in view.events),
        sends_numbers=view.include_numbers,
        created_at=from_datetime(view.created_at),
        disabled_at=optional_micros(view.disabled_at),
        dialect=Dialect(view.format),
    )


def _delivery(view: "DeliveryView", auth_id: str) -> Delivery:
    occurred_at = from_datetime(view.occurred_at)
    return Delivery(
        id=0,
        message_id=view.id,
        account_id=0,
        auth_id=auth_id,
        kind=EventKind(view.event),
        session_id=view.session_id,
        call_id=view.call_id,
        sequence=view.sequence,
        occurred_at=occurred_at,
        dialect=view.dialect,
        endpoint_id=view.webhook_id,
        url=view.url,
        method=view.method,
        state=view.state,
        attempt_count=view.attempt_count,
        next_at=optional_micros(view.next_attempt_at) or 0,
        created_at=occurred_at,
        first_attempt_at=optional_micros(view.first_attempt_at),
        last_attempt_at=optional_micros(view.last_attempt_at),
        finished_at=optional_micros(view.finished_at),
        last_status=view.last_status,
        last_error=view.last_error,
    )

"""Bodies and queries of the native dialect: what comes in, checked, and what goes out."""

from typing import Annotated, Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from maskline.api.native.errors import NativeError
from maskline.clock import to_datetime
from maskline.core.delivery import (
    DELIVERY_LIST_LIMIT_MAX,
    Delivery,
    DeliveryState,
    NewEndpoint,
    WebhookEndpoint,
)
from maskline.core.events import EventKind

T = TypeVar("T", bound=BaseModel)

BODY_BYTES_MAX: Final = 16_384
ID_LENGTH_MAX: Final = 64


class NewWebhook(BaseModel):
    """What is asked of POST webhooks."""

    model_config = ConfigDict(extra="forbid", strict=True)

    url: Annotated[str, Field(description="Where to send events: an http or https URL without fragment.")]
    events: Annotated[
        list[Annotated[EventKind, Field(strict=False)]],
        Field(max_length=len(EventKind), description="Which events; none named means all."),
    ] = []
    include_numbers: Annotated[bool, Field(description="Whether people's numbers are told there.")] = False

    def new_endpoint(self) -> NewEndpoint:
        """The same in our words."""
        return NewEndpoint(url=self.url, kinds=frozenset(self.events), sends_numbers=self.include_numbers)


class DeliveryQuery(BaseModel):
    """What is asked of GET deliveries."""

    model_config = ConfigDict(extra="forbid")

    state: DeliveryState | None = None
    limit: Annotated[int, Field(ge=1, le=DELIVERY_LIST_LIMIT_MAX)] = DELIVERY_LIST_LIMIT_MAX
    before: Annotated[str | None, Field(max_length=ID_LENGTH_MAX)] = None


def parse_body(model: type[T], body: bytes) -> T:
    """Read a JSON body. Raises NativeError."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise _refusal(error) from None


def parse_query(model: type[T], query: dict[str, str]) -> T:
    """Read a query. Raises NativeError."""
    try:
        return model.model_validate(query)
    except ValidationError as error:
        raise _refusal(error) from None


def _refusal(error: ValidationError) -> NativeError:
    # What was sent is not quoted: it may be a secret.
    found = error.errors(include_input=False, include_url=False, include_context=False)
    if any(it["type"] == "json_invalid" for it in found):
        return NativeError(400, "malformed", "The body must be a JSON object.")
    told = "; ".join(f"{'.'.join(map(str, it['loc'])) or 'body'}: {it['type']}" for it in found[:5])
    return NativeError(422, "invalid", told)


def render_webhook(endpoint: WebhookEndpoint) -> dict[str, object]:
    """An endpoint, without its secret."""
    return {
        "id": endpoint.id,
        "url": endpoint.url,
        "events": sorted(endpoint.kinds),
        "include_numbers": endpoint.sends_numbers,
        "created_at": _time(endpoint.created_at),
        "disabled_at": _time(endpoint.disabled_at),
    }


def render_delivery(delivery: Delivery) -> dict[str, object]:
    """A delivery; nobody's number is in it."""
    return {
        "id": delivery.message_id,
        "event": delivery.kind.value,
        "session_id": delivery.session_id,
        "call_id": delivery.call_id,
        "sequence": delivery.sequence,
        "occurred_at": _time(delivery.occurred_at),
        "dialect": delivery.dialect.value,
        "webhook_id": delivery.endpoint_id,
        "url": delivery.url,
        "method": delivery.method.value,
        "state": delivery.state.value,
        "attempt_count": delivery.attempt_count,
        "next_attempt_at": _time(delivery.next_at) if delivery.finished_at is None else None,
        "first_attempt_at": _time(delivery.first_attempt_at),
        "last_attempt_at": _time(delivery.last_attempt_at),
        "finished_at": _time(delivery.finished_at),
        "last_status": delivery.last_status,
        "last_error": delivery.last_error,
    }


def _time(instant: int | None) -> str | None:
    if instant is None:
        return None
    return to_datetime(instant).isoformat(timespec="microseconds").replace("+00:00", "Z")


def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON schema of a body, for the description of the interface."""
    return {"content": {"application/json": {"schema": model.model_json_schema()}}, "required": True}

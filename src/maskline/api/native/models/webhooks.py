"""Webhooks and deliveries."""

from typing import Annotated, Literal

from pydantic import Field

from maskline.api.native.models.common import Instant, ListQuery, Request, Resource, SecretText
from maskline.core.delivery import DeliveryState, Dialect
from maskline.core.events import EventKind
from maskline.core.masking import CallbackMethod

WebhookFormat = Literal["native", "deepcall"]


class NewWebhook(Request):
    """What is asked of POST webhooks."""

    url: Annotated[str, Field(description="Where to send events: an http or https URL without fragment.")]
    events: Annotated[
        list[Annotated[EventKind, Field(strict=False)]],
        Field(max_length=len(EventKind), description="Which events; none named means all."),
    ] = Field(default_factory=list)
    include_numbers: Annotated[
        bool, Field(description="Whether people's numbers are told there; takes `calls:read`.")
    ] = False
    format: Annotated[
        WebhookFormat,
        Field(description="In whose words: every event in ours, or one report per call in DeepCall's."),
    ] = "native"


class Webhook(Resource):
    """An address that is told of events."""

    object: Literal["webhook"] = "webhook"
    id: str
    url: str
    events: list[str]
    include_numbers: bool
    format: WebhookFormat
    created_at: Instant
    disabled_at: Instant | None


class WebhookWithSecret(Webhook):
    """A webhook just made: its secret is shown this once."""

    secret: SecretText


class DeliveryQuery(ListQuery):
    """What may be asked of GET deliveries."""

    state: DeliveryState | None = None


class DeliveryView(Resource):
    """How telling one event to one receiver stands; nobody's number is in it."""

    object: Literal["delivery"] = "delivery"
    id: str
    event: str
    session_id: str
    call_id: str | None
    sequence: int
    occurred_at: Instant
    dialect: Dialect
    webhook_id: str | None
    url: str
    method: CallbackMethod
    state: DeliveryState
    attempt_count: int
    next_attempt_at: Instant | None
    first_attempt_at: Instant | None
    last_attempt_at: Instant | None
    finished_at: Instant | None
    last_status: int | None
    last_error: str | None

"""Deliveries: which receivers an event has, and how one attempt at a time brings it to them."""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

from .call_report import CallReport
from .events import DomainEvent, EventKind
from .masking import CallbackMethod, Role
from .numbers import DID, E164
from .recording import RecordingLink
from .secret import Secret

ENDPOINT_COUNT_MAX: Final = 10
"""Webhook endpoints of one account; each more is one more request for every event."""
ORDER_WAIT_S: Final = 300
"""How long an event waits for the earlier ones of its call; then its sequence number tells the order."""
DELIVERY_LIST_LIMIT_MAX: Final = 100
"""Deliveries in one page."""

_RECEIVER_LENGTH: Final = 32  # hex digits: 128 bits
_SESSION_KINDS: Final = frozenset(
    {
        EventKind.PARTY_RINGING,
        EventKind.PARTY_ANSWERED,
        EventKind.PARTY_HUNG_UP,
        EventKind.PIN_CHECKED,
        EventKind.SESSION_EXPIRED,
        EventKind.CALL_FINISHED,
    }
)
_RECORDING_KINDS: Final = frozenset(
    {EventKind.RECORDING_STARTED, EventKind.RECORDING_COMPLETED, EventKind.RECORDING_FAILED}
)


class Dialect(StrEnum):
    """In whose words an event is told."""

    PLIVO = "plivo"
    """A session's callbacks."""
    NATIVE = "native"
    DEEPCALL = "deepcall"
    """One report per call, the vendor's push report."""


ENDPOINT_DIALECTS: Final = (Dialect.NATIVE, Dialect.DEEPCALL)
"""What a webhook endpoint can be told in, the default first."""


class DeliveryState(StrEnum):
    """How a delivery stands."""

    PENDING = "pending"
    """It waits for its turn or its next attempt."""
    LEASED = "leased"
    """A worker is at it."""
    DELIVERED = "delivered"
    DEAD = "dead"
    """Every attempt failed and no more are made; it can be replayed."""
    CANCELLED = "cancelled"
    """Its endpoint was disabled or removed before its turn; it can be replayed if the endpoint is back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Callbacks:
    """Where a session wants to be told of, as it stands; "" for nowhere."""

    url: str
    method: CallbackMethod
    recording_url: str
    recording_method: CallbackMethod
    has_first: bool
    """Whether the session names a first party; a stranger stands where a party is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookEndpoint:
    """Where an account wants its events told in our own words. Instants in µs UTC."""

    id: str
    account_id: int
    url: str
    kinds: frozenset[EventKind]
    """Which events; none named means all."""
    sends_numbers: bool
    """Whether people's numbers are told there."""
    created_at: int
    disabled_at: int | None
    """Since when nothing is sent: the receiver said that it is gone."""
    dialect: Dialect = Dialect.NATIVE
    """One of `ENDPOINT_DIALECTS`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEndpoint:
    """What is asked of `create_endpoint`; no kinds means all of them.

    Reports are of calls and always tell numbers: neither `kinds` nor `sends_numbers` matters to them.
    """

    url: str
    kinds: frozenset[EventKind] = frozenset()
    sends_numbers: bool = False
    dialect: Dialect = Dialect.NATIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """One receiver of one event.

    `key` is what order, fairness and exclusiveness go by: the endpoint's id, or a hash of account and origin.
    """

    key: str
    dialect: Dialect
    endpoint_id: str | None
    url: str
    method: CallbackMethod


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryFacts:
    """What a request is built from besides the event; unsealed for this one moment."""

    auth_id: str
    """Of the account, whose resources the event names."""
    account_token: Secret
    owner_token: Secret
    """The sub-account's when the session is one's, else the account's."""
    endpoint_secret: Secret | None
    sends_numbers: bool
    virtual_number: DID
    has_first: bool
    caller: E164 | None
    callee: E164 | None
    recording_link: RecordingLink | None = None
    """With which a completed recording is had without credentials for a while."""
    report: CallReport | None = None
    """Set where a call is reported as a whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeasedDelivery:
    """A delivery in the hands of one worker until `lease_until`. Instants in µs UTC.

    `message_id` is the same in every attempt. `attempt_count` says how many attempts there were before.
    """

    id: int
    message_id: str
    receiver: str
    dialect: Dialect
    url: str
    method: CallbackMethod
    worker_id: str
    lease_until: int
    attempt_count: int
    created_at: int
    give_up_at: int
    event: DomainEvent
    facts: DeliveryFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class LeasePlan:
    """How much a worker can take now.

    `free` has the places of receivers the worker knows of, `free_default` those of each other one. Of
    `total_max` deliveries at most `cautious_max` may be for receivers that are not `trusted`.
    """

    worker_id: str
    lease_until: int
    total_max: int
    cautious_max: int
    free: dict[str, int]
    free_default: int
    trusted: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedAttempt:
    """What came of one attempt; `error` is a kebab-case word, None when it was delivered. µs UTC.

    `state` is delivered, dead, or pending with `retry_at`. `is_gone`: the endpoint is to be disabled.
    """

    delivery: LeasedDelivery
    state: DeliveryState
    started_at: int
    status: int | None
    error: str | None
    retry_at: int | None = None
    is_gone: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A delivery as it stands, for those who look after it. Instants in µs UTC; nobody's number is in it."""

    id: int
    message_id: str
    account_id: int
    auth_id: str
    kind: EventKind
    session_id: str
    call_id: str | None
    sequence: int
    occurred_at: int
    dialect: Dialect
    endpoint_id: str | None
    url: str
    method: CallbackMethod
    state: DeliveryState
    attempt_count: int
    """Attempts since it was made or last replayed."""
    next_at: int
    created_at: int
    first_attempt_at: int | None
    last_attempt_at: int | None
    finished_at: int | None
    last_status: int | None
    last_error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryFilter:
    """Which deliveries to list, newest first; `before` is the internal id of the last one seen."""

    account_id: int | None = None
    state: DeliveryState | None = None
    before: int | None = None
    limit: int = DELIVERY_LIST_LIMIT_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryNotFound:
    """No such delivery in this account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryUnfinished:
    """The delivery is still being tried; nothing was changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointUnavailable:
    """The delivery's endpoint is disabled or removed; nothing was changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointCreated:
    """An endpoint stands; the secret is shown this once."""

    endpoint: WebhookEndpoint
    secret: Secret = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointURLRefused:
    """Nothing would ever be sent to such a URL; `reason` is a kebab-case word."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TooManyEndpoints:
    """The account has as many endpoints as it may."""


class EndpointCheck(StrEnum):
    """What a receiver of reports answered when it was asked whether it is one."""

    CONFIRMED = "confirmed"
    """It said the word."""
    UNREACHABLE = "unreachable"
    """It may not be called, cannot be reached, or did not answer in time."""
    WRONG_STATUS = "wrong-status"
    """Its status was not one of 200 to 299."""
    WRONG_WORD = "wrong-word"
    """The word is not in the first kilobytes of its answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointUnconfirmed:
    """The receiver of reports did not confirm that it is one; `found` says why."""

    found: EndpointCheck


def choose_receivers(
    event: DomainEvent, callbacks: Callbacks, endpoints: Collection[WebhookEndpoint]
) -> tuple[Receiver, ...]:
    """Say who is told of an event: the session's callback that knows it, and every enabled endpoint that asks."""
    receivers = [
        Receiver(
            key=endpoint.id,
            dialect=endpoint.dialect,
            endpoint_id=endpoint.id,
            url=endpoint.url,
            method=CallbackMethod.POST,
        )
        for endpoint in endpoints
        if endpoint.disabled_at is None and _asks_for(endpoint, event)
    ]
    callback = _choose_callback(event, callbacks)
    if callback is not None:
        url, method = callback
        receivers.append(
            Receiver(
                key=receiver_key(event.account_id, url),
                dialect=Dialect.PLIVO,
                endpoint_id=None,
                url=url,
                method=method,
            )
        )
    return tuple(receivers)


def _asks_for(endpoint: WebhookEndpoint, event: DomainEvent) -> bool:
    if endpoint.dialect is Dialect.DEEPCALL:
        return completes_call(event)
    return not endpoint.kinds or event.kind in endpoint.kinds


def completes_call(event: DomainEvent) -> bool:
    """Say whether with this event all is known of a call: its end, and what became of its recording.

    Whichever comes second knows of the other, so that one event of every call says yes.
    """
    match event.kind:
        case EventKind.CALL_FINISHED:
            return event.facts.get("recording_id") is None
        case EventKind.RECORDING_COMPLETED | EventKind.RECORDING_FAILED:
            return event.facts.get("is_call_finished") is True
        case _:
            return False


def _choose_callback(event: DomainEvent, callbacks: Callbacks) -> tuple[str, CallbackMethod] | None:
    if event.kind in _RECORDING_KINDS:
        return (callbacks.recording_url, callbacks.recording_method) if callbacks.recording_url else None
    if event.kind not in _SESSION_KINDS or not callbacks.url:
        return None
    if event.kind is EventKind.PARTY_RINGING:
        # The vendor tells of the second party's phone only.
        role = event.facts.get("role")
        if role is None or person_of(Role(str(role)), has_first=callbacks.has_first) is not Role.SECOND:
            return None
    return callbacks.url, callbacks.method


def person_of(role: Role, *, has_first: bool) -> Role:
    """Say which person of a session somebody is: a stranger stands where the session has no party."""
    if role is Role.ANYONE:
        return Role.SECOND if has_first else Role.FIRST
    return role


def receiver_key(account_id: int, url: str) -> str:
    """Return the key of a callback's receiver: one for all URLs of an account on the same scheme, host and port."""
    try:
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.hostname}:{parts.port}"
    except ValueError:  # no URL at all: it is refused when it is tried, and in nobody's way until then
        origin = url
    return hashlib.sha256(f"{account_id} {origin}".encode()).hexdigest()[:_RECEIVER_LENGTH]

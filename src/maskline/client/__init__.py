"""The typed client of the native API: `Client`, and `AsyncClient` for asyncio.

What goes in and out are the models of `maskline.api.native.models`, the same that the service reads and writes.
"""

from maskline.client._async.client import AsyncClient
from maskline.client._async.paging import AsyncPages
from maskline.client._async.streaming import AsyncEventStream
from maskline.client._sync.client import Client
from maskline.client._sync.paging import Pages
from maskline.client._sync.streaming import EventStream
from maskline.client.errors import (
    AnswerUnreadableError,
    ClientError,
    ConflictError,
    ConnectionFailedError,
    FieldError,
    InvalidRequestError,
    NotAuthenticatedError,
    NotFoundError,
    NotPermittedError,
    ProblemError,
    ServiceFailedError,
    TimedOutError,
    TooManyRequestsError,
)
from maskline.client.retries import NO_RETRIES, RetryPolicy
from maskline.core.access import Permission
from maskline.core.delivery import DeliveryState
from maskline.core.events import EventKind
from maskline.core.numbers import DID, E164
from maskline.core.secret import Secret

__all__ = [
    "DID",
    "E164",
    "NO_RETRIES",
    "AnswerUnreadableError",
    "AsyncClient",
    "AsyncEventStream",
    "AsyncPages",
    "Client",
    "ClientError",
    "ConflictError",
    "ConnectionFailedError",
    "DeliveryState",
    "EventKind",
    "EventStream",
    "FieldError",
    "InvalidRequestError",
    "NotAuthenticatedError",
    "NotFoundError",
    "NotPermittedError",
    "Pages",
    "Permission",
    "ProblemError",
    "RetryPolicy",
    "Secret",
    "ServiceFailedError",
    "TimedOutError",
    "TooManyRequestsError",
]

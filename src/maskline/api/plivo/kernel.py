"""What every operation of the Plivo dialect shares: credentials, one counted answer, the vendor's form.

Handlers stay thin: credentials, body, one workflow, rendering. Only `PlivoAPI.endpoint` knows errors and metrics.
"""

import json
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import structlog
from fastapi import Request, Response
from starlette.requests import ClientDisconnect

from maskline.api.auth import BasicAccounts
from maskline.api.body import BodyTooLargeError, BodyTooSlowError
from maskline.api.ids import IDSource
from maskline.api.metrics import HTTPMetrics
from maskline.api.plivo import errors
from maskline.api.ports import StoreThreads
from maskline.clock import Clock
from maskline.core.inventory import Account
from maskline.core.pin import PIN_LIMITS, PinLimits
from maskline.errors import AppError
from maskline.store.engine import StoreUnavailableError
from maskline.workflows.accounts import load_subaccount

_log = structlog.get_logger(__name__)

DIALECT = "plivo"
PREFIX = "/v1"  # where the application is mounted; the vendor's first path segment
RETRY_AFTER_S = 1  # asked of clients when the store's queue is full; it empties within a second

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII)

Operation = Callable[[Request], Awaitable[Response]]


class PlivoRoute(NamedTuple):
    """One operation of the dialect; `path` is below an account's, without final slash."""

    path: str
    methods: tuple[str, ...]
    name: str
    operation: Operation


@dataclass(frozen=True, slots=True, kw_only=True)
class PlivoSettings:
    """Plain values for the dialect. `public_url` has no final slash."""

    public_url: str
    pin_limits: PinLimits = PIN_LIMITS


class PlivoAPI:
    """The shared part of all operations; one takes a request and returns its answer or raises PlivoError."""

    def __init__(
        self,
        *,
        store: StoreThreads,
        clock: Clock,
        random_bytes: Callable[[int], bytes],
        metrics: HTTPMetrics,
        settings: PlivoSettings,
    ) -> None:
        self.store = store
        self.clock = clock
        self.settings = settings
        self._ids = IDSource(random_bytes)
        self._metrics = metrics
        self._accounts = BasicAccounts(store)

    def endpoint(self, name: str, operation: Operation) -> Operation:
        """Wrap `operation`: whatever happens in it becomes one counted answer of the dialect."""

        async def answer(request: Request) -> Response:
            started = time.perf_counter()
            try:
                response = await operation(request)
            except errors.PlivoError as error:
                response = self.refuse(error)
            except BodyTooLargeError:
                # The rest of the body is still on its way: the connection cannot carry another request.
                response = self.refuse(
                    errors.PlivoError(400, errors.BODY_TOO_LARGE, headers={"Connection": "close"})
                )
            except BodyTooSlowError:
                response = self.refuse(
                    errors.PlivoError(400, errors.BODY_TOO_SLOW, headers={"Connection": "close"})
                )
            except AppError as error:
                response = self._refuse_failure(name, error)
            except ClientDisconnect:
                response = Response(status_code=400)  # nobody is there to read it
            except Exception:  # noqa: BLE001  # the task boundary: a bug costs one answer
                _log.exception("request.failed", operation=name)
                response = self.refuse(errors.PlivoError(500, errors.SERVER_ERROR))
            self._metrics.count(DIALECT, name, response.status_code, time.perf_counter() - started)
            return response

        return answer

    def refuse(self, error: errors.PlivoError) -> Response:
        """The dialect's error body."""
        return self.reply(error.status, {"error": error.text}, error.headers)

    def _refuse_failure(self, operation: str, error: AppError) -> Response:
        """429 where the service is only busy, else 500; the reason is the operator's to read."""
        _log.warning("request.failed", operation=operation, code=error.code, reason=str(error))
        if error.is_retryable and not isinstance(error, StoreUnavailableError):
            headers = {"Retry-After": str(RETRY_AFTER_S)}
            return self.refuse(errors.PlivoError(429, errors.OVERLOADED, headers=headers))
        return self.refuse(errors.PlivoError(500, errors.SERVER_ERROR))

    def reply(
        self, status: int, body: Mapping[str, object], headers: Mapping[str, str] | None = None
    ) -> Response:
        """An answer of the dialect."""
        text = json.dumps({"api_id": self._ids.draw(), **body}, separators=(",", ":"))
        return Response(text, status, headers, media_type="application/json")

    async def authenticate(self, request: Request) -> Account:
        """The account whose credentials were sent, if the path names it too.

        Unknown account, wrong token and another account's path are answered alike.
        """
        account = await self._accounts.open(request.headers.get("authorization"))
        if account is not None and request.path_params["auth_id"] == auth_id_of(account):
            return account
        raise errors.PlivoError(
            401,
            errors.NOT_AUTHENTICATED,
            headers={"WWW-Authenticate": 'Basic realm="Maskline", charset="UTF-8"'},
        )

    async def find_subaccount(self, account: Account, auth_id: str | None) -> int | None:
        """The sub-account meant: that of the credentials, else the named one, else none."""
        own = account.subaccount
        if auth_id is None or (own is not None and auth_id == own.auth_id):
            return None if own is None else own.id
        named = None if own is not None else await self.store.read(load_subaccount, account, auth_id)
        if named is None:
            raise errors.not_valid("subaccount")
        return named.id


def auth_id_of(account: Account) -> str:
    """The id that opened the account: its own, or that of its sub-account."""
    return account.subaccount.auth_id if account.subaccount is not None else account.auth_id


def read_uuid(request: Request, name: str) -> str:
    """The id that the path gives; what is no UUID names nothing. Raises PlivoError 404."""
    text: str = request.path_params[name].lower()
    if not _UUID.fullmatch(text):
        raise errors.PlivoError(404, errors.NOT_FOUND)
    return text

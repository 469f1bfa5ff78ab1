"""The native dialect: a sub-application that answers every request, right or wrong, in our own form.

Handlers stay thin: credentials, body, one workflow, rendering. Only `NativeAPI.endpoint` knows errors and metrics.
"""

import json
import re
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, Final

import structlog
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from maskline.api.auth import AccountMemory, parse_basic
from maskline.api.body import BodyTooLargeError, BodyTooSlowError, read_body
from maskline.api.metrics import HTTPMetrics
from maskline.api.native import wire
from maskline.api.native.errors import MEDIA_TYPE, NativeError
from maskline.api.ports import StoreThreads
from maskline.clock import Clock
from maskline.core.delivery import (
    Delivery,
    DeliveryFilter,
    DeliveryNotFound,
    DeliveryUnfinished,
    EndpointCreated,
    EndpointUnavailable,
    EndpointURLRefused,
    TooManyEndpoints,
)
from maskline.core.inventory import Account
from maskline.errors import AppError
from maskline.store.engine import StoreUnavailableError
from maskline.workflows.accounts import authenticate
from maskline.workflows.deliveries import list_deliveries, load_delivery, replay_delivery
from maskline.workflows.webhook_endpoints import create_endpoint, list_endpoints, remove_endpoint

_log = structlog.get_logger(__name__)

DIALECT: Final = "native"
PREFIX: Final = "/maskline/v1"
RETRY_AFTER_S: Final = 1  # asked of clients when the store's queue is full; it empties within a second
_AUTH_ID: Final = re.compile(r"[MS]A[0-9A-Za-z]{18}", re.ASCII)
_NOBODY: Final = "MA"

Operation = Callable[[Request], Awaitable[Response]]


class NativeAPI:
    """The operations. Each takes a request and returns its answer or raises NativeError."""

    def __init__(
        self,
        *,
        store: StoreThreads,
        clock: Clock,
        metrics: HTTPMetrics,
        notify: Callable[[], None] = lambda: None,
    ) -> None:
        """`notify` tells whoever delivers that there is something to deliver."""
        self._store = store
        self._clock = clock
        self._metrics = metrics
        self._notify = notify
        self._accounts = AccountMemory()

    async def list_deliveries(self, request: Request) -> Response:
        """GET deliveries: newest first."""
        account = await self._authenticate(request)
        query = wire.parse_query(wire.DeliveryQuery, dict(request.query_params))
        before = None
        if query.before is not None:
            before = (await self._load_delivery(account, query.before)).id
        wanted = DeliveryFilter(account_id=account.id, state=query.state, before=before, limit=query.limit)
        found = await self._store.read(list_deliveries, wanted)
        is_last = len(found) < query.limit
        return reply(
            200,
            {
                "deliveries": [wire.render_delivery(it) for it in found],
                "next_before": None if is_last else found[-1].message_id,
            },
        )

    async def get_delivery(self, request: Request) -> Response:
        """GET deliveries/{id}."""
        account = await self._authenticate(request)
        return reply(200, wire.render_delivery(await self._load_delivery(account, _id(request))))

    async def replay_delivery(self, request: Request) -> Response:
        """POST deliveries/{id}/replay: send it again under its old id."""
        account = await self._authenticate(request)
        outcome = await self._store.write(replay_delivery, _id(request), account.id, self._clock.now())
        match outcome:
            case DeliveryNotFound():
                raise NativeError(404, "not-found")
            case DeliveryUnfinished():
                raise NativeError(409, "delivery-unfinished")
            case EndpointUnavailable():
                raise NativeError(409, "webhook-unavailable")
            case Delivery():
                self._notify()
                return reply(202, wire.render_delivery(outcome))

    async def list_webhooks(self, request: Request) -> Response:
        """GET webhooks: oldest first."""
        account = await self._authenticate(request)
        found = await self._store.read(list_endpoints, account.id)
        return reply(200, {"webhooks": [wire.render_webhook(it) for it in found]})

    async def create_webhook(self, request: Request) -> Response:
        """POST webhooks: the answer has the secret, this once."""
        account = await self._authenticate(request)
        wanted = wire.parse_body(wire.NewWebhook, await read_body(request, wire.BODY_BYTES_MAX))
        outcome = await self._store.write(
            create_endpoint, account.id, wanted.new_endpoint(), self._clock.now()
        )
        match outcome:
            case EndpointURLRefused(reason=reason):
                raise NativeError(422, "url-refused", reason)
            case TooManyEndpoints():
                raise NativeError(409, "too-many-webhooks")
            case EndpointCreated(endpoint=endpoint, secret=secret):
                return reply(201, {**wire.render_webhook(endpoint), "secret": secret.reveal()})

    async def delete_webhook(self, request: Request) -> Response:
        """DELETE webhooks/{id}: what was still to be sent there is cancelled."""
        account = await self._authenticate(request)
        if not await self._store.write(remove_endpoint, account.id, _id(request), self._clock.now()):
            raise NativeError(404, "not-found")
        return Response(status_code=204)

    def endpoint(self, name: str, operation: Operation) -> Operation:
        """Wrap `operation`: whatever happens in it becomes one counted answer of the dialect."""

        async def answer(request: Request) -> Response:
            started = time.perf_counter()
            try:
                response = await operation(request)
            except NativeError as error:
                response = refuse(error)
            except BodyTooLargeError:
                # The rest of the body is still on its way: the connection cannot carry another request.
                response = refuse(NativeError(413, "too-large", headers={"Connection": "close"}))
            except BodyTooSlowError:
                response = refuse(NativeError(408, "too-slow", headers={"Connection": "close"}))
            except AppError as error:
                response = _refuse_failure(name, error)
            except ClientDisconnect:
                response = Response(status_code=400)  # nobody is there to read it
            except Exception:  # noqa: BLE001  # the task boundary: a bug costs one answer
                _log.exception("request.failed", operation=name)
                response = refuse(NativeError(500, "failed"))
            self._metrics.count(DIALECT, name, response.status_code, time.perf_counter() - started)
            return response

        return answer

    async def _load_delivery(self, account: Account, id_: str) -> Delivery:
        found = await self._store.read(load_delivery, id_, account.id)
        if isinstance(found, DeliveryNotFound):
            raise NativeError(404, "not-found")
        return found

    async def _authenticate(self, request: Request) -> Account:
        """The account whose credentials were sent; unknown accounts and wrong tokens are answered alike."""
        credentials = parse_basic(request.headers.get("authorization"))
        account = None if credentials is None else self._accounts.find(credentials)
        if credentials is not None and account is None:
            user = credentials.user if _AUTH_ID.fullmatch(credentials.user) else _NOBODY
            account = await self._store.read(authenticate, user, credentials.token.reveal())
            if account is not None:
                self._accounts.remember(credentials, account)
        if account is None:
            challenge = {"WWW-Authenticate": 'Basic realm="Maskline", charset="UTF-8"'}
            raise NativeError(401, "not-authenticated", headers=challenge)
        if account.subaccount is not None:
            raise NativeError(403, "subaccount-not-allowed")
        return account


def create_native_app(api: NativeAPI) -> FastAPI:
    """The sub-application to mount at `PREFIX`."""
    app = FastAPI(
        title="Maskline",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,  # shown beside the other dialects'
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.router.route_class = _BareRoute
    for path, method, name, operation, body in (
        ("/deliveries", "GET", "list_deliveries", api.list_deliveries, None),
        ("/deliveries/{id}", "GET", "get_delivery", api.get_delivery, None),
        ("/deliveries/{id}/replay", "POST", "replay_delivery", api.replay_delivery, None),
        ("/webhooks", "GET", "list_webhooks", api.list_webhooks, None),
        ("/webhooks", "POST", "create_webhook", api.create_webhook, wire.NewWebhook),
        ("/webhooks/{id}", "DELETE", "delete_webhook", api.delete_webhook, None),
    ):
        app.add_api_route(
            path,
            api.endpoint(name, operation),
            methods=[method],
            name=name,
            response_model=None,
            summary=operation.__doc__,
            openapi_extra=None if body is None else {"requestBody": wire.schema_of(body)},
        )

    async def refuse_route(_request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException), "registered for nothing else"
        if error.status_code == 405:
            return refuse(NativeError(405, "method-not-allowed", headers=error.headers))
        return refuse(NativeError(404, "not-found"))

    app.add_exception_handler(HTTPException, refuse_route)
    return app


def reply(status: int, body: Mapping[str, object]) -> Response:
    """An answer of the dialect."""
    text = json.dumps(body, separators=(",", ":"))
    return Response(text, status, {"Cache-Control": "no-store"}, media_type="application/json")


def refuse(error: NativeError) -> Response:
    """The dialect's error body."""
    text = json.dumps(error.body(), separators=(",", ":"))
    return Response(text, error.status, error.headers, media_type=MEDIA_TYPE)


def _refuse_failure(operation: str, error: AppError) -> Response:
    """429 where the service is only busy, else 500; the reason is the operator's to read."""
    _log.warning("request.failed", operation=operation, code=error.code, reason=str(error))
    if error.is_retryable and not isinstance(error, StoreUnavailableError):
        return refuse(NativeError(429, "overloaded", headers={"Retry-After": str(RETRY_AFTER_S)}))
    return refuse(NativeError(500, "failed"))


class _BareRoute(APIRoute):
    """A route whose endpoint reads the request and makes the answer itself; the framework has nothing to add."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        endpoint: Callable[[Request], Coroutine[Any, Any, Response]] = self.endpoint
        return endpoint


def _id(request: Request) -> str:
    text: str = request.path_params["id"]
    if len(text) > wire.ID_LENGTH_MAX:
        raise NativeError(404, "not-found")
    return text

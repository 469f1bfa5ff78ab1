"""The native dialect: the tables of its resources made into one sub-application."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route as StarletteRoute

from maskline.api.native.accounts import AccountsAPI, account_routes
from maskline.api.native.calls import CallsAPI, call_routes
from maskline.api.native.deepcall import DeepCallAPI, deepcall_routes
from maskline.api.native.deliveries import DeliveriesAPI, delivery_routes
from maskline.api.native.errors import NativeError
from maskline.api.native.event_hub import EventHub
from maskline.api.native.events import EventsAPI, event_routes
from maskline.api.native.kernel import NativeKernel, refuse
from maskline.api.native.keys import KeysAPI, key_routes
from maskline.api.native.numbers import NumbersAPI, number_routes
from maskline.api.native.pools import PoolsAPI, pool_routes
from maskline.api.native.recordings import RecordingsAPI, recording_routes
from maskline.api.native.routes import Route
from maskline.api.native.sessions import SessionsAPI, session_routes
from maskline.api.native.subaccounts import SubaccountsAPI, subaccount_routes
from maskline.api.native.trunks import TrunksAPI, trunk_routes
from maskline.api.native.usage import UsageAPI, usage_routes
from maskline.api.native.webhooks import WebhooksAPI, webhook_routes
from maskline.core.pin import PIN_LIMITS, PinLimits
from maskline.recordings.storage import RecordingStorage

PREFIX: Final = "/maskline/v1"


def native_routes(
    kernel: NativeKernel,
    *,
    pin_limits: PinLimits = PIN_LIMITS,
    recordings: RecordingStorage | None = None,
    events: EventHub | None = None,
) -> tuple[Route, ...]:
    """The whole table: everything that the dialect offers."""
    return (
        *account_routes(AccountsAPI(kernel)),
        *subaccount_routes(SubaccountsAPI(kernel)),
        *key_routes(KeysAPI(kernel)),
        *deepcall_routes(DeepCallAPI(kernel)),
        *trunk_routes(TrunksAPI(kernel)),
        *number_routes(NumbersAPI(kernel)),
        *pool_routes(PoolsAPI(kernel)),
        *webhook_routes(WebhooksAPI(kernel)),
        *delivery_routes(DeliveriesAPI(kernel)),
        *session_routes(SessionsAPI(kernel, pin_limits=pin_limits)),
        *call_routes(CallsAPI(kernel)),
        *recording_routes(RecordingsAPI(kernel, recordings)),
        *usage_routes(UsageAPI(kernel)),
        *event_routes(EventsAPI(kernel, events or EventHub(kernel.store, kernel.clock))),
    )


def create_native_app(kernel: NativeKernel, routes: Iterable[Route]) -> Starlette:
    """The sub-application to mount at `PREFIX`."""
    by_path: dict[str, list[Route]] = defaultdict(list)
    for route in routes:
        by_path[route.path].append(route)
    app = Starlette(
        routes=[_serve_path(kernel, path, rows) for path, rows in by_path.items()],
        exception_handlers={HTTPException: _refuse_route},
    )
    app.router.redirect_slashes = False
    return app


def _serve_path(kernel: NativeKernel, path: str, rows: Iterable[Route]) -> StarletteRoute:
    """One path with all its methods, so that a wrong one is told all the right ones."""
    endpoints = {row.method: kernel.endpoint(row) for row in rows}

    async def answer(request: Request) -> Response:
        return await endpoints[request.method](request)

    served = StarletteRoute(path, answer, methods=list(endpoints))
    served.methods = set(
        endpoints
    )  # without the HEAD that comes with GET: what is described is what there is
    return served


async def _refuse_route(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException), "registered for nothing else"
    if error.status_code == 405:
        return refuse(NativeError("method-not-allowed", headers=error.headers))
    return refuse(NativeError("not-found"))

"""The HTTP side of one process: the dialects, the health check and the metrics under one roof."""

import asyncio
import json
from collections.abc import Callable, Mapping
from functools import partial

import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from maskline.api.deepcall.app import create_deepcall_route
from maskline.api.deepcall.click_schema import describe_clicks
from maskline.api.deepcall.kernel import DeepCallKernel, DeepCallSettings
from maskline.api.deepcall.schema import describe as describe_deepcall
from maskline.api.descriptions import add_descriptions
from maskline.api.metrics import HTTPMetrics
from maskline.api.native.app import PREFIX as NATIVE_PREFIX
from maskline.api.native.app import create_native_app, native_routes
from maskline.api.native.description import describe
from maskline.api.native.event_hub import EventHub
from maskline.api.native.kernel import NativeKernel
from maskline.api.plivo.app import PREFIX as PLIVO_PREFIX
from maskline.api.plivo.app import PlivoAPI, PlivoSettings, create_plivo_app
from maskline.api.plivo.schema import describe as describe_plivo
from maskline.api.ports import HealthCheck, ReceiverCheck, StoreThreads, unchecked
from maskline.clock import Clock
from maskline.core.pin import PIN_LIMITS, PinLimits
from maskline.recordings.storage import RecordingStorage

HEALTH_TIMEOUT_S = 2.0  # of each check; load balancers usually give up after 2 to 5 s

_log = structlog.get_logger(__name__)


def create_app(
    *,
    store: StoreThreads,
    clock: Clock,
    random_bytes: Callable[[int], bytes],
    public_url: str,
    pin_limits: PinLimits = PIN_LIMITS,
    recordings: RecordingStorage | None = None,
    checks: Mapping[str, HealthCheck] | None = None,
    registry: CollectorRegistry | None = None,
    notify: Callable[[], None] = lambda: None,
    events: EventHub | None = None,
    deepcall: DeepCallSettings | None = None,
    check_receiver: ReceiverCheck = unchecked,
) -> Starlette:
    """Build the application.

    `recordings` is where their audio is; without it none is served.
    `checks` are the parts /healthz asks, by name, each raising when its part does not work.
    `registry` holds the metrics /metrics shows; other parts of the process may add theirs.
    `notify` tells whoever delivers events that one is to be delivered again.
    `events` knows the open streams of events; without it, one that polls.
    `check_receiver` calls a URL and says whether it is a receiver of reports.
    `deepcall` are the choices of that dialect; without them it has its defaults.
    """
    registry = registry or CollectorRegistry()
    app = Starlette(middleware=[Middleware(NewlineTolerance)])
    app.router.redirect_slashes = False
    _add_health(app, dict(checks or {}))

    async def show_metrics(_request: Request) -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    app.router.routes.append(Route("/metrics", show_metrics))
    metrics = HTTPMetrics(registry)
    api = PlivoAPI(
        store=store,
        clock=clock,
        random_bytes=random_bytes,
        metrics=metrics,
        settings=PlivoSettings(public_url=public_url, pin_limits=pin_limits),
    )
    plivo = create_plivo_app(api, recordings)
    app.mount(PLIVO_PREFIX, plivo)
    app.router.routes.append(Route(PLIVO_PREFIX, plivo))  # the prefix itself, which no mount matches
    deepcall = deepcall or DeepCallSettings(public_url=public_url)
    deepcall_kernel = DeepCallKernel(store=store, clock=clock, metrics=metrics, settings=deepcall)
    app.router.routes.append(create_deepcall_route(deepcall_kernel))
    kernel = NativeKernel(
        store=store,
        clock=clock,
        metrics=metrics,
        random_bytes=random_bytes,
        public_url=public_url,
        notify=notify,
        check_receiver=check_receiver,
    )
    routes = native_routes(kernel, pin_limits=pin_limits, recordings=recordings, events=events)
    app.mount(NATIVE_PREFIX, create_native_app(kernel, routes))
    add_descriptions(
        app,
        {
            "plivo": partial(describe_plivo, has_recordings=recordings is not None),
            "deepcall": partial(describe_deepcall, deepcall, describe_clicks(deepcall)),
            "native": partial(describe, routes, NATIVE_PREFIX),
        },
    )
    return app


class NewlineTolerance:
    """ASGI middleware: a line feed in a path becomes a character that mounts match, so that its dialect answers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] == "http" and "\n" in scope["path"]:
            scope["path"] = scope["path"].replace("\n", "\ufffd")
        await self._app(scope, receive, send)


def _add_health(app: Starlette, checks: Mapping[str, HealthCheck]) -> None:
    async def show_health(_request: Request) -> Response:
        results = await asyncio.gather(*(_check(name, check) for name, check in checks.items()))
        is_well = all(results)
        answer = {
            "status": "ok" if is_well else "failing",
            "checks": {
                name: "ok" if result else "failing" for name, result in zip(checks, results, strict=True)
            },
        }
        headers = {"Cache-Control": "no-store"}
        return Response(json.dumps(answer), 200 if is_well else 503, headers, media_type="application/json")

    app.router.routes.append(Route("/healthz", show_health))


async def _check(name: str, check: HealthCheck) -> bool:
    try:
        async with asyncio.timeout(HEALTH_TIMEOUT_S):
            await check()
    except Exception as error:  # noqa: BLE001  # whatever a part fails with, it is failing
        _log.warning("health.failing", part=name, error=repr(error))
        return False
    return True

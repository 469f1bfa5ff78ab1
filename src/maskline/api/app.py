"""The HTTP side of one process: the dialects, the health check and the metrics under one roof."""

import asyncio
import json
from collections.abc import Callable, Mapping

import structlog
from fastapi import FastAPI, Request, Response
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from maskline.api.metrics import HTTPMetrics
from maskline.api.plivo.app import PREFIX as PLIVO_PREFIX
from maskline.api.plivo.app import PlivoAPI, PlivoSettings, create_plivo_app
from maskline.api.ports import HealthCheck, StoreThreads
from maskline.clock import Clock

HEALTH_TIMEOUT_S = 2.0  # of each check; load balancers usually give up after 2 to 5 s

_log = structlog.get_logger(__name__)


def create_app(
    *,
    store: StoreThreads,
    clock: Clock,
    random_bytes: Callable[[int], bytes],
    public_url: str,
    checks: Mapping[str, HealthCheck] | None = None,
    registry: CollectorRegistry | None = None,
) -> FastAPI:
    """Build the application.

    `checks` are the parts /healthz asks, by name, each raising when its part does not work.
    `registry` holds the metrics /metrics shows; other parts of the process may add theirs.
    """
    registry = registry or CollectorRegistry()
    app = FastAPI(title="Maskline", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    _add_health(app, dict(checks or {}))

    async def show_metrics(_request: Request) -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    app.add_route("/metrics", show_metrics)
    api = PlivoAPI(
        store=store,
        clock=clock,
        random_bytes=random_bytes,
        metrics=HTTPMetrics(registry),
        settings=PlivoSettings(public_url=public_url),
    )
    app.mount(PLIVO_PREFIX, create_plivo_app(api))
    return app


def _add_health(app: FastAPI, checks: Mapping[str, HealthCheck]) -> None:
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

    app.add_route("/healthz", show_health)


async def _check(name: str, check: HealthCheck) -> bool:
    try:
        async with asyncio.timeout(HEALTH_TIMEOUT_S):
            await check()
    except Exception as error:  # noqa: BLE001  # whatever a part fails with, it is failing
        _log.warning("health.failing", part=name, error=repr(error))
        return False
    return True

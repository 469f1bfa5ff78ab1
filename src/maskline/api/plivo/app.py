"""The Plivo dialect: a sub-application that answers every request, right or wrong, in the vendor's form."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from maskline.api.plivo import errors
from maskline.api.plivo.calls import CallAPI
from maskline.api.plivo.kernel import PREFIX, PlivoAPI, PlivoRoute, PlivoSettings
from maskline.api.plivo.recordings import RecordingAPI
from maskline.api.plivo.sessions import SessionAPI
from maskline.recordings.storage import RecordingStorage

__all__ = ["PREFIX", "PlivoAPI", "PlivoSettings", "create_plivo_app"]


def create_plivo_app(api: PlivoAPI, recordings: RecordingStorage | None = None) -> FastAPI:
    """The sub-application to mount at `PREFIX`; both slashes and doubled ones reach the same handler.

    `recordings` is where their audio is; without it none is served.
    """
    app = FastAPI(
        title="Maskline: Plivo number masking dialect",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,  # unknown to the vendor, so not below its prefix
        redirect_slashes=False,
        # Spans would carry paths and queries, and those carry numbers.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.add_middleware(SlashTolerance)
    app.router.route_class = _BareRoute
    routes: tuple[PlivoRoute, ...] = SessionAPI(api).routes() + CallAPI(api).routes()
    if recordings is not None:
        routes += RecordingAPI(api, recordings).routes()
    for route in routes:
        app.add_api_route(
            f"/Account/{{auth_id}}/{route.path}",
            api.endpoint(route.name, route.operation),
            methods=list(route.methods),
            name=route.name,
            response_model=None,
            include_in_schema=False,  # `schema` describes them
        )

    async def refuse_route(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException), "registered for nothing else"
        if error.status_code == 405:
            allowed = ", ".join(sorted(_allowed_methods(app, request.scope)))
            return api.refuse(errors.PlivoError(405, errors.METHOD_NOT_ALLOWED, headers={"Allow": allowed}))
        return api.refuse(errors.PlivoError(404, errors.NOT_FOUND))

    app.add_exception_handler(HTTPException, refuse_route)
    return app


class _BareRoute(APIRoute):
    """A route whose endpoint reads the request and makes the answer itself; the framework has nothing to add."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        endpoint: Callable[[Request], Coroutine[Any, Any, Response]] = self.endpoint
        return endpoint


class SlashTolerance:
    """ASGI middleware: `//` counts as `/` and a final slash as none; nothing is ever redirected.

    The official Python client repeats a redirected POST as a GET without body and reports success.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on under its tidied path."""
        if scope["type"] == "http":
            scope["path"] = "/" + "/".join(part for part in scope["path"].split("/") if part)
        await self._app(scope, receive, send)


def _allowed_methods(app: FastAPI, scope: Scope) -> set[str]:
    allowed: set[str] = set()
    for route in app.routes:
        if isinstance(route, Route) and route.matches(scope)[0] is not Match.NONE:
            allowed |= route.methods or set()
    return allowed

"""The Plivo dialect: a sub-application that answers every request, right or wrong, in the vendor's form.

Handlers stay thin: credentials, body, one workflow, rendering. Only `_answer` knows errors and metrics.
"""

import json
import re
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from maskline.api.auth import AccountMemory, parse_basic
from maskline.api.body import BodyTooLargeError, BodyTooSlowError, read_body
from maskline.api.ids import IDSource
from maskline.api.metrics import HTTPMetrics
from maskline.api.plivo import errors, fields, listing, mapping, schema, wire
from maskline.api.ports import StoreThreads
from maskline.clock import Clock
from maskline.core.allocation import PoolExhausted
from maskline.core.inventory import Account
from maskline.core.masking import (
    MaskingSession,
    PairIsLive,
    PartyIsVirtual,
    Role,
    SessionAlreadyExpired,
    SessionCreated,
    SessionNotFound,
)
from maskline.core.pin import PIN_LIMITS, PinLimits
from maskline.errors import AppError
from maskline.store.engine import StoreUnavailableError
from maskline.workflows.accounts import authenticate, load_subaccount
from maskline.workflows.create_masking_session import create_masking_session
from maskline.workflows.end_masking_session import end_masking_session
from maskline.workflows.list_masking_sessions import list_masking_sessions
from maskline.workflows.load_masking_session import load_masking_session

_log = structlog.get_logger(__name__)

DIALECT = "plivo"
PREFIX = "/v1"  # where the application is mounted; the vendor's first path segment
RETRY_AFTER_S = 1  # asked of clients when the store's queue is full; it empties within a second

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII)
# Only ids of this form are ever issued. Others, which may hold what a database refuses, are looked up as nobody.
_AUTH_ID = re.compile(r"[MS]A[0-9A-Za-z]{18}", re.ASCII)
_NOBODY = "MA"

Operation = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlivoSettings:
    """Plain values for the dialect. `public_url` has no final slash."""

    public_url: str
    pin_limits: PinLimits = PIN_LIMITS


class PlivoAPI:
    """The operations. Each takes a request and returns its answer or raises PlivoError."""

    def __init__(
        self,
        *,
        store: StoreThreads,
        clock: Clock,
        random_bytes: Callable[[int], bytes],
        metrics: HTTPMetrics,
        settings: PlivoSettings,
    ) -> None:
        self._store = store
        self._clock = clock
        self._ids = IDSource(random_bytes)
        self._metrics = metrics
        self._settings = settings
        self._accounts = AccountMemory()

    async def create(self, request: Request) -> Response:
        """POST Masking/Session/."""
        account, created, now = await self._create(request, has_geomatch=True)
        session = created.session
        return self.reply(
            201,
            {
                "session_uuid": session.id,
                "virtual_number": session.virtual_number,
                "message": "Session created",
                "session": self._render(session, account, now),
            },
        )

    async def create_legacy(self, request: Request) -> Response:
        """POST Session/: no geomatch, no session object."""
        _, created, _ = await self._create(request, has_geomatch=False)
        session = created.session
        return self.reply(
            201,
            {
                "session_uuid": session.id,
                "virtual_number": session.virtual_number,
                "message": "Session Created",
            },
        )

    async def get(self, request: Request) -> Response:
        """GET Masking/Session/{uuid}/."""
        account = await self.authenticate(request)
        session = await self._load(account, _session_id(request))
        return self.reply(200, {"response": self._render(session, account, self._clock.now())})

    async def list(self, request: Request) -> Response:
        """GET Masking/Session/."""
        account = await self.authenticate(request)
        now = self._clock.now()
        query = listing.parse_query(request.scope["query_string"], country=account.country, now=now)
        subaccount_id = await self.find_subaccount(account, query.subaccount)
        wanted = replace(query.filter, subaccount_id=subaccount_id)
        page = await self._store.read(list_masking_sessions, account, wanted, now)
        auth_id = _auth_id(account)
        objects = [
            mapping.render_listed_session(self._render(session, account, now), auth_id=auth_id)
            for session in page.sessions
        ]
        path = f"{PREFIX}/Account/{auth_id}/Masking/Session/"
        meta = listing.render_meta(query, path, page.total_count)
        return self.reply(200, {"response": {"meta": meta, "objects": objects}})

    async def delete(self, request: Request) -> Response:
        """DELETE Masking/Session/{uuid}/."""
        await self._end(request)
        return self.reply(200, {"message": "Session expired"})

    async def delete_legacy(self, request: Request) -> Response:
        """DELETE Session/{uuid}/."""
        await self._end(request)
        return self.reply(200, {"message": "Session Deleted"})

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

    def _render(self, session: MaskingSession, account: Account, now: int) -> dict[str, object]:
        return mapping.render_session(
            session, auth_id=_auth_id(account), public_url=self._settings.public_url, now=now
        )

    async def authenticate(self, request: Request) -> Account:
        """The account whose credentials were sent, if the path names it too.

        Unknown account, wrong token and another account's path are answered alike.
        """
        credentials = parse_basic(request.headers.get("authorization"))
        if credentials is not None:
            account = self._accounts.find(credentials)
            if account is None:
                user = credentials.user if _AUTH_ID.fullmatch(credentials.user) else _NOBODY
                account = await self._store.read(authenticate, user, credentials.token.reveal())
                if account is not None:
                    self._accounts.remember(credentials, account)
            if account is not None and request.path_params["auth_id"] == _auth_id(account):
                return account
        raise errors.PlivoError(
            401,
            errors.NOT_AUTHENTICATED,
            headers={"WWW-Authenticate": 'Basic realm="Maskline", charset="UTF-8"'},
        )

    async def _create(self, request: Request, *, has_geomatch: bool) -> tuple[Account, SessionCreated, int]:
        account = await self.authenticate(request)
        wanted = wire.parse_create(await read_body(request, fields.BODY_BYTES_MAX))
        subaccount_id = await self.find_subaccount(account, wanted.subaccount)
        new = mapping.build_new_session(
            wanted, account, subaccount_id=subaccount_id, has_geomatch=has_geomatch
        )
        now = self._clock.now()
        outcome = await self._store.write(
            create_masking_session, account, new, now, self._settings.pin_limits
        )
        match outcome:
            case SessionCreated():
                return account, outcome, now
            case PoolExhausted():
                raise errors.PlivoError(400, errors.POOL_EXHAUSTED)
            case PairIsLive():
                raise AssertionError  # a repeated creation updates
            case PartyIsVirtual(role=role):
                raise errors.not_a_phone_number("second_party" if role is Role.SECOND else "first_party")

    async def find_subaccount(self, account: Account, auth_id: str | None) -> int | None:
        """The sub-account meant: that of the credentials, else the named one, else none."""
        own = account.subaccount
        if auth_id is None or (own is not None and auth_id == own.auth_id):
            return None if own is None else own.id
        named = None if own is not None else await self._store.read(load_subaccount, account, auth_id)
        if named is None:
            raise errors.not_valid("subaccount")
        return named.id

    async def _load(self, account: Account, session_id: str) -> MaskingSession:
        """A session of the account; a sub-account sees only its own."""
        session = await self._store.read(load_masking_session, account, session_id)
        own = account.subaccount
        if isinstance(session, SessionNotFound) or (own is not None and session.subaccount_id != own.id):
            raise errors.PlivoError(404, errors.NOT_FOUND)
        return session

    async def _end(self, request: Request) -> None:
        account = await self.authenticate(request)
        session_id = _session_id(request)
        if account.subaccount is not None:
            await self._load(account, session_id)
        outcome = await self._store.write(end_masking_session, account, session_id, self._clock.now())
        match outcome:
            case SessionNotFound():
                raise errors.PlivoError(404, errors.NOT_FOUND)
            case SessionAlreadyExpired():
                raise errors.PlivoError(400, errors.SESSION_EXPIRED)
            case MaskingSession():
                return


def create_plivo_app(api: PlivoAPI) -> FastAPI:
    """The sub-application to mount at `PREFIX`; both slashes and doubled ones reach the same handler."""
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
    sessions, legacy = "/Account/{auth_id}/Masking/Session", "/Account/{auth_id}/Session"
    for path, method, name, operation in (
        (sessions, "POST", "create", api.create),
        (sessions, "GET", "list", api.list),
        (sessions + "/{session_uuid}", "GET", "get", api.get),
        (sessions + "/{session_uuid}", "DELETE", "delete", api.delete),
        (legacy, "POST", "create_legacy", api.create_legacy),
        (legacy + "/{session_uuid}", "DELETE", "delete_legacy", api.delete_legacy),
    ):
        app.add_api_route(
            path,
            api.endpoint(name, operation),
            methods=[method],
            name=name,
            response_model=None,
            summary=operation.__doc__,
            openapi_extra=schema.OPERATIONS[name],
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


def _auth_id(account: Account) -> str:
    """The id that opened the account: its own, or that of its sub-account."""
    return account.subaccount.auth_id if account.subaccount is not None else account.auth_id


def _session_id(request: Request) -> str:
    """The session id of the path; what is no UUID is no session either."""
    text: str = request.path_params["session_uuid"].lower()
    if not _UUID.fullmatch(text):
        raise errors.PlivoError(404, errors.NOT_FOUND)
    return text

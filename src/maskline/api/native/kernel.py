"""What every operation of the native dialect shares: who asks, what they may, and how answers look.

Only `NativeKernel.endpoint` knows errors and metrics.
"""

import json
import time
from collections.abc import Awaitable, Callable
from typing import Concatenate, Final, ParamSpec, TypeVar

import structlog
from pydantic import BaseModel
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from maskline.api.body import BodyTooLargeError, BodyTooSlowError, read_body
from maskline.api.metrics import HTTPMetrics
from maskline.api.native.auth import Authenticator
from maskline.api.native.errors import MEDIA_TYPE, NativeError
from maskline.api.native.idempotency import claim_of, pack, unpack
from maskline.api.native.models.common import NoQuery
from maskline.api.native.parsing import BODY_BYTES_MAX, parse_query
from maskline.api.native.routes import Asked, Route
from maskline.api.ports import ReceiverCheck, StoreThreads, unchecked
from maskline.clock import Clock
from maskline.core.access import Caller, deny
from maskline.errors import AppError
from maskline.store.engine import StoreUnavailableError, Tx
from maskline.workflows.idempotency import load_kept_answer, run_idempotently

_log = structlog.get_logger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

DIALECT: Final = "native"
RETRY_AFTER_S: Final = 1  # asked of clients when the store's queue is full; it empties within a second
_METHODS_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})


class NativeKernel:
    """Made once; the modules of resources hold it."""

    def __init__(
        self,
        *,
        store: StoreThreads,
        clock: Clock,
        metrics: HTTPMetrics,
        random_bytes: Callable[[int], bytes],
        public_url: str = "",
        notify: Callable[[], None] = lambda: None,
        check_receiver: ReceiverCheck = unchecked,
    ) -> None:
        """`notify` tells whoever delivers that there is something to deliver.

        `check_receiver` calls a URL and says whether it is a receiver of reports.
        """
        self.store = store
        self.clock = clock
        self.random_bytes = random_bytes
        self.public_url = public_url
        self.notify = notify
        self.check_receiver = check_receiver
        self._metrics = metrics
        self._authenticator = Authenticator(store=store, clock=clock)

    async def authenticate(self, request: Request, route: Route) -> Caller:
        """Say who asks, if they may do what the route does. Raises NativeError."""
        caller = await self._authenticator.authenticate(request)
        denial = deny(caller, route.permission, route.reach)
        if denial is not None:
            raise NativeError(denial.value)
        return caller

    async def write(
        self,
        asked: Asked,
        work: Callable[Concatenate[Tx, P], T],
        render: Callable[[T], Response],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Response:
        """Run the workflow of a POST and render its outcome, once for each idempotency key.

        `render` may run on a store thread and inside the transaction: it only turns values into an answer, refusals
        (`refuse`) included, and raises nothing. Whatever is to happen besides happens after this returns, also when
        the answer is an earlier one's.
        """
        claim = claim_of(asked)
        if claim is None:
            return render(await self.store.write(work, *args, **kwargs))

        def answer(tx: Tx) -> str:
            return pack(render(work(tx, *args, **kwargs)))

        return unpack(await self.store.write(run_idempotently, claim, answer, self.clock.now()))

    async def replay(self, asked: Asked) -> Response | None:
        """The answer that is kept for the idempotency key of a POST, for what must not be done again before `write`.

        None when there is none: then `write` follows. Raises NativeError.
        """
        claim = claim_of(asked)
        if claim is None:
            return None
        kept = await self.store.read(load_kept_answer, claim, self.clock.now())
        return None if kept is None else unpack(kept)

    def endpoint(self, route: Route) -> Callable[[Request], Awaitable[Response]]:
        """Wrap an operation: whatever happens in it becomes one counted answer of the dialect."""

        async def answer(request: Request) -> Response:
            started = time.perf_counter()
            try:
                caller = await self.authenticate(request, route)
                body = b""
                if route.query is None:
                    parse_query(NoQuery, request.query_params.multi_items())
                if route.method in _METHODS_WITH_BODY:
                    body = await read_body(request, BODY_BYTES_MAX)
                response = await route.operation(Asked(request=request, caller=caller, body=body))
            except NativeError as error:
                response = refuse(error)
            except BodyTooLargeError:
                # The rest of the body is still on its way: the connection cannot carry another request.
                response = refuse(NativeError("too-large", headers={"Connection": "close"}))
            except BodyTooSlowError:
                response = refuse(NativeError("too-slow", headers={"Connection": "close"}))
            except AppError as error:
                response = _refuse_failure(route.name, error)
            except ClientDisconnect:
                response = Response(status_code=400)  # nobody is there to read it
            except Exception:  # noqa: BLE001  # the task boundary: a bug costs one answer
                _log.exception("request.failed", operation=route.name)
                response = refuse(NativeError("failed"))
            self._metrics.count(DIALECT, route.name, response.status_code, time.perf_counter() - started)
            return response

        return answer


def reply(status: int, model: BaseModel | None = None) -> Response:
    """An answer of the dialect; without model it has no body."""
    headers = {"Cache-Control": "no-store"}
    if model is None:
        return Response(status_code=status, headers=headers)
    return Response(model.model_dump_json(), status, headers, media_type="application/json")


def refuse(error: NativeError) -> Response:
    """The dialect's error body."""
    text = json.dumps(error.body(), separators=(",", ":"))
    headers = {"Cache-Control": "no-store"} | error.headers
    return Response(text, error.status, headers, media_type=MEDIA_TYPE)


def _refuse_failure(operation: str, error: AppError) -> Response:
    """429 where the service is only busy, else 500; the reason is the operator's to read."""
    _log.warning("request.failed", operation=operation, code=error.code, reason=str(error))
    if error.is_retryable and not isinstance(error, StoreUnavailableError):
        return refuse(NativeError("overloaded", headers={"Retry-After": str(RETRY_AFTER_S)}))
    return refuse(NativeError("failed"))

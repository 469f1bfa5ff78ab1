"""What all operations of the DeepCall dialect share: settings, credentials, errors and metrics.

Operations take a request and return its answer or raise DeepCallError; only `endpoint` knows what becomes of that.
"""

import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Concatenate, ParamSpec, TypeVar

import structlog
from fastapi import Request, Response
from starlette.requests import ClientDisconnect

from maskline.api.auth import AccountMemory, Credentials
from maskline.api.body import BodyTooLargeError, BodyTooSlowError
from maskline.api.deepcall import answers, errors, values
from maskline.api.deepcall.body import Fields
from maskline.api.deepcall.errors import STATUSES, Code, DeepCallError
from maskline.api.metrics import HTTPMetrics
from maskline.api.ports import StoreThreads
from maskline.clock import Clock
from maskline.core.deepcall import EXPIRY_MINUTES_DEFAULT, DeepCallCaller, SuccessShape
from maskline.core.inventory import Account
from maskline.core.masking import RecordFormat, RepeatRule
from maskline.core.secret import Secret
from maskline.errors import AppError
from maskline.store.engine import StoreConflictError, StoreUnavailableError, Tx
from maskline.store.thread import StoreOverloadedError
from maskline.workflows.deepcall_credentials import authenticate_ssid, authenticate_user

_log = structlog.get_logger(__name__)

DIALECT = "deepcall"
SUCCESS_CODE = 200

_USER_ID = re.compile(r"[0-9]{1,16}", re.ASCII)  # ids of another form are nobody's

P = ParamSpec("P")
T = TypeVar("T")
Operation = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeepCallSettings:
    """Plain values for the dialect. `public_url` has no final slash."""

    public_url: str
    expiry_minutes: int = EXPIRY_MINUTES_DEFAULT
    """Of masks set without one."""
    repeat_rule: RepeatRule = RepeatRule.REFUSE
    success_shape: SuccessShape = SuccessShape.UNION
    has_error_statuses: bool = False
    """Whether refusals have an HTTP status of their own; else it is 200."""
    has_own_numbers: bool = True
    """Whether a mask is given a number without other masks while there is one."""
    record_format: RecordFormat | None = None
    """Of calls under new masks; None: they are not recorded."""
    unset_count_max: int = 1
    """Masks that one unset may end where it does not name both parties."""
    recording_links_s: int = 0
    """How long links to recordings work without credentials; 0: they need the account's."""


class DeepCallKernel:
    """The common part of the operations."""

    def __init__(
        self, *, store: StoreThreads, clock: Clock, metrics: HTTPMetrics, settings: DeepCallSettings
    ) -> None:
        self.store = store
        self.clock = clock
        self.settings = settings
        self._metrics = metrics
        self._accounts = AccountMemory()

    async def authenticate(self, fields: Fields, *, may_change: bool = True) -> Account:
        """The account whose ssid, or else user id and token, were sent; other fields beside them do not matter.

        Raises DeepCallError: 1000 when neither is there, 1014 when they are wrong or lapsed, 1015 when they do
        not suffice for `may_change`.
        """
        ssid, user_id = values.read_text(fields, "ssid"), values.read_text(fields, "userId")
        token = values.read_text(fields, "token")
        if ssid is None and (user_id is None or token is None):
            raise errors.missing("ssid, or userId with token,")
        caller = None if ssid is None else await self._find_ssid(ssid)
        if caller is None and user_id is not None and token is not None:
            caller = await self._find_user(user_id, token)
        if caller is None:
            raise DeepCallError(Code.NOT_AUTHENTICATED)
        if may_change and not caller.can_change:
            raise DeepCallError(Code.NOT_PERMITTED)
        return caller.account

    async def _find_ssid(self, ssid: str) -> DeepCallCaller | None:
        return await self._find(
            Credentials(user="", token=Secret(ssid)),
            lambda: self.store.read(authenticate_ssid, ssid, self.clock.now()),
        )

    async def _find_user(self, user_id: str, token: str) -> DeepCallCaller | None:
        if not _USER_ID.fullmatch(user_id):
            return None
        return await self._find(
            Credentials(user=user_id, token=Secret(token)),
            lambda: self.store.read(authenticate_user, user_id, token, self.clock.now()),
        )

    async def _find(
        self, credentials: Credentials, load: Callable[[], Awaitable[DeepCallCaller | None]]
    ) -> DeepCallCaller | None:
        """Look up who this is, unless that was done a moment ago; only who may do everything is remembered."""
        if (known := self._accounts.find(credentials)) is not None:
            return DeepCallCaller(account=known, can_change=True)
        caller = await load()
        if caller is not None and caller.can_change:
            self._accounts.remember(credentials, caller.account)
        return caller

    async def write(self, work: Callable[Concatenate[Tx, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a workflow that writes. Raises DeepCallError 1504 where the store is too busy for it."""
        try:
            return await self.store.write(work, *args, **kwargs)
        except (StoreConflictError, StoreOverloadedError):
            raise DeepCallError(Code.NOT_INSERTED) from None

    def endpoint(self, name: str, operation: Operation) -> Operation:
        """Wrap `operation`: whatever happens in it becomes one counted answer of the dialect."""

        async def answer(request: Request) -> Response:
            started = time.perf_counter()
            try:
                response = await operation(request)
            except DeepCallError as error:
                response = self.refuse(request, error)
            except (BodyTooLargeError, BodyTooSlowError):
                # The rest of the body is still on its way: the connection cannot carry another request.
                response = self.refuse(
                    request, DeepCallError(Code.MALFORMED, headers={"Connection": "close"})
                )
            except AppError as error:
                response = self._refuse_failure(request, name, error)
            except ClientDisconnect:
                response = Response(status_code=400)  # nobody is there to read it
            except Exception:  # noqa: BLE001  # the task boundary: a bug costs one answer
                _log.exception("request.failed", operation=name)
                response = self.refuse(request, DeepCallError(Code.SERVER_ERROR))
            self._metrics.count(DIALECT, name, response.status_code, time.perf_counter() - started)
            return response

        return answer

    def reply(self, request: Request, message: str, rest: Mapping[str, object]) -> Response:
        """A success: status, message and code come first."""
        head = {"status": "success", "message": message, "code": SUCCESS_CODE}
        return answers.reply(request, 200, {**head, **rest})

    def refuse(self, request: Request, error: DeepCallError) -> Response:
        """The dialect's error body."""
        status = error.status or (STATUSES[error.code] if self.settings.has_error_statuses else 200)
        body = {"status": "error", "message": error.message, "code": int(error.code)}
        return answers.reply(request, status, body, error.headers)

    def _refuse_failure(self, request: Request, operation: str, error: AppError) -> Response:
        """1010 where the database is away, else 1009; the reason is the operator's to read."""
        _log.warning("request.failed", operation=operation, code=error.code, reason=str(error))
        is_away = isinstance(error, StoreUnavailableError)
        return self.refuse(request, DeepCallError(Code.DATABASE_AWAY if is_away else Code.SERVER_ERROR))

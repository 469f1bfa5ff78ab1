"""What a call of the client fails with.

Every problem that the service answers is a `ProblemError` of the kind that its status says; what brought no answer,
or none of the native form, is another `ClientError`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from maskline.api.native.parsing import refusal_of

ERRORS_SHOWN_MAX: Final = 5
"""Fields named in the text of an error; `errors` has them all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldError:
    """One value that cannot be used: where it stands (RFC 6901), what is wrong, and perhaps more about it."""

    pointer: str
    code: str
    detail: str = ""


class ClientError(Exception):
    """A call of the client failed."""


class ConnectionFailedError(ClientError):
    """The service was not reached, or the connection to it was lost."""


class TimedOutError(ConnectionFailedError):
    """The service did not answer in time."""


class AnswerUnreadableError(ClientError):
    """The answer is not one of the native API: perhaps the URL leads to something else.

    `status` is the HTTP status of the answer.
    """

    def __init__(self, status: int) -> None:
        super().__init__(f"the answer, of status {status}, is not one of the native API")
        self.status = status


class ProblemError(ClientError):
    """The service refused or failed, and said why: `code` is for programs, `title` and `detail` for people.

    `status` is the HTTP status, `errors` are the values that cannot be used, `retry_after_s` is how long the service
    asked to wait. Nothing here quotes what was sent.

    Source: RFC 9457.
    """

    def __init__(
        self,
        *,
        status: int,
        code: str,
        title: str = "",
        detail: str = "",
        errors: tuple[FieldError, ...] = (),
        retry_after_s: float | None = None,
    ) -> None:
        self.status = status
        self.code = code
        self.title = title
        self.detail = detail
        self.errors = errors
        self.retry_after_s = retry_after_s
        super().__init__(self._told())

    def _told(self) -> str:
        text = f"{self.code}: {self.title}" if self.title else self.code
        if self.detail:
            text += f" ({self.detail})"
        shown = self.errors[:ERRORS_SHOWN_MAX]
        named = "; ".join(f"{it.pointer or '/'}: {it.detail or it.code}" for it in shown)
        return f"{text}: {named}" if named else text


class InvalidRequestError(ProblemError):
    """A value cannot be used, or the request cannot be read (400, 413, 422 and statuses without a class)."""


class NotAuthenticatedError(ProblemError):
    """The key or the credentials are missing or not valid (401)."""


class NotPermittedError(ProblemError):
    """The key is valid, but may not do this (403)."""


class NotFoundError(ProblemError):
    """There is no such thing (404)."""


class ConflictError(ProblemError):
    """The present state of things forbids it (409)."""


class TooManyRequestsError(ProblemError):
    """The service has too much to do (429)."""


class ServiceFailedError(ProblemError):
    """The service failed (500 and above)."""


_KINDS: Final[Mapping[int, type[ProblemError]]] = {
    401: NotAuthenticatedError,
    403: NotPermittedError,
    404: NotFoundError,
    409: ConflictError,
    429: TooManyRequestsError,
}
_SERVICE_STATUS_MIN: Final = 500


def build_problem(
    status: int, members: Mapping[str, Any], retry_after_s: float | None = None
) -> ProblemError | None:
    """The exception that the members of a problem make; None when they are none of a problem of ours."""
    code, errors = members.get("code"), members.get("errors") or ()
    if not isinstance(code, str) or not isinstance(errors, list | tuple):
        return None
    service_failed = ServiceFailedError if status >= _SERVICE_STATUS_MIN else InvalidRequestError
    return _KINDS.get(status, service_failed)(
        status=status,
        code=code,
        title=str(members.get("title") or ""),
        detail=str(members.get("detail") or ""),
        errors=tuple(
            FieldError(
                pointer=str(it.get("pointer", "")),
                code=str(it.get("code", "")),
                detail=str(it.get("detail") or ""),
            )
            for it in errors
            if isinstance(it, Mapping)
        ),
        retry_after_s=retry_after_s,
    )


def build_invalid(error: ValidationError) -> InvalidRequestError:
    """What the service would have said of values that the client can see are wrong; they are not quoted."""
    refusal = refusal_of(error)
    problem = build_problem(refusal.status, refusal.body())
    assert isinstance(problem, InvalidRequestError), "the service refuses values so"
    return problem

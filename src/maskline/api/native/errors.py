"""What the native dialect answers when it refuses: problem details.

Source: RFC 9457.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

MEDIA_TYPE: Final = "application/problem+json"


class Problem(NamedTuple):
    """A kind of refusal; `title` says it to people."""

    status: int
    title: str


PROBLEMS: Final = {
    "account-exists": Problem(409, "An account of this name or auth id is there already"),
    "account-needed": Problem(400, "Say for which account: the header Maskline-Account is missing"),
    "account-unknown": Problem(400, "There is no account of this auth id"),
    "cursor-invalid": Problem(400, "The cursor is none of this list's"),
    "delivery-unfinished": Problem(409, "The delivery is still being tried"),
    "failed": Problem(500, "The service failed"),
    "idempotency-mismatch": Problem(422, "The idempotency key was used for another request"),
    "idempotency-running": Problem(409, "A request with this idempotency key is being worked on; try again"),
    "invalid": Problem(422, "A value cannot be used"),
    "malformed": Problem(400, "The request cannot be read"),
    "method-not-allowed": Problem(405, "This method is not allowed here"),
    "not-authenticated": Problem(401, "Credentials are missing or not valid"),
    "not-found": Problem(404, "There is no such thing here"),
    "not-permitted": Problem(
        403, "The credentials do not permit this, or to have sent what they may not read"
    ),
    "number-in-use": Problem(409, "Sessions live on the number; it is draining"),
    "number-is-party": Problem(409, "Nothing was added: numbers are parties of live sessions"),
    "numbers-taken": Problem(409, "Nothing was added: numbers are in the inventory already"),
    "overloaded": Problem(429, "Too many requests wait; try again later"),
    "pair-live": Problem(409, "The pair has a live session"),
    "parties-equal": Problem(422, "The two parties are one and the same"),
    "party-fixed": Problem(409, "The session was not made for a single party: its parties do not change"),
    "party-is-virtual": Problem(422, "A party is one of the service's own virtual numbers"),
    "party-occupied": Problem(
        409, "The party has the session's number in another session, or the pair a session"
    ),
    "pool-exhausted": Problem(409, "No number is free for these parties"),
    "pool-exists": Problem(409, "The account has a pool of this name already"),
    "pool-in-use": Problem(409, "Numbers are in the pool; move them first"),
    "session-ended": Problem(409, "The session is over"),
    "subaccount-exists": Problem(409, "The account has a sub-account of this name already"),
    "subaccount-not-allowed": Problem(403, "These are a sub-account's credentials; the account's are needed"),
    "too-large": Problem(413, "The body is too large"),
    "too-many-keys": Problem(409, "There are as many keys as there may be"),
    "too-many-ssids": Problem(409, "The account has as many ssids as it may"),
    "too-many-streams": Problem(429, "As many streams are open as there may be; close one first"),
    "too-many-webhooks": Problem(409, "The account has as many webhooks as it may"),
    "too-slow": Problem(408, "The body did not arrive in time"),
    "trunk-exists": Problem(409, "A trunk of this name is there already"),
    "trunk-in-use": Problem(409, "Numbers are on the trunk; remove them first"),
    "url-refused": Problem(422, "Nothing would ever be sent to this URL"),
    "webhook-unavailable": Problem(409, "The delivery's webhook is disabled or removed"),
    "webhook-unconfirmed": Problem(422, "The receiver of reports did not say the word"),
}
"""Every `code` of a problem; one `code` has one status."""


class FieldError(NamedTuple):
    """What is wrong with one part of a request: `/field` of the body, or `/name` of a parameter of the query."""

    pointer: str
    code: str
    detail: str


class NativeError(Exception):
    """A refusal; neither `detail` nor `errors` quote what the client sent."""

    def __init__(
        self,
        code: str,
        detail: str = "",
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        members: Mapping[str, str | int] | None = None,
    ) -> None:
        """`members` are further members of the problem, such as `session_id`; see `models.common.Problem`."""
        super().__init__(code)
        self.status = PROBLEMS[code].status
        self.code = code
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})
        self.members = dict(members or {})

    def body(self) -> dict[str, object]:
        """The problem's members; the type says nothing beyond the status."""
        members: dict[str, object] = {
            "type": "about:blank",
            "title": PROBLEMS[self.code].title,
            "status": self.status,
            "code": self.code,
        }
        if self.detail:
            members["detail"] = self.detail
        if self.errors:
            members["errors"] = [error._asdict() for error in self.errors]
        return members | self.members


def refuse_field(pointer: str, code: str, detail: str) -> NativeError:
    """The refusal of one part of a request that a workflow or a look-up could not use."""
    return NativeError("invalid", errors=(FieldError(pointer, code, detail),))

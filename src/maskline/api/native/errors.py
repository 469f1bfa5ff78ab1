"""What the native dialect answers when it refuses: problem details.

Source: RFC 9457.
"""

from collections.abc import Mapping
from typing import Final

MEDIA_TYPE: Final = "application/problem+json"

TITLES: Final = {
    "not-authenticated": "Credentials are missing or not valid",
    "subaccount-not-allowed": "These are a sub-account's credentials; the account's are needed",
    "not-found": "There is no such thing here",
    "method-not-allowed": "This method is not allowed here",
    "malformed": "The request cannot be read",
    "invalid": "A value cannot be used",
    "too-large": "The body is too large",
    "too-slow": "The body did not arrive in time",
    "url-refused": "Nothing would ever be sent to this URL",
    "too-many-webhooks": "The account has as many webhooks as it may",
    "delivery-unfinished": "The delivery is still being tried",
    "webhook-unavailable": "The delivery's webhook is disabled or removed",
    "overloaded": "Too many requests wait; try again later",
    "failed": "The service failed",
}
"""Every `code` of a problem, and its title."""


class NativeError(Exception):
    """A refusal; `detail` never quotes what the client sent."""

    def __init__(
        self, status: int, code: str, detail: str = "", *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = dict(headers or {})

    def body(self) -> dict[str, object]:
        """The problem's members; the type says nothing beyond the status."""
        members: dict[str, object] = {
            "type": "about:blank",
            "title": TITLES[self.code],
            "status": self.status,
            "code": self.code,
        }
        return members | ({"detail": self.detail} if self.detail else {})

"""What the DeepCall dialect answers when it refuses: a code, a text, and the HTTP status behind the setting.

Codes from 1500 up are local to masking: other endpoints of the vendor use the same ones with other meanings.
Source: Sarv DeepCall v2, Masking; Call Report, error codes.
"""

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType


class Code(IntEnum):
    """The dialect's error codes."""

    INVALID = 1000
    SERVER_ERROR = 1009
    DATABASE_AWAY = 1010
    NOT_AUTHENTICATED = 1014
    NOT_PERMITTED = 1015
    MALFORMED = 1047
    SAME_PARTY = 1501
    EXPIRY_NOT_INTEGER = 1502
    PAIR_IS_LIVE = 1503
    NOT_INSERTED = 1504
    POOL_EXHAUSTED = 1505


MESSAGES: Mapping[Code, str] = MappingProxyType(
    {
        Code.INVALID: "Invalid parameters",
        Code.SERVER_ERROR: "Unexpected server error",
        Code.DATABASE_AWAY: "Database is not reachable",
        Code.NOT_AUTHENTICATED: "Token is wrong or expired",
        Code.NOT_PERMITTED: "Permission is missing",
        Code.MALFORMED: "Body is empty or malformed",
        Code.SAME_PARTY: "m1 and m2 cannot be the same",
        Code.EXPIRY_NOT_INTEGER: "Expiry must be an integer value",
        Code.PAIR_IS_LIVE: (
            "Your masking request could not be expired until now. So you cannot make another request"
        ),
        Code.NOT_INSERTED: "Masking could not be inserted",
        # The vendor's table says "Masking number not available"; this is what its server sent.
        Code.POOL_EXHAUSTED: "Masking No not available",
    }
)
"""Texts as the vendor's table has them, but for 1505; those below 1500 are ours."""

STATUSES: Mapping[Code, int] = MappingProxyType(
    {
        Code.INVALID: 400,
        Code.SERVER_ERROR: 500,
        Code.DATABASE_AWAY: 503,
        Code.NOT_AUTHENTICATED: 401,
        Code.NOT_PERMITTED: 403,
        Code.MALFORMED: 400,
        Code.SAME_PARTY: 400,
        Code.EXPIRY_NOT_INTEGER: 400,
        Code.PAIR_IS_LIVE: 409,
        Code.NOT_INSERTED: 503,
        Code.POOL_EXHAUSTED: 409,
    }
)
"""HTTP statuses where the service is set to use them; else it is 200."""


class DeepCallError(Exception):
    """A refusal in the dialect's own words; `message` never quotes what the client sent.

    `status` is answered whatever the setting says: for what the vendor's application never saw.
    """

    def __init__(
        self,
        code: Code,
        message: str | None = None,
        *,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message or MESSAGES[code])
        self.code = code
        self.message = message or MESSAGES[code]
        self.status = status
        self.headers = dict(headers or {})


def invalid(reason: str) -> DeepCallError:
    """1000, with a reason for the client's programmer."""
    return DeepCallError(Code.INVALID, f"{MESSAGES[Code.INVALID]}: {reason}")


def missing(name: str) -> DeepCallError:
    """A mandatory parameter is absent, empty or null."""
    return invalid(f"{name} is missing")


def not_a_phone_number(name: str) -> DeepCallError:
    """Also said of one of our own virtual numbers."""
    return invalid(f"{name} is not a valid phone number")

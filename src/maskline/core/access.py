"""Who asks, and what they may: permissions, API keys, callers.

Everything here is decided from values; the HTTP side and the commands ask.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from .inventory import Account
from .secret import Secret

KEY_COUNT_MAX: Final = 200
"""Keys of one account, and of the operator: enough for one per program and its rotation, and a list stays readable."""
OVERLAP_S_MAX: Final = 7 * 86_400
"""How long an old secret may work beside the new one: a week to reach every machine that has it."""
KEY_LIFETIME_S_MAX: Final = 10 * 365 * 86_400


class Permission(StrEnum):
    """What a key may do. To write includes to read; `ALL` includes everything."""

    ACCOUNTS_READ = "accounts:read"
    ACCOUNTS_WRITE = "accounts:write"
    KEYS_READ = "keys:read"
    KEYS_WRITE = "keys:write"
    TRUNKS_READ = "trunks:read"
    TRUNKS_WRITE = "trunks:write"
    NUMBERS_READ = "numbers:read"
    NUMBERS_WRITE = "numbers:write"
    SESSIONS_READ = "sessions:read"
    SESSIONS_WRITE = "sessions:write"
    CALLS_READ = "calls:read"
    CALLS_WRITE = "calls:write"
    RECORDINGS_READ = "recordings:read"
    RECORDINGS_WRITE = "recordings:write"
    WEBHOOKS_READ = "webhooks:read"
    WEBHOOKS_WRITE = "webhooks:write"
    EVENTS_READ = "events:read"
    EVENTS_WRITE = "events:write"
    ALL = "*"


class Reach(StrEnum):
    """On whose behalf an operation is done, and so by whom."""

    OPERATOR = "operator"
    """The operator's keys only; no account is needed."""
    ACCOUNT = "account"
    """An account as a whole: its own credentials, or the operator naming it."""
    SUBACCOUNT = "subaccount"
    """As `ACCOUNT`; a sub-account's credentials too, which see only what is theirs."""
    EITHER = "either"
    """The operator for all accounts, or as `ACCOUNT`."""


class Denial(StrEnum):
    """Why a caller may not do something; the problem's code."""

    NOT_PERMITTED = "not-permitted"
    SUBACCOUNT_NOT_ALLOWED = "subaccount-not-allowed"
    ACCOUNT_NEEDED = "account-needed"


ACCOUNT_PERMISSIONS: Final = frozenset(Permission) - {
    Permission.ALL,
    Permission.KEYS_READ,
    Permission.KEYS_WRITE,
}
"""Of an account's auth id and token: a key is made by a key, so that a leaked token leaves no door behind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Whoever sent a request.

    `account` is whom the request is for, with `subaccount` set when it may see that one's things only; None when
    the operator names nobody. `owner` is whose credentials they were.
    """

    account: Account | None
    is_operator: bool
    permissions: frozenset[Permission]
    owner: str
    key_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key without its secret. Instants in µs UTC.

    Without account it is the operator's. `last_used_at` is coarse. Until `overlap_until` the secret before the
    last rotation works too.
    """

    id: str
    name: str
    permissions: frozenset[Permission]
    created_at: int
    account_id: int | None = None
    account_auth_id: str | None = None
    subaccount_auth_id: str | None = None
    expires_at: int | None = None
    last_used_at: int | None = None
    overlap_until: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewApiKey:
    """What is asked of `create_key`; without account the operator's. `expires_at` in µs UTC."""

    name: str
    permissions: frozenset[Permission]
    account: Account | None = None
    expires_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKeyIssued:
    """A key and its secret, which is shown this once."""

    key: ApiKey
    secret: Secret = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKeyNotFound:
    """No such key, or none that the asker may see; nothing was changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TooManyApiKeys:
    """The owner has as many keys as it may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantExceeded:
    """The key would allow more than its maker may."""


def is_granted(permissions: frozenset[Permission], wanted: Permission | None) -> bool:
    """Say whether `permissions` include `wanted`; None is what everybody may who is known."""
    if wanted is None or Permission.ALL in permissions or wanted in permissions:
        return True
    resource, _, action = wanted.value.partition(":")
    return action == "read" and Permission(f"{resource}:write") in permissions


def may_grant(permissions: frozenset[Permission], granted: Iterable[Permission]) -> bool:
    """Say whether somebody with `permissions` may make a key with `granted`."""
    return all(is_granted(permissions, it) for it in granted)


def deny(caller: Caller, wanted: Permission | None, reach: Reach) -> Denial | None:
    """Say why a caller may not do what takes `wanted` and has this reach; None when they may."""
    match reach:
        case Reach.OPERATOR:
            is_right_kind = caller.is_operator
        case Reach.ACCOUNT | Reach.SUBACCOUNT | Reach.EITHER:
            is_right_kind = True
    if not is_right_kind or not is_granted(caller.permissions, wanted):
        return Denial.NOT_PERMITTED
    if reach in (Reach.OPERATOR, Reach.EITHER) and caller.is_operator and caller.account is None:
        return None
    if caller.account is None:
        return Denial.ACCOUNT_NEEDED
    if caller.account.subaccount is not None and reach in (Reach.ACCOUNT, Reach.EITHER):
        return Denial.SUBACCOUNT_NOT_ALLOWED
    return None

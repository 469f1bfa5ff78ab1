"""`maskline key ...`."""

from dataclasses import replace
from typing import Final

from cyclopts import App

from maskline.cli.account import check_name
from maskline.cli.context import Context, found
from maskline.cli.number import find_account
from maskline.cli.remote import keys as remote
from maskline.clock import to_datetime
from maskline.core.access import (
    KEY_COUNT_MAX,
    KEY_LIFETIME_S_MAX,
    OVERLAP_S_MAX,
    ApiKey,
    ApiKeyIssued,
    ApiKeyNotFound,
    GrantExceeded,
    NewApiKey,
    Permission,
    TooManyApiKeys,
)
from maskline.core.masking import MICROSECONDS
from maskline.errors import InputError, RefusedError
from maskline.store.engine import Tx
from maskline.workflows import api_keys as work
from maskline.workflows.accounts import load_subaccount

_DAY_S: Final = 86_400
_HOUR_S: Final = 3_600


def add_commands(app: App, context: Context) -> None:
    """Register the group."""
    group = App(name="key", help="API keys of the native interface.")
    app.command(group)
    _add_making(group, context)

    @group.command(name="list")
    def list_all(*, account: str | None = None) -> None:
        """List API keys, newest first, without their secrets.

        Args:
            account: Name or auth id; only the keys of this account.
        """
        rows = [_describe(it) for it in context.perform(_list, remote.list_keys, account)]
        columns = ("key", "name", "account", "permissions", "last_used_at", "expires_at")
        context.answer_table(rows, columns, "There are no keys.")

    @group.command(name="revoke")
    def revoke(key: str, /) -> None:
        """End an API key: within a second it opens nothing any more.

        Args:
            key: Id of the key.
        """
        is_revoked = context.perform(_revoke, remote.revoke_key, key, context.clock.now())
        found(is_revoked or None, "key", key)
        context.answer({"key": key, "is_revoked": True}, f"key {key} revoked")


def _add_making(group: App, context: Context) -> None:
    @group.command(name="create")
    def create(
        name: str,
        /,
        *,
        account: str | None = None,
        subaccount: str | None = None,
        permission: tuple[str, ...] = (),
        days: int | None = None,
    ) -> None:
        """Make an API key and print its secret, which is not shown again.

        Args:
            name: What people call it.
            account: Name or auth id of the account whose key it is; without it, it is an operator's.
            subaccount: Auth id of the only sub-account whose things it sees.
            permission: What it may, such as sessions:write or calls:read; may be repeated. Everything when not given.
            days: After how many days it expires; without it, it does not.
        """
        if days is not None and not 1 <= days * _DAY_S <= KEY_LIFETIME_S_MAX:
            raise InputError(f"--days: 1 to {KEY_LIFETIME_S_MAX // _DAY_S}")
        if subaccount is not None and account is None:
            raise InputError("--subaccount needs --account")
        permissions = frozenset(_check_permission(it) for it in permission) or {Permission.ALL}
        outcome = context.perform(
            _create,
            remote.create_key,
            check_name(name),
            frozenset(permissions),
            account=account,
            subaccount=subaccount,
            expires_in_s=None if days is None else days * _DAY_S,
            now=context.clock.now(),
        )
        _answer_issued(context, outcome, name)

    @group.command(name="rotate")
    def rotate(key: str, /, *, overlap_hours: int = 0) -> None:
        """Give an API key another secret and print it; the old one works until the overlap ends.

        Args:
            key: Id of the key.
            overlap_hours: How long the old secret works too; 168 at most.
        """
        if not 0 <= overlap_hours * _HOUR_S <= OVERLAP_S_MAX:
            raise InputError(f"--overlap-hours: 0 to {OVERLAP_S_MAX // _HOUR_S}")
        outcome = context.perform(
            _rotate, remote.rotate_key, key, overlap_hours * _HOUR_S, context.clock.now()
        )
        _answer_issued(context, outcome, key)


def _answer_issued(
    context: Context, outcome: ApiKeyIssued | TooManyApiKeys | ApiKeyNotFound | GrantExceeded, name: str
) -> None:
    match outcome:
        case TooManyApiKeys():
            raise RefusedError(f"there are {KEY_COUNT_MAX} keys already")
        case ApiKeyNotFound():
            found(None, "key", name)
        case GrantExceeded():
            raise RefusedError("a key may do no more than its maker")
        case ApiKeyIssued(key=key, secret=secret):
            context.answer(
                {**_describe(key), "secret": secret.reveal()},
                f"key     {key.id}",
                f"secret  {secret.reveal()}",
            )


def _check_permission(name: str) -> Permission:
    try:
        return Permission(name)
    except ValueError:
        known = ", ".join(it.value for it in Permission)
        raise InputError(f"--permission: expected one of {known}") from None


def _create(
    tx: Tx,
    name: str,
    permissions: frozenset[Permission],
    *,
    account: str | None,
    subaccount: str | None,
    expires_in_s: int | None,
    now: int,
) -> ApiKeyIssued | TooManyApiKeys | GrantExceeded:
    owner = None if account is None else find_account(tx, account)
    if owner is not None and subaccount is not None:
        part = found(load_subaccount(tx, owner, subaccount), "sub-account", subaccount)
        owner = replace(owner, subaccount=part)
    expires_at = None if expires_in_s is None else now + expires_in_s * MICROSECONDS
    new = NewApiKey(name=name, permissions=permissions, account=owner, expires_at=expires_at)
    return work.create_key(tx, new, now)


def _list(tx: Tx, account: str | None) -> tuple[ApiKey, ...]:
    owner = None if account is None else find_account(tx, account)
    keys: list[ApiKey] = []
    after = None
    while page := work.list_keys(tx, None if owner is None else owner.id, after=after):
        keys += page
        after = (page[-1].created_at, page[-1].id)
    return tuple(keys)


def _rotate(tx: Tx, key: str, overlap_s: int, now: int) -> ApiKeyIssued | ApiKeyNotFound | GrantExceeded:
    return work.rotate_key(tx, key, None, now, overlap_s=overlap_s)


def _revoke(tx: Tx, key: str, now: int) -> bool:
    return isinstance(work.revoke_key(tx, key, None, now), ApiKey)


def _describe(key: ApiKey) -> dict[str, object]:
    return {
        "key": key.id,
        "name": key.name,
        "account": key.account_auth_id,
        "subaccount": key.subaccount_auth_id,
        "permissions": sorted(key.permissions),
        "created_at": to_datetime(key.created_at).isoformat(timespec="seconds"),
        "expires_at": _time(key.expires_at),
        "last_used_at": _time(key.last_used_at),
        "overlap_until": _time(key.overlap_until),
    }


def _time(instant: int | None) -> str | None:
    return None if instant is None else to_datetime(instant).isoformat(timespec="seconds")

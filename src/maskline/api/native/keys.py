"""API keys over the native interface.

No key gives away more than it has: what it makes, or shows a new secret of, may no more than itself.
"""

from dataclasses import replace

from starlette.responses import Response

from maskline.api.native.errors import NativeError, refuse_field
from maskline.api.native.kernel import NativeKernel, refuse, reply
from maskline.api.native.models.common import ListOf, ListQuery, instant, optional_instant
from maskline.api.native.models.keys import Key, KeyWithSecret, NewKey, Rotation
from maskline.api.native.paging import page_of, read_cursor
from maskline.api.native.routes import Asked, Route
from maskline.core.access import (
    ApiKey,
    ApiKeyIssued,
    ApiKeyNotFound,
    GrantExceeded,
    NewApiKey,
    Permission,
    Reach,
    TooManyApiKeys,
)
from maskline.core.inventory import Account
from maskline.core.masking import MICROSECONDS
from maskline.workflows.accounts import load_subaccount
from maskline.workflows.api_keys import (
    KEY_ID_PREFIX,
    SECRET_PREFIX,
    create_key,
    list_keys,
    load_key,
    revoke_key,
    rotate_key,
)

_LIST = "keys"


class KeysAPI:
    """Operations on API keys: all of them for the operator, an account's own for an account."""

    def __init__(self, kernel: NativeKernel) -> None:
        self._kernel = kernel

    async def list_keys(self, asked: Asked) -> Response:
        """List keys, newest first, without their secrets."""
        query = asked.query(ListQuery)
        key = read_cursor(_LIST, query.after, int, str)
        found = await self._kernel.store.read(
            list_keys,
            _account_id(asked),
            after=None if key is None else (int(key[0]), str(key[1])),
            limit=query.limit + 1,
        )
        page = page_of(_LIST, found, query.limit, render=_render, key=lambda it: (it.created_at, it.id))
        return reply(200, page)

    async def create_key(self, asked: Asked) -> Response:
        """Make a key; the answer has its secret, this once."""
        wanted = asked.read(NewKey)
        now = self._kernel.clock.now()
        new = NewApiKey(
            name=wanted.name,
            permissions=frozenset(wanted.permissions),
            account=await self._holder(asked, wanted.subaccount),
            expires_at=None if wanted.expires_in_s is None else now + wanted.expires_in_s * MICROSECONDS,
        )
        return await self._kernel.write(
            asked, create_key, _tell_issued, new, now, granted_by=asked.caller.permissions
        )

    async def get_key(self, asked: Asked) -> Response:
        """Show one key, without its secret."""
        found = await self._kernel.store.read(load_key, asked.path(), _account_id(asked))
        if isinstance(found, ApiKeyNotFound):
            raise NativeError("not-found")
        return reply(200, _render(found))

    async def rotate_key(self, asked: Asked) -> Response:
        """Give a key a new secret, shown this once; the one it had works until the overlap ends."""
        wanted = asked.read(Rotation)
        return await self._kernel.write(
            asked,
            rotate_key,
            _tell_rotated,
            asked.path(),
            _account_id(asked),
            self._kernel.clock.now(),
            overlap_s=wanted.overlap_s,
            granted_by=asked.caller.permissions,
        )

    async def revoke_key(self, asked: Asked) -> Response:
        """Revoke a key: within a second it opens nothing any more."""
        now = self._kernel.clock.now()
        outcome = await self._kernel.store.write(revoke_key, asked.path(), _account_id(asked), now)
        if isinstance(outcome, ApiKeyNotFound):
            raise NativeError("not-found")
        return reply(204)

    async def _holder(self, asked: Asked, auth_id: str | None) -> Account | None:
        account = asked.caller.account
        if auth_id is None:
            return account
        if account is None:
            raise NativeError("account-needed")
        subaccount = await self._kernel.store.read(load_subaccount, account, auth_id)
        if subaccount is None:
            raise refuse_field("/subaccount", "unknown", "The account has no sub-account of this auth id.")
        return replace(account, subaccount=subaccount)


def _account_id(asked: Asked) -> int | None:
    return None if asked.caller.account is None else asked.caller.account.id


def _tell_issued(outcome: ApiKeyIssued | TooManyApiKeys | GrantExceeded) -> Response:
    match outcome:
        case GrantExceeded():
            return refuse(NativeError("not-permitted", "A key may do no more than its maker."))
        case TooManyApiKeys():
            return refuse(NativeError("too-many-keys"))
        case ApiKeyIssued(key=key, secret=secret):
            return reply(201, KeyWithSecret(**_fields(key), secret=secret))


def _tell_rotated(outcome: ApiKeyIssued | ApiKeyNotFound | GrantExceeded) -> Response:
    match outcome:
        case GrantExceeded():
            return refuse(NativeError("not-permitted", "The key may do more than whoever asks."))
        case ApiKeyNotFound():
            return refuse(NativeError("not-found"))
        case ApiKeyIssued(key=key, secret=secret):
            return reply(200, KeyWithSecret(**_fields(key), secret=secret))


def _render(key: ApiKey) -> Key:
    return Key(**_fields(key))


def _fields(key: ApiKey) -> dict[str, object]:
    return {
        "id": key.id,
        "prefix": prefix_of(key.id),
        "name": key.name,
        "permissions": sorted(key.permissions),
        "account": key.account_auth_id,
        "subaccount": key.subaccount_auth_id,
        "created_at": instant(key.created_at),
        "expires_at": optional_instant(key.expires_at),
        "last_used_at": optional_instant(key.last_used_at),
        "overlap_until": optional_instant(key.overlap_until),
    }


def prefix_of(key_id: str) -> str:
    """What a key's secret begins with."""
    return SECRET_PREFIX + key_id.removeprefix(KEY_ID_PREFIX)


def key_routes(api: KeysAPI) -> tuple[Route, ...]:
    """The rows of the table."""
    return (
        Route(
            path="/keys",
            method="GET",
            name="list_keys",
            operation=api.list_keys,
            permission=Permission.KEYS_READ,
            reach=Reach.EITHER,
            query=ListQuery,
            response=ListOf[Key],
        ),
        Route(
            path="/keys",
            method="POST",
            name="create_key",
            operation=api.create_key,
            permission=Permission.KEYS_WRITE,
            reach=Reach.EITHER,
            request=NewKey,
            response=KeyWithSecret,
            status=201,
            problems=("too-many-keys",),
        ),
        Route(
            path="/keys/{id}",
            method="GET",
            name="get_key",
            operation=api.get_key,
            permission=Permission.KEYS_READ,
            reach=Reach.EITHER,
            response=Key,
        ),
        Route(
            path="/keys/{id}/rotate",
            method="POST",
            name="rotate_key",
            operation=api.rotate_key,
            permission=Permission.KEYS_WRITE,
            reach=Reach.EITHER,
            request=Rotation,
            response=KeyWithSecret,
        ),
        Route(
            path="/keys/{id}",
            method="DELETE",
            name="revoke_key",
            operation=api.revoke_key,
            permission=Permission.KEYS_WRITE,
            reach=Reach.EITHER,
            status=204,
        ),
    )

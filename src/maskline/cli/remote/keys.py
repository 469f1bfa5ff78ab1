"""API keys elsewhere."""

from typing import TYPE_CHECKING

from maskline.cli.remote.owners import act_for
from maskline.cli.remote.values import optional_micros
from maskline.clock import from_datetime
from maskline.core.access import (
    ApiKey,
    ApiKeyIssued,
    ApiKeyNotFound,
    GrantExceeded,
    Permission,
    TooManyApiKeys,
)

if TYPE_CHECKING:
    from maskline.api.native.models.keys import Key
    from maskline.client import Client


def create_key(
    client: "Client",
    name: str,
    permissions: frozenset[Permission],
    *,
    account: str | None,
    subaccount: str | None,
    expires_in_s: int | None,
    now: int,
) -> ApiKeyIssued | TooManyApiKeys | GrantExceeded:
    """Make a key."""
    from maskline.client import ConflictError  # noqa: PLC0415  # slow to load; most commands are local

    owner = client if account is None else act_for(client, account)
    try:
        made = owner.keys.create(
            name=name, permissions=sorted(permissions), subaccount=subaccount, expires_in_s=expires_in_s
        )
    except ConflictError:
        return TooManyApiKeys()
    return ApiKeyIssued(key=_key(made), secret=made.secret)


def list_keys(client: "Client", account: str | None) -> tuple[ApiKey, ...]:
    """Keys, newest first: of one account, or all that the caller may see."""
    owner = client if account is None else act_for(client, account)
    return tuple(_key(it) for it in owner.keys.list())


def rotate_key(
    client: "Client", id_: str, overlap_s: int, now: int
) -> ApiKeyIssued | ApiKeyNotFound | GrantExceeded:
    """Give a key another secret."""
    from maskline.client import NotFoundError  # noqa: PLC0415  # as above

    try:
        made = client.keys.rotate(id_, overlap_s=overlap_s)
    except NotFoundError:
        return ApiKeyNotFound()
    return ApiKeyIssued(key=_key(made), secret=made.secret)


def revoke_key(client: "Client", id_: str, now: int) -> bool:
    """End a key; False when there is none of this id."""
    from maskline.client import NotFoundError  # noqa: PLC0415  # as above

    try:
        client.keys.revoke(id_)
    except NotFoundError:
        return False
    return True


def _key(view: "Key") -> ApiKey:
    return ApiKey(
        id=view.id,
        name=view.name,
        permissions=frozenset(view.permissions),
        created_at=from_datetime(view.created_at),
        account_auth_id=view.account,
        subaccount_auth_id=view.subaccount,
        expires_at=optional_micros(view.expires_at),
        last_used_at=optional_micros(view.last_used_at),
        overlap_until=optional_micros(view.overlap_until),
    )

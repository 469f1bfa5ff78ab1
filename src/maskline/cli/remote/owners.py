"""Accounts by name or auth id, as commands name them."""

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from maskline.errors import RefusedError

if TYPE_CHECKING:
    from maskline.api.native.models.accounts import AccountView
    from maskline.client import Client

_AUTH_ID: Final = re.compile(r"MA[0-9A-Za-z]{18}", re.ASCII)


def find_account(client: "Client", name_or_auth_id: str) -> "AccountView":
    """The account of this name, or of this auth id. Raises RefusedError and ClientError.

    An account's own key finds that account only.
    """
    from maskline.client import NotFoundError, NotPermittedError  # noqa: PLC0415  # slow to load

    try:
        if _AUTH_ID.fullmatch(name_or_auth_id):
            with suppress(NotFoundError):  # a name may look like one
                return client.accounts.get(name_or_auth_id)
        for account in client.accounts.list():
            if name_or_auth_id in {account.name, account.auth_id}:
                return account
    except NotPermittedError:
        own = client.accounts.own()
        if name_or_auth_id in {own.name, own.auth_id}:
            return own
    raise RefusedError(f"there is no account {name_or_auth_id!r}")


def act_for(client: "Client", name_or_auth_id: str) -> "Client":
    """A client that acts for this account. Raises RefusedError and ClientError."""
    return client.with_options(account=find_account(client, name_or_auth_id).auth_id)

"""Who sends a request: the holder of an API key, or of an account's auth id and token."""

import re
from typing import Final

from starlette.requests import Request

from maskline.api.auth import AccountMemory, parse_basic
from maskline.api.native.errors import NativeError
from maskline.api.ports import StoreThreads
from maskline.clock import Clock
from maskline.core.access import ACCOUNT_PERMISSIONS, Caller
from maskline.core.inventory import Account
from maskline.workflows.accounts import authenticate

ACCOUNT_HEADER: Final = "Maskline-Account"
_AUTH_ID: Final = re.compile(r"[MS]A[0-9A-Za-z]{18}", re.ASCII)
_NOBODY: Final = "MA"  # no account has this id: looking it up takes the time of looking up any other
_CHALLENGE: Final = {"WWW-Authenticate": 'Basic realm="Maskline", charset="UTF-8"'}


class Authenticator:
    """Looks credentials up; those that were right are remembered for a second."""

    def __init__(self, *, store: StoreThreads, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._accounts = AccountMemory()

    async def authenticate(self, request: Request) -> Caller:
        """Say who asks. Raises NativeError; unknown accounts and wrong tokens are answered alike."""
        credentials = parse_basic(request.headers.get("authorization"))
        if credentials is None:
            raise NativeError("not-authenticated", headers=_CHALLENGE)
        account = self._accounts.find(credentials)
        if account is None:
            user = credentials.user if _AUTH_ID.fullmatch(credentials.user) else _NOBODY
            account = await self._store.read(authenticate, user, credentials.token.reveal())
            if account is None:
                raise NativeError("not-authenticated", headers=_CHALLENGE)
            self._accounts.remember(credentials, account)
        return Caller(
            account=account, is_operator=False, permissions=ACCOUNT_PERMISSIONS, owner=owner_of(account)
        )


def owner_of(account: Account) -> str:
    """Whose credentials open this account: its own, or the sub-account's."""
    return account.auth_id if account.subaccount is None else account.subaccount.auth_id

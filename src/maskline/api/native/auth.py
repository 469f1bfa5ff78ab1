"""Who sends a request: the holder of an API key, or of an account's auth id and token."""

import time
from collections import OrderedDict
from dataclasses import replace
from typing import Final

from starlette.requests import Request

from maskline.api.auth import AUTH_ID, BasicAccounts, CredentialMemory, Credentials
from maskline.api.native.errors import NativeError
from maskline.api.ports import StoreThreads
from maskline.clock import Clock
from maskline.core.access import ACCOUNT_PERMISSIONS, Caller
from maskline.core.inventory import Account
from maskline.core.secret import Secret
from maskline.tasks import spawn
from maskline.workflows.accounts import load_account_of
from maskline.workflows.api_keys import TOUCH_EVERY_S, OpenedKey, authenticate_key, touch_key

ACCOUNT_HEADER: Final = "Maskline-Account"
OPERATOR: Final = "operator"
"""The owner of what the operator's keys do."""
HEADER_LENGTH_MAX: Final = 512
TOUCHED_KEYS_MAX: Final = 1_024  # remembered as written down already; one forgotten costs one write more
_CHALLENGE: Final = {"WWW-Authenticate": 'Basic realm="Maskline", charset="UTF-8", Bearer realm="Maskline"'}


class Authenticator:
    """Looks credentials up; those that were right are remembered for a second."""

    def __init__(self, *, store: StoreThreads, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._accounts = BasicAccounts(store)
        self._keys = CredentialMemory[OpenedKey]()
        self._named = CredentialMemory[Account]()
        self._touched: OrderedDict[str, float] = OrderedDict()

    async def authenticate(self, request: Request) -> Caller:
        """Say who asks, and for whom. Raises NativeError; unknown and wrong credentials are answered alike."""
        header = request.headers.get("authorization")
        secret = parse_bearer(header)
        caller = await (self._by_token(header) if secret is None else self._by_key(secret))
        return await self._acting(caller, request.headers.get(ACCOUNT_HEADER))

    async def _by_token(self, header: str | None) -> Caller:
        account = await self._accounts.open(header)
        if account is None:
            raise NativeError("not-authenticated", headers=_CHALLENGE)
        return Caller(
            account=account, is_operator=False, permissions=ACCOUNT_PERMISSIONS, owner=owner_of(account)
        )

    async def _by_key(self, secret: Secret) -> Caller:
        credentials = Credentials(user="", token=secret)
        opened = self._keys.find(credentials)
        if opened is None:
            opened = await self._store.read(authenticate_key, secret.reveal(), self._clock.now())
            if opened is None:
                raise NativeError("not-authenticated", headers=_CHALLENGE)
            self._keys.remember(credentials, opened)
        self._note_use(opened.key.id)
        account = opened.account
        return Caller(
            account=account,
            is_operator=opened.key.account_id is None,  # said by the key, not by what is missing
            permissions=opened.key.permissions,
            owner=OPERATOR if account is None else owner_of(account),
            key_id=opened.key.id,
        )

    def _note_use(self, key_id: str) -> None:
        """Have a key's last use written down, beside the request and seldom."""
        now_mono_s = time.monotonic()
        if self._touched.get(key_id, 0.0) > now_mono_s:
            return
        self._touched[key_id] = now_mono_s + TOUCH_EVERY_S
        self._touched.move_to_end(key_id)
        if len(self._touched) > TOUCHED_KEYS_MAX:
            self._touched.popitem(last=False)
        spawn(self._store.write(touch_key, key_id, self._clock.now()), name="key-use")

    async def _acting(self, caller: Caller, wanted: str | None) -> Caller:
        """The caller for whom the header names: anybody for the operator, what is one's own for others."""
        if wanted is None:
            return caller
        own = caller.account
        if own is not None and wanted == owner_of(own):
            return caller
        account = await self._load_named(wanted)
        if own is not None and (account is None or account.id != own.id or own.subaccount is not None):
            raise NativeError("not-permitted")
        if account is None:
            raise NativeError("account-unknown")
        return replace(caller, account=account)

    async def _load_named(self, auth_id: str) -> Account | None:
        """The account that a header names; it is asked for with each request of those who act for others."""
        known = Credentials(user=auth_id, token=Secret(""))
        account = self._named.find(known)
        if account is None and AUTH_ID.fullmatch(auth_id):
            account = await self._store.read(load_account_of, auth_id)
            if account is not None:
                self._named.remember(known, account)
        return account


def parse_bearer(header: str | None) -> Secret | None:
    """Read an Authorization header; None when it is absent, endless or of another scheme.

    Source: RFC 6750 section 2.1.
    """
    if header is None or len(header) > HEADER_LENGTH_MAX:
        return None
    scheme, _, token = header.partition(" ")
    return Secret(token.strip()) if scheme.lower() == "bearer" else None


def owner_of(account: Account) -> str:
    """Whose credentials open this account: its own, or the sub-account's."""
    return account.auth_id if account.subaccount is None else account.subaccount.auth_id

"""HTTP Basic credentials and a very short memory of those that were right."""

import base64
import binascii
import hashlib
import re
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from maskline.api.ports import StoreThreads
from maskline.core.inventory import Account
from maskline.core.secret import Secret
from maskline.workflows.accounts import authenticate

T = TypeVar("T")

HEADER_LENGTH_MAX = 512  # an auth id of 20 and a token of at most a few dozen characters, in base64
MEMORY_S = 1.0  # a withdrawn token works this much longer at most: the time a DELETE has to take effect, too
MEMORY_ACCOUNTS_MAX = 1_024
AUTH_ID: Final = re.compile(r"[MS]A[0-9A-Za-z]{18}", re.ASCII)
"""Only ids of this form are ever issued."""
_NOBODY: Final = "MA"  # no account has this id: looking it up takes the time of looking up any other


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What a client claims to be."""

    user: str
    token: Secret


def parse_basic(header: str | None) -> Credentials | None:
    """Read an Authorization header; None when it is absent, of another scheme or broken.

    Source: RFC 7617 section 2.
    """
    if header is None or len(header) > HEADER_LENGTH_MAX:
        return None
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, token = base64.b64decode(encoded.strip(), validate=True).decode("utf-8").partition(":")
    except (binascii.Error, ValueError):
        return None
    return Credentials(user=user, token=Secret(token)) if colon else None


class CredentialMemory(Generic[T]):
    """What credentials opened that were right within the last `MEMORY_S`.

    Only success is remembered, so a wrong token always costs, and waits for, a look-up. Tokens are not kept.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._opened: OrderedDict[tuple[str, bytes], tuple[float, T]] = OrderedDict()

    def find(self, credentials: Credentials) -> T | None:
        """What they open, if it was remembered not longer than `MEMORY_S` ago."""
        known = self._opened.get(_key(credentials))
        if known is None or known[0] <= self._clock():
            return None
        return known[1]

    def remember(self, credentials: Credentials, opened: T) -> None:
        """Keep what they open from now on for `MEMORY_S`."""
        key = _key(credentials)
        self._opened[key] = (self._clock() + MEMORY_S, opened)
        self._opened.move_to_end(key)
        if len(self._opened) > MEMORY_ACCOUNTS_MAX:
            self._opened.popitem(last=False)


AccountMemory = CredentialMemory[Account]
"""Accounts whose auth id and token were right."""


class BasicAccounts:
    """Opens accounts by auth id and token, as both dialects with HTTP Basic do."""

    def __init__(self, store: StoreThreads) -> None:
        self._store = store
        self._memory = AccountMemory()

    async def open(self, header: str | None) -> Account | None:
        """The account, or sub-account, whose credentials an Authorization header has.

        Ids that were never issued, which may hold what a database refuses, are looked up as nobody.
        """
        credentials = parse_basic(header)
        if credentials is None:
            return None
        account = self._memory.find(credentials)
        if account is None:
            user = credentials.user if AUTH_ID.fullmatch(credentials.user) else _NOBODY
            account = await self._store.read(authenticate, user, credentials.token.reveal())
            if account is not None:
                self._memory.remember(credentials, account)
        return account


def _key(credentials: Credentials) -> tuple[str, bytes]:
    return credentials.user, hashlib.sha256(
        credentials.token.reveal().encode(errors="surrogatepass")
    ).digest()

"""HTTP Basic credentials and a very short memory of those that were right."""

import base64
import binascii
import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from maskline.core.inventory import Account
from maskline.core.secret import Secret

T = TypeVar("T")

HEADER_LENGTH_MAX = 512  # an auth id of 20 and a token of at most a few dozen characters, in base64
MEMORY_S = 1.0  # a withdrawn token works this much longer at most: the time a DELETE has to take effect, too
MEMORY_ACCOUNTS_MAX = 1_024


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


def _key(credentials: Credentials) -> tuple[str, bytes]:
    return credentials.user, hashlib.sha256(
        credentials.token.reveal().encode(errors="surrogatepass")
    ).digest()

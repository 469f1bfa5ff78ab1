"""What a client is told once and holds for all of its calls."""

import base64
import secrets
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Final

import httpx

from maskline.client.retries import RetryPolicy
from maskline.core.secret import Secret

CONNECT_TIMEOUT_S: Final = 5.0
ANSWER_TIMEOUT_S: Final = 30.0  # as long as the service waits for a whole request
_KEY_BYTES: Final = 18  # 144 bits, 24 characters: never drawn twice


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What holds for every call.

    `account` is the auth id for which an operator's key acts. `idempotency_key` is sent with every POST in place of a
    drawn one, so it is for one call. `timeout_s` is for each attempt, from one piece of an answer to the next.
    """

    account: str | None = None
    idempotency_key: str | None = None
    timeout_s: float = ANSWER_TIMEOUT_S
    retries: RetryPolicy = field(default_factory=RetryPolicy)


class Credentials(httpx.Auth):
    """Signs requests and shows its secret to nobody else."""

    def __init__(self, header: Secret) -> None:
        self._header = header

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the header; httpx keeps it out of its own logs and representations."""
        request.headers["Authorization"] = self._header.reveal()
        yield request

    def __repr__(self) -> str:
        return "Credentials(hidden)"


def build_credentials(
    api_key: str | Secret | None, auth_id: str | None, auth_token: str | Secret | None
) -> Credentials:
    """Credentials from an API key, or from an account's auth id and token. Raises ValueError."""
    if api_key is not None and auth_id is None and auth_token is None:
        return Credentials(Secret(f"Bearer {_text(api_key)}"))
    if api_key is None and auth_id is not None and auth_token is not None:
        pair = f"{auth_id}:{_text(auth_token)}".encode()
        return Credentials(Secret("Basic " + base64.b64encode(pair).decode()))
    raise ValueError("give either an API key, or an auth id and its token")


def draw_key() -> str:
    """An Idempotency-Key that nobody has used before."""
    return secrets.token_urlsafe(_KEY_BYTES)


def draw_chance() -> float:
    """A number from 0 to 1, for waits that differ."""
    return secrets.randbelow(1001) / 1000


def _text(secret: str | Secret) -> str:
    text = secret.reveal() if isinstance(secret, Secret) else secret
    if not text or not text.isascii() or not text.isprintable():
        raise ValueError("a key or a token has printable ASCII characters only")
    return text

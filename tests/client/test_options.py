import base64

import httpx
import pytest

from maskline.client.options import build_credentials, draw_chance, draw_key
from maskline.core.secret import Secret


def signed(**given: str | Secret | None) -> str:
    credentials = build_credentials(given.get("key"), given.get("id"), given.get("token"))  # type: ignore[arg-type]
    request = httpx.Request("GET", "http://maskline.test")
    next(credentials.auth_flow(request))
    assert "hidden" in repr(credentials)
    return request.headers["authorization"]


def test_a_key_is_a_bearer() -> None:
    """Given as text or as a secret."""
    assert signed(key="mk_x") == signed(key=Secret("mk_x")) == "Bearer mk_x"


def test_an_account_has_id_and_token() -> None:
    """By HTTP Basic."""
    assert signed(id="MA1", token="t") == "Basic " + base64.b64encode(b"MA1:t").decode()


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"id": "MA1"},
        {"token": "t"},
        {"key": "mk_x", "id": "MA1", "token": "t"},
        {"key": ""},
        {"key": "a\nb"},
    ],
)
def test_half_or_double_credentials_are_refused(given: dict[str, str]) -> None:
    """Nothing else could be meant by them, and none is quoted."""
    with pytest.raises(ValueError):
        signed(**given)


def test_keys_differ() -> None:
    """Each is drawn anew, and fits the header."""
    keys = {draw_key() for _ in range(100)}
    assert len(keys) == 100
    assert all(1 <= len(key) <= 255 and key.isprintable() for key in keys)
    assert 0 <= draw_chance() <= 1

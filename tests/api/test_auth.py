import base64
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.api.plivo.test_kernel import ACCOUNT

from maskline.api.auth import MEMORY_ACCOUNTS_MAX, MEMORY_S, AccountMemory, Credentials, parse_basic
from maskline.core.secret import Secret


def credentials(user: str = "u", token: str = "t") -> Credentials:
    return Credentials(user=user, token=Secret(token))


@given(st.text(max_size=40).filter(lambda user: ":" not in user), st.text(max_size=40))
def test_credentials_are_read_back(user: str, token: str) -> None:
    """A token may hold colons and any character of Unicode."""
    try:
        encoded = base64.b64encode(f"{user}:{token}".encode()).decode()
    except UnicodeEncodeError:
        return
    assert parse_basic(f"basic {encoded}") == credentials(user, token)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Basic",
        "Basic ",
        "Basic dQ==",
        "Basic !",
        "Bearer dTp0",
        "Basic " + "A" * 1_000,
        "Basic /w==",
    ],
)
def test_other_headers_are_no_credentials(header: str | None) -> None:
    """Missing, of another scheme, without colon, not base64, not UTF-8, endless."""
    assert parse_basic(header) is None


@given(st.text(max_size=60))
def test_any_header_is_read_or_not(header: str) -> None:
    """Never an exception."""
    assert parse_basic(f"Basic {header}") is None or ":" not in parse_basic(f"Basic {header}").user  # type: ignore[union-attr]


def test_memory_is_short() -> None:
    """An account is remembered for its very credentials, and for one second."""
    now = [0.0]
    memory = AccountMemory(lambda: now[0])
    memory.remember(credentials(), ACCOUNT)
    assert memory.find(credentials()) is ACCOUNT
    assert memory.find(credentials(token="T")) is None
    assert memory.find(credentials(user="U")) is None
    now[0] = MEMORY_S
    assert memory.find(credentials()) is None


def test_memory_is_bounded() -> None:
    """The oldest is forgotten first."""
    memory = AccountMemory(lambda: 0.0)
    for index in range(MEMORY_ACCOUNTS_MAX + 1):
        memory.remember(credentials(str(index)), replace(ACCOUNT, id=index))
    assert memory.find(credentials("0")) is None
    assert memory.find(credentials("1")) is not None


def test_credentials_do_not_print() -> None:
    """Not by accident."""
    assert "hush" not in repr(credentials(token="hush"))

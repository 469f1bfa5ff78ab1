"""Secrets are in the one answer that makes them, and nowhere else."""

import io
import logging
from collections.abc import Iterator

import pytest
import structlog
from tests.api.native.asking import Asker, bearer, by_token, holder
from tests.api.service import Tenant, basic
from tests.world import peek

from maskline.observability import configure_logging

PASSWORD = "carrier-passw0rd"
TABLES = (
    "account",
    "subaccount",
    "api_key",
    "trunk",
    "trunk_target",
    "idempotency_key",
    "webhook_endpoint",
    "pool",
)


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """Everything any logger says at the finest level, as it would be written."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    writer = configure_logging(level="debug", is_json=True, stream=stream)
    yield stream
    writer.close()
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def _secrets(tenant: Tenant) -> list[str]:
    """Make everything that has a secret, each under an idempotency key, and use and misuse it."""
    operator = holder(tenant.service)
    owner = holder(tenant.service, account=tenant.account)

    def make(who: Asker, path: str, body: object, field: str) -> str:
        answer = who.ask("POST", path, body, Idempotency_Key=f"{path}-{tenant.auth_id}")
        assert answer.status in (200, 201), answer.text
        text: str = answer.body[field]
        return text

    key = make(owner, "/keys", {"name": "n", "permissions": ["sessions:write"]}, "secret")
    account = {"name": f"secrecy {tenant.service.port} {tenant.auth_id}"}
    trunk = {
        "name": f"secrecy {tenant.auth_id}",
        "targets": [{"host": "192.0.2.1"}],
        "username": "us",
        "password": PASSWORD,
    }
    operator.ask("POST", "/trunks", trunk, Idempotency_Key=f"trunk-{tenant.auth_id}")
    operator.ask("POST", "/trunks", {**trunk, "codecs": PASSWORD})
    found = [
        key,
        make(operator, "/accounts", account, "auth_token"),
        make(operator, f"/accounts/{tenant.auth_id}/rotate-token", None, "auth_token"),
        make(owner, "/subaccounts", {"name": "n"}, "auth_token"),
        make(owner, "/deepcall-credentials", None, "ssid"),
        make(owner, "/webhooks", {"url": "https://hooks.example.com/x"}, "secret"),
        PASSWORD,
    ]
    for secret in found:
        Asker(tenant.service, bearer(secret)).ask("GET", f"/keys/{secret[:40]}?{secret}")
        Asker(tenant.service, basic(tenant.auth_id, secret)).ask("POST", "/pools", {secret: secret})
    return found


def _said(tenant: Tenant) -> str:
    """What is answered to those who may see everything, afterwards."""
    operator, owner = holder(tenant.service), holder(tenant.service, account=tenant.account)
    answers = [operator.ask("GET", f"/{name}?limit=100") for name in ("accounts", "keys", "trunks")]
    answers += [owner.ask("GET", f"/{name}") for name in ("account", "keys", "subaccounts", "webhooks")]
    assert {it.status for it in answers} == {200}
    return "".join(it.text.decode() for it in answers)


def test_no_secret_is_told_twice(logged: io.StringIO, tenant: Tenant) -> None:
    """Not in lists, not in logs, not in the tables."""
    secrets = _secrets(tenant)
    assert by_token(tenant).ask("GET", "/account").status == 401  # its token was rotated
    rows = b"".join(
        bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode()
        for table in TABLES
        for row in peek(tenant.service.store, f"SELECT * FROM {table}")
        for value in row
    )
    said = _said(tenant)
    for secret in secrets:
        core = secret.split("_", 2)[-1] if secret.startswith(("mk_", "whsec_")) else secret
        assert core not in said
        assert core not in logged.getvalue()
        assert core.encode() not in rows

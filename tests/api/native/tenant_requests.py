"""Requests of a tenant to the native interface, and what refusals look like."""

import json
from typing import Any

from tests.api.service import Answer, Tenant

from maskline.core.access import ApiKeyIssued, NewApiKey, Permission
from maskline.core.inventory import Account
from maskline.workflows.api_keys import create_key

PREFIX = "/maskline/v1"
PAIR = {"first": "+912025550000", "second": "+912025551111"}


def ask(tenant: Tenant, method: str, path: str, body: object = None, **headers: str) -> Answer:
    """A request with the account's credentials, unless others are given; a body that is no bytes is sent as JSON."""
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    return tenant.service.request(method, PREFIX + path, data, {**tenant.authorization, **headers})


def check_problem(answer: Answer, status: int, code: str, pointer: str | None = None) -> Any:
    """Check that this is the refusal; return its body."""
    headers = (answer.status, answer.headers["content-type"])
    assert headers == (status, "application/problem+json"), answer.text
    body = answer.body
    assert (body["status"], body["code"], body["type"]) == (status, code, "about:blank"), body
    assert body["title"]
    if pointer is not None:
        assert [it["pointer"] for it in body["errors"]] == [pointer]
    return body


def make(tenant: Tenant, **fields: object) -> Any:
    """The body of a successful creation."""
    answer = ask(tenant, "POST", "/sessions", PAIR | fields)
    assert answer.status == 201, answer.text
    return answer.body


def new_key(tenant: Tenant, *permissions: Permission, **fields: Any) -> tuple[str, dict[str, str]]:
    """A key of the account: its id, and the header to send."""
    account: Account = fields.pop("account", tenant.account)
    new = NewApiKey(name="key", permissions=frozenset(permissions), account=account, **fields)
    issued = tenant.service.run(create_key, new, tenant.service.clock.now())
    assert isinstance(issued, ApiKeyIssued)
    return issued.key.id, {"Authorization": f"Bearer {issued.secret.reveal()}"}

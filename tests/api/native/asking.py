"""Callers of the native interface, each with its credentials."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache

from tests.api.service import Answer, Service, Tenant, basic

from maskline.core.access import ApiKeyIssued, NewApiKey, Permission
from maskline.core.inventory import Account, Subaccount
from maskline.workflows.accounts import create_subaccount
from maskline.workflows.api_keys import create_key

PREFIX = "/maskline/v1"
ALL = frozenset({Permission.ALL})
NOTHING: dict[str, object] = {"object": "list", "data": [], "next": None, "has_more": False}


@dataclass(frozen=True)
class Asker:
    """Somebody with credentials."""

    service: Service
    headers: Mapping[str, str] = field(default_factory=dict)

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        """A request below the prefix; a body that is no bytes is sent as JSON, underscores in headers are hyphens."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.service.request(method, PREFIX + path, data, {**self.headers, **named})

    def acting_for(self, auth_id: str) -> "Asker":
        """The same, naming an account or sub-account."""
        return replace(self, headers={**self.headers, "Maskline-Account": auth_id})


def bearer(secret: str) -> dict[str, str]:
    """The header of a key."""
    return {"Authorization": f"Bearer {secret}"}


def holder(
    service: Service, permissions: Iterable[Permission] = ALL, account: Account | None = None
) -> Asker:
    """Somebody with a key: an operator's without account, and then one for all tests, for there may be so many."""
    if account is None:
        return _operator(service, frozenset(permissions))
    return _holder(service, frozenset(permissions), account)


@cache
def _operator(service: Service, permissions: frozenset[Permission]) -> Asker:
    return _holder(service, permissions, None)


def _holder(service: Service, permissions: frozenset[Permission], account: Account | None) -> Asker:
    new = NewApiKey(name="test", permissions=permissions, account=account)
    made = service.run(create_key, new, service.clock.now())
    assert isinstance(made, ApiKeyIssued)
    return Asker(service, bearer(made.secret.reveal()))


def by_token(tenant: Tenant) -> Asker:
    """Somebody with an account's auth id and token."""
    return Asker(tenant.service, tenant.authorization)


def branch_of(tenant: Tenant, name: str = "branch") -> tuple[Account, Asker]:
    """A sub-account of its own, and somebody with its auth id and token."""
    service = tenant.service
    made = service.run(create_subaccount, tenant.account, name, service.clock.now())
    assert isinstance(made, Subaccount)
    asker = Asker(service, basic(made.auth_id, made.token.reveal()))
    return replace(tenant.account, subaccount=made), asker


def check_problem(answer: Answer, status: int, code: str) -> None:
    """The answer is a problem with this code."""
    assert (answer.status, answer.headers["content-type"]) == (status, "application/problem+json"), (
        answer.text
    )
    body = answer.body
    assert (body["status"], body["code"], body["type"]) == (status, code, "about:blank")
    assert body["title"]

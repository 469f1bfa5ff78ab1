"""Accounts over HTTP."""

from itertools import count

import pytest
from tests.api.native.asking import Asker, branch_of, by_token, check_problem, holder
from tests.api.service import Service, Tenant, basic

_SERIAL = count()


def _name() -> str:
    return f"native {next(_SERIAL)}"


def _show(service: Service, auth_id: str, token: str) -> int:
    return Asker(service, basic(auth_id, token)).ask("GET", "/account").status


def test_an_account_is_made_with_its_token(service: Service) -> None:
    """The token is in the answer to its making and nowhere else."""
    operator, name = holder(service), f"{service.port} {_name()}"
    answer = operator.ask("POST", "/accounts", {"name": name, "policy": "sticky", "country": "US"})
    assert answer.status == 201
    body = answer.body
    token = body.pop("auth_token")
    assert _show(service, body["auth_id"], token) == 200
    assert {key: body[key] for key in ("name", "policy", "country", "timezone", "cooloff_scope")} == {
        "name": name,
        "policy": "sticky",
        "country": "US",
        "timezone": "Asia/Kolkata",
        "cooloff_scope": "party",
    }
    assert operator.ask("GET", f"/accounts/{body['auth_id']}").body == body
    assert body in operator.ask("GET", "/accounts?limit=100").body["data"]
    check_problem(operator.ask("POST", "/accounts", {"name": name}), 409, "account-exists")


def test_an_account_may_bring_its_credentials(service: Service) -> None:
    """Whoever moves here keeps them."""
    operator, auth_id = holder(service), f"MAbrought{next(_SERIAL):011}"
    given = {"name": f"{service.port} {_name()}", "auth_id": auth_id, "auth_token": "t" * 40}
    assert operator.ask("POST", "/accounts", given).body["auth_token"] == "t" * 40
    assert _show(service, auth_id, "t" * 40) == 200


def test_an_account_is_changed(tenant: Tenant) -> None:
    """What is named changes, the rest stays; null takes the prompt away."""
    operator, path = holder(tenant.service), f"/accounts/{tenant.auth_id}"
    before = operator.ask("GET", path).body
    changes = {
        "country": "GB",
        "timezone": "Europe/London",
        "policy": "spread",
        "cooloff_scope": "number",
        "refusal_prompt": "built-in",
        "strict_pins": True,
    }
    assert operator.ask("PATCH", path, changes).body == {**before, **changes}
    assert operator.ask("PATCH", path, {}).body == {**before, **changes}
    url = "https://example.com/no.mp3"
    assert operator.ask("PATCH", path, {"refusal_prompt": url}).body["refusal_prompt"] == url
    assert operator.ask("PATCH", path, {"refusal_prompt": None}).body["refusal_prompt"] is None
    assert operator.ask("GET", path).body == {**before, **changes, "refusal_prompt": None}


def test_a_token_is_rotated_at_once(tenant: Tenant) -> None:
    """The new one opens; the old one does not, but for what is remembered for a second."""
    operator, path = holder(tenant.service), f"/accounts/{tenant.auth_id}/rotate-token"
    token = operator.ask("POST", path).body["auth_token"]
    assert token != tenant.token
    assert _show(tenant.service, tenant.auth_id, token) == 200
    assert _show(tenant.service, tenant.auth_id, tenant.token) == 401


def test_what_is_not_there(service: Service, tenant: Tenant) -> None:
    """An account that never was, and a sub-account where an account is meant."""
    branch, _ = branch_of(tenant)
    assert branch.subaccount is not None
    for auth_id in ("MA" + "0" * 18, branch.subaccount.auth_id, "x", "%00"):
        for method, path in (("GET", ""), ("PATCH", ""), ("POST", "/rotate-token")):
            answer = holder(service).ask(method, f"/accounts/{auth_id}{path}", {})
            check_problem(answer, 404, "not-found")


def test_own_account(tenant: Tenant) -> None:
    """An account sees itself, and so does a sub-account."""
    branch, by_branch = branch_of(tenant)
    assert branch.subaccount is not None
    body = by_token(tenant).ask("GET", "/account").body
    assert (body["object"], body["auth_id"], body["subaccount"]) == ("account", tenant.auth_id, None)
    assert by_branch.ask("GET", "/account").body == {**body, "subaccount": branch.subaccount.auth_id}
    assert tenant.token not in str(body)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/name"),
        ({"name": ""}, "/name"),
        ({"name": "n", "timezone": "Nowhere/Here"}, "/timezone"),
        ({"name": "n", "timezone": "../../etc/passwd"}, "/timezone"),
        ({"name": "n", "country": "india"}, "/country"),
        ({"name": "n", "country": "XX"}, "/country"),
        ({"name": "n", "auth_id": "SA" + "0" * 18}, "/auth_id"),
        ({"name": "n", "auth_token": "short"}, "/auth_token"),
        ({"name": "n", "policy": "best"}, "/policy"),
    ],
)
def test_what_makes_no_account(service: Service, body: object, pointer: str) -> None:
    """The refusal says where."""
    answer = holder(service).ask("POST", "/accounts", body)
    check_problem(answer, 422, "invalid")
    assert {it["pointer"] for it in answer.body["errors"]} == {pointer}


@pytest.mark.parametrize("prompt", ["none", "ftp://a.example/x", "http://", "https://a.example/a b", 5])
def test_what_is_no_prompt(tenant: Tenant, prompt: object) -> None:
    """A URL, or the built-in one."""
    path = f"/accounts/{tenant.auth_id}"
    check_problem(holder(tenant.service).ask("PATCH", path, {"refusal_prompt": prompt}), 422, "invalid")


def test_accounts_are_listed_by_the_page(service: Service) -> None:
    """Newest first."""
    made = [service.new_account(0).auth_id for _ in range(3)]
    operator = holder(service)
    first = operator.ask("GET", "/accounts?limit=2").body
    assert [it["auth_id"] for it in first["data"]] == [made[2], made[1]]
    second = operator.ask("GET", f"/accounts?limit=2&after={first['next']}").body
    assert second["data"][0]["auth_id"] == made[0]

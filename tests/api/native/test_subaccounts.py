"""Sub-accounts over HTTP."""

from tests.api.native.asking import Asker, by_token, check_problem
from tests.api.service import Service, Tenant, basic


def test_a_subaccount_is_made_with_its_token(service: Service, tenant: Tenant) -> None:
    """The token is in the answer to its making and nowhere else."""
    asker = by_token(tenant)
    answer = asker.ask("POST", "/subaccounts", {"name": "Pune"})
    assert answer.status == 201
    body = answer.body
    token = body.pop("auth_token")
    assert (body["object"], body["account"], body["name"]) == ("subaccount", tenant.auth_id, "Pune")
    assert Asker(service, basic(body["auth_id"], token)).ask("GET", "/account").status == 200
    assert asker.ask("GET", f"/subaccounts/{body['auth_id']}").body == body
    assert asker.ask("GET", "/subaccounts").body["data"] == [body]
    check_problem(asker.ask("POST", "/subaccounts", {"name": "Pune"}), 409, "subaccount-exists")


def test_its_token_is_rotated_at_once(service: Service, tenant: Tenant) -> None:
    """The new one opens, the old one does not."""
    asker = by_token(tenant)
    made = asker.ask("POST", "/subaccounts", {"name": "Pune"}).body
    path = f"/subaccounts/{made['auth_id']}/rotate-token"
    rotated = asker.ask("POST", path).body
    assert {**made, "auth_token": None} == {**rotated, "auth_token": None}
    for token, status in ((rotated["auth_token"], 200), (made["auth_token"], 401)):
        assert Asker(service, basic(made["auth_id"], token)).ask("GET", "/account").status == status


def test_another_accounts_look_missing(service: Service, tenant: Tenant) -> None:
    """Neither shown nor rotated nor listed."""
    made = by_token(tenant).ask("POST", "/subaccounts", {"name": "Pune"}).body
    other = by_token(service.new_account(0))
    assert other.ask("GET", "/subaccounts").body["data"] == []
    check_problem(other.ask("GET", f"/subaccounts/{made['auth_id']}"), 404, "not-found")
    check_problem(other.ask("POST", f"/subaccounts/{made['auth_id']}/rotate-token"), 404, "not-found")
    check_problem(other.ask("GET", f"/subaccounts/{tenant.auth_id}"), 404, "not-found")


def test_they_are_listed_by_the_page(tenant: Tenant) -> None:
    """Newest first."""
    asker = by_token(tenant)
    for name in ("a", "b", "c"):
        asker.ask("POST", "/subaccounts", {"name": name})
    first = asker.ask("GET", "/subaccounts?limit=2").body
    second = asker.ask("GET", f"/subaccounts?limit=2&after={first['next']}").body
    assert [it["name"] for it in first["data"] + second["data"]] == ["c", "b", "a"]

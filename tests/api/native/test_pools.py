"""Pools over HTTP, and sessions from them."""

import pytest
from tests.api.native.asking import Asker, branch_of, by_token, check_problem, holder
from tests.api.service import Service, Tenant


def _join(asker: Asker, number: str, pool: str | None) -> int:
    return asker.ask("PATCH", f"/numbers/{number}", {"pool": pool}).status


def _session(asker: Asker, index: int = 0, **given: object) -> dict[str, object]:
    first, second = f"+9120255500{index:02}", f"+9120255600{index:02}"
    body: dict[str, object] = asker.ask("POST", "/sessions", {"first": first, "second": second, **given}).body
    return body


def test_a_pool_is_made_changed_and_deleted(tenant: Tenant) -> None:
    """Its numbers are counted; while it has any it stays."""
    asker = by_token(tenant)
    made = asker.ask("POST", "/pools", {"name": "Pune 1", "policy": "sticky"})
    assert made.status == 201
    body = made.body
    assert (body["object"], body["name"], body["policy"], body["number_count"]) == (
        "pool",
        "Pune 1",
        "sticky",
        0,
    )
    check_problem(asker.ask("POST", "/pools", {"name": "Pune 1"}), 409, "pool-exists")
    assert asker.ask("GET", "/pools/Pune%201").body == body
    assert asker.ask("GET", "/pools").body["data"] == [body]
    changed = asker.ask("PATCH", "/pools/Pune%201", {"policy": "spread"}).body
    assert changed == {**body, "policy": "spread"}
    assert _join(asker, tenant.numbers[0], "Pune 1") == 200
    assert asker.ask("GET", "/pools/Pune%201").body["number_count"] == 1
    check_problem(asker.ask("DELETE", "/pools/Pune%201"), 409, "pool-in-use")
    assert _join(asker, tenant.numbers[0], None) == 200
    assert asker.ask("DELETE", "/pools/Pune%201").status == 204
    check_problem(asker.ask("DELETE", "/pools/Pune%201"), 404, "not-found")
    check_problem(asker.ask("PATCH", "/pools/Pune%201", {"policy": "spread"}), 404, "not-found")


def test_pools_are_an_accounts_own(service: Service, tenant: Tenant) -> None:
    """Another account's pool of the same name is another pool."""
    asker, other = by_token(tenant), by_token(service.new_account(1))
    asker.ask("POST", "/pools", {"name": "blue"})
    check_problem(other.ask("GET", "/pools/blue"), 404, "not-found")
    check_problem(other.ask("DELETE", "/pools/blue"), 404, "not-found")
    assert other.ask("POST", "/pools", {"name": "blue"}).status == 201
    check_problem(other.ask("PATCH", f"/numbers/{tenant.numbers[0]}", {"pool": "blue"}), 404, "not-found")


def test_a_session_takes_a_number_of_its_pool(tenant: Tenant) -> None:
    """And of no other; without a pool it takes any number of the account's."""
    asker = by_token(tenant)
    for name, numbers in (("blue", tenant.numbers[3:5]), ("none", ())):
        asker.ask("POST", "/pools", {"name": name})
        for number in numbers:
            _join(asker, number, name)
    assert _session(asker, 0)["virtual_number"] == tenant.numbers[0]
    assert _session(asker, 1, pool="blue")["virtual_number"] == tenant.numbers[3]
    taken = {
        str(
            _session(asker, 2, pool="blue", on_repeat="refuse", second=f"+91202557{index:04}").get(
                "virtual_number"
            )
        )
        for index in range(2)
    }
    assert taken == set(tenant.numbers[3:5])
    for pool in ("blue", "none"):
        answer = asker.ask(
            "POST", "/sessions", {"first": "+912025550002", "second": "+912025579999", "pool": pool}
        )
        check_problem(answer, 409, "pool-exhausted")


def test_a_pool_has_a_policy_of_its_own(tenant: Tenant) -> None:
    """First fit gives the same number to each pair, spread another one each time."""
    asker = by_token(tenant)
    asker.ask("POST", "/pools", {"name": "spread", "policy": "spread"})
    for number in tenant.numbers:
        _join(asker, number, "spread")
    seen = []
    for _ in range(3):
        made = _session(asker, pool="spread", cooloff_s=0)
        seen.append(made["virtual_number"])
        asker.ask("DELETE", f"/sessions/{made['id']}")
        tenant.service.manual_clock.advance(s=1)
    assert len(set(seen)) == 3


def test_a_subaccount_uses_pools_of_its_account(service: Service, tenant: Tenant) -> None:
    """With the numbers that are its own, and only those."""
    branch, by_branch = branch_of(tenant)
    assert branch.subaccount is not None
    by_token(tenant).ask("POST", "/pools", {"name": "blue"})
    _join(by_token(tenant), tenant.numbers[0], "blue")
    check = {"first": "+912025550000", "second": "+912025551111", "pool": "blue"}
    check_problem(by_branch.ask("POST", "/sessions", check), 409, "pool-exhausted")
    number = f"+91228{tenant.account.id:08d}"
    added = holder(service).ask(
        "POST",
        "/numbers",
        {
            "numbers": [number],
            "trunk": service.trunk.name,
            "account": tenant.auth_id,
            "subaccount": branch.subaccount.auth_id,
            "pool": "blue",
        },
    )
    assert added.body["data"][0]["pool"] == "blue"
    assert by_branch.ask("POST", "/sessions", check).body["virtual_number"] == number


@pytest.mark.parametrize("name", ["", "a/b", "..", " a", "a\n", "x" * 65, "caf\u00e9", 5])
def test_what_names_no_pool(tenant: Tenant, name: object) -> None:
    """A name stands in paths."""
    answer = by_token(tenant).ask("POST", "/pools", {"name": name})
    check_problem(answer, 422, "invalid")
    assert answer.body["errors"][0]["pointer"] == "/name"

"""Virtual numbers over HTTP."""

from itertools import count

import pytest
from tests.api.native.asking import Asker, by_token, check_problem, holder
from tests.api.service import Service, Tenant

_SERIAL = count(1_000)


def _fresh(how_many: int = 1) -> list[str]:
    return [f"+1415555{next(_SERIAL)}" for _ in range(how_many)]


def _add(tenant: Tenant, numbers: list[str], **given: object) -> dict[str, object]:
    return {"numbers": numbers, "trunk": tenant.service.trunk.name, "account": tenant.auth_id, **given}


@pytest.fixture
def operator(service: Service) -> Asker:
    """Somebody with an operator's key."""
    return holder(service)


def test_numbers_are_added_and_leased(operator: Asker, tenant: Tenant) -> None:
    """In their order; the account sees them without the trunk."""
    numbers = _fresh(3)
    answer = operator.ask("POST", "/numbers", _add(tenant, numbers, area="San Francisco"))
    assert answer.status == 201
    data = answer.body["data"]
    assert [it["number"] for it in data] == numbers
    told = {
        name: data[0][name] for name in ("object", "country", "area", "trunk", "account", "pool", "state")
    }
    assert told == {
        "object": "number",
        "country": "US",
        "area": "San Francisco",
        "trunk": tenant.service.trunk.name,
        "account": tenant.auth_id,
        "pool": None,
        "state": "healthy",
    }
    assert operator.ask("GET", f"/numbers/{numbers[0]}").body == data[0]
    assert operator.ask("GET", f"/numbers/%2B{numbers[0][1:]}").body == data[0]
    assert by_token(tenant).ask("GET", f"/numbers/{numbers[0]}").body == {**data[0], "trunk": None}


def test_to_add_again_changes_nothing(operator: Asker, service: Service, tenant: Tenant) -> None:
    """What is there as wanted stays; what is somebody else's keeps all out and is pointed at."""
    numbers = _fresh(3)
    first = operator.ask("POST", "/numbers", _add(tenant, numbers[:2])).body["data"]
    again = operator.ask("POST", "/numbers", _add(tenant, numbers)).body["data"]
    assert again[:2] == first
    other = service.new_account(0)
    fresh = _fresh()
    answer = operator.ask("POST", "/numbers", _add(other, [fresh[0], numbers[1]]))
    check_problem(answer, 409, "numbers-taken")
    assert [it["pointer"] for it in answer.body["errors"]] == ["/numbers/1"]
    check_problem(operator.ask("GET", f"/numbers/{fresh[0]}"), 404, "not-found")


def test_a_party_is_not_added(operator: Asker, service: Service, tenant: Tenant) -> None:
    """Whosever session it is; it is pointed at and not told, and nothing is added."""
    [party, fresh] = _fresh(2)
    by_token(tenant).ask("POST", "/sessions", {"first": "+912025550000", "second": party})
    answer = operator.ask("POST", "/numbers", _add(service.new_account(0), [fresh, party]))
    check_problem(answer, 409, "number-is-party")
    assert [(it["pointer"], it["code"]) for it in answer.body["errors"]] == [("/numbers/1", "party")]
    assert party.encode() not in answer.text
    check_problem(operator.ask("GET", f"/numbers/{fresh}"), 404, "not-found")


def test_a_number_is_drained_and_removed(operator: Asker, tenant: Tenant) -> None:
    """With a live session it is left draining; forced, the session is ended."""
    number, asker = tenant.numbers[0], by_token(tenant)
    made = asker.ask("POST", "/sessions", {"first": "+912025550000", "second": "+912025551111"}).body
    assert made["virtual_number"] == number
    drained = operator.ask("POST", f"/numbers/{number}/drain").body
    assert (drained["state"], drained["live_session_count"]) == ("draining", 1)
    assert drained["draining_at"] is not None
    check_problem(operator.ask("DELETE", f"/numbers/{number}"), 409, "number-in-use")
    removed = operator.ask("DELETE", f"/numbers/{number}?force=true")
    assert removed.body == {
        "object": "number",
        "number": number,
        "state": "removed",
        "ended_session_count": 1,
    }
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/drain"), ("PATCH", "")):
        check_problem(operator.ask(method, f"/numbers/{number}{path}", {}), 404, "not-found")
    assert asker.ask("GET", f"/sessions/{made['id']}").body["ended_at"] is not None


def test_an_unhealthy_number_gets_no_session(operator: Asker, tenant: Tenant) -> None:
    """Until it is healthy again; the health is the operator's to say."""
    number, asker = tenant.numbers[0], by_token(tenant)
    body = operator.ask("PATCH", f"/numbers/{number}", {"health": "unhealthy"}).body
    assert (body["state"], body["pool"]) == ("unhealthy", None)
    made = asker.ask("POST", "/sessions", {"first": "+912025550000", "second": "+912025551111"}).body
    assert made["virtual_number"] == tenant.numbers[1]
    check_problem(asker.ask("PATCH", f"/numbers/{number}", {"health": "healthy"}), 403, "not-permitted")
    assert operator.ask("PATCH", f"/numbers/{number}", {"health": "healthy"}).body["state"] == "healthy"


def test_a_number_moves_between_pools(operator: Asker, tenant: Tenant) -> None:
    """Of its own account; what is left out stays."""
    number, asker = tenant.numbers[0], by_token(tenant)
    asker.ask("POST", "/pools", {"name": "blue"})
    assert operator.ask("PATCH", f"/numbers/{number}", {"pool": "blue"}).body["pool"] == "blue"
    assert asker.ask("PATCH", f"/numbers/{number}", {}).body["pool"] == "blue"
    answer = asker.ask("PATCH", f"/numbers/{number}", {"pool": "red"})
    check_problem(answer, 422, "invalid")
    assert answer.body["errors"][0]["pointer"] == "/pool"
    assert asker.ask("PATCH", f"/numbers/{number}", {"pool": None}).body["pool"] is None


def test_numbers_are_filtered_and_listed_by_the_page(operator: Asker, tenant: Tenant) -> None:
    """In inventory order, the oldest first; an account sees its own."""
    asker = by_token(tenant)
    asker.ask("POST", "/pools", {"name": "blue"})
    [abroad] = _fresh()
    operator.ask("POST", "/numbers", _add(tenant, [abroad], pool="blue"))
    operator.ask("POST", f"/numbers/{tenant.numbers[1]}/drain")
    operator.ask("PATCH", f"/numbers/{tenant.numbers[2]}", {"health": "unhealthy"})

    def listed(query: str, who: Asker = asker) -> list[str]:
        return [it["number"] for it in who.ask("GET", f"/numbers?{query}").body["data"]]

    everything = [*tenant.numbers, abroad]
    assert listed("") == everything
    assert listed("", operator.acting_for(tenant.auth_id)) == everything
    assert listed("country=US") == [abroad]
    assert listed("pool=blue") == [abroad]
    assert listed("state=draining") == [tenant.numbers[1]]
    assert listed("state=unhealthy") == [tenant.numbers[2]]
    assert listed("state=healthy&country=IN") == [tenant.numbers[0], *tenant.numbers[3:]]
    trunk = tenant.service.trunk.name
    assert listed(f"trunk={trunk}", operator.acting_for(tenant.auth_id)) == everything
    answer = asker.ask("GET", f"/numbers?trunk={trunk}")
    assert answer.body["errors"][0]["pointer"] == "/trunk"
    first = asker.ask("GET", "/numbers?limit=4").body
    assert [it["number"] for it in first["data"]] == everything[:4]
    assert listed(f"limit=4&after={first['next']}") == everything[4:]
    assert set(everything) < {
        it["number"] for it in operator.ask("GET", "/numbers?limit=100&country=IN").body["data"]
    } | {abroad} | set(everything)


@pytest.mark.parametrize(
    ("given", "pointer"),
    [
        ({"account": "MA" + "0" * 18}, "/account"),
        ({"trunk": "nothing"}, "/trunk"),
        ({"subaccount": "SA" + "0" * 18}, "/subaccount"),
        ({"pool": "nothing"}, "/pool"),
        ({"numbers": []}, "/numbers"),
        ({"numbers": ["14155550000"]}, "/numbers/0"),
        ({"numbers": ["+999"]}, "/numbers/0"),
        ({"numbers": ["+14155551212", "+14155551212"]}, "/numbers"),
        ({"area": "a\u0000"}, "/area"),
    ],
)
def test_what_adds_no_number(operator: Asker, tenant: Tenant, given: dict[str, object], pointer: str) -> None:
    """The refusal says where."""
    answer = operator.ask("POST", "/numbers", {**_add(tenant, _fresh()), **given})
    check_problem(answer, 422, "invalid")
    assert {it["pointer"] for it in answer.body["errors"]} == {pointer}


def test_another_accounts_look_missing(service: Service, tenant: Tenant) -> None:
    """Neither shown nor moved."""
    other = by_token(service.new_account(1))
    for method in ("GET", "PATCH"):
        check_problem(other.ask(method, f"/numbers/{tenant.numbers[0]}", {}), 404, "not-found")
    for wrong in ("nothing", "+", "+0", "%00", "+" + "1" * 60):
        check_problem(by_token(tenant).ask("GET", f"/numbers/{wrong}"), 404, "not-found")

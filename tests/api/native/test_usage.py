import pytest
from tests.api.native.tenant_requests import ask, check_problem, make
from tests.api.service import Service, Tenant, basic

from maskline.api.native.models.usage import UsageView
from maskline.core.inventory import AllocationPolicy, Subaccount
from maskline.workflows.accounts import create_subaccount
from maskline.workflows.pools import create_pool
from maskline.workflows.usage import keep_usage, list_unsampled, measure_usage


def _sample(service: Service) -> None:
    now = service.clock.now()
    while account_ids := service.store.read(list_unsampled, now):
        for account_id in account_ids:
            service.run(keep_usage, service.store.read(measure_usage, account_id, now))


def test_usage_is_counted(tenant: Tenant) -> None:
    """The account's own scope is there, with what its sessions take, and no date that nothing supports."""
    for index in range(2):
        make(tenant, second=f"+91202555222{index}")
    [usage] = ask(tenant, "GET", "/usage").body["data"]
    assert UsageView.model_validate(usage).number_count == 5
    assert usage == {
        "object": "usage",
        "subaccount": None,
        "pool": None,
        "number_count": 5,
        "healthy_count": 5,
        "live_session_count": 2,
        "occupied_binding_count": 4,
        "busiest_party_session_count": 2,
        "needed_number_count": 3,
        "free_for_busiest": 3,
        "forecast": {"exhausted_at": None, "confidence": "none", "basis_days": 0, "trend_per_day": 0.0},
    }


def test_the_history_has_an_hour_after_the_other(tenant: Tenant) -> None:
    """Newest first, page by page, between two instants."""
    service = tenant.service
    for index in range(3):
        make(tenant, second=f"+91202555222{index}", expires_in_s=86_400)
        _sample(service)
        service.manual_clock.advance(s=3600)
    listed = ask(tenant, "GET", "/usage/history").body["data"]
    assert [it["live_session_count"] for it in listed] == [3, 2, 1]
    assert listed[0]["object"] == "usage_sample"
    first = ask(tenant, "GET", "/usage/history?limit=2").body
    second = ask(tenant, "GET", f"/usage/history?limit=2&after={first['next']}").body
    assert (first["data"] + second["data"], second["next"]) == (listed, None)
    after = ask(tenant, "GET", f"/usage/history?sampled_after={listed[1]['sampled_at']}").body
    assert after["data"] == listed[:1]
    before = ask(tenant, "GET", f"/usage/history?sampled_before={listed[1]['sampled_at']}").body
    assert before["data"] == listed[2:]


def test_pools_and_subaccounts_have_histories_of_their_own(tenant: Tenant) -> None:
    """Those that are not there are refused; a sub-account sees its own without naming itself."""
    service = tenant.service
    now = service.clock.now()
    service.run(create_pool, tenant.account.id, "city", AllocationPolicy.FIRST_FIT, now)
    made = service.run(create_subaccount, tenant.account, "branch", now)
    assert isinstance(made, Subaccount)
    _sample(service)
    assert ask(tenant, "GET", "/usage/history?pool=city").body["data"] == []
    assert ask(tenant, "GET", f"/usage/history?subaccount={made.auth_id}").body["data"] == []
    branch = basic(made.auth_id, made.token.reveal())
    assert ask(tenant, "GET", "/usage/history", **branch).body["data"] == []
    assert ask(tenant, "GET", "/usage", **branch).body["data"] == []
    check_problem(ask(tenant, "GET", "/usage/history?pool=country"), 422, "invalid", "/pool")
    unknown = ask(tenant, "GET", "/usage/history?subaccount=SA" + "0" * 18)
    check_problem(unknown, 422, "invalid", "/subaccount")


@pytest.mark.parametrize("query", ["limit=0", "sampled_after=x", "days=3", "pool="])
def test_queries_are_checked(tenant: Tenant, query: str) -> None:
    """An unknown or wrong parameter is said, not passed over."""
    check_problem(ask(tenant, "GET", f"/usage/history?{query}"), 422, "invalid")

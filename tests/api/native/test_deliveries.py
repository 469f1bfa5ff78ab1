"""Deliveries over HTTP."""

import pytest
from tests.api.native.asking import NOTHING, by_token, check_problem
from tests.api.service import Service, Tenant
from tests.world import poke

from maskline.core.delivery import DeliveryFilter, NewEndpoint
from maskline.workflows.deliveries import list_deliveries
from maskline.workflows.take_deliveries import publish_events
from maskline.workflows.webhook_endpoints import create_endpoint

HOOK = "https://hooks.example.com/maskline"


def _with_deliveries(tenant: Tenant, count: int = 1) -> list[str]:
    """An endpoint and so many deliveries to it; their ids, newest first."""
    service = tenant.service
    service.run(create_endpoint, tenant.account.id, NewEndpoint(url=HOOK), service.clock.now())
    for index in range(count):
        tenant.create(first_party=f"+9120255500{index:02}", second_party=f"+9120255600{index:02}")
    while service.run(publish_events, service.clock.now()):
        pass
    found = service.store.read(list_deliveries, DeliveryFilter(account_id=tenant.account.id))
    assert len(found) == count
    return [it.message_id for it in found]


def _finish(tenant: Tenant, id_: str, state: str = "dead") -> None:
    poke(
        tenant.service.store,
        "UPDATE delivery SET state = ?, finished_at = 1, last_status = 503, last_error = 'http-status'"
        " WHERE message_id = ?",
        state,
        id_,
    )


def test_deliveries_are_listed_by_the_page(tenant: Tenant) -> None:
    """Newest first, with what the next page begins after."""
    ids = _with_deliveries(tenant, 3)
    first = by_token(tenant).ask("GET", "/deliveries?limit=2").body
    assert [it["id"] for it in first["data"]] == ids[:2]
    assert first["has_more"]
    second = by_token(tenant).ask("GET", f"/deliveries?limit=2&after={first['next']}").body
    assert [it["id"] for it in second["data"]] == ids[2:]
    assert (second["next"], second["has_more"]) == (None, False)


def test_a_delivery_tells_how_it_stands(tenant: Tenant) -> None:
    """Which event, to whom, what was answered; nobody's number."""
    [id_] = _with_deliveries(tenant)
    _finish(tenant, id_)
    answer = by_token(tenant).ask("GET", f"/deliveries/{id_}")
    body = answer.body
    assert body == by_token(tenant).ask("GET", "/deliveries?state=dead").body["data"][0]
    told = {name: body[name] for name in ("event", "sequence", "dialect", "url", "method", "state")}
    assert told == {
        "event": "session.created",
        "sequence": 1,
        "dialect": "native",
        "url": HOOK,
        "method": "POST",
        "state": "dead",
    }
    assert (body["last_status"], body["last_error"], body["next_attempt_at"]) == (503, "http-status", None)
    assert b"20255500" not in answer.text


def test_a_dead_delivery_is_replayed(tenant: Tenant) -> None:
    """It is pending again under its old id; while it is, it is not replayed once more."""
    [id_] = _with_deliveries(tenant)
    _finish(tenant, id_)
    answer = by_token(tenant).ask("POST", f"/deliveries/{id_}/replay")
    assert (answer.status, answer.body["id"], answer.body["state"]) == (202, id_, "pending")
    assert answer.body["next_attempt_at"] is not None
    check_problem(by_token(tenant).ask("POST", f"/deliveries/{id_}/replay"), 409, "delivery-unfinished")


def test_nothing_is_replayed_to_a_webhook_that_is_gone(tenant: Tenant) -> None:
    """There is nobody to send it to."""
    [id_] = _with_deliveries(tenant)
    _finish(tenant, id_)
    [webhook] = by_token(tenant).ask("GET", "/webhooks").body["data"]
    by_token(tenant).ask("DELETE", f"/webhooks/{webhook['id']}")
    check_problem(by_token(tenant).ask("POST", f"/deliveries/{id_}/replay"), 409, "webhook-unavailable")


def test_other_accounts_things_look_missing(service: Service, tenant: Tenant) -> None:
    """Lists do not show them, and naming them is answered as if they were not there."""
    [id_] = _with_deliveries(tenant)
    [webhook] = by_token(tenant).ask("GET", "/webhooks").body["data"]
    other = service.new_account(0)
    assert by_token(other).ask("GET", "/deliveries").body == NOTHING
    assert by_token(other).ask("GET", "/webhooks").body == NOTHING
    for method, path in (
        ("GET", f"/deliveries/{id_}"),
        ("POST", f"/deliveries/{id_}/replay"),
        ("DELETE", f"/webhooks/{webhook['id']}"),
    ):
        answer = by_token(other).ask(method, path)
        check_problem(answer, 404, "not-found")
        assert (
            answer.text == by_token(other).ask(method, path.replace(id_, "x" * 36)).text or method == "DELETE"
        )
    assert by_token(tenant).ask("GET", "/webhooks").body["data"] == [webhook]


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=101", "limit=x", "limit=1&limit=2", "state=lost", "page=2", "after=" + "x" * 999],
)
def test_queries_are_checked(tenant: Tenant, query: str) -> None:
    """An unknown or wrong parameter is said, not passed over."""
    check_problem(by_token(tenant).ask("GET", f"/deliveries?{query}"), 422, "invalid")

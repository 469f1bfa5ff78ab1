import json
from typing import Any

import pytest
from tests.api.service import Answer, Service, Tenant, basic
from tests.world import poke

from maskline.core.delivery import DeliveryFilter, EndpointCheck, EndpointCreated, NewEndpoint
from maskline.core.inventory import Subaccount
from maskline.workflows.accounts import create_subaccount
from maskline.workflows.deliveries import list_deliveries
from maskline.workflows.take_deliveries import publish_events
from maskline.workflows.webhook_endpoints import create_endpoint

HOOK = "https://hooks.example.com/maskline"
NOTHING = {"object": "list", "data": [], "next": None, "has_more": False}


def _ask(tenant: Tenant, method: str, path: str, body: object = None, **headers: str) -> Answer:
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    return tenant.service.request(method, "/maskline/v1" + path, data, tenant.authorization | headers)


def _problem(answer: Answer, status: int, code: str) -> None:
    assert (answer.status, answer.headers["content-type"]) == (status, "application/problem+json")
    body = answer.body
    assert (body["status"], body["code"], body["type"]) == (status, code, "about:blank")
    assert body["title"]


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


def test_a_webhook_is_made_with_its_secret(tenant: Tenant) -> None:
    """The secret is in the answer to its making and nowhere else."""
    answer = _ask(tenant, "POST", "/webhooks", {"url": HOOK, "events": ["call.finished"]})
    assert answer.status == 201
    made = answer.body
    assert made["secret"].startswith("whsec_")
    assert {name: made[name] for name in ("url", "events", "include_numbers", "disabled_at")} == {
        "url": HOOK,
        "events": ["call.finished"],
        "include_numbers": False,
        "disabled_at": None,
    }
    listed = _ask(tenant, "GET", "/webhooks").body["data"]
    assert listed == [{name: value for name, value in made.items() if name != "secret"}]


def test_a_receiver_of_reports_is_made_once_it_has_said_the_word(tenant: Tenant) -> None:
    """Until then there is none, and the reason is told."""
    body = {"url": HOOK + "/reports", "format": "deepcall"}
    for found in (EndpointCheck.UNREACHABLE, EndpointCheck.WRONG_STATUS, EndpointCheck.WRONG_WORD):
        tenant.service.receivers[body["url"]] = found
        answer = _ask(tenant, "POST", "/webhooks", body)
        _problem(answer, 422, "webhook-unconfirmed")
        assert answer.body["detail"] == found.value
    assert _ask(tenant, "GET", "/webhooks").body == NOTHING
    tenant.service.receivers[body["url"]] = EndpointCheck.CONFIRMED
    made = _ask(tenant, "POST", "/webhooks", body)
    assert made.status == 201
    assert {name: made.body[name] for name in ("format", "events", "include_numbers")} == {
        "format": "deepcall",
        "events": [],
        "include_numbers": True,
    }


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"url": HOOK, "format": "deepcall", "events": ["call.finished"]}, "invalid"),
        ({"url": "ftp://hooks.example.com/", "format": "deepcall"}, "url-refused"),
        ({"url": HOOK, "format": "plivo"}, "invalid"),
    ],
)
def test_wrong_reports_are_refused(tenant: Tenant, body: dict[str, object], code: str) -> None:
    """Before anybody is called."""
    _problem(_ask(tenant, "POST", "/webhooks", body), 422, code)


def test_a_webhook_is_removed(tenant: Tenant) -> None:
    """It is gone from the list, and removing it again finds nothing."""
    id_ = _ask(tenant, "POST", "/webhooks", {"url": HOOK}).body["id"]
    assert _ask(tenant, "DELETE", f"/webhooks/{id_}").status == 204
    assert _ask(tenant, "GET", "/webhooks").body == NOTHING
    _problem(_ask(tenant, "DELETE", f"/webhooks/{id_}"), 404, "not-found")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "malformed"),
        (b"", 400, "malformed"),
        (b"[]", 422, "invalid"),
        ({}, 422, "invalid"),
        ({"url": 5}, 422, "invalid"),
        ({"url": HOOK, "events": ["no.such.event"]}, 422, "invalid"),
        ({"url": HOOK, "include_numbers": "yes"}, 422, "invalid"),
        ({"url": HOOK, "secret": "mine"}, 422, "invalid"),
        ({"url": "ftp://hooks.example.com/"}, 422, "url-refused"),
        ({"url": "https://u:hidden-word@hooks.example.com/"}, 422, "url-refused"),
        ({"url": HOOK + "#x"}, 422, "url-refused"),
        (b" " * 70_000, 413, "too-large"),
    ],
)
def test_what_makes_no_webhook(tenant: Tenant, body: Any, status: int, code: str) -> None:
    """A body that cannot be used is refused with a problem that does not repeat it."""
    answer = _ask(tenant, "POST", "/webhooks", body)
    _problem(answer, status, code)
    assert b"hidden-word" not in answer.text
    assert _ask(tenant, "GET", "/webhooks").body == NOTHING


def test_ten_webhooks_are_enough(tenant: Tenant) -> None:
    """The eleventh is refused."""
    for _ in range(10):
        assert _ask(tenant, "POST", "/webhooks", {"url": HOOK}).status == 201
    _problem(_ask(tenant, "POST", "/webhooks", {"url": HOOK}), 409, "too-many-webhooks")


def test_deliveries_are_listed_by_the_page(tenant: Tenant) -> None:
    """Newest first, with what the next page begins after."""
    ids = _with_deliveries(tenant, 3)
    first = _ask(tenant, "GET", "/deliveries?limit=2").body
    assert [it["id"] for it in first["data"]] == ids[:2]
    assert first["has_more"]
    second = _ask(tenant, "GET", f"/deliveries?limit=2&after={first['next']}").body
    assert [it["id"] for it in second["data"]] == ids[2:]
    assert (second["next"], second["has_more"]) == (None, False)


def test_a_delivery_tells_how_it_stands(tenant: Tenant) -> None:
    """Which event, to whom, what was answered; nobody's number."""
    [id_] = _with_deliveries(tenant)
    _finish(tenant, id_)
    answer = _ask(tenant, "GET", f"/deliveries/{id_}")
    body = answer.body
    assert body == _ask(tenant, "GET", "/deliveries?state=dead").body["data"][0]
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
    answer = _ask(tenant, "POST", f"/deliveries/{id_}/replay")
    assert (answer.status, answer.body["id"], answer.body["state"]) == (202, id_, "pending")
    assert answer.body["next_attempt_at"] is not None
    _problem(_ask(tenant, "POST", f"/deliveries/{id_}/replay"), 409, "delivery-unfinished")


def test_nothing_is_replayed_to_a_webhook_that_is_gone(tenant: Tenant) -> None:
    """There is nobody to send it to."""
    [id_] = _with_deliveries(tenant)
    _finish(tenant, id_)
    [webhook] = _ask(tenant, "GET", "/webhooks").body["data"]
    _ask(tenant, "DELETE", f"/webhooks/{webhook['id']}")
    _problem(_ask(tenant, "POST", f"/deliveries/{id_}/replay"), 409, "webhook-unavailable")


def test_other_accounts_things_look_missing(service: Service, tenant: Tenant) -> None:
    """Lists do not show them, and naming them is answered as if they were not there."""
    [id_] = _with_deliveries(tenant)
    [webhook] = _ask(tenant, "GET", "/webhooks").body["data"]
    other = service.new_account(0)
    assert _ask(other, "GET", "/deliveries").body == NOTHING
    assert _ask(other, "GET", "/webhooks").body == NOTHING
    for method, path in (
        ("GET", f"/deliveries/{id_}"),
        ("POST", f"/deliveries/{id_}/replay"),
        ("DELETE", f"/webhooks/{webhook['id']}"),
    ):
        answer = _ask(other, method, path)
        _problem(answer, 404, "not-found")
        assert answer.text == _ask(other, method, path.replace(id_, "x" * 36)).text or method == "DELETE"
    assert _ask(tenant, "GET", "/webhooks").body["data"] == [webhook]


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=101", "limit=x", "limit=1&limit=2", "state=lost", "page=2", "after=" + "x" * 999],
)
def test_queries_are_checked(tenant: Tenant, query: str) -> None:
    """An unknown or wrong parameter is said, not passed over."""
    _problem(_ask(tenant, "GET", f"/deliveries?{query}"), 422, "invalid")


def test_credentials_are_needed(service: Service, tenant: Tenant) -> None:
    """None, wrong ones, and a sub-account's open nothing."""
    made = service.run(create_subaccount, tenant.account, "branch", service.clock.now())
    assert isinstance(made, Subaccount)
    for headers in ({}, basic(tenant.auth_id, "wrong"), basic("MA" + "0" * 18, tenant.token)):
        answer = service.request("GET", "/maskline/v1/webhooks", None, headers)
        _problem(answer, 401, "not-authenticated")
        assert answer.headers["www-authenticate"].startswith("Basic")
    answer = service.request("GET", "/maskline/v1/webhooks", None, basic(made.auth_id, made.token.reveal()))
    _problem(answer, 403, "subaccount-not-allowed")


def test_unknown_paths_and_methods_are_problems_too(tenant: Tenant) -> None:
    """Whatever is asked below the prefix is answered in the dialect's form."""
    _problem(_ask(tenant, "GET", "/nothing"), 404, "not-found")
    _problem(_ask(tenant, "GET", "/deliveries/" + "x" * 99), 404, "not-found")
    answer = _ask(tenant, "PUT", "/deliveries")
    _problem(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == "GET"


def test_the_interface_is_described(service: Service) -> None:
    """The description names every operation of the table."""
    paths = service.request("GET", "/docs/native.json").body["paths"]
    assert {"list_webhooks", "replay_delivery"} <= {
        operation["operationId"] for path in paths.values() for operation in path.values()
    }


def test_a_made_webhook_hears_of_the_next_session(tenant: Tenant) -> None:
    """What the interface makes is what the worker uses."""
    created = tenant.service.run(create_endpoint, tenant.account.id, NewEndpoint(url=HOOK), 1)
    assert isinstance(created, EndpointCreated)
    assert [it["id"] for it in _ask(tenant, "GET", "/webhooks").body["data"]] == [created.endpoint.id]

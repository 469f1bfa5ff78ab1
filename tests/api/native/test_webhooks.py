"""Webhooks over HTTP."""

from typing import Any

import pytest
from tests.api.native.asking import NOTHING, by_token, check_problem, holder
from tests.api.service import Tenant

from maskline.core.access import Permission
from maskline.core.delivery import EndpointCheck, EndpointCreated, NewEndpoint
from maskline.workflows.webhook_endpoints import create_endpoint

HOOK = "https://hooks.example.com/maskline"


def test_a_webhook_is_made_with_its_secret(tenant: Tenant) -> None:
    """The secret is in the answer to its making and nowhere else."""
    answer = by_token(tenant).ask("POST", "/webhooks", {"url": HOOK, "events": ["call.finished"]})
    assert answer.status == 201
    made = answer.body
    assert made["secret"].startswith("whsec_")
    assert {name: made[name] for name in ("url", "events", "include_numbers", "disabled_at")} == {
        "url": HOOK,
        "events": ["call.finished"],
        "include_numbers": False,
        "disabled_at": None,
    }
    listed = by_token(tenant).ask("GET", "/webhooks").body["data"]
    assert listed == [{name: value for name, value in made.items() if name != "secret"}]


def test_a_webhook_is_removed(tenant: Tenant) -> None:
    """It is gone from the list, and removing it again finds nothing."""
    id_ = by_token(tenant).ask("POST", "/webhooks", {"url": HOOK}).body["id"]
    assert by_token(tenant).ask("DELETE", f"/webhooks/{id_}").status == 204
    assert by_token(tenant).ask("GET", "/webhooks").body == NOTHING
    check_problem(by_token(tenant).ask("DELETE", f"/webhooks/{id_}"), 404, "not-found")


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
    answer = by_token(tenant).ask("POST", "/webhooks", body)
    check_problem(answer, status, code)
    assert b"hidden-word" not in answer.text
    assert by_token(tenant).ask("GET", "/webhooks").body == NOTHING


def test_ten_webhooks_are_enough(tenant: Tenant) -> None:
    """The eleventh is refused."""
    for _ in range(10):
        assert by_token(tenant).ask("POST", "/webhooks", {"url": HOOK}).status == 201
    check_problem(by_token(tenant).ask("POST", "/webhooks", {"url": HOOK}), 409, "too-many-webhooks")


def test_a_made_webhook_hears_of_the_next_session(tenant: Tenant) -> None:
    """What the interface makes is what the worker uses."""
    created = tenant.service.run(create_endpoint, tenant.account.id, NewEndpoint(url=HOOK), 1)
    assert isinstance(created, EndpointCreated)
    assert [it["id"] for it in by_token(tenant).ask("GET", "/webhooks").body["data"]] == [created.endpoint.id]


def test_a_receiver_of_reports_is_made_once_it_has_said_the_word(tenant: Tenant) -> None:
    """Until then there is none, and the reason is told."""
    body = {"url": HOOK + "/reports", "format": "deepcall"}
    for found in (EndpointCheck.UNREACHABLE, EndpointCheck.WRONG_STATUS, EndpointCheck.WRONG_WORD):
        tenant.service.receivers[body["url"]] = found
        answer = by_token(tenant).ask("POST", "/webhooks", body)
        check_problem(answer, 422, "webhook-unconfirmed")
        assert answer.body["detail"] == found.value
    assert by_token(tenant).ask("GET", "/webhooks").body == NOTHING
    tenant.service.receivers[body["url"]] = EndpointCheck.CONFIRMED
    made = by_token(tenant).ask("POST", "/webhooks", body)
    assert made.status == 201
    assert {name: made.body[name] for name in ("format", "events", "include_numbers")} == {
        "format": "deepcall",
        "events": [],
        "include_numbers": True,
    }


def test_a_receiver_is_asked_once_for_a_key(tenant: Tenant) -> None:
    """The kept answer is given though the receiver is away by then; a refusal is not kept, and asked for anew."""
    body = {"url": HOOK + "/once", "format": "deepcall"}
    asker = by_token(tenant)
    check_problem(asker.ask("POST", "/webhooks", body, Idempotency_Key="k"), 422, "webhook-unconfirmed")
    tenant.service.receivers[body["url"]] = EndpointCheck.CONFIRMED
    made = asker.ask("POST", "/webhooks", body, Idempotency_Key="k")
    del tenant.service.receivers[body["url"]]
    again = asker.ask("POST", "/webhooks", body, Idempotency_Key="k")
    assert (made.status, again.status, again.text) == (201, 201, made.text)
    assert again.headers["idempotent-replayed"] == "true"
    other = {**body, "url": HOOK + "/other"}
    check_problem(asker.ask("POST", "/webhooks", other, Idempotency_Key="k"), 422, "idempotency-mismatch")
    assert len(asker.ask("GET", "/webhooks").body["data"]) == 1


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
    check_problem(by_token(tenant).ask("POST", "/webhooks", body), 422, code)


def test_reports_are_of_calls_alone(tenant: Tenant) -> None:
    """Whoever chooses events for them is told which field is one too many."""
    body = {"url": HOOK, "format": "deepcall", "events": ["call.finished"]}
    [error] = by_token(tenant).ask("POST", "/webhooks", body).body["errors"]
    assert (error["pointer"], error["code"]) == ("/events", "not-with-format")


@pytest.mark.parametrize("numbers", [{"include_numbers": True}, {"format": "deepcall"}])
def test_people_s_numbers_are_sent_for_who_may_see_calls(tenant: Tenant, numbers: dict[str, object]) -> None:
    """As in streams: a key for webhooks alone gets them sent nowhere, and its receiver is not even called."""
    body = {"url": HOOK + "/numbers", **numbers}
    tenant.service.receivers[HOOK + "/numbers"] = EndpointCheck.CONFIRMED
    webhooks = holder(tenant.service, {Permission.WEBHOOKS_WRITE}, tenant.account)
    check_problem(webhooks.ask("POST", "/webhooks", body), 403, "not-permitted")
    assert webhooks.ask("POST", "/webhooks", {"url": HOOK}).status == 201
    both = holder(tenant.service, {Permission.WEBHOOKS_WRITE, Permission.CALLS_READ}, tenant.account)
    assert both.ask("POST", "/webhooks", body).status == 201

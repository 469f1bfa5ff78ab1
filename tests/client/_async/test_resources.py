"""Every operation of the interface has a method of the client, which asks for it."""

import io
import re
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, Final

import httpx
import pytest
from tests.client.conftest import Site

from maskline.api.native.models.sessions import NewPin
from maskline.api.native.models.trunks import TargetModel
from maskline.client import DID, E164, AnswerUnreadableError, AsyncClient, EventKind, Permission
from maskline.core.inventory import AllocationPolicy

FIRST, SECOND = E164("+912025550000"), E164("+912025551111")
NUMBER = DID("+912269900000")

CALLS: Final[Mapping[str, Callable[[AsyncClient], Awaitable[object]]]] = {
    "get_own_account": lambda it: it.accounts.own(),
    "list_accounts": lambda it: it.accounts.list().page(),
    "create_account": lambda it: it.accounts.create(name="demo"),
    "get_account": lambda it: it.accounts.get("MA1"),
    "change_account": lambda it: it.accounts.update("MA1", strict_pins=True),
    "rotate_account_token": lambda it: it.accounts.rotate_token("MA1"),
    "list_subaccounts": lambda it: it.subaccounts.list().page(),
    "create_subaccount": lambda it: it.subaccounts.create(name="north"),
    "get_subaccount": lambda it: it.subaccounts.get("SA1"),
    "rotate_subaccount_token": lambda it: it.subaccounts.rotate_token("SA1"),
    "list_keys": lambda it: it.keys.list().page(),
    "create_key": lambda it: it.keys.create(name="crm", permissions=[Permission.ALL]),
    "get_key": lambda it: it.keys.get("key_1"),
    "rotate_key": lambda it: it.keys.rotate("key_1"),
    "revoke_key": lambda it: it.keys.revoke("key_1"),
    "make_deepcall_credentials": lambda it: it.deepcall.make(rotate="ssid"),
    "withdraw_deepcall_credentials": lambda it: it.deepcall.withdraw(),
    "list_trunks": lambda it: it.trunks.list().page(),
    "add_trunk": lambda it: it.trunks.create(name="t", targets=[TargetModel(host="192.0.2.1")]),
    "get_trunk": lambda it: it.trunks.get("t"),
    "change_trunk": lambda it: it.trunks.update("t", max_calls=10),
    "remove_trunk": lambda it: it.trunks.delete("t"),
    "list_numbers": lambda it: it.numbers.list(country="IN").page(),
    "add_numbers": lambda it: it.numbers.add(numbers=[NUMBER], trunk="t", account="MA" + "X" * 18),
    "get_number": lambda it: it.numbers.get(NUMBER),
    "change_number": lambda it: it.numbers.update(NUMBER, pool="east"),
    "drain_number": lambda it: it.numbers.drain(NUMBER),
    "remove_number": lambda it: it.numbers.remove(NUMBER, force=True),
    "list_pools": lambda it: it.pools.list().page(),
    "create_pool": lambda it: it.pools.create(name="east"),
    "get_pool": lambda it: it.pools.get("east"),
    "change_pool": lambda it: it.pools.update("east", policy=AllocationPolicy.SPREAD),
    "delete_pool": lambda it: it.pools.delete("east"),
    "list_sessions": lambda it: it.sessions.list(first=FIRST).page(),
    "create_session": lambda it: it.sessions.create(first=FIRST, second=SECOND, pin=NewPin(generate=True)),
    "get_session": lambda it: it.sessions.get("s1"),
    "update_session": lambda it: it.sessions.update("s1", expires_in_s=600),
    "end_session": lambda it: it.sessions.end("s1"),
    "list_calls": lambda it: it.calls.list(session_id="s1").page(),
    "get_call": lambda it: it.calls.get("c1"),
    "list_recordings": lambda it: it.recordings.list().page(),
    "get_recording": lambda it: it.recordings.get("r1"),
    "delete_recording": lambda it: it.recordings.delete("r1"),
    "get_recording_audio": lambda it: it.recordings.save("r1", io.BytesIO()),
    "link_recording": lambda it: it.recordings.link("r1", expires_in_s=60),
    "get_recording_retention": lambda it: it.recordings.retention(),
    "change_recording_retention": lambda it: it.recordings.keep(days=None),
    "show_usage": lambda it: it.usage.list().page(),
    "show_usage_history": lambda it: it.usage.history().page(),
    "list_webhooks": lambda it: it.webhooks.list().page(),
    "create_webhook": lambda it: it.webhooks.create(url="https://x.test"),
    "delete_webhook": lambda it: it.webhooks.delete("wh_1"),
    "list_deliveries": lambda it: it.deliveries.list().page(),
    "get_delivery": lambda it: it.deliveries.get("d1"),
    "replay_delivery": lambda it: it.deliveries.replay("d1"),
    "read_events": lambda it: it.events.list(kinds=[EventKind.CALL_FINISHED]).page(),
}


def operations(site: Site) -> dict[str, tuple[str, str, Mapping[str, Any]]]:
    """Method, path and description of every operation, by its name."""
    paths = site.service.request("GET", "/docs/native.json").body["paths"]
    return {
        operation["operationId"]: (method.upper(), path, operation)
        for path, item in paths.items()
        for method, operation in item.items()
    }


def test_every_operation_has_a_method(site: Site) -> None:
    """Nobody has to write requests by hand."""
    assert sorted(CALLS) == sorted(operations(site))


@pytest.mark.parametrize("name", CALLS)
async def test_a_method_asks_for_its_operation(site: Site, name: str) -> None:
    """With its method, its path, and parameters that it has."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, text="no JSON")

    client = AsyncClient("https://x.test", api_key="mk_x", http_transport=httpx.MockTransport(answer))
    with suppress(AnswerUnreadableError):  # most of them read the answer
        await CALLS[name](client)
    await client.close()
    method, path, operation = operations(site)[name]
    (request,) = seen
    assert request.method == method
    assert re.fullmatch("/maskline/v1" + re.sub(r"\{\w+\}", "[^/]+", path), request.url.path)
    described = {it["name"] for it in operation["parameters"] if it["in"] == "query"}
    assert set(request.url.params) <= described
    assert bool(request.content) <= ("requestBody" in operation)

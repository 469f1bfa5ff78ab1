"""Calls that interactions point to, through the official Python and Node clients."""

import uuid
from typing import Any

import plivo
import plivo.exceptions as sdk
import pytest
from tests.api.faults import Fault
from tests.api.plivo.test_calls import CALL_KEYS, finish
from tests.api.plivo.test_sdk_node import Node
from tests.api.service import PAIR, Tenant

from maskline.core.call_record import NewCall, Side, leg_id
from maskline.core.masking import Role
from maskline.core.numbers import E164
from maskline.workflows.claim_call import claim_call

NOBODY = "8dd7b81f-1cdc-4e5c-9999-123456789012"


def test_interactions_lead_to_calls(client: plivo.RestClient, tenant: Tenant) -> None:
    """The last part of each leg's address is what the client's `calls.get` wants."""
    session = finish(tenant, uuid.uuid4().hex)
    [interaction] = session["interaction"]
    for role, direction in (("first", "inbound"), ("second", "outbound")):
        call = client.calls.get(interaction[f"{role}_party_resource_url"].rpartition("/")[2])
        assert vars(call).keys() >= CALL_KEYS
        assert (call.call_direction, call.bill_duration, call.call_state) == (direction, 10, "ANSWER")


def test_interactions_are_read_by_their_attributes(client: plivo.RestClient, tenant: Tenant) -> None:
    """As objects in Python, in camel case in Node, in lists as in single answers."""
    session = finish(tenant, uuid.uuid4().hex)
    [expected] = session["interaction"]
    got = client.masking_sessions.get_masking_session(session["session_uuid"]).response
    [listed] = client.masking_sessions.list_masking_session().response.objects
    for shown in (got, listed):
        [interaction] = shown.interaction
        assert vars(interaction) == expected
        assert (shown.total_call_count, shown.total_call_billed_duration) == (2, 20)
        assert shown.last_interaction_time == interaction.end_time
    node = Node(tenant.service)
    node.step(tenant, "getMaskingSession", session["session_uuid"])
    node.step(tenant, "listMaskingSession")
    one, many = (it["value"]["response"] for it in node.run())
    for answer in (one, many["objects"][0]):
        [interaction] = answer["interaction"]
        assert interaction["firstPartyResourceUrl"] == expected["first_party_resource_url"]
        assert (interaction["totalCallCount"], interaction["callBilledDuration"]) == (2, 20)


def test_list_of_calls_takes_every_filter(client: plivo.RestClient, tenant: Tenant) -> None:
    """The filters of the client's `calls.list`; a leg each, newest first."""
    call_id = uuid.uuid4().hex
    finish(tenant, call_id)
    first, second = (leg_id(call_id, side) for side in Side)
    end_time = client.calls.get(first).end_time[:19]
    caller = PAIR["first_party"].removeprefix("+")
    cases: list[tuple[dict[str, Any], list[str]]] = [
        ({}, [first, second]),
        ({"call_direction": "inbound"}, [first]),
        ({"from_number": caller}, [first]),
        ({"to_number": PAIR["second_party"].removeprefix("+")}, [second]),
        ({"parent_call_uuid": first}, [second]),
        ({"hangup_cause_code": 4000}, [first, second]),
        ({"hangup_source": "Caller"}, [first, second]),
        ({"hangup_source": "Plivo"}, []),
        ({"bill_duration": 10}, [first, second]),
        ({"end_time": end_time}, [first, second]),
        ({"end_time__gt": end_time}, []),
        ({"end_time__gte": end_time}, [first, second]),
        ({"end_time__lt": end_time}, []),
        ({"end_time__lte": end_time}, [first, second]),
        ({"limit": 1}, [first]),
        ({"limit": 1, "offset": 1}, [second]),
    ]
    for given, found in cases:
        assert [it.call_uuid for it in client.calls.list(**given)] == found, given


def test_running_and_queued_calls(client: plivo.RestClient, tenant: Tenant) -> None:
    """A running call is live and no finished one; nothing is ever queued."""
    session = tenant.create()["session"]
    now = tenant.service.clock.now()
    call = NewCall(
        call_id=uuid.uuid4().hex,
        switch_id="switch",
        session_id=session["session_uuid"],
        account_id=tenant.account.id,
        number=tenant.numbers[0],
        caller=E164(PAIR["first_party"]),
        callee=E164(PAIR["second_party"]),
        role=Role.FIRST,
        started_at=now,
        lease_until=now + 30_000_000,
    )
    tenant.service.run(claim_call, call, now)
    leg = leg_id(call.call_id, Side.A)
    assert client.live_calls.list_ids().calls == [leg]
    live = client.live_calls.get(leg)
    assert (live.call_status, live.direction) == ("ringing", "inbound")
    assert client.queued_calls.list_ids().calls == []
    for get in (client.calls.get, client.queued_calls.get):
        with pytest.raises(sdk.ResourceNotFoundError):
            get(leg)


def test_unknown_calls_and_wrong_credentials(client: plivo.RestClient, tenant: Tenant) -> None:
    """404 and 401 as elsewhere; 500 is tried three times."""
    with pytest.raises(sdk.ResourceNotFoundError, match="not found"):
        client.calls.get(NOBODY)
    with plivo.RestClient(tenant.auth_id, "x" * 40) as stranger, pytest.raises(sdk.AuthenticationError):
        stranger.calls.get(NOBODY)
    tenant.service.faults.reset(*[Fault(500)] * 3)
    with pytest.raises(sdk.PlivoServerError):
        client.calls.get(NOBODY)
    assert len(tenant.service.faults.seen) == 3


def test_node_reads_calls(tenant: Tenant) -> None:
    """`calls.get`, `calls.list`, `calls.listLiveCalls` and a call that is not there."""
    call_id = uuid.uuid4().hex
    finish(tenant, call_id)
    first, second = (leg_id(call_id, side) for side in Side)
    node = Node(tenant.service)
    node.step(tenant, "get", first, resource="calls")
    node.step(tenant, "list", {"callDirection": "outbound"}, resource="calls")
    node.step(tenant, "listLiveCalls", resource="calls")
    node.step(tenant, "get", NOBODY, resource="calls")
    got, listed, live, unknown = node.run()
    assert (got["value"]["callUuid"], got["value"]["callDirection"]) == (first, "inbound")
    assert [it["callUuid"] for it in listed["value"]["objects"]] == [second]
    assert listed["value"]["meta"]["totalCount"] == 1
    assert live["value"]["objects"] == []
    assert (unknown["error"]["status"], unknown["error"]["message"]) == (404, "not found")

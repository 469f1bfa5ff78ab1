"""Calls that interactions name, lists of them, and running ones."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.api.plivo.outcomes import outcome
from tests.api.plivo.test_app import UNKNOWN, assert_refused
from tests.api.service import PAIR, Tenant, basic

from maskline.api.plivo.calls import parse_query
from maskline.api.plivo.errors import PlivoError
from maskline.core.call_record import CallRecord, NewCall, Side, leg_id
from maskline.core.inventory import Subaccount
from maskline.core.masking import Role, Span
from maskline.core.numbers import E164
from maskline.core.termination import Reason, terminate
from maskline.workflows.accounts import create_subaccount
from maskline.workflows.claim_call import claim_call
from maskline.workflows.finish_call import finish_call

SECOND = 1_000_000
DAY = 86_400 * SECOND
NOW = 1_767_225_600_000_000  # 2026-01-01
FIRST, OTHER = E164(PAIR["first_party"]), E164(PAIR["second_party"])
CALL_KEYS = {
    "answer_time",
    "api_id",
    "bill_duration",
    "billed_duration",
    "call_direction",
    "call_duration",
    "call_state",
    "call_uuid",
    "cnam_lookup",
    "conference_uuid",
    "end_time",
    "from_number",
    "hangup_cause_code",
    "hangup_cause_name",
    "hangup_source",
    "initiation_time",
    "parent_call_uuid",
    "resource_uri",
    "source_ip",
    "stir_attestation",
    "stir_verification",
    "to_number",
    "total_amount",
    "total_rate",
    "voice_network_group",
}


def finish(tenant: Tenant, call_id: str, reason: Reason = Reason.CALLER_HUNG_UP) -> Any:
    """The session of a call of its first party that was answered after 3 s and talked for 10."""
    session = tenant.create()["session"]
    now = tenant.service.clock.now()
    record = CallRecord(
        call_id=call_id,
        session_id=session["session_uuid"],
        account_id=tenant.account.id,
        number=tenant.numbers[0],
        caller=FIRST,
        callee=OTHER,
        role=Role.FIRST,
        is_callee_dialled=True,
        started_at=now,
        ringing_at=now + SECOND,
        answered_at=now + 3 * SECOND,
        callee_answered_at=now + 3 * SECOND,
        bridged_at=now + 3 * SECOND,
        ended_at=now + 13 * SECOND,
        termination=terminate(reason),
    )
    tenant.service.run(finish_call, record, record.ended_at)
    got = tenant.request("GET", f"/Masking/Session/{session['session_uuid']}/")
    return got.body["response"]


def objects(tenant: Tenant, query: str = "") -> list[dict[str, Any]]:
    answer = tenant.request("GET", f"/Call/{query}")
    assert answer.status == 200, answer.text
    assert list(answer.body) == ["api_id", "meta", "objects"]
    assert answer.body["meta"]["total_count"] == len(answer.body["objects"])
    found: list[dict[str, Any]] = answer.body["objects"]
    return found


def test_addresses_of_interactions_answer(tenant: Tenant) -> None:
    """What a session's interaction names can be got, as it is written there and with a final slash."""
    session = finish(tenant, "api-1")
    [interaction] = session["interaction"]
    for role, side in (("first", Side.A), ("second", Side.B)):
        address = interaction[f"{role}_party_resource_url"].removeprefix("http://maskline.test")
        for path in (address, f"{address}/"):
            answer = tenant.request("GET", path.removeprefix(tenant.path))
            assert answer.status == 200, answer.text
            assert answer.body["call_uuid"] == leg_id("api-1", side)


def test_call_object_has_every_attribute(tenant: Tenant) -> None:
    """Names and types that the official clients declare, Go's included; amounts are strings."""
    finish(tenant, "api-2")
    a = tenant.request("GET", f"/Call/{leg_id('api-2', Side.A)}").body
    assert next(iter(a)) == "api_id"
    assert set(a) == CALL_KEYS
    virtual = tenant.numbers[0].removeprefix("+")
    first, second = (PAIR[name].removeprefix("+") for name in ("first_party", "second_party"))
    assert (a["from_number"], a["to_number"], a["call_direction"]) == (first, virtual, "inbound")
    assert (a["bill_duration"], a["billed_duration"], a["call_duration"]) == (10, 10, 10)
    assert (a["hangup_cause_code"], a["hangup_cause_name"], a["hangup_source"]) == (
        4000,
        "Normal Hangup",
        "Caller",
    )
    assert (a["total_amount"], a["total_rate"], a["parent_call_uuid"]) == ("0.00000", "0.00000", None)
    assert a["call_state"] == "ANSWER"
    assert a["resource_uri"] == f"{tenant.path}/Call/{a['call_uuid']}/"
    b = tenant.request("GET", f"/Call/{leg_id('api-2', Side.B)}/").body
    assert (b["from_number"], b["to_number"], b["call_direction"]) == (virtual, second, "outbound")
    assert b["parent_call_uuid"] == a["call_uuid"]
    assert a["initiation_time"].endswith("+00:00")
    assert a["initiation_time"] < a["answer_time"] < a["end_time"]


def test_list_has_legs_and_filters(tenant: Tenant) -> None:
    """Every filter of the vendor's page, in its spellings, and what each leaves."""
    finish(tenant, "api-3")
    tenant.service.manual_clock.advance(s=3600)
    finish(tenant, "api-4", Reason.CALLEE_HUNG_UP)
    old, new = ([leg_id(call, side) for side in Side] for call in ("api-3", "api-4"))
    virtual = tenant.numbers[0]

    def uuids(query: str) -> list[str]:
        return [it["call_uuid"] for it in objects(tenant, query)]

    assert uuids("") == new + old
    assert uuids("?call_direction=inbound") == [new[0], old[0]]
    assert uuids(f"?from_number={FIRST.reveal().removeprefix('+')}") == [new[0], old[0]]
    assert uuids(f"?to_number=%2B{OTHER.reveal().removeprefix('+')}") == [new[1], old[1]]
    assert uuids(f"?from_number={virtual}&call_direction=Outbound") == [new[1], old[1]]
    assert uuids(f"?parent_call_uuid={old[0]}") == [old[1]]
    assert uuids("?hangup_source=callee") == new
    assert uuids("?hangup_cause_code=4000") == new + old
    assert uuids("?hangup_cause_code=4000&hangup_source=Plivo") == []
    assert uuids("?bill_duration=10") == new + old
    assert uuids("?bill_duration__lt=10") == []
    end_time = objects(tenant)[0]["end_time"][:19].replace(" ", "+")
    assert uuids(f"?end_time={end_time}") == new
    assert uuids(f"?end_time__lt={end_time}") == old
    assert uuids(f"?end_time_gte={end_time}&answer_url=x&limit=") == new


def test_list_pages_with_links(tenant: Tenant) -> None:
    """Links repeat the filters and are followed until there is none."""
    for index in range(3):
        finish(tenant, f"api-5-{index}")
        tenant.service.manual_clock.advance(s=60)
    path, seen = "/Call/?limit=2&call_direction=inbound", 0
    while path:
        body = tenant.request("GET", path).body
        seen += len(body["objects"])
        path = (body["meta"]["next"] or "").removeprefix(tenant.path)
    assert seen == 3


def test_default_window_is_seven_days(tenant: Tenant) -> None:
    """Older calls are there for whoever names a time."""
    finish(tenant, "api-6")
    tenant.service.manual_clock.advance(s=8 * 86_400)
    assert objects(tenant) == []
    assert len(objects(tenant, "?end_time__gte=2020-01-01")) == 0


@pytest.mark.parametrize(
    ("query", "span"),
    [
        ("", Span(from_=NOW - 7 * DAY)),
        ("end_time__gte=2025-12-02", Span(from_=NOW - 30 * DAY)),
        ("end_time__gte=2025-12-01", Span(from_=NOW - 31 * DAY, until=NOW - DAY)),
        ("end_time__lt=2025-12-31", Span(from_=NOW - 31 * DAY, until=NOW - DAY)),
        ("end_time_gte=2025-12-30&end_time_lt=2025-12-31", Span(from_=NOW - 2 * DAY, until=NOW - DAY)),
    ],
)
def test_windows(query: str, span: Span) -> None:
    """A bound on one side reaches for thirty days, to either side."""
    assert parse_query(query.encode(), country="IN", now=NOW).filter.ended_at == span


def test_too_wide_a_range_is_refused() -> None:
    """Two bounds are at most thirty days apart."""
    query = b"end_time__gte=2025-01-01&end_time__lt=2026-01-01"
    refused = outcome(lambda data: parse_query(data, country="IN", now=NOW), query)
    assert isinstance(refused, PlivoError)
    assert refused.text == "Invalid parameter. end_time range should be within 30 days."


def test_running_calls(tenant: Tenant) -> None:
    """`status=live` names running legs and shows them; `queued` is always empty; finished ones are not live."""
    session = tenant.create()["session"]
    now = tenant.service.clock.now()
    call = NewCall(
        call_id="api-7",
        switch_id="switch",
        session_id=session["session_uuid"],
        account_id=tenant.account.id,
        number=tenant.numbers[0],
        caller=FIRST,
        callee=OTHER,
        role=Role.FIRST,
        started_at=now,
        lease_until=now + 30 * SECOND,
    )
    tenant.service.run(claim_call, call, now)
    uuid = leg_id("api-7", Side.A)
    listed = tenant.request("GET", "/Call/?status=live")
    assert listed.body == {"api_id": listed.body["api_id"], "calls": [uuid]}
    assert tenant.request("GET", "/Call/?status=live&call_direction=outbound").body["calls"] == []
    assert tenant.request("GET", "/Call/?status=queued").body["calls"] == []
    live = tenant.request("GET", f"/Call/{uuid}/?status=live").body
    assert (live["call_status"], live["direction"], live["to"]) == (
        "ringing",
        "inbound",
        tenant.numbers[0].removeprefix("+"),
    )
    assert_refused(tenant.request("GET", f"/Call/{uuid}/"), 404, "not found")
    assert_refused(tenant.request("GET", f"/Call/{uuid}/?status=queued"), 404, "not found")


@pytest.mark.parametrize("path", [f"/Call/{UNKNOWN}", "/Call/no-uuid", f"/Call/{UNKNOWN}?status=live"])
def test_unknown_calls(tenant: Tenant, path: str) -> None:
    """404 in the dialect's form."""
    assert_refused(tenant.request("GET", path), 404, "not found")


@pytest.mark.parametrize(
    "query", ["status=x", "call_direction=up", "hangup_source=me", "hangup_cause_code=x"]
)
def test_filters_that_name_nothing_are_refused(tenant: Tenant, query: str) -> None:
    """400, and the parameter is named."""
    answer = tenant.request("GET", f"/Call/?{query}")
    assert_refused(answer, 400)
    assert query.partition("=")[0] in answer.body["error"]


def test_sub_account_sees_none_of_the_account(tenant: Tenant) -> None:
    """Another's call is answered like one that never was."""
    finish(tenant, "api-8")
    made = tenant.service.run(create_subaccount, tenant.account, "West", tenant.service.clock.now())
    assert isinstance(made, Subaccount)
    headers = basic(made.auth_id, made.token.reveal())
    path = f"/v1/Account/{made.auth_id}/Call/"
    assert tenant.service.request("GET", path, None, headers).body["objects"] == []
    one = tenant.service.request("GET", path + leg_id("api-8", Side.A), None, headers)
    assert_refused(one, 404, "not found")


@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                [
                    "status",
                    "from_number",
                    "to_number",
                    "parent_call_uuid",
                    "end_time__gt",
                    "bill_duration_lte",
                ]
            )
            | st.text(max_size=5),
            st.text(max_size=20) | st.integers().map(str) | st.datetimes().map(str),
        ),
        max_size=4,
    )
)
def test_any_query_is_read_or_refused(pairs: list[tuple[str, str]]) -> None:
    """A filter, or PlivoError 400."""
    query = "&".join(f"{key}={value}" for key, value in pairs).encode("utf-8", "replace")
    found = outcome(lambda data: parse_query(data, country="IN", now=NOW), query)
    assert not isinstance(found, PlivoError) or found.status == 400

"""The official Node client, unmodified, against our server: every call, parameter, filter, error and repetition."""

from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl

import pytest
from tests.api.faults import Fault, Trouble
from tests.api.plivo.sdk_cases import CREATE, FILTERS, UPDATE, Ground, new_subaccount
from tests.api.plivo.shelf import Shelf
from tests.api.service import PAIR, Service, Tenant
from tests.webhooks.node_sdk import ask_node

from maskline.api.plivo import errors
from maskline.core.masking import RecordFormat
from maskline.core.recording import render_recording_uuid

# The client's documented options that are not the vendor's names in camel case.
_OPTIONS: Final = {"subaccount": "subAccount", "geomatch": "geoMatch"}
_COMPARISONS: Final = {
    "": "Equals",
    "gt": "GreaterThan",
    "gte": "GreaterOrEqual",
    "lt": "LessThan",
    "lte": "LessOrEqual",
}


def camel(name: str) -> str:
    """A name as the client's users write it."""
    head, *rest = name.split("_")
    return _OPTIONS.get(name) or head + "".join(it.capitalize() for it in rest)


def documented(name: str) -> str:
    """A filter as the client documents it: `createdTimeLessThan`."""
    axis, _, comparison = name.partition("__")
    if axis in ("created_time", "expiry_time", "duration"):
        return camel(axis) + _COMPARISONS[comparison]
    return camel(axis)


NOBODY: Final = "8dd7b81f-1cdc-4e5c-9999-123456789012"


@dataclass
class Node:
    """Steps for the client; `run` lets it take them and says what each came to."""

    service: Service
    steps: list[dict[str, Any]] = field(default_factory=list)

    def step(
        self, tenant: Tenant, method: str, *args: Any, resource: str = "maskingSession", **options: Any
    ) -> None:
        self.steps.append(
            {
                "authId": options.pop("auth_id", tenant.auth_id),
                "authToken": options.pop("token", tenant.token),
                "options": options,
                "resource": resource,
                "method": method,
                "args": args,
            }
        )

    def create(self, tenant: Tenant, **given: Any) -> None:
        """Parameters by the vendor's names; None is not given, as with the other clients."""
        fields = {camel(name): value for name, value in (PAIR | given).items() if value is not None}
        first, second = fields.pop("firstParty", None), fields.pop("secondParty", None)
        self.step(tenant, "createMaskingSession", first, second, fields)

    def run(self) -> list[dict[str, Any]]:
        outcomes: list[dict[str, Any]] = ask_node(
            "masking.js", {"origin": f"http://127.0.0.1:{self.service.port}", "steps": self.steps}
        )
        assert len(outcomes) == len(self.steps)
        return outcomes


@pytest.fixture
def node(service: Service) -> Node:
    service.faults.reset()
    return Node(service)


def made(index: int) -> dict[str, Any]:
    """The session that a step made."""
    return {"$from": [index, "sessionUuid"]}


def test_create_takes_every_parameter(node: Node) -> None:
    """By its documented name, each with an account of its own; the client reads them back in camel case."""
    for case in CREATE:
        node.create(node.service.new_account(), **{**case.beside, case.name: case.value})
    outcomes = node.run()
    shown = {
        case.name: {name: outcome["value"]["session"][_read(name)] for name in case.shown}
        for case, outcome in zip(CREATE, outcomes, strict=True)
    }
    assert shown == {case.name: case.shown for case in CREATE}


def _read(name: str) -> str:
    """The client renames every key of an answer, and knows no exceptions there."""
    head, *rest = name.split("_")
    return head + "".join(it.capitalize() for it in rest)


def test_life_of_a_session(node: Node, tenant: Tenant) -> None:
    """Create, get, list and delete: the client's own objects, and its own spellings of the paths."""
    node.create(tenant, session_expiry=900)
    node.step(tenant, "getMaskingSession", made(0))
    node.step(tenant, "listMaskingSession")
    node.step(tenant, "deleteMaskingSession", made(0))
    node.step(tenant, "getMaskingSession", made(0))
    created, got, listed, deleted, after = (it["value"] for it in node.run())
    assert created.keys() == {"apiId", "sessionUuid", "virtualNumber", "message", "session"}
    assert (created["message"], created["virtualNumber"]) == ("Session created", tenant.numbers[0])
    assert got["response"] == created["session"]
    [row] = listed["response"]["objects"]
    assert {**row, "resourceUri": ""} == {**created["session"], "resourceUri": ""}
    assert listed["response"]["meta"] == {
        "limit": 20,
        "next": None,
        "offset": 0,
        "previous": None,
        "totalCount": 1,
    }
    assert deleted["message"] == "Session expired"
    assert after["response"]["status"] == "expired"
    path = f"{tenant.path}/Masking/Session/"
    one = path + created["sessionUuid"]
    assert [(it.method, it.target.rstrip("?")) for it in node.service.faults.seen] == [
        ("POST", path),
        ("GET", one),
        ("GET", path),
        ("DELETE", one),
        ("GET", one),
    ]
    for it in node.service.faults.seen:
        assert it.headers["user-agent"].startswith("plivo-node/")
        assert it.headers["content-type"] == "application/json"


def test_update_takes_every_parameter(node: Node, tenant: Tenant) -> None:
    """By its documented name; the client sends the session's id in the body, and no final slash."""
    node.create(tenant)
    for case in UPDATE:
        node.step(tenant, "updateMaskingSession", made(0), {camel(case.name): case.value})
    node.step(tenant, "updateMaskingSession", made(0), {})
    node.step(tenant, "updateMaskingSession", NOBODY, {"ringTimeout": 30})
    node.step(tenant, "deleteMaskingSession", made(0))
    node.step(tenant, "updateMaskingSession", made(0), {"ringTimeout": 30})
    created, *updates, unchanged, unknown, _, expired = node.run()
    shown = {
        case.name: {name: outcome["value"]["session"][_read(name)] for name in case.shown}
        for case, outcome in zip(UPDATE, updates, strict=True)
    }
    assert shown == {case.name: case.shown for case in UPDATE}
    assert unchanged["value"]["message"] == "Session updated"
    assert unchanged["value"]["session"] == updates[-1]["value"]["session"]
    assert (unknown["error"]["status"], unknown["error"]["message"]) == (404, errors.NOT_FOUND)
    assert (expired["error"]["status"], expired["error"]["message"]) == (400, errors.SESSION_EXPIRED)
    session_uuid = created["value"]["sessionUuid"]
    seen = node.service.faults.seen[1]
    assert seen.target == f"{tenant.path}/Masking/Session/{session_uuid}"
    assert seen.json == {"session_expiry": 900, "session_uuid": session_uuid}


def test_documented_options_that_are_not_the_vendors_names(node: Node, tenant: Tenant) -> None:
    """`subAccount` and `geoMatch` go out as `sub_account` and `geo_match`, and are understood."""
    sub = new_subaccount(tenant)
    node.create(tenant, subaccount=sub.auth_id)
    node.create(tenant, first_party="+14155550123", geomatch=True)
    node.create(tenant, first_party="+14155550123", geomatch=False)
    named, refused, created = node.run()
    assert named["value"]["session"]["subaccount"] == sub.auth_id
    assert refused["error"]["message"] == errors.POOL_EXHAUSTED
    assert created["value"]["message"] == "Session created"
    bodies = [it.json for it in node.service.faults.seen]
    assert bodies[0]["sub_account"] == sub.auth_id
    assert [it["geo_match"] for it in bodies[1:]] == [True, False]


def test_a_party_given_as_null_is_not_given(node: Node, tenant: Tenant) -> None:
    """Sessions of one party are made so; the registered one may be either."""
    single = {"createSessionWithSingleParty": True}
    node.step(tenant, "createMaskingSession", PAIR["first_party"], None, {**single})
    node.step(tenant, "createMaskingSession", None, PAIR["second_party"], {**single})
    node.step(tenant, "createMaskingSession", PAIR["first_party"], None, {})
    first, second, refused = node.run()
    assert (first["value"]["session"]["firstParty"], first["value"]["session"]["secondParty"]) == (
        "912025550000",
        "",
    )
    assert (second["value"]["session"]["firstParty"], second["value"]["session"]["secondParty"]) == (
        "",
        "912025551111",
    )
    assert node.service.faults.seen[0].json["second_party"] is None
    assert refused["error"]["message"] == "Mandatory parameter missing. second_party must be present."


def test_list_takes_every_filter(node: Node, ground: Ground) -> None:
    """By the names the client documents, three of which it spells in a way of its own."""
    for case in FILTERS:
        given = {documented(name): value for name, value in ground.fill(case.given).items()}
        node.step(ground.tenant, "listMaskingSession", given)
    found = [
        ground.read([it["sessionUuid"] for it in outcome["value"]["response"]["objects"]])
        for outcome in node.run()
    ]
    assert dict(zip(map(str, FILTERS), found, strict=True)) == {str(it): it.found for it in FILTERS}
    names = {name for it in node.service.faults.seen for name, _ in parse_qsl(it.target.partition("?")[2])}
    assert {"created_times", "expiry_times", "durations", "sub_account", "created_time__lte"} < names
    assert any("%20" in it.target for it in node.service.faults.seen)


def test_list_takes_names_typed_by_hand(node: Node, ground: Ground) -> None:
    """Two underscores become one on the way; names without a comparison come as they are."""
    for name in ("createdTime", "created_time", "created_time__gte", "created_time_lt", "createdTimeGt"):
        node.step(ground.tenant, "listMaskingSession", {name: ground.texts["created"]})
    found = [
        ground.read([it["sessionUuid"] for it in outcome["value"]["response"]["objects"]])
        for outcome in node.run()
    ]
    assert found == ["B", "B", "CB", "A", "C"]
    targets = [it.target for it in node.service.faults.seen]
    assert "created_time_gte=" in targets[2]


def test_refusals_are_errors_with_their_text(node: Node, tenant: Tenant) -> None:
    """400, 401, 404 and, where only a hand-made request could meet it, 405: text, status and api_id."""
    node.create(tenant, session_expiry=59)
    node.create(tenant, record="yes")
    node.create(tenant, callback_url="ftp://example.com/")
    node.step(tenant, "getMaskingSession", NOBODY)
    node.step(tenant, "deleteMaskingSession", NOBODY)
    node.step(tenant, "listMaskingSession", {"status": "sleeping"})
    for method, args in (("createMaskingSession", tuple(PAIR.values())), ("getMaskingSession", (NOBODY,))):
        node.step(tenant, method, *args, token="x" * 40)
    refusals = [it["error"] for it in node.run()]
    assert [(it["status"], it["message"]) for it in refusals] == [
        (400, "Invalid parameter. session_expiry is outside the allowed range."),
        (400, "Invalid parameter. record allowed values are true or false."),
        (400, "Invalid parameter. callback_url should be a valid URL."),
        (404, errors.NOT_FOUND),
        (404, errors.NOT_FOUND),
        (400, "Invalid parameter. status allowed values are active, expired, in-progress or all."),
        (401, errors.NOT_AUTHENTICATED),
        (401, errors.NOT_AUTHENTICATED),
    ]
    assert all(it["isError"] and len(it["apiID"]) == 36 for it in refusals)
    assert len(node.service.faults.seen) == len(refusals)


@pytest.mark.parametrize(("status", "attempt_count"), [(403, 1), (405, 1), (409, 1), (422, 1), (500, 3)])
def test_statuses_and_what_the_client_makes_of_them(
    node: Node, tenant: Tenant, status: int, attempt_count: int
) -> None:
    """5xx is tried three times, a create too; nothing below is repeated. In its shipped form all are plain errors."""
    node.service.faults.reset(*[Fault(status)] * attempt_count)
    node.create(tenant)
    [outcome] = node.run()
    error = outcome["error"]
    assert (error["kind"], error["status"], error["message"]) == ("Error", status, errors.SERVER_ERROR)
    assert len(node.service.faults.seen) == attempt_count


def test_a_create_whose_answer_is_lost_makes_one_session(node: Node, tenant: Tenant) -> None:
    """Repeated blindly on 503, it gets the session that was made the first time."""
    node.service.faults.reset(Trouble.LOST, Trouble.LOST)
    node.create(tenant, session_expiry=900)
    [outcome] = node.run()
    assert outcome["value"]["session"]["duration"] == 900
    assert [it.method for it in node.service.faults.seen] == ["POST"] * 3
    assert len({it.body for it in node.service.faults.seen}) == 1
    assert tenant.count_sessions() == 1


def test_a_repeated_list_has_lost_its_filters(node: Node, ground: Ground) -> None:
    """The client's own fault: after a 5xx it asks again without the query, and gets everything."""
    node.service.faults.reset(Fault(500))
    node.step(ground.tenant, "listMaskingSession", {"limit": 1, "status": "expired"})
    [outcome] = node.run()
    assert len(outcome["value"]["response"]["objects"]) == 3
    first, second = (it.target for it in node.service.faults.seen)
    assert second == first.partition("?")[0]


def test_silence_is_told_as_text(node: Node, tenant: Tenant) -> None:
    """After its time (5 s, or as told) the client gives up with a text that is no error, and does not repeat."""
    node.service.faults.reset(Trouble.SILENCE)
    node.step(tenant, "createMaskingSession", *PAIR.values(), {}, timeout=200)
    [outcome] = node.run()
    assert outcome["text"].startswith("AxiosError: timeout of 200ms exceeded")
    assert len(node.service.faults.seen) == 1


def test_recordings_are_listed_got_and_deleted(node: Node, shelf: Shelf) -> None:
    """The same resources that the session's interactions point to."""
    uuid = render_recording_uuid(shelf.record(RecordFormat.WAV))
    node.service.faults.reset()
    for method, args in (("list", ({"limit": 5},)), ("get", (uuid,)), ("delete", (uuid,)), ("get", (uuid,))):
        node.step(shelf.tenant, method, *args, resource="recordings")
    listed, got, deleted, after = node.run()
    assert listed["value"]["meta"]["totalCount"] == 1
    assert [it["recordingId"] for it in listed["value"]["objects"]] == [uuid]
    assert (got["value"]["recordingId"], got["value"]["recordingFormat"]) == (uuid, "wav")
    assert deleted["value"] is True
    assert (after["error"]["status"], after["error"]["message"]) == (404, errors.NOT_FOUND)

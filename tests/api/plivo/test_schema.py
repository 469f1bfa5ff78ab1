"""The OpenAPI document tells the truth: of what is served, read and answered."""

import json
from typing import Any

import jsonschema_rs
import pytest
from tests.api.plivo.shelf import Shelf
from tests.api.plivo.test_app import UNKNOWN
from tests.api.plivo.test_calls import finish
from tests.api.service import PAIR, Answer, Service, Tenant

from maskline.api.plivo import calls, listing, recording_query, schema, schema_objects, wire
from maskline.api.plivo.fields import fold_key
from maskline.core.call_record import Side, leg_id

DOCUMENT = schema.describe(has_recordings=True)
METHODS = {"get", "post", "delete", "head", "put", "patch"}


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (path, method, operation)
        for path, item in DOCUMENT["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    ]


def check(path: str, method: str, answer: Answer) -> None:
    """The answer has a status that the operation names, and the body that it says."""
    described = DOCUMENT["paths"][f"/Account/{{auth_id}}/{path}"][method]["responses"]
    assert str(answer.status) in described, answer.text
    response = described[str(answer.status)]
    if "content" not in response:
        assert answer.text == b""
        return
    content = response["content"]["application/json"]["schema"]
    whole = {**content, "components": DOCUMENT["components"]}
    jsonschema_rs.validate(whole, json.loads(answer.text))


def test_every_field_is_described() -> None:
    """A new field cannot be forgotten, and none is described that is not read."""
    for path, names in (
        ("Masking/Session", set(wire.FIELDS)),
        ("Session", set(wire.FIELDS) - {"geomatch"}),
        ("Masking/Session/{session_uuid}", wire.UPDATABLE | wire.PARTIES),
        ("Session/{session_uuid}", wire.UPDATABLE | wire.PARTIES),
    ):
        body = DOCUMENT["paths"][f"/Account/{{auth_id}}/{path}"]["post"]["requestBody"]
        properties = body["content"]["application/json"]["schema"]["properties"]
        assert set(properties) == names
    assert properties["session_expiry"]["maximum"] == 86_400
    assert properties["callback_url"]["maxLength"] == 1_000


@pytest.mark.parametrize(
    ("path", "exact"),
    [
        ("Masking/Session", listing._EXACT),
        ("Call", calls._EXACT),
        ("Recording", dict.fromkeys(("limit", "offset", *recording_query.EXACT))),
    ],
)
def test_every_filter_is_described(path: str, exact: dict[str, Any]) -> None:
    """Those of one value are the ones that are read; those of an axis are there with four comparisons."""
    parameters = DOCUMENT["paths"][f"/Account/{{auth_id}}/{path}"]["get"]["parameters"]
    names = {it["name"] for it in parameters}
    axes = {name.rpartition("__")[0] for name in names if "__" in name}
    assert {fold_key(name) for name in names if "__" not in name and name not in axes} == set(exact)
    for axis in axes:
        comparisons = {f"{axis}__{it}" for it in ("gt", "gte", "lt", "lte")}
        assert {axis, *comparisons} <= names


def test_described_paths_are_those_served(shelf: Shelf) -> None:
    """Each answers its method as itself, not with 405; names of operations and references are whole."""
    ids = [operation["operationId"] for _, _, operation in operations()]
    assert len(ids) == len(set(ids))
    for path, method, _ in operations():
        target = path.removeprefix("/Account/{auth_id}")
        for name in ("session_uuid", "call_uuid", "recording_id"):
            target = target.replace(f"{{{name}}}", UNKNOWN)
        assert shelf.tenant.request(method.upper(), target).status != 405
    text = json.dumps(DOCUMENT)
    for name in schema_objects.OBJECTS:
        assert f'"#/components/schemas/{name}"' in text or name.startswith("One")


def test_answers_of_sessions_are_as_described(tenant: Tenant) -> None:
    """Success and refusal of every operation, with PIN on and off, with and without interactions."""
    created = tenant.request("POST", "/Masking/Session", PAIR)
    check("Masking/Session", "post", created)
    check("Masking/Session", "post", tenant.request("POST", "/Masking/Session", {}))
    pinned = {"first_party": "+912025550003", "second_party": "+912025550004"}
    pinned_answer = tenant.request(
        "POST",
        "/Masking/Session",
        pinned | {"is_pin_authentication_required": True, "generate_pin": True},
    )
    assert pinned_answer.status == 201
    check("Masking/Session", "post", pinned_answer)
    check("Session", "post", tenant.request("POST", "/Session", PAIR))
    finish(tenant, "schema-1")
    uuid = created.body["session_uuid"]
    one = "Masking/Session/{session_uuid}"
    check("Masking/Session", "get", tenant.request("GET", "/Masking/Session?limit=1"))
    check("Masking/Session", "get", tenant.request("GET", "/Masking/Session?limit=x"))
    check(one, "get", tenant.request("GET", f"/Masking/Session/{uuid}"))
    check(one, "get", tenant.request("GET", f"/Masking/Session/{UNKNOWN}"))
    check(one, "post", tenant.request("POST", f"/Masking/Session/{uuid}", {"ring_timeout": 9}))
    check("Session/{session_uuid}", "post", tenant.request("POST", f"/Session/{uuid}", b"x"))
    for _ in range(2):
        check(one, "delete", tenant.request("DELETE", f"/Masking/Session/{uuid}"))
        check("Session/{session_uuid}", "delete", tenant.request("DELETE", f"/Session/{uuid}"))
    other = tenant.request("POST", "/Session", PAIR).body["session_uuid"]
    check("Session/{session_uuid}", "delete", tenant.request("DELETE", f"/Session/{other}"))


def test_answers_of_calls_are_as_described(tenant: Tenant) -> None:
    """Finished, running, none at all."""
    finish(tenant, "schema-2")
    for query in ("", "?limit=1", "?status=live", "?status=x"):
        check("Call", "get", tenant.request("GET", f"/Call{query}"))
    for uuid in (leg_id("schema-2", Side.A), leg_id("schema-2", Side.B), UNKNOWN):
        check("Call/{call_uuid}", "get", tenant.request("GET", f"/Call/{uuid}"))


def test_answers_of_recordings_are_as_described(shelf: Shelf) -> None:
    """One and all, and what deletes it."""
    id_ = shelf.record()
    check("Recording", "get", shelf.get(""))
    check("Recording", "get", shelf.get("?limit=x"))
    one = "Recording/{recording_id}"
    check(one, "get", shelf.get(id_))
    for _ in range(2):
        check(one, "delete", shelf.tenant.request("DELETE", f"/Recording/{id_}"))


def test_document_is_served(service: Service) -> None:
    """At its address, with the prefix under which the paths are mounted."""
    served = service.request("GET", "/docs/plivo.json").body
    assert served == schema.describe(has_recordings=service.recordings is not None)
    assert served["servers"] == [{"url": "/v1"}]

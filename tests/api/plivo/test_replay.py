"""Requests as the official clients of other languages shape them, byte for byte, over raw sockets.

`tests/data/plivo/replay` has one file for each client: its headers, its requests in order and what it needs of each
answer. `needs` is an object of keys and kinds; a key that ends in `?` may be absent or null; a list holds the kind
of its elements; `@session` is a shape of the file. `{auth_id}`, `{authorization}`, `{length}`, `{session_uuid}` (the
last one told) and the days `{since}` and `{until}` are filled in.
"""

import http.client
import json
import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.api.plivo.test_app_sessions import finish
from tests.api.service import PAIR, WAIT_S, Tenant
from tests.tidy.tree import ROOT

from maskline.clock import to_datetime

CLIENTS = sorted((ROOT / "tests" / "data" / "plivo" / "replay").glob("*.json"))
KINDS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "object": (dict,),
    "any": (str, int, float, dict, list, type(None)),
}


def misfits(need: Any, value: Any, shapes: Any, at: str = "answer") -> Iterator[str]:
    """Where a value is not what a client can decode: 1800.0 and true are no integers, null is nothing it needs."""
    match need:
        case str() if need.startswith("@"):
            yield from misfits(shapes[need[1:]], value, shapes, at)
        case str():
            is_boolean = isinstance(value, bool)
            if not isinstance(value, KINDS[need]) or (is_boolean and need in ("integer", "number")):
                yield f"{at} should be {need}"
        case [element]:
            if not isinstance(value, list):
                yield f"{at} should be an array"
                return
            for index, it in enumerate(value):
                yield from misfits(element, it, shapes, f"{at}[{index}]")
        case dict():
            if not isinstance(value, dict):
                yield f"{at} should be an object"
                return
            for key, kind in need.items():
                name = key.removesuffix("?")
                if key.endswith("?") and value.get(name) is None:
                    continue
                if name not in value:
                    yield f"{at}.{name} is missing"
                else:
                    yield from misfits(kind, value[name], shapes, f"{at}.{name}")


def pick(body: Any, path: str) -> Any:
    for name in path.split("."):
        body = body[name]
    return body


def render(file: dict[str, Any], step: dict[str, Any], texts: dict[str, str]) -> bytes:
    """The bytes of a request; a length is told only where there is a body."""
    body = (step["body"] or "").encode()
    texts = {**texts, "length": str(len(body))}
    headers = [
        f"{name}: {value.format(**texts)}"
        for name, value in [*file["headers"], *step.get("headers", [])]
        if body or name.lower() != "content-length"
    ]
    return "\r\n".join([step["line"].format(**texts), *headers, "", ""]).encode() + body


@pytest.mark.parametrize("path", CLIENTS, ids=lambda path: path.stem)
def test_client_gets_what_it_needs(tenant: Tenant, path: Path) -> None:
    """All of a client's requests on one connection: status, plain JSON, and the keys and types it decodes."""
    file = json.loads(path.read_text())
    today = to_datetime(tenant.service.clock.now())
    texts = {
        "auth_id": tenant.auth_id,
        "authorization": tenant.authorization["Authorization"],
        "since": f"{today:%Y-%m-%d}",
        "until": f"{today + timedelta(days=2):%Y-%m-%d}",
    }
    with socket.create_connection(("127.0.0.1", tenant.service.port), WAIT_S) as connection:
        for step in file["steps"]:
            connection.sendall(render(file, step, texts))
            response = http.client.HTTPResponse(connection, method=step["line"].split(" ")[0])
            response.begin()
            body = json.loads(response.read())
            assert response.status == step["status"], (step["name"], body)
            assert response.headers["content-type"] == "application/json"
            assert "content-encoding" not in response.headers
            assert list(misfits(step["needs"], body, file.get("shapes"))) == [], step["name"]
            texts["session_uuid"] = body.get("session_uuid", texts.get("session_uuid", ""))
            for name, value in step.get("values", {}).items():
                expected = value.format(**texts) if isinstance(value, str) else value
                assert pick(body, name) == expected, (step["name"], name)
            if step["status"] < 300:
                assert "error" not in body, "the PHP client raises for it"


def test_go_decodes_interactions(tenant: Tenant) -> None:
    """Of an answered call and of a missed one: an array of objects, their numbers integers."""
    created = tenant.create()
    for is_answered in (True, False):
        finish(tenant, created["session_uuid"], is_answered=is_answered)
    shapes = json.loads(next(path for path in CLIENTS if path.stem == "go").read_text())["shapes"]
    got = tenant.request("GET", f"/Masking/Session/{created['session_uuid']}/").body["response"]
    assert len(got["interaction"]) == 2
    assert list(misfits("@session", got, shapes)) == []
    known = {name.removesuffix("?") for name in shapes["interaction"]}
    assert {name for it in got["interaction"] for name in it} < known


def test_beta_client_gets_four_keys(tenant: Tenant) -> None:
    """The seed page's example request answers with its four fields and no more."""
    answer = tenant.request("POST", "/Session", PAIR)
    assert (answer.status, list(answer.body)) == (
        201,
        ["api_id", "session_uuid", "virtual_number", "message"],
    )


@pytest.mark.parametrize(
    ("need", "value"),
    [
        ("integer", 1800.0),
        ("integer", True),
        ("integer", "0"),
        ("string", 5),
        ({"interaction?": ["object"]}, {"interaction": {}}),
        ({"session": "object"}, {"session": None}),
        ({"session": "@session"}, {"session": {}}),
    ],
)
def test_misfits_are_found(need: Any, value: Any) -> None:
    """Of each kind that a client is known to fail on."""
    assert list(misfits(need, value, {"session": {"session_uuid": "string"}}))

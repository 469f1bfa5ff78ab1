"""The documents are OpenAPI, and they and what is mounted are of one mind."""

import os
import re
from collections.abc import Iterator
from typing import Any, cast

import pytest
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR
from starlette.applications import Starlette
from starlette.routing import BaseRoute
from tests.api.service import Service

from maskline.api.app import create_app
from maskline.testing.clock import ManualClock

DIALECTS = ("native", "plivo", "deepcall")
OF_NO_DIALECT = {"/healthz", "/metrics", "/v1", "/docs", *(f"/docs/{name}.json" for name in DIALECTS)}
"""Probes, the documents themselves and their page, and the bare prefix, which is answered 404 in its dialect."""


@pytest.fixture(scope="module")
def app() -> Starlette:
    """The application with everything that can be mounted; nobody asks it anything."""
    nothing: Any = cast("Any", object())
    return create_app(
        store=nothing,
        clock=ManualClock(),
        random_bytes=os.urandom,
        public_url="http://maskline.test",
        recordings=nothing,
    )


def document(service: Service, name: str) -> Any:
    return service.request("GET", f"/docs/{name}.json").body


def mounted(routes: list[BaseRoute], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Method and path of everything that has both; the DeepCall dialect finds its paths itself."""
    for route in routes:
        path = getattr(route, "path", "")
        yield from mounted(getattr(route, "routes", None) or [], prefix + path)
        for method in set(getattr(route, "methods", None) or ()) - {"HEAD"}:
            yield method, prefix + path


def documented(service: Service, name: str) -> set[tuple[str, str]]:
    """Method and path of every operation, with `x` for the parts of paths."""
    described = document(service, name)
    prefix = (described.get("servers") or [{"url": ""}])[0]["url"]
    return {
        (method.upper(), re.sub(r"\{\w+\}", "x", prefix + path))
        for path, item in described["paths"].items()
        for method in item
        if method not in {"parameters", "summary", "description"}
    }


def fits(template: str, path: str) -> bool:
    return re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path) is not None


@pytest.mark.parametrize("name", DIALECTS)
def test_document_is_openapi(service: Service, name: str) -> None:
    """Version 3.1, by its own schema; every operation has a name of its own, a sentence, and says what it answers."""
    described = document(service, name)
    assert [str(error) for error in OPENAPI_31_VALIDATOR.iter_errors(described)] == []
    operations = [it for item in described["paths"].values() for it in item.values() if isinstance(it, dict)]
    names = [it["operationId"] for it in operations]
    assert len(set(names)) == len(names)
    assert [it["operationId"] for it in operations if not it.get("summary", "").endswith(".")] == []
    assert all(it["responses"] for it in operations)


def test_what_is_mounted_is_documented(app: Starlette, service: Service) -> None:
    """No operation is known to its makers only."""
    known = set[tuple[str, str]]().union(*(documented(service, name) for name in DIALECTS))
    unknown = [
        (method, template)
        for method, template in mounted(app.routes)
        if template not in OF_NO_DIALECT
        and not any(method == it[0] and fits(template, it[1]) for it in known)
    ]
    assert unknown == []


@pytest.mark.parametrize("name", ["native", "plivo"])
def test_what_is_documented_is_mounted(app: Starlette, service: Service, name: str) -> None:
    """No operation is a promise only."""
    there = list(mounted(app.routes))
    missing = [
        (method, path)
        for method, path in documented(service, name)
        if not any(method == it[0] and fits(it[1], path) for it in there)
    ]
    assert missing == []


def test_paths_of_the_deepcall_dialect_are_answered(service: Service) -> None:
    """Each in the dialect's own form; another path below them is not found."""
    for method, path in sorted(documented(service, "deepcall")):
        answer = service.request(method, path, b"{}" if method == "POST" else None)
        assert answer.status == 200, path
        assert answer.headers["content-type"].startswith("application/json"), path

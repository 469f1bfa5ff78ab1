"""The description of the native interface for machines: OpenAPI, made from the table and its models.

Source: OpenAPI Specification 3.1.0.
"""

import re
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from inspect import getdoc
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from maskline.api.native.auth import ACCOUNT_HEADER
from maskline.api.native.errors import MEDIA_TYPE, PROBLEMS
from maskline.api.native.models.common import Problem
from maskline.api.native.routes import Route
from maskline.core.access import Permission, Reach

Schema = dict[str, Any]

_PARAMETER: Final = re.compile(r"\{(\w+)\}")
_ALWAYS: Final = ("not-authenticated", "invalid", "overloaded", "failed")
_WITH_BODY: Final = ("malformed", "too-large", "too-slow")
_IDEMPOTENT: Final = ("idempotency-mismatch", "idempotency-running", "too-large", "too-slow")
_SECURITY: Final[Schema] = {
    "key": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key: mk_... Its permissions say what it may.",
    },
    "account": {
        "type": "http",
        "scheme": "basic",
        "description": "An account's or a sub-account's auth id and token; all permissions but keys.",
    },
}


def describe(routes: Sequence[Route], prefix: str) -> Schema:
    """The document for `routes` mounted at `prefix`."""
    schemas = _Schemas(routes)
    paths: dict[str, Schema] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Maskline: native interface", "version": version("maskline")},
        "servers": [{"url": prefix}],
        "paths": paths,
        "components": {"schemas": schemas.definitions, "securitySchemes": _SECURITY},
        "security": [{"key": []}, {"account": []}],
    }


class _Schemas:
    """The schemas of all models, under names that are unique in the document."""

    def __init__(self, routes: Iterable[Route]) -> None:
        wanted: dict[tuple[type[BaseModel], JsonSchemaMode], None] = {(Problem, "serialization"): None}
        for route in routes:
            if route.request is not None:
                wanted[route.request, "validation"] = None
            if route.response is not None:
                wanted[route.response, "serialization"] = None
        found, whole = models_json_schema(list(wanted), ref_template="#/components/schemas/{model}")
        self._by_model = found
        self.definitions: Schema = whole.get("$defs", {})

    def request(self, model: type[BaseModel]) -> Schema:
        return self._by_model[model, "validation"]

    def response(self, model: type[BaseModel]) -> Schema:
        return self._by_model[model, "serialization"]


def _operation(route: Route, schemas: _Schemas) -> Schema:
    text = getdoc(route.operation) or route.name
    described: Schema = {
        "operationId": route.name,
        "tags": [route.path.split("/")[1]],
        "summary": text.partition("\n")[0],
        "description": f"{text}\n\n{_needs(route)}",
        "parameters": _parameters(route),
        "responses": _responses(route, schemas),
        "security": [{"key": []}] if _is_for_keys(route) else [{"key": []}, {"account": []}],
    }
    if route.request is not None:
        content = {"application/json": {"schema": schemas.request(route.request)}}
        is_needed = any(field.is_required() for field in route.request.model_fields.values())
        described["requestBody"] = {"content": content, "required": is_needed}
    return described


def _needs(route: Route) -> str:
    who = {
        Reach.OPERATOR: "Only with an operator's key.",
        Reach.ACCOUNT: "For an account as a whole.",
        Reach.SUBACCOUNT: "For an account, or for one of its sub-accounts, which sees what is its own.",
        Reach.EITHER: "For the operator, or for an account as a whole.",
    }[route.reach]
    what = "No permission is needed" if route.permission is None else f"Needs `{route.permission.value}`"
    return f"{who} {what}."


def _is_for_keys(route: Route) -> bool:
    return route.reach is Reach.OPERATOR or route.permission in (Permission.KEYS_READ, Permission.KEYS_WRITE)


def _parameters(route: Route) -> list[Schema]:
    found: list[Schema] = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "minLength": 1, "maxLength": 64},
        }
        for name in _PARAMETER.findall(route.path)
    ]
    if route.query is not None:
        found += _query_parameters(route.query)
    if route.reach is not Reach.OPERATOR:
        found.append(
            {
                "name": ACCOUNT_HEADER,
                "in": "header",
                "description": "For whom an operator's key asks: an account's or a sub-account's auth id.",
                "schema": {"type": "string", "pattern": "^[MS]A[0-9A-Za-z]{18}$"},
            }
        )
    if route.method == "POST":
        found.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "description": "Makes a repetition within 24 hours get the first answer instead of a second effect.",
                "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
            }
        )
    return found


def _query_parameters(model: type[BaseModel]) -> list[Schema]:
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    definitions = schema.get("$defs", {})
    required = schema.get("required", [])
    return [
        {
            "name": name,
            "in": "query",
            "required": name in required,
            "description": field.get("description", field.get("title", name)),
            "schema": _plain(field, definitions),
        }
        for name, field in schema["properties"].items()
    ]


def _plain(field: Schema, definitions: Schema) -> Schema:
    """A parameter's schema: what is absent is left out, so there is no null, and small schemas stand in place."""
    if "anyOf" in field:
        [field] = [{**field, **it} for it in field["anyOf"] if it != {"type": "null"}][:1]
        field = {name: value for name, value in field.items() if name != "anyOf"}
    if "$ref" in field:
        found = definitions[field["$ref"].rpartition("/")[2]]
        field = {name: value for name, value in field.items() if name != "$ref"} | found
    return {
        name: value
        for name, value in field.items()
        if name not in ("title", "description") and not (name == "default" and value is None)
    }


def _responses(route: Route, schemas: _Schemas) -> Schema:
    answer: Schema = {"description": "Done."}
    if route.response is not None:
        answer["content"] = {route.media_type: {"schema": schemas.response(route.response)}}
        if route.streams:
            answer["content"]["text/event-stream"] = {"schema": {"type": "string"}}
    elif route.media_type != "application/json":
        answer["content"] = {route.media_type: {"schema": {"type": "string"}}}
    codes: dict[int, list[str]] = {}
    for code in sorted(_codes(route)):
        codes.setdefault(PROBLEMS[code].status, []).append(code)
    problem = {MEDIA_TYPE: {"schema": schemas.response(Problem)}}
    refusals = {
        str(status): {"description": ", ".join(f"`{code}`" for code in named), "content": problem}
        for status, named in sorted(codes.items())
    }
    return {str(route.status): answer} | refusals


def _codes(route: Route) -> set[str]:
    """Every code that an operation may answer."""
    found = {*_ALWAYS, *route.problems}
    if route.permission is not None or route.reach is not Reach.SUBACCOUNT:
        found.add("not-permitted")
    if route.reach is not Reach.OPERATOR:
        found |= {"account-needed", "account-unknown", "not-permitted"}
    if route.reach in (Reach.ACCOUNT, Reach.EITHER):
        found.add("subaccount-not-allowed")
    if "{" in route.path:
        found.add("not-found")
    if route.query is not None and "after" in route.query.model_fields:
        found.add("cursor-invalid")
    if route.request is not None:
        found.update(_WITH_BODY)
    if route.method == "POST":
        found.update(_IDEMPOTENT)
    return found

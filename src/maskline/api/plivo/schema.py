"""OpenAPI descriptions of the Plivo dialect's operations: what is read from bodies and queries by hand."""

from typing import Any

from maskline.api.plivo import wire
from maskline.core import masking

_INTEGERS = {
    "session_expiry": (masking.SESSION_EXPIRY_S_MIN, masking.SESSION_EXPIRY_S_MAX),
    "call_time_limit": (masking.CALL_TIME_LIMIT_S_MIN, masking.CALL_TIME_LIMIT_S_MAX),
    "ring_timeout": (masking.RING_TIMEOUT_S_MIN, masking.RING_TIMEOUT_S_MAX),
    "generate_pin_length": (masking.PIN_LENGTH_MIN, masking.PIN_LENGTH_MAX),
    "pin_retry": (0, wire.PIN_RETRY_MAX),
    "pin_retry_wait": (wire.PIN_RETRY_WAIT_S_MIN, wire.PIN_RETRY_WAIT_S_MAX),
    "virtual_number_cooloff_period": (0, masking.COOLOFF_S_MAX),
}
_BOOLEANS = {
    "record",
    "initiate_call_to_first_party",
    "is_pin_authentication_required",
    "generate_pin",
    "geomatch",
    "force_pin_authentication",
    "create_session_with_single_party",
}
_CHOICES = {
    "record_file_format": ["mp3", "wav"],
    "callback_method": ["GET", "POST"],
    "recording_callback_method": ["GET", "POST"],
}


def _field(name: str) -> dict[str, Any]:
    if name in _INTEGERS:
        low, high = _INTEGERS[name]
        return {"type": "integer", "minimum": low, "maximum": high}
    if name in _BOOLEANS:
        return {"type": "boolean"}
    if name in _CHOICES:
        return {"type": "string", "enum": _CHOICES[name]}
    if name in wire.URL_FIELDS:
        return {"type": "string", "format": "uri", "maxLength": 1000}
    return {"type": "string"}


def _body() -> dict[str, Any]:
    properties = {name: _field(name) for name in wire.FIELDS}
    return {"content": {"application/json": {"schema": {"type": "object", "properties": properties}}}}


def _query() -> list[dict[str, Any]]:
    names = ["first_party", "second_party", "virtual_number", "status", "subaccount"]
    for axis in ("created_time", "expiry_time", "duration"):
        names += [axis, *(f"{axis}__{comparison}" for comparison in ("gt", "gte", "lt", "lte"))]
    described = [{"name": name, "in": "query", "schema": {"type": "string"}} for name in names]
    limit = {"type": "integer", "minimum": 1, "maximum": masking.LIST_LIMIT_MAX}
    return [
        *described,
        {"name": "limit", "in": "query", "schema": limit},
        {"name": "offset", "in": "query", "schema": {"type": "integer", "minimum": 0}},
    ]


_JSON = {"content": {"application/json": {"schema": {"type": "object", "required": ["api_id"]}}}}
_REFUSALS = {str(status): {"description": "Refused.", **_JSON} for status in (400, 401, 404)}


def _operation(status: int, path_names: tuple[str, ...], **extra: Any) -> dict[str, Any]:
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in path_names
    ]
    return {
        **extra,
        "parameters": [*parameters, *extra.get("parameters", [])],
        "responses": {str(status): {"description": "Done.", **_JSON}, **_REFUSALS},
    }


OPERATIONS: dict[str, dict[str, Any]] = {
    "create": _operation(201, ("auth_id",), requestBody=_body()),
    "create_legacy": _operation(201, ("auth_id",), requestBody=_body()),
    "list": _operation(200, ("auth_id",), parameters=_query()),
    "get": _operation(200, ("auth_id", "session_uuid")),
    "delete": _operation(200, ("auth_id", "session_uuid")),
    "delete_legacy": _operation(200, ("auth_id", "session_uuid")),
}
"""By operation name; values extend what the framework generates."""

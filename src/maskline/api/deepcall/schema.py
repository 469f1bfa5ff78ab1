"""The OpenAPI document of the DeepCall dialect.

What is answered hangs on the settings, so the document does too.
Source: OpenAPI Specification 3.1.0.
"""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, Final

from maskline.api.deepcall.errors import MESSAGES, STATUSES
from maskline.api.deepcall.kernel import SUCCESS_CODE, DeepCallSettings
from maskline.api.deepcall.masklist import PAGE_MAX
from maskline.api.deepcall.values import EVENT_ID_LENGTH_MAX, TEXT_LENGTH_MAX
from maskline.core.deepcall import SuccessShape
from maskline.core.masking import LIST_LIMIT_MAX
from maskline.webhooks.deepcall_words import CALL_STATUSES, CALL_TYPES

Schema = dict[str, Any]

_TEXT: Final[Schema] = {"type": "string", "maxLength": TEXT_LENGTH_MAX}
_PHONE: Final[Schema] = {
    "description": "A phone number: of the account's country, or with a plus or 00 and its country code.",
    "anyOf": [{"type": "string", "maxLength": 64}, {"type": "integer", "minimum": 1}],
}
_MASK: Final[Schema] = {
    "description": "A virtual number as set answers it.",
    "anyOf": [{"type": "string", "pattern": r"^\+?[0-9]{2,15}$"}, {"type": "integer", "minimum": 10}],
}
_EVENT_ID: Final[Schema] = {
    "description": "The client's own reference.",
    "anyOf": [{"type": "string", "maxLength": EVENT_ID_LENGTH_MAX}, {"type": "integer"}],
}
_TIME: Final[Schema] = {
    "description": "YYYY-MM-DD HH:MM:SS in the account's zone, ISO 8601 with an offset, or Unix time in s or ms.",
    "anyOf": [{"type": "string"}, {"type": "integer"}],
}
_MINUTES: Final[Schema] = {
    "description": "Minutes from now.",
    "anyOf": [{"type": "integer"}, {"type": "string", "pattern": "^[+-]?[0-9]{1,20}$"}],
}
_CREDENTIALS: Final[dict[str, Schema]] = {
    "ssid": {**_TEXT, "description": "Alone, or else userId with token."},
    "userId": {"anyOf": [_TEXT, {"type": "integer", "minimum": 0}]},
    "token": _TEXT,
}
_EXPIRY: Final[dict[str, Schema]] = {"expiry_time": _TIME, "expiry_duration": _MINUTES}
_PARTIES: Final[dict[str, Schema]] = {"m1": _PHONE, "m2": _PHONE}


def _count(count_max: int) -> Schema:
    return {"type": "integer", "minimum": 1, "maximum": count_max}


_REQUESTS: Final[dict[str, tuple[dict[str, Schema], tuple[str, ...]]]] = {
    "set": ({**_PARTIES, "eventId": _EVENT_ID, **_EXPIRY}, ("m1", "m2")),
    "unset": ({**_PARTIES, "mask": _MASK, **_EXPIRY}, ()),
    "masklist": (
        {
            **_PARTIES,
            "mask": _MASK,
            "eventId": _EVENT_ID,
            "status": {"type": "string", "enum": ["active", "expired"]},
            "start_time": _TIME,
            "end_time": _TIME,
            "page": _count(PAGE_MAX),
            "limit": _count(LIST_LIMIT_MAX),
        },
        (),
    ),
}
_DIGITS: Final[Schema] = {"type": "string", "pattern": "^[0-9]*$"}
_SHOWN_TIME: Final[Schema] = {
    "type": "string",
    "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}$",
}
_SHOWN_MASK: Final[dict[str, Schema]] = {
    "mask": _DIGITS,
    "m1": _DIGITS,
    "m2": _DIGITS,
    "eventId": {"type": ["string", "null"]},
    "expiry_time": _SHOWN_TIME,
}
_CALL: Final[dict[str, Schema]] = {
    "callId": {"type": "string"},
    "cType": {"type": "string", "enum": list(CALL_TYPES)},
    "callStatus": {"type": "integer", "enum": list(CALL_STATUSES)},
    "caller": {"type": "string", "enum": ["m1", "m2"]},
    "ivrSTime": _SHOWN_TIME,
    "ivrETime": _SHOWN_TIME,
    **{name: {"type": "integer"} for name in ("ivrDuration", "talkDuration", "m1Duration", "m2Duration")},
    "recordingUrl": {"type": "string"},
}


_SUMMARIES: Final = {
    "set": "Give two persons a number between them.",
    "unset": "End masks, or move their end.",
    "masklist": "Masks, newest first, with their calls.",
}


def describe(settings: DeepCallSettings, others: Mapping[str, Schema] | None = None) -> Schema:
    """The document; `others` are the path items of operations that are described elsewhere."""
    succeeded = {
        "set": _success(settings.success_shape, _SHOWN_MASK),
        "unset": _success(
            settings.success_shape, {**_SHOWN_MASK, "count": {"type": "integer", "minimum": 1}}
        ),
        "masklist": _masklist(),
    }
    paths = {"set": "/api/v2/Masking/set", "unset": "/api/v2/Masking/unset"}
    paths["masklist"] = "/api/v2/callreport/masklist"
    return {
        "openapi": "3.1.0",
        "info": {"title": "Maskline: Sarv DeepCall masking dialect", "version": version("maskline")},
        "paths": {
            **{path: {"post": _operation(name, succeeded[name], settings)} for name, path in paths.items()},
            **(others or {}),
        },
    }


def render_responses(success: Schema, settings: DeepCallSettings) -> Schema:
    """The responses of an operation: errors are 200 too unless set otherwise."""
    error = _object(
        {
            "status": {"const": "error"},
            "message": {"type": "string"},
            "code": {"type": "integer", "enum": [int(code) for code in MESSAGES]},
        }
    )
    if not settings.has_error_statuses:
        return {"200": _response("Done, or refused: status and code say which.", {"oneOf": [success, error]})}
    statuses = sorted({str(status) for status in STATUSES.values()})
    return {"200": _response("Done.", success)} | {
        status: _response("Refused.", error) for status in statuses
    }


def _operation(name: str, success: Schema, settings: DeepCallSettings) -> Schema:
    properties, required = _REQUESTS[name]
    body = {"type": "object", "properties": {**_CREDENTIALS, **properties}, "required": list(required)}
    return {
        "operationId": name,
        "summary": _SUMMARIES[name],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": body}},
        },
        "responses": render_responses(success, settings),
    }


def _response(description: str, schema: Schema) -> Schema:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _object(properties: dict[str, Schema]) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _success(shape: SuccessShape, data: dict[str, Schema]) -> Schema:
    head: dict[str, Schema] = {
        "status": {"const": "success"},
        "message": {"type": "string"},
        "code": {"const": SUCCESS_CODE},
    }
    match shape:
        case SuccessShape.UNION:
            top = {name: data[name] for name in ("mask", "expiry_time")}
            return _object({**head, "data": _object(data), **top})
        case SuccessShape.DATA:
            return _object({**head, "data": _object(data)})
        case SuccessShape.TOP:
            return _object({**head, **data})
        case SuccessShape.MASK:
            return _object({"status": head["status"], "mask": data["mask"]})


def _masklist() -> Schema:
    mask = {
        **_SHOWN_MASK,
        "created_time": _SHOWN_TIME,
        "status": {"type": "string", "enum": ["active", "expired"]},
        "calls": {"type": "array", "items": _object(_CALL)},
    }
    data = {
        "total": {"type": "integer", "minimum": 0},
        "page": _count(PAGE_MAX),
        "limit": _count(LIST_LIMIT_MAX),
        "masks": {"type": "array", "maxItems": LIST_LIMIT_MAX, "items": _object(mask)},
    }
    return _success(SuccessShape.DATA, data)

"""Click to call in the OpenAPI document of the DeepCall dialect: each path by POST and by GET.

Source: OpenAPI Specification 3.1.0.
"""

from typing import Final

from maskline.api.deepcall.click_to_call import AGENT_PATH, FROM_TO_PATHS
from maskline.api.deepcall.kernel import SUCCESS_CODE, DeepCallSettings
from maskline.api.deepcall.schema import Schema, render_responses
from maskline.api.deepcall.values import EVENT_ID_LENGTH_MAX, TEXT_LENGTH_MAX
from maskline.core.masking import RING_TIMEOUT_S_MAX, RING_TIMEOUT_S_MIN

_TEXT: Final[Schema] = {"type": "string", "maxLength": TEXT_LENGTH_MAX}
_PHONE: Final[Schema] = {
    **_TEXT,
    "description": "A phone number: of the account's country, or with its code.",
}
_PHONES: Final[Schema] = {**_TEXT, "description": "One to five phone numbers; the first is called."}
_TYPE: Final[Schema] = {"type": "string", "description": "Only Number, in any letter case."}
_CLI: Final[Schema] = {**_TEXT, "description": "A virtual number of the account, which both are to see."}
_RING_TIME: Final[Schema] = {
    "type": "integer",
    "description": f"Seconds; moved into {RING_TIMEOUT_S_MIN} to {RING_TIMEOUT_S_MAX}.",
}
_COMMON: Final[dict[str, Schema]] = {
    "user_id": _TEXT,
    "token": _TEXT,
    "ssid": {**_TEXT, "description": "Instead of user_id and token."},
    "fromRingTime": _RING_TIME,
    "toRingTime": _RING_TIME,
    "eventId": {"type": "string", "maxLength": EVENT_ID_LENGTH_MAX},
    "expiry_time": {"type": "string", "description": "As in set, of a mask made for the call."},
    "expiry_duration": {"type": "integer", "description": "Minutes from now, of a mask made for the call."},
}
_FROM_TO: Final[dict[str, Schema]] = {
    "from": _PHONES,
    "to": _PHONE,
    "fromType": _TYPE,
    "toType": _TYPE,
    "cli": _CLI,
    "fromCLI": _CLI,
    "toCLI": _CLI,
}
_AGENT: Final[dict[str, Schema]] = {
    "agent_number": _PHONES,
    "customer": _PHONE,
    "agentType": _TYPE,
    "callFirst": {"type": "string", "description": "agent, the default, or customer; in any letter case."},
    "customerCLI": _CLI,
    "agentCLI": _CLI,
    "fromCLI": _CLI,
}
_SUCCESS: Final[Schema] = {
    "type": "object",
    "properties": {
        "status": {"const": "success"},
        "message": {"type": "string"},
        "code": {"const": SUCCESS_CODE},
        "callId": {"type": "string", "description": "Of the call, as its report has it."},
        "mask": {"type": "string", "pattern": "^[0-9]+$"},
    },
    "required": ["status", "message", "code", "callId", "mask"],
    "additionalProperties": False,
}


_SUMMARY: Final = {
    "click_to_call_v1": "Call from first, then to.",
    "click_to_call_v2": "Call from first, then to, with ring times.",
    "click_to_call_v3": "Call agent or customer first, then the other.",
}


def describe_clicks(settings: DeepCallSettings) -> dict[str, Schema]:
    """The path items of click to call, for `describe`."""
    first, second = FROM_TO_PATHS
    return {
        first: _path_item("click_to_call_v1", _FROM_TO, ("from", "to"), settings),
        second: _path_item("click_to_call_v2", _FROM_TO, ("from", "to"), settings),
        AGENT_PATH: _path_item("click_to_call_v3", _AGENT, ("agent_number", "customer"), settings),
    }


def _path_item(
    name: str, own: dict[str, Schema], required: tuple[str, ...], settings: DeepCallSettings
) -> Schema:
    summary = _SUMMARY[name]
    properties = {**_COMMON, **own}
    responses = render_responses(_SUCCESS, settings)
    body = {"type": "object", "properties": properties, "required": list(required)}
    return {
        "post": {
            "operationId": name,
            "summary": summary,
            "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
            "responses": responses,
        },
        "get": {
            "operationId": f"{name}_by_get",
            "summary": f"{summary} By GET.",
            "parameters": [
                {"name": field, "in": "query", "required": field in required, "schema": schema}
                for field, schema in properties.items()
            ],
            "responses": responses,
        },
    }

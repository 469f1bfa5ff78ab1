"""The OpenAPI document of the Plivo dialect: made by hand, since bodies and queries are read by hand.

Requests are described as the clients send them; that more is taken (other letter case, other spellings, numbers as
text) is said in words, and told exactly in docs/api/plivo.md. Answers are described exactly.
"""

from importlib.metadata import version
from typing import Any

from maskline.api.plivo import wire
from maskline.api.plivo.call_mapping import HANGUP_SOURCES
from maskline.api.plivo.fields import URL_LENGTH_MAX
from maskline.api.plivo.kernel import PREFIX
from maskline.api.plivo.schema_objects import OBJECTS, TEXT, UUID, Schema, ref
from maskline.core import masking

_INTEGERS = {
    "session_expiry": (
        masking.SESSION_EXPIRY_S_MIN,
        masking.SESSION_EXPIRY_S_MAX,
        masking.SESSION_EXPIRY_S_DEFAULT,
        "Seconds until the session ends; 0 is not given.",
    ),
    "call_time_limit": (
        masking.CALL_TIME_LIMIT_S_MIN,
        masking.CALL_TIME_LIMIT_S_MAX,
        masking.CALL_TIME_LIMIT_S_DEFAULT,
        "Seconds of each leg from its answer; moved into the range, and not given if 0 or no number.",
    ),
    "ring_timeout": (
        masking.RING_TIMEOUT_S_MIN,
        masking.RING_TIMEOUT_S_MAX,
        masking.RING_TIMEOUT_S_DEFAULT,
        "Seconds a phone rings; moved into the range, and not given if 0 or no number.",
    ),
    "generate_pin_length": (
        masking.PIN_LENGTH_MIN,
        masking.PIN_LENGTH_MAX,
        masking.PIN_LENGTH_DEFAULT,
        "Digits of each PIN that is made.",
    ),
    "pin_retry": (0, wire.PIN_RETRY_MAX, masking.PIN_RETRY_COUNT_DEFAULT, "Tries after the first."),
    "pin_retry_wait": (
        wire.PIN_RETRY_WAIT_S_MIN,
        wire.PIN_RETRY_WAIT_S_MAX,
        masking.PIN_RETRY_WAIT_S_DEFAULT,
        "Seconds before the next try.",
    ),
    "virtual_number_cooloff_period": (
        0,
        masking.COOLOFF_S_MAX,
        0,
        "Seconds the number stays taken after the end.",
    ),
}
_BOOLEANS = {
    "record": (False, "Whether calls are recorded, from the moment both parties hear each other."),
    "initiate_call_to_first_party": (False, "Whether the service calls the first party at once."),
    "is_pin_authentication_required": (False, "Whether strangers are asked for a PIN."),
    "generate_pin": (False, "Whether the service makes both PINs."),
    "geomatch": (True, "Whether the number is of the first party's country."),
    "force_pin_authentication": (False, "Whether the parties are asked for a PIN, too."),
    "create_session_with_single_party": (False, "Whether one party is enough."),
}
_CHOICES = {
    "record_file_format": (["mp3", "wav"], "mp3"),
    "callback_method": (["GET", "POST"], "POST"),
    "recording_callback_method": (["GET", "POST"], "POST"),
}
_PARTY: Schema = {
    "pattern": r"^\+?[1-9][0-9]{6,14}$",
    "description": "A phone number, country code first, with or without plus.",
    "examples": ["+919812300001"],
}
_TEXTS: dict[str, Schema] = {
    "first_party": _PARTY,
    "second_party": _PARTY,
    "first_party_pin": {
        "pattern": "^[0-9]{4,15}$",
        "description": "Needed with PIN and without generate_pin.",
    },
    "second_party_pin": {"pattern": "^[0-9]{4,15}$", "description": "Unlike the other one."},
    "subaccount": {"pattern": "^SA[0-9A-Za-z]{18}$", "description": "Its numbers only."},
}
_STATUSES = {
    "400": "A value is wrong, the pool is exhausted, or the session has expired; `error` says which.",
    "401": "The credentials are missing or wrong, or the path is another account's.",
    "404": "There is no such thing, or it is another account's.",
    "405": "The path does not have this method.",
    "429": "Too much at once; Retry-After says when to come back.",
    "500": "A fault of ours, or the database is away.",
}
_UUID_PATTERN = "[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}"
_PATH_PARAMETERS: dict[str, Schema] = {
    "auth_id": {"type": "string", "pattern": "^[MS]A[0-9A-Za-z]{18}$", "description": "Of the credentials."},
    "session_uuid": {"type": "string", "pattern": f"^{_UUID_PATTERN}$"},
    "call_uuid": {"type": "string", "pattern": f"^{_UUID_PATTERN}$"},
    "recording_id": {"type": "string", "pattern": f"^({_UUID_PATTERN}|[0-9A-Fa-f]{{32}})$"},
}
_COMPARISONS = ("gt", "gte", "lt", "lte")
_SINGLE = "create_session_with_single_party"


def describe(*, has_recordings: bool) -> Schema:
    """The document of the dialect as it is mounted."""
    paths = {
        f"/Account/{{auth_id}}/{path}": operations
        for path, operations in _PATHS.items()
        if has_recordings or not path.startswith("Recording")
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "Maskline: Plivo number masking dialect", "version": version("maskline")},
        "servers": [{"url": PREFIX}],
        "paths": paths,
        "components": {
            "schemas": OBJECTS,
            "securitySchemes": {
                "account": {
                    "type": "http",
                    "scheme": "basic",
                    "description": "The auth id and token of an account or a sub-account.",
                }
            },
        },
        "security": [{"account": []}],
    }


def describe_field(name: str) -> Schema:
    """The schema of one field of a body."""
    if name in _INTEGERS:
        low, high, default, text = _INTEGERS[name]
        return {"type": "integer", "minimum": low, "maximum": high, "default": default, "description": text}
    if name in _BOOLEANS:
        is_default, text = _BOOLEANS[name]
        return {"type": "boolean", "default": is_default, "description": text}
    if name in _CHOICES:
        choices, choice = _CHOICES[name]
        return {"type": "string", "enum": choices, "default": choice}
    if name in wire.URL_FIELDS:
        return {"type": "string", "format": "uri", "pattern": "^https?://", "maxLength": URL_LENGTH_MAX}
    return {"type": "string", **_TEXTS[name]}


def _body(names: tuple[str, ...], *, needs_parties: bool) -> Schema:
    schema: Schema = {"type": "object", "properties": {name: describe_field(name) for name in names}}
    if needs_parties:
        schema["anyOf"] = [
            {"required": ["first_party", "second_party"]},
            *(
                {"required": [party, _SINGLE], "properties": {_SINGLE: {"const": True}}}
                for party in ("first_party", "second_party")
            ),
        ]
    description = (
        "JSON under any Content-Type; keys in any letter case, with or without underscores; "
        "unknown ones are ignored."
    )
    return {
        "required": needs_parties,
        "description": description,
        "content": {"application/json": {"schema": schema}},
    }


def _query(name: str, schema: Schema, description: str = "") -> Schema:
    parameter: Schema = {"name": name, "in": "query", "required": False, "schema": schema}
    return parameter | ({"description": description} if description else {})


def _axis(name: str, schema: Schema, description: str) -> list[Schema]:
    return [
        _query(name, schema, description),
        *(_query(f"{name}__{comparison}", schema) for comparison in _COMPARISONS),
    ]


_TIME = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\d( \d\d:\d\d(:\d\d(\.\d{1,6})?)?)?$"}
_SECONDS = {"type": "integer"}
_PAGE = [
    _query("limit", {"type": "integer", "minimum": 1, "maximum": masking.LIST_LIMIT_MAX, "default": 20}),
    _query("offset", {"type": "integer", "minimum": 0, "default": 0}, "Counts objects."),
]
_SUBACCOUNT = _query("subaccount", {"type": "string", "pattern": "^SA[0-9A-Za-z]{18}$"})
_WINDOW = "UTC; an instant as wide as it is written. Seven days where none is given, thirty at most."
_SESSION_FILTERS = [
    _query("first_party", TEXT, "A phone number."),
    _query("second_party", TEXT, "A phone number."),
    _query("virtual_number", {"type": "string", "pattern": r"^\+?[0-9]{1,15}$"}),
    _query(
        "status", {"type": "string", "enum": ["active", "expired", "in-progress", "all"], "default": "all"}
    ),
    *_axis("created_time", _TIME, _WINDOW),
    *_axis("expiry_time", _TIME, _WINDOW),
    *_axis("duration", _SECONDS, "Seconds from creation to end."),
    _SUBACCOUNT,
    *_PAGE,
]
_CALL_STATUS = _query(
    "status",
    {"type": "string", "enum": ["live", "queued"]},
    "Running calls instead of finished ones; none queues.",
)
_CALL_FILTERS = [
    _query("call_direction", {"type": "string", "enum": ["inbound", "outbound"]}),
    _query("from_number", TEXT, "A phone number, of a person or virtual; whole."),
    _query("to_number", TEXT, "A phone number, of a person or virtual; whole."),
    _query("parent_call_uuid", UUID, "Of leg A: finds its leg B."),
    *_axis("end_time", _TIME, _WINDOW),
    *_axis("bill_duration", _SECONDS, "Answered seconds."),
    _query("hangup_cause_code", {"type": "integer"}),
    _query("hangup_source", {"type": "string", "enum": list(HANGUP_SOURCES)}),
    _CALL_STATUS,
    _SUBACCOUNT,
    *_PAGE,
]
_RECORDING_FILTERS = [
    _query("call_uuid", TEXT, "Of the call or of either leg."),
    _query("from_number", TEXT, "Of either leg: a phone number, of a person or virtual; whole."),
    _query("to_number", TEXT, "Of either leg: a phone number, of a person or virtual; whole."),
    *(
        _query(name, TEXT, "There are no recordings of conferences.")
        for name in ("conference_name", "conference_uuid", "mpc_name", "mpc_uuid")
    ),
    *_axis("add_time", _TIME, _WINDOW),
    *_axis("recording_storage_duration", {"type": "integer"}, "Days, the first one counting."),
    _SUBACCOUNT,
    *_PAGE,
]


def _json(description: str, name: str) -> Schema:
    return {"description": description, "content": {"application/json": {"schema": ref(name)}}}


def _operation(
    name: str,
    summary: str,
    responses: Schema,
    *,
    refuses: tuple[str, ...] = ("400", "401", "404", "405", "429", "500"),
    **extra: Any,
) -> Schema:
    refusals = {status: _json(_STATUSES[status], "Error") for status in refuses}
    if "405" in refusals:
        refusals["405"]["headers"] = {"Allow": {"schema": TEXT}}
    return {"operationId": name, "summary": summary, **extra, "responses": {**responses, **refusals}}


def _path(*names: str, **operations: Schema) -> Schema:
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": _PATH_PARAMETERS[name]}
        for name in ("auth_id", *names)
    ]
    return {"parameters": parameters, **operations}


_CREATE = _body(wire.FIELDS, needs_parties=True)
_CREATE_LEGACY = _body(tuple(name for name in wire.FIELDS if name != "geomatch"), needs_parties=True)
_UPDATE = _body(
    tuple(name for name in wire.FIELDS if name in wire.UPDATABLE | wire.PARTIES), needs_parties=False
)
_AUDIO_PARAMETERS = [
    {"name": "Range", "in": "header", "required": False, "schema": {"type": "string"}},
    {"name": "If-Range", "in": "header", "required": False, "schema": {"type": "string"}},
    _query("expires", {"type": "integer"}, "Of a signed link: until when, in Unix time."),
    _query("signature", {"type": "string", "pattern": "^[0-9a-f]{64}$"}, "Of a signed link."),
]


def _audio(format_: str, media_type: str) -> Schema:
    content = {"content": {media_type: {"schema": {"type": "string", "contentMediaType": media_type}}}}
    part = {"Content-Range": {"schema": TEXT}}
    refuses = ("401", "404", "405", "429", "500")
    get = _operation(
        f"recording_{format_}",
        "The audio of a recording, in its session's format only.",
        {
            "200": {"description": "All of it.", **content},
            "206": {"description": "The part that was asked for.", "headers": part, **content},
            "416": {"description": "It is not that long.", "headers": part},
        },
        refuses=refuses,
        parameters=_AUDIO_PARAMETERS,
        security=[{"account": []}, {}],
    )
    return _path("recording_id", get=get)


_PATHS: dict[str, Schema] = {
    "Masking/Session": _path(
        post=_operation(
            "create",
            "Make a session, or update the live one of the same pair.",
            {"201": _json("The session stands.", "Created")},
            requestBody=_CREATE,
        ),
        get=_operation(
            "list",
            "Sessions, newest first.",
            {"200": _json("One page.", "SessionPage")},
            parameters=_SESSION_FILTERS,
        ),
    ),
    "Masking/Session/{session_uuid}": _path(
        "session_uuid",
        get=_operation("get", "One session.", {"200": _json("The session.", "OneSession")}),
        post=_operation(
            "update",
            "Change what is given; the rest stays, the end too.",
            {"200": _json("The session as it is now.", "Updated")},
            requestBody=_UPDATE,
        ),
        delete=_operation("delete", "End a session at once.", {"200": _json("It is over.", "Deleted")}),
    ),
    "Session": _path(
        post=_operation(
            "create_legacy",
            "As create, without geomatch; the answer has no session.",
            {"201": _json("The session stands.", "CreatedLegacy")},
            requestBody=_CREATE_LEGACY,
        )
    ),
    "Session/{session_uuid}": _path(
        "session_uuid",
        post=_operation(
            "update_legacy",
            "As update.",
            {"200": _json("The session as it is now.", "Updated")},
            requestBody=_UPDATE,
        ),
        delete=_operation("delete_legacy", "As delete.", {"200": _json("It is over.", "DeletedLegacy")}),
    ),
    "Call": _path(
        get=_operation(
            "call_list",
            "Legs of finished calls, newest call first; or with status the ids of running ones.",
            {"200": _json("One page, or ids.", "CallPage")},
            parameters=_CALL_FILTERS,
        )
    ),
    "Call/{call_uuid}": _path(
        "call_uuid",
        get=_operation(
            "call_get",
            "One leg of a finished call; or with status of a running one.",
            {"200": _json("The leg.", "OneCall")},
            parameters=[_CALL_STATUS],
        ),
    ),
    "Recording": _path(
        get=_operation(
            "recording_list",
            "Recordings, newest first.",
            {"200": _json("One page.", "RecordingPage")},
            parameters=_RECORDING_FILTERS,
        )
    ),
    "Recording/{recording_id}": _path(
        "recording_id",
        get=_operation("recording_get", "One recording.", {"200": _json("The recording.", "OneRecording")}),
        delete=_operation(
            "recording_delete", "Delete a recording and its audio.", {"204": {"description": "It is gone."}}
        ),
    ),
    "Recording/{recording_id}.mp3": _audio("mp3", "audio/mpeg"),
    "Recording/{recording_id}.wav": _audio("wav", "audio/wav"),
}

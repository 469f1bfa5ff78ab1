"""JSON schemas of what the Plivo dialect answers: strict, so that an answer with another key or type breaks them."""

from typing import Any

from maskline.api.plivo.call_mapping import HANGUP_SOURCES
from maskline.core.masking import LIST_LIMIT_MAX, LegStatus
from maskline.core.termination import TERMINATIONS

Schema = dict[str, Any]

UUID: Schema = {"type": "string", "format": "uuid"}
TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}
FLAG: Schema = {"type": "boolean"}
NOTHING: Schema = {"type": "null"}
_TIME: Schema = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+0000 UTC$"}
_TIME_OR_NEVER: Schema = {"type": "string", "pattern": r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+0000 UTC)?$"}
_ZONED_TIME: Schema = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{6})?\+00:00$"}
_DIGITS: Schema = {"type": "string", "pattern": r"^\d*$"}
_METHOD: Schema = {"type": "string", "enum": ["GET", "POST"]}
_FORMAT: Schema = {"type": "string", "enum": ["mp3", "wav"]}
_NO_AMOUNT: Schema = {"type": "integer", "const": 0, "description": "Nothing is charged."}
_MILLISECONDS: Schema = {"type": "string", "pattern": r"^\d+\.00000$"}
_LEG_STATUS: Schema = {"type": "string", "enum": [status.value for status in LegStatus]}


def or_null(schema: Schema) -> Schema:
    """The same, or null."""
    return {"anyOf": [schema, NOTHING]}


def ref(name: str) -> Schema:
    """A schema of `OBJECTS` by its name."""
    return {"$ref": f"#/components/schemas/{name}"}


def strict(properties: Schema, *, optional: tuple[str, ...] = ()) -> Schema:
    """An object with these keys and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
    }


def reply(**properties: Schema) -> Schema:
    """An answer: what it says, after the id that every answer has."""
    return strict({"api_id": UUID, **properties})


_INTERACTION = strict(
    {
        "start_time": _TIME,
        "end_time": _TIME,
        "first_party_resource_url": {"type": "string", "format": "uri"},
        "second_party_resource_url": {"type": "string", "format": "uri"},
        "recording_resource_url": {"type": "string", "format": "uri"},
        "first_party_status": _LEG_STATUS,
        "second_party_status": _LEG_STATUS,
        "type": {"type": "string", "const": "call"},
        "total_call_amount": _NO_AMOUNT,
        "call_billed_duration": COUNT,
        "total_call_count": {"type": "integer", "minimum": 1, "maximum": 2},
        "duration": COUNT,
    },
    optional=(
        "first_party_resource_url",
        "second_party_resource_url",
        "recording_resource_url",
        "first_party_status",
        "second_party_status",
        "total_call_amount",
        "call_billed_duration",
    ),
)
_SESSION: Schema = {
    "first_party": _DIGITS,
    "second_party": _DIGITS,
    "virtual_number": _DIGITS,
    "status": {"type": "string", "enum": ["active", "expired"]},
    "initiate_call_to_first_party": FLAG,
    "session_uuid": UUID,
    "callback_url": TEXT,
    "callback_method": _METHOD,
    "created_time": _TIME,
    "modified_time": _TIME,
    "expiry_time": _TIME,
    "duration": COUNT,
    "amount": _NO_AMOUNT,
    "call_time_limit": COUNT,
    "ring_timeout": COUNT,
    "first_party_play_url": TEXT,
    "second_party_play_url": TEXT,
    "record": FLAG,
    "record_file_format": _FORMAT,
    "recording_callback_url": TEXT,
    "recording_callback_method": _METHOD,
    "interaction": or_null({"type": "array", "minItems": 1, "items": ref("Interaction")}),
    "total_call_amount": _NO_AMOUNT,
    "total_call_count": COUNT,
    "total_call_billed_duration": COUNT,
    "total_session_amount": _NO_AMOUNT,
    "last_interaction_time": _TIME_OR_NEVER,
    "unknown_caller_play": TEXT,
    "is_pin_authentication_required": FLAG,
    "generate_pin": or_null(FLAG),
    "generate_pin_length": or_null(COUNT),
    "first_party_pin": or_null(_DIGITS),
    "second_party_pin": or_null(_DIGITS),
    "pin_prompt_play": or_null(TEXT),
    "pin_retry": or_null(COUNT),
    "pin_retry_wait": or_null(COUNT),
    "incorrect_pin_play": or_null(TEXT),
    "create_session_with_single_party": or_null(FLAG),
    "virtual_number_cooloff_period": COUNT,
    "force_pin_authentication": FLAG,
    "subaccount": {"type": "string", "pattern": "^SA[0-9A-Za-z]{18}$"},
}
_RECORDING: Schema = {
    "add_time": _ZONED_TIME,
    "call_uuid": UUID,
    "conference_name": NOTHING,
    "from_number": _DIGITS,
    "monthly_recording_storage_amount": _NO_AMOUNT,
    "recording_duration_ms": _MILLISECONDS,
    "recording_end_ms": _MILLISECONDS,
    "recording_format": _FORMAT,
    "recording_id": UUID,
    "recording_start_ms": _MILLISECONDS,
    "recording_storage_duration": COUNT,
    "recording_storage_rate": _NO_AMOUNT,
    "recording_type": {"type": "string", "const": "normal"},
    "recording_url": {"type": "string", "format": "uri"},
    "resource_uri": TEXT,
    "rounded_recording_duration": COUNT,
    "to_number": _DIGITS,
}
_CALL: Schema = {
    "answer_time": or_null(_ZONED_TIME),
    "bill_duration": COUNT,
    "billed_duration": COUNT,
    "call_direction": {"type": "string", "enum": ["inbound", "outbound"]},
    "call_duration": COUNT,
    "call_state": {
        "type": "string",
        "enum": ["ANSWER", "BUSY", "NO_ANSWER", "FAILED", "CANCEL", "REJECTED"],
    },
    "call_uuid": UUID,
    "cnam_lookup": TEXT,
    "conference_uuid": NOTHING,
    "end_time": _ZONED_TIME,
    "from_number": _DIGITS,
    "hangup_cause_code": {
        "type": "integer",
        "enum": sorted({row.plivo_code for row in TERMINATIONS.values()}),
    },
    "hangup_cause_name": {
        "type": "string",
        "enum": sorted({row.plivo_cause for row in TERMINATIONS.values()}),
    },
    "hangup_source": {"type": "string", "enum": list(HANGUP_SOURCES)},
    "initiation_time": _ZONED_TIME,
    "parent_call_uuid": or_null(UUID),
    "resource_uri": TEXT,
    "source_ip": TEXT,
    "stir_attestation": TEXT,
    "stir_verification": TEXT,
    "to_number": _DIGITS,
    "total_amount": TEXT,
    "total_rate": TEXT,
    "voice_network_group": TEXT,
}
_LIVE_CALL: Schema = {
    "call_status": {"type": "string", "enum": ["ringing", "in-progress"]},
    "call_uuid": UUID,
    "caller_name": TEXT,
    "direction": {"type": "string", "enum": ["inbound", "outbound"]},
    "from": _DIGITS,
    "parent_call_uuid": or_null(UUID),
    "request_uuid": UUID,
    "session_start": TEXT,
    "stir_attestation": TEXT,
    "stir_verification": TEXT,
    "to": _DIGITS,
}
_META = strict(
    {
        "limit": {"type": "integer", "minimum": 1, "maximum": LIST_LIMIT_MAX},
        "next": or_null({"type": "string", "format": "uri-reference"}),
        "offset": COUNT,
        "previous": or_null({"type": "string", "format": "uri-reference"}),
        "total_count": COUNT,
    }
)


def _page(name: str) -> Schema:
    return strict({"meta": ref("Meta"), "objects": {"type": "array", "items": ref(name)}})


OBJECTS: dict[str, Schema] = {
    "Error": reply(error={"type": "string", "minLength": 1}),
    "Meta": _META,
    "Interaction": _INTERACTION,
    "Session": strict(_SESSION, optional=("subaccount",)),
    "ListedSession": strict({**_SESSION, "resource_uri": TEXT}, optional=("subaccount",)),
    "Created": reply(
        session_uuid=UUID,
        virtual_number={"type": "string", "pattern": r"^\+\d+$"},
        message={"const": "Session created"},
        session=ref("Session"),
    ),
    "CreatedLegacy": reply(
        session_uuid=UUID,
        virtual_number={"type": "string", "pattern": r"^\+\d+$"},
        message={"const": "Session Created"},
    ),
    "Updated": reply(message={"const": "Session updated"}, session=ref("Session")),
    "Deleted": reply(message={"const": "Session expired"}),
    "DeletedLegacy": reply(message={"const": "Session Deleted"}),
    "OneSession": reply(response=ref("Session")),
    "SessionPage": reply(response=_page("ListedSession")),
    "Recording": strict(_RECORDING),
    "OneRecording": reply(**_RECORDING),
    "RecordingPage": reply(meta=ref("Meta"), objects={"type": "array", "items": ref("Recording")}),
    "Call": strict(_CALL),
    "OneCall": {"anyOf": [reply(**_CALL), reply(**_LIVE_CALL)]},
    "CallPage": {
        "anyOf": [
            reply(meta=ref("Meta"), objects={"type": "array", "items": ref("Call")}),
            reply(calls={"type": "array", "items": UUID}),
        ]
    },
}
"""By name: the objects of the dialect and its whole answers."""

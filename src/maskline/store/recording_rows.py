"""The row of a recording as a value.

`HAS_ID` takes the id as `id_`: a column that is also written may not be named twice.
"""

import json
from typing import Any, Final

from sqlalchemy import bindparam

from maskline.core.masking import RecordFormat
from maskline.core.recording import (
    NotedLegs,
    Recording,
    RecordingFailure,
    RecordingState,
    notes_from_plain,
    notes_to_plain,
)

from .engine import Row
from .schema_recordings import recording

DAY_US: Final = 86_400_000_000
_encode: Final = json.JSONEncoder(separators=(",", ":")).encode
_r: Final = recording.c
HAS_ID: Final = _r.id == bindparam("id_")
COLUMNS: Final = (
    _r.id,
    _r.account_id,
    _r.session_id,
    _r.call_id,
    _r.switch_id,
    _r.format,
    _r.state,
    _r.notes,
    _r.started_at,
    _r.ended_at,
    _r.is_interrupted,
    _r.storage_key,
    _r.duration_ms,
    _r.size_bytes,
    _r.failure,
    _r.completed_at,
    _r.expires_at,
    _r.deleted_at,
    _r.attempt_count,
)


def render_notes(notes: tuple[NotedLegs, ...]) -> str:
    """Write notes as JSON."""
    return _encode(notes_to_plain(notes))


def parse_notes(text: str) -> tuple[NotedLegs, ...]:
    """Read what `render_notes` wrote."""
    return notes_from_plain(json.loads(text))


def read_recording(row: Row) -> Recording:
    """Make a value of a row of `COLUMNS`."""
    named: dict[str, Any] = dict(zip((column.name for column in COLUMNS), row, strict=True))
    failure = named["failure"]
    return Recording(
        **{
            **named,
            "format": RecordFormat(named["format"]),
            "state": RecordingState(named["state"]),
            "notes": parse_notes(named["notes"]),
            "is_interrupted": bool(named["is_interrupted"]),
            "failure": None if failure is None else RecordingFailure(failure),
        }
    )

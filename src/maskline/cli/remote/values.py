"""Values of the interface in the form that everything else of ours has."""

from dataclasses import dataclass
from datetime import datetime

from maskline.clock import from_datetime
from maskline.core.masking import RecordFormat


def optional_micros(moment: datetime | None) -> int | None:
    """Microseconds UTC of an instant; None stays None."""
    return None if moment is None else from_datetime(moment)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedRecording:
    """What is told of a recording in lists. Instants in µs UTC."""

    id: str
    session_id: str
    call_id: str
    format: RecordFormat
    started_at: int
    duration_ms: int | None
    size_bytes: int | None
    expires_at: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeLink:
    """A link to a recording, and until when it works (µs UTC)."""

    url: str
    expires_at: int

"""What a conversion is asked for and what it tells: whoever asks needs none of its libraries."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maskline.core.masking import RecordFormat
from maskline.core.recording import NotedLegs, notes_from_plain, notes_to_plain


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversionJob:
    """What to convert, and how. Instants in µs UTC; `target` is made anew and must not be there."""

    capture: Path
    target: Path
    format: RecordFormat
    is_mono: bool
    started_at: int
    ended_at: int
    is_interrupted: bool
    notes: tuple[NotedLegs, ...]

    def to_json(self) -> str:
        """Write the job as one line."""
        return json.dumps(
            {
                "capture": str(self.capture),
                "target": str(self.target),
                "format": self.format.value,
                "is_mono": self.is_mono,
                "started_at": self.started_at,
                "ended_at": self.ended_at,
                "is_interrupted": self.is_interrupted,
                "notes": notes_to_plain(self.notes),
            }
        )

    @classmethod
    def from_json(cls, text: str) -> "ConversionJob":
        """Read what `to_json` wrote."""
        plain: dict[str, Any] = json.loads(text)
        return cls(
            **{
                **plain,
                "capture": Path(plain["capture"]),
                "target": Path(plain["target"]),
                "format": RecordFormat(plain["format"]),
                "notes": notes_from_plain(plain["notes"]),
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvertedAudio:
    """What was made. `ended_at` is before the job's when the call was interrupted."""

    ended_at: int
    duration_ms: int
    size_bytes: int
    packet_count: int

"""Recordings: what is noted while a call is captured, so that its audio can be read later, whatever happens."""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from typing import Any, Final, NamedTuple

from .call_record import Side
from .masking import RecordFormat, Span
from .numbers import E164

RECORDING_LIST_LIMIT_MAX: Final = 20
"""Recordings in one answer, as Plivo has it."""
RETENTION_DAYS_MAX: Final = 36_500  # a hundred years
_ID: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


class CapturedCodec(NamedTuple):
    """A payload type as one side's session description gave it a meaning."""

    payload_type: int
    name: str
    """As `media.codecs` writes it: PCMU, PCMA, G722, opus, G729, telephone-event."""
    clock_rate_hz: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CapturedLeg:
    """How to find one side's packets in a capture: by the port of ours they were sent to."""

    side: Side
    port: int
    codecs: tuple[CapturedCodec, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRecording:
    """A capture that starts now. `id` is 32 hexadecimal digits nobody can guess; it also names the capture's file."""

    id: str
    account_id: int
    session_id: str
    call_id: str
    format: RecordFormat
    legs: tuple[CapturedLeg, ...]
    started_at: int
    """The instant of the bridge, µs UTC: the recording's sample 0."""


class RecordingState(StrEnum):
    """How far a recording has come."""

    CAPTURING = "capturing"
    """Its call runs, and packets are written."""
    CAPTURED = "captured"
    """Its call is over; audio is still to be made of the packets."""
    COMPLETED = "completed"
    FAILED = "failed"


class RecordingFailure(StrEnum):
    """Why there is no audio of a call that should have been recorded."""

    RELAY_REFUSED = "relay-refused"
    """The relay could not start the capture."""
    NO_ROOM = "no-room"
    """Too little room on the disk for another capture."""
    CAPTURE_MISSING = "capture-missing"
    CAPTURE_UNREADABLE = "capture-unreadable"
    """The file is no capture, or holds nothing of the time of the bridge that can be decoded."""
    CONVERTER_FAILED = "converter-failed"
    CONVERTER_OVERRAN = "converter-overran"
    """The conversion needed more time or memory than it may."""
    STORAGE_FAILED = "storage-failed"
    DELETED = "deleted"
    """Somebody deleted it before it was converted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotedLegs:
    """What payload types mean from `noted_at` on (µs UTC), until the next note."""

    noted_at: int
    legs: tuple[CapturedLeg, ...]


def notes_to_plain(notes: tuple[NotedLegs, ...]) -> list[Any]:
    """Turn notes into lists for JSON: [noted_at, [[side, port, [[payload type, name, clock rate], ...]], ...]]."""
    return [
        [
            note.noted_at,
            [[leg.side.value, leg.port, [list(codec) for codec in leg.codecs]] for leg in note.legs],
        ]
        for note in notes
    ]


def notes_from_plain(plain: list[Any]) -> tuple[NotedLegs, ...]:
    """Read what `notes_to_plain` made."""
    return tuple(
        NotedLegs(
            noted_at=noted_at,
            legs=tuple(
                CapturedLeg(
                    side=Side(side), port=port, codecs=tuple(CapturedCodec(*codec) for codec in codecs)
                )
                for side, port, codecs in legs
            ),
        )
        for noted_at, legs in plain
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A recording as it stands. Instants in µs UTC, None for what is not yet or not at all.

    `ended_at` is the end of the capture, `completed_at` when the audio was stored (or given up),
    `expires_at` when it will be deleted for its age. `is_interrupted`: nobody saw the call's end, so the audio
    ends with the last packet at the latest. `storage_key` names the file in the storage.
    """

    id: str
    account_id: int
    session_id: str
    call_id: str
    switch_id: str
    """Whose relay captured it; "" when that is not known."""
    format: RecordFormat
    state: RecordingState
    notes: tuple[NotedLegs, ...]
    started_at: int
    ended_at: int | None
    is_interrupted: bool
    storage_key: str
    duration_ms: int | None
    size_bytes: int | None
    failure: RecordingFailure | None
    completed_at: int | None
    expires_at: int | None
    deleted_at: int | None
    attempt_count: int
    """Conversions that failed and were to be tried again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvertedRecording:
    """What conversion made: the audio's exact length and the size of its stored file."""

    recording_id: str
    ended_at: int
    duration_ms: int
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingFilter:
    """Which completed recordings of an account to list, newest first. `completed_at` spans µs UTC."""

    account_id: int
    subaccount_id: int | None = None
    call: str | None = None
    """The id of a call or of one of its legs."""
    from_number: E164 | None = None
    """Of either leg of the call: a person's, or a virtual one; so `to_number`."""
    to_number: E164 | None = None
    session_id: str | None = None
    completed_at: Span = field(default_factory=Span)
    limit: int = RECORDING_LIST_LIMIT_MAX
    offset: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingPage:
    """One page of a list, and how many recordings there are over all pages."""

    recordings: tuple[Recording, ...]
    total_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingNotFound:
    """No recording of that account has this id, or it is deleted, expired or not completed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingLink:
    """A link with which anybody may hear a recording until `expires_s` (Unix time)."""

    auth_id: str
    recording_id: str
    format: RecordFormat
    expires_s: int
    signature: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkRefused:
    """A link is not of our making, or its time is over."""


def render_recording_uuid(recording_id: str) -> str:
    """Write a recording's id with the hyphens of a UUID."""
    cuts = (0, 8, 12, 16, 20, 32)
    return "-".join(recording_id[start:end] for start, end in pairwise(cuts))


def parse_recording_id(text: str) -> str | None:
    """Read an id with or without hyphens, in any letter case; None when it is none."""
    bare = text.lower()
    if _UUID.fullmatch(bare):
        bare = bare.replace("-", "")
    return bare if _ID.fullmatch(bare) else None


def render_link_text(auth_id: str, recording_id: str, format_: RecordFormat, expires_s: int) -> str:
    """Write what the signature of a link stands for: whose file may be heard until when (Unix time)."""
    return f"{auth_id}/{recording_id}.{format_.value}?{expires_s}"

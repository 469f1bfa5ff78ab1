"""Recordings: what is noted while a call is captured, so that its audio can be read later, whatever happens."""

from dataclasses import dataclass
from typing import NamedTuple

from .call_record import Side
from .masking import RecordFormat


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

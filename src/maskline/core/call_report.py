"""What a report tells of a finished call as a whole: both legs, the session's own name for it, the recording."""

from dataclasses import dataclass

from .masking import LegStatus, RecordFormat
from .termination import Termination


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedLeg:
    """One leg of a reported call. Instants in µs UTC, None for what did not happen."""

    started_at: int
    """For the callee's leg the first ringing, where there was one."""
    answered_at: int | None
    status: LegStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedRecording:
    """A recording that can be heard."""

    id: str
    format: RecordFormat
    started_at: int
    duration_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CallReport:
    """A finished call. Instants in µs UTC; who spoke is in the facts of the event it is told with."""

    user_id: str
    """By which the account is known in the report's dialect."""
    timezone: str
    """The account's, an IANA name."""
    reference: str | None
    started_at: int
    bridged_at: int | None
    ended_at: int
    caller: ReportedLeg
    callee: ReportedLeg | None
    """None: it was not placed."""
    is_caller_first: bool
    """Whether the caller is the session's first party, or a stranger in its place."""
    is_service_initiated: bool
    termination: Termination
    recording: ReportedRecording | None

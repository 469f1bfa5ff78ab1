"""Domain events: what happened, as webhooks will tell it. They carry references, never numbers."""

from dataclasses import dataclass, field
from enum import StrEnum

EventValue = str | int | bool | None


class EventKind(StrEnum):
    """What happened."""

    SESSION_CREATED = "session.created"
    SESSION_UPDATED = "session.updated"
    SESSION_ENDED = "session.ended"
    """By request."""
    SESSION_EXPIRED = "session.expired"
    """By its clock."""
    CALL_STARTED = "call.started"
    PARTY_RINGING = "call.party_ringing"
    """A party's phone rings."""
    PARTY_ANSWERED = "call.party_answered"
    PARTY_HUNG_UP = "call.party_hung_up"
    """A party's answered leg ended, whoever ended it."""
    PIN_CHECKED = "call.pin_checked"
    """A PIN was right or wrong, or the caller needed none."""
    PROMPT_FAILED = "call.prompt_failed"
    """A prompt could not be played and was skipped."""
    CALL_FINISHED = "call.finished"
    RECORDING_STARTED = "recording.started"
    RECORDING_COMPLETED = "recording.completed"
    RECORDING_FAILED = "recording.failed"
    PIN_ALARM = "number.pin_alarm"
    """Too many wrong PINs on one number: strangers are refused there for a while."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainEvent:
    """One event of the outbox. `occurred_at` in µs UTC.

    `sequence` counts the events of one session from 1 without a gap. `facts` name parties by their
    reference only; whoever delivers the event unseals them at that moment.
    """

    id: int
    account_id: int
    session_id: str
    call_id: str | None
    kind: EventKind
    sequence: int
    occurred_at: int
    facts: dict[str, EventValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """An event a running call reports; its place in the session's sequence is taken when it is written.

    `occurred_at` in µs UTC. `facts` as in `DomainEvent`; what each kind carries is in docs/flows/events.md.
    """

    kind: EventKind
    account_id: int
    session_id: str
    call_id: str | None
    occurred_at: int
    facts: dict[str, EventValue] = field(default_factory=dict)

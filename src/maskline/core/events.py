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
    CALL_FINISHED = "call.finished"


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

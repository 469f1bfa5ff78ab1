"""What is asked of lists that are read on from where they were left, however much was added meanwhile."""

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from .call_record import CallRecord
from .masking import MaskingSession, Role, SessionStatus, Span
from .numbers import DID, E164
from .recording import Recording
from .termination import Result

PAGE_LIMIT_MAX: Final = 100
"""Things on one page."""


class PageKey(NamedTuple):
    """The last thing that was seen: its instant (µs UTC), then its id, both descending."""

    at: int
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionListFilter:
    """Which sessions of an account to list, newest first, behind `before`. `created_at` spans µs UTC."""

    account_id: int
    subaccount_id: int | None = None
    first: E164 | None = None
    second: E164 | None = None
    virtual_number: DID | None = None
    reference: str | None = None
    status: SessionStatus | None = None
    created_at: Span = field(default_factory=Span)
    before: PageKey | None = None
    limit: int = PAGE_LIMIT_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedSessions:
    """One page; `has_more` says whether there is another."""

    sessions: tuple[MaskingSession, ...]
    has_more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CallListFilter:
    """Which calls of an account to list, newest first, behind `before`. `started_at` spans µs UTC.

    A sub-account's calls are those of its sessions. `is_live` asks for calls that run; they have no result yet.
    """

    account_id: int
    subaccount_id: int | None = None
    session_id: str | None = None
    result: Result | None = None
    is_live: bool = False
    started_at: Span = field(default_factory=Span)
    before: PageKey | None = None
    limit: int = PAGE_LIMIT_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveCall:
    """A call that is being set up or runs. `started_at` in µs UTC."""

    call_id: str
    session_id: str
    account_id: int
    number: DID
    caller: E164 | None
    callee: E164 | None
    role: Role
    started_at: int
    is_service_initiated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedCalls:
    """One page; either running calls or finished ones."""

    calls: tuple[LiveCall | CallRecord, ...]
    has_more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingListFilter:
    """Which completed recordings of an account to list, newest first, behind `before`. `completed_at` spans µs UTC."""

    account_id: int
    subaccount_id: int | None = None
    session_id: str | None = None
    call_id: str | None = None
    completed_at: Span = field(default_factory=Span)
    before: PageKey | None = None
    limit: int = PAGE_LIMIT_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedRecordings:
    """One page; `has_more` says whether there is another."""

    recordings: tuple[Recording, ...]
    has_more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CallNotFound:
    """No such call in this account."""

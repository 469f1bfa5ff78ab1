"""Masking sessions: what was agreed between two parties, until when, and what came of it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from .numbers import DID, E164
from .secret import Secret
from .termination import Termination

SESSION_EXPIRY_S_DEFAULT: Final = 1800
SESSION_EXPIRY_S_MIN: Final = 60
SESSION_EXPIRY_S_MAX: Final = 86_400
CALL_TIME_LIMIT_S_DEFAULT: Final = 14_400
CALL_TIME_LIMIT_S_MIN: Final = 60
CALL_TIME_LIMIT_S_MAX: Final = 86_400
RING_TIMEOUT_S_DEFAULT: Final = 45
RING_TIMEOUT_S_MIN: Final = 5
RING_TIMEOUT_S_MAX: Final = 120
COOLOFF_S_MAX: Final = 3600
PIN_LENGTH_DEFAULT: Final = 4
PIN_LENGTH_MIN: Final = 4
PIN_LENGTH_MAX: Final = 15
PIN_RETRY_COUNT_DEFAULT: Final = 1
PIN_RETRY_WAIT_S_DEFAULT: Final = 5
LIST_LIMIT_MAX: Final = 20
"""Most sessions in one page. Source: Plivo, list all masking sessions."""

MICROSECONDS: Final = 1_000_000


class Role(StrEnum):
    """Which person of a session a binding or a caller is."""

    FIRST = "first"
    SECOND = "second"
    ANYONE = "anyone"
    """The stranger of a one-party session."""


class SessionStatus(StrEnum):
    """How a session stands at an instant; derived from the clock, never stored."""

    ACTIVE = "active"
    IN_PROGRESS = "in-progress"
    """Active with a call; only a list filter, never answered."""
    EXPIRED = "expired"


class SessionEndCause(StrEnum):
    """Why a session is over."""

    EXPIRED = "expired"
    DELETED = "deleted"
    NUMBER_REMOVED = "number-removed"


class RepeatRule(StrEnum):
    """What a creation does that finds a live session of its pair."""

    UPDATE = "update"
    """Given values replace, the end moves, and that session is the answer."""
    REFUSE = "refuse"
    REUSE = "reuse"
    """That session is the answer, as it stands."""


class RecordFormat(StrEnum):
    """Container of a call recording."""

    MP3 = "mp3"
    WAV = "wav"


class CallbackMethod(StrEnum):
    """How a callback URL is requested."""

    GET = "GET"
    POST = "POST"


class LegStatus(StrEnum):
    """What became of one person's leg of a call."""

    COMPLETED = "completed"
    """It was answered."""
    BUSY = "busy"
    NO_ANSWER = "no-answer"
    FAILED = "failed"
    CANCELLED = "cancelled"
    """Given up before it was answered."""
    REJECTED = "rejected"


class InteractionKind(StrEnum):
    """What a contact between the parties was."""

    CALL = "call"


@dataclass(frozen=True, slots=True, kw_only=True)
class PinSettings:
    """PIN behaviour of a session that has PIN on; pins are decimal digits."""

    first: Secret | None = None
    second: Secret | None = None
    is_generated: bool = False
    length: int = PIN_LENGTH_DEFAULT
    prompt_url: str = ""
    retry_count: int = PIN_RETRY_COUNT_DEFAULT
    retry_wait_s: int = PIN_RETRY_WAIT_S_DEFAULT
    incorrect_url: str = ""
    is_forced: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMaskingSession:
    """What is asked of `create_masking_session`; None means not given.

    At least one party is given, and two parties differ; both are the caller's duty to check, and that
    neither is a virtual number is answered by `create_masking_session`.
    Ranges are those of the constants above. URLs are at most 1000 characters, "" for none.
    """

    first: E164 | None
    second: E164 | None
    expires_in_s: int | None = None
    ends_at: int | None = None
    """The end in µs UTC, in the future; it wins over `expires_in_s`."""
    call_time_limit_s: int | None = None
    ring_timeout_s: int | None = None
    is_recorded: bool | None = None
    record_format: RecordFormat | None = None
    recording_callback_url: str | None = None
    recording_callback_method: CallbackMethod | None = None
    callback_url: str | None = None
    callback_method: CallbackMethod | None = None
    first_play_url: str | None = None
    second_play_url: str | None = None
    unknown_caller_url: str | None = None
    calls_first: bool = False
    """Whether the service calls the first party at once."""
    pin: PinSettings | None = None
    """None: PIN off. With `is_generated` both pins are drawn; else both are given."""
    is_geomatched: bool = True
    is_single_party: bool | None = None
    cooloff_s: int = 0
    subaccount_id: int | None = None
    pool_id: int | None = None
    """None: any number of the account."""
    virtual_number: DID | None = None
    """The one number to have, or none at all; None: whichever the policy chooses."""
    prefers_own_number: bool = False
    """Whether a number that others are live on is taken only where there is none without."""
    reference: str | None = None
    """The client's own name for it, at most 200 characters; on repetition a given one replaces."""
    is_pair_ordered: bool = True
    """Whether the same persons the other way round are another pair."""
    repeat_rule: RepeatRule = RepeatRule.UPDATE


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionChanges:
    """What is asked of `update_masking_session`; None means not given. Ranges as in `NewMaskingSession`.

    `ends_at` (µs UTC) wins over `expires_in_s`, which counts from now. Parties are looked at only where the creator
    asked for a session of one party: the missing one joins, and one that is there is replaced.
    """

    first: E164 | None = None
    second: E164 | None = None
    ends_at: int | None = None
    expires_in_s: int | None = None
    call_time_limit_s: int | None = None
    ring_timeout_s: int | None = None
    is_recorded: bool | None = None
    record_format: RecordFormat | None = None
    recording_callback_url: str | None = None
    recording_callback_method: CallbackMethod | None = None
    callback_url: str | None = None
    callback_method: CallbackMethod | None = None
    first_play_url: str | None = None
    second_play_url: str | None = None
    unknown_caller_url: str | None = None
    reference: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Interaction:
    """One contact of the parties within a session. Instants in µs UTC; seconds are None for a leg not answered."""

    kind: InteractionKind
    call_id: str
    started_at: int
    ended_at: int
    caller_role: Role
    leg_count: int
    first_leg_s: int | None
    second_leg_s: int | None
    first_status: LegStatus | None
    """None: the leg was not placed."""
    second_status: LegStatus | None
    termination: Termination
    is_caller_first: bool = True
    """Whether leg A was the first party's, or that of a stranger in its place."""
    is_service_initiated: bool = False
    recording_id: str | None = None
    """Of a recording that is there or on its way: not of one that failed or was deleted."""

    @property
    def duration_s(self) -> int:
        """Sum of the legs' answered seconds."""
        return (self.first_leg_s or 0) + (self.second_leg_s or 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskingSession:
    """A masking session as stored. Instants in µs UTC; the window is `created_at <= now < ends_at`."""

    id: str
    account_id: int
    subaccount_id: int | None
    subaccount_auth_id: str | None
    virtual_number: DID
    first: E164 | None
    second: E164 | None
    created_at: int
    modified_at: int
    ends_at: int
    ended_at: int | None
    """Set by the one statement that ended it; may lag behind `ends_at`, which decides."""
    end_cause: SessionEndCause | None
    call_time_limit_s: int
    ring_timeout_s: int
    is_recorded: bool
    record_format: RecordFormat
    recording_callback_url: str
    recording_callback_method: CallbackMethod
    callback_url: str
    callback_method: CallbackMethod
    first_play_url: str
    second_play_url: str
    unknown_caller_url: str
    calls_first: bool
    pin: PinSettings | None
    is_geomatched: bool
    is_single_party: bool | None
    """None when the creator did not say."""
    cooloff_s: int
    last_interaction_at: int | None
    total_leg_count: int
    total_duration_s: int
    total_billed_s: int
    interactions: tuple[Interaction, ...] = ()
    """Oldest first."""
    reference: str | None = None

    def status(self, now: int) -> SessionStatus:
        """Say how the session stands at `now` (µs UTC)."""
        return SessionStatus.ACTIVE if now < self.ends_at else SessionStatus.EXPIRED

    @property
    def duration_s(self) -> int:
        """Whole seconds from creation to end, the fraction cut off."""
        return (self.ends_at - self.created_at) // MICROSECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A half-open range of integers: `from_ <= x < until`; None is open."""

    from_: int | None = None
    until: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFilter:
    """Which sessions to list, newest first. Spans over instants are in µs UTC, over durations in seconds."""

    first: E164 | None = None
    second: E164 | None = None
    virtual_number: DID | None = None
    reference: str | None = None
    status: SessionStatus | None = None
    created_at: Span = Span()
    ends_at: Span = Span()
    duration_s: Span = Span()
    subaccount_id: int | None = None
    limit: int = LIST_LIMIT_MAX
    offset: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionPage:
    """One page of a list and how many sessions the filter matches in all."""

    sessions: tuple[MaskingSession, ...]
    total_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionCreated:
    """A session stands; `is_new` False when a live one of the same pair was updated instead.

    `should_call_first` says that the service now owes the first party a call.
    """

    session: MaskingSession
    is_new: bool
    should_call_first: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PairIsLive:
    """Refused: the pair has a live session, and the creator wanted no repetition."""

    session: MaskingSession


@dataclass(frozen=True, slots=True, kw_only=True)
class PartyIsVirtual:
    """Refused: one of the parties is one of our own virtual numbers."""

    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class PartyOccupied:
    """Refused: the party that should join has the session's number in another session.

    Or the pair that would come about has another session, or the party is the session's other party already.
    """

    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionNotFound:
    """No such session in this account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionAlreadyExpired:
    """The session is over; nothing was changed."""

"""The immutable account of a finished call, and what the sessions' totals take from it."""

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from .masking import MICROSECONDS, LegStatus, Role
from .numbers import DID, E164
from .termination import Reason, Termination

REFUSED_CALLS_STORED_MAX: Final = 10
"""Refused calls kept per number and minute; further ones are only counted, so that a flood of INVITEs
does not become a flood of rows."""


class Side(StrEnum):
    """A side of a call: the leg we answer or the leg we originate."""

    A = "a"
    B = "b"

    @property
    def other(self) -> "Side":
        """The far side."""
        return Side.B if self is Side.A else Side.A


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCall:
    """A call about to be set up, to be claimed for its session. Instants in µs UTC."""

    call_id: str
    switch_id: str
    session_id: str
    account_id: int
    number: DID
    caller: E164 | None
    callee: E164
    role: Role
    """Who the caller is."""
    started_at: int
    lease_until: int
    is_service_initiated: bool = False
    """Whether the service places both legs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRecord:
    """A finished call. Instants in µs UTC, None for what did not happen.

    `answered_at` is the A-leg's answer, `callee_answered_at` the B-leg's, `ringing_at` the first
    ringing of the B-leg, `bridged_at` when both could hear each other.
    """

    call_id: str
    session_id: str | None
    account_id: int | None
    number: DID
    caller: E164 | None
    callee: E164 | None
    role: Role | None
    """Who the caller is; None when no session was found."""
    is_callee_dialled: bool
    """Whether a B-leg was placed."""
    started_at: int
    ringing_at: int | None
    answered_at: int | None
    callee_answered_at: int | None
    bridged_at: int | None
    ended_at: int
    termination: Termination
    is_service_initiated: bool = False
    """Whether the service placed both legs."""
    recording_id: str | None = None
    """The recording that ends with this call."""

    @property
    def caller_leg_s(self) -> int:
        """Answered seconds of the A-leg, a started second counting whole."""
        return answered_s(self.answered_at, self.ended_at)

    @property
    def callee_leg_s(self) -> int:
        """Answered seconds of the B-leg, a started second counting whole."""
        return answered_s(self.callee_answered_at, self.ended_at)

    @property
    def leg_count(self) -> int:
        """How many legs there were, 1 or 2."""
        return 2 if self.is_callee_dialled else 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedCall:
    """An INVITE refused before anything was claimed, or a call the service owed and did not place.

    Instants in µs UTC. `session_id` is set when it was refused because its session already had a call, and for
    calls the service owed.
    """

    call_id: str
    number: DID
    account_id: int | None
    session_id: str | None
    caller: E164 | None
    role: Role | None
    started_at: int
    ended_at: int
    termination: Termination
    answered_at: int | None = None
    """Set when the caller was answered to hear a prompt or be asked for a PIN."""
    is_service_initiated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OrphanCall:
    """A call whose switch is gone: what is needed to end it. Instants in µs UTC.

    `dialog_a` and `dialog_b` are the JSON snapshots saved last, None when none were.
    """

    call_id: str
    switch_id: str
    session_id: str
    account_id: int
    number: DID
    caller: E164 | None
    callee: E164 | None
    role: Role
    started_at: int
    lease_until: int
    dialog_a: str | None
    dialog_b: str | None
    is_service_initiated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CallClaimed:
    """The session is this call's until the call is finished or its lease runs out. `ends_at` as re-read."""

    ends_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionBusy:
    """Another call of the session is being set up or connected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEnded:
    """The session's window has closed since the look-up."""


CallClaim = CallClaimed | SessionBusy | SessionEnded


# Of a leg that was not answered; one that was is completed, however the call ended.
_UNANSWERED: Final[dict[Reason, LegStatus]] = {
    Reason.CALLER_HUNG_UP: LegStatus.CANCELLED,
    Reason.CALLEE_HUNG_UP: LegStatus.CANCELLED,
    Reason.TIME_LIMIT: LegStatus.CANCELLED,
    Reason.CALLER_CANCELLED: LegStatus.CANCELLED,
    Reason.SESSION_ENDED: LegStatus.CANCELLED,
    Reason.ORDER_EXPIRED: LegStatus.CANCELLED,
    Reason.SESSION_BUSY: LegStatus.BUSY,
    Reason.FIRST_BUSY: LegStatus.BUSY,
    Reason.CALLEE_BUSY: LegStatus.BUSY,
    Reason.RING_TIMEOUT: LegStatus.NO_ANSWER,
    Reason.CALLEE_NO_ANSWER: LegStatus.NO_ANSWER,
    Reason.FIRST_RING_TIMEOUT: LegStatus.NO_ANSWER,
    Reason.FIRST_NO_ANSWER: LegStatus.NO_ANSWER,
    Reason.CALLEE_DECLINED: LegStatus.REJECTED,
    Reason.FIRST_DECLINED: LegStatus.REJECTED,
    Reason.UNKNOWN_NUMBER: LegStatus.REJECTED,
    Reason.NOT_LEASED: LegStatus.REJECTED,
    Reason.NO_CALLER: LegStatus.REJECTED,
    Reason.CALLER_IS_VIRTUAL: LegStatus.REJECTED,
    Reason.NO_SESSION: LegStatus.REJECTED,
    Reason.NO_COUNTERPART: LegStatus.REJECTED,
    Reason.PIN_FAILED: LegStatus.REJECTED,
    Reason.PIN_LOCKED: LegStatus.REJECTED,
    Reason.CALLER_GONE: LegStatus.FAILED,
    Reason.CALLER_NOT_ACCEPTABLE: LegStatus.FAILED,
    Reason.FIRST_UNALLOCATED: LegStatus.FAILED,
    Reason.FIRST_INVALID_ADDRESS: LegStatus.FAILED,
    Reason.FIRST_NOT_ACCEPTABLE: LegStatus.FAILED,
    Reason.FIRST_REDIRECTED: LegStatus.FAILED,
    Reason.CALLEE_UNALLOCATED: LegStatus.FAILED,
    Reason.CALLEE_INVALID_ADDRESS: LegStatus.FAILED,
    Reason.CALLEE_NOT_ACCEPTABLE: LegStatus.FAILED,
    Reason.CALLEE_REDIRECTED: LegStatus.FAILED,
    Reason.CALLEE_GONE: LegStatus.FAILED,
    Reason.CARRIER_TIMEOUT: LegStatus.FAILED,
    Reason.CARRIER_REJECTED: LegStatus.FAILED,
    Reason.CARRIER_CONGESTED: LegStatus.FAILED,
    Reason.CARRIER_FAILED: LegStatus.FAILED,
    Reason.CARRIER_UNREACHABLE: LegStatus.FAILED,
    Reason.MEDIA_TIMEOUT: LegStatus.FAILED,
    Reason.MEDIA_LOST: LegStatus.FAILED,
    Reason.OVERLOADED: LegStatus.FAILED,
    Reason.SWITCH_RESTARTED: LegStatus.FAILED,
    Reason.SWITCH_LOST: LegStatus.FAILED,
    Reason.INTERNAL_ERROR: LegStatus.FAILED,
}


def leg_status(reason: Reason, *, is_answered: bool) -> LegStatus:
    """Say what became of a leg that was placed, from how its call ended."""
    return LegStatus.COMPLETED if is_answered else _UNANSWERED[reason]


def leg_id(call_id: str, side: Side) -> str:
    """Return the id under which a leg is reported, in the form of a UUID; it tells nothing of the call's.

    The two of a call differ in their last digit alone, which is even for leg A.
    """
    digest = hashlib.sha256(f"leg {call_id}".encode()).hexdigest()
    last = int(digest[31], 16) & ~1 | (side is Side.B)
    return f"{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-8{digest[17:20]}-{digest[20:31]}{last:x}"


def split_leg_id(leg: str) -> tuple[str, Side]:
    """Say which leg an id of `leg_id`'s form would be: the id of its call's leg A, and its side."""
    last = int(leg[-1], 16)
    return f"{leg[:-1]}{last & ~1:x}", Side.B if last & 1 else Side.A


def answered_s(answered_at: int | None, ended_at: int) -> int:
    """Return the seconds of a leg from its answer (µs UTC), a started one counting whole."""
    return 0 if answered_at is None else max(0, -((answered_at - ended_at) // MICROSECONDS))

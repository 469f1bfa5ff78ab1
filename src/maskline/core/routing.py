"""Decide what an inbound call gets: a pure function of the facts one look-up found."""

from dataclasses import dataclass
from enum import StrEnum

from .masking import RecordFormat, Role
from .numbers import DID, E164


class RefusalReason(StrEnum):
    """Why an inbound call is refused. Callers hear no difference; records and operators do."""

    UNKNOWN_NUMBER = "unknown-number"
    """The dialled number is not ours."""
    NOT_LEASED = "not-leased"
    """It is ours but no account has it, or another account than the session's (I7)."""
    NO_CALLER = "no-caller"
    """The caller withheld its number."""
    CALLER_IS_VIRTUAL = "caller-is-virtual"
    """The caller is one of our own virtual numbers: a loop."""
    NO_SESSION = "no-session"
    """No live session binds this caller on this number."""
    NO_COUNTERPART = "no-counterpart"
    """The registered party of a one-party session called, and nobody called it yet."""
    PIN_REQUIRED = "pin-required"
    """The session lets nobody through without a PIN, and there is no PIN dialogue yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFacts:
    """The live binding of (dialled number, caller) and its session. Instants in µs UTC."""

    session_id: str
    account_id: int
    role: Role
    """Who the caller is."""
    callee: E164 | None
    starts_at: int
    ends_at: int
    ring_timeout_s: int
    call_time_limit_s: int
    is_recorded: bool
    needs_pin: bool
    """Whether even a registered party has to enter a PIN first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteFacts:
    """What the store knows of a dialled number and a caller, as of one instant.

    `trunk_id` is the trunk the number belongs to; an INVITE from an address that this trunk does not
    accept gets no answer. All None: not our number.
    """

    number: DID | None
    trunk_id: int | None
    account_id: int | None
    is_caller_virtual: bool
    session: SessionFacts | None


class PinStanding(StrEnum):
    """What a PIN had to do with a caller's being let through."""

    OFF = "off"
    """The session has no PIN."""
    AUTHORIZED = "authorized"
    """The session has PIN on, and the caller is a registered party that needs none."""
    ACCEPTED = "accepted"
    """The caller entered a right PIN."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connect:
    """Call `callee` and show it `presented`, a virtual number leased to `account_id` (I7). Instants in µs UTC."""

    session_id: str
    account_id: int
    caller_role: Role
    callee: E164
    presented: DID
    trunk_id: int
    ends_at: int
    ring_timeout_s: int
    call_time_limit_s: int
    is_recorded: bool
    record_format: RecordFormat = RecordFormat.MP3
    caller_play_url: str = ""
    """Played to the caller before the callee is dialled; "" for nothing."""
    callee_play_url: str = ""
    """Played to the callee before the bridge."""
    is_reported: bool = False
    """Whether anybody is told of the call's steps: only then they are written."""
    pin: PinStanding = PinStanding.OFF


@dataclass(frozen=True, slots=True, kw_only=True)
class PinDialogue:
    """How a caller is asked for a PIN: the prompts and patience of one session."""

    session_id: str
    """The session whose prompts are used; with `forced_role` also the one the PIN must open."""
    account_id: int
    prompt_url: str
    """"" for the built-in prompt; so `incorrect_url`."""
    incorrect_url: str
    retry_count: int
    retry_wait_s: int
    is_reported: bool
    forced_role: Role | None = None
    """Set for a registered party that has to enter a PIN all the same: only a PIN of this session counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskPin:
    """Answer the caller and ask for a PIN."""

    dialogue: PinDialogue
    number: DID
    trunk_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Announce:
    """Answer the caller, play something, and hang up."""

    url: str
    """"" for the built-in "not in service"."""
    reason: RefusalReason
    account_id: int
    session_id: str | None
    """The session whose prompt it is; None for the account's own."""
    number: DID
    trunk_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PinAccepted:
    """The PIN opens a session."""

    connect: Connect


@dataclass(frozen=True, slots=True, kw_only=True)
class PinWrong:
    """It opens none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PinLocked:
    """Too many wrong ones from this caller, on this number, or by this party: the PIN was not even looked at."""


PinOutcome = PinAccepted | PinWrong | PinLocked


@dataclass(frozen=True, slots=True, kw_only=True)
class CallOrder:
    """A call the service owes: `first` is called, then `connect.callee`; `connect.caller_role` is first's."""

    id: int
    first: E164
    connect: Connect


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuse:
    """Refuse the call: the same 480 for every reason."""

    reason: RefusalReason


RouteDecision = Connect | AskPin | Announce | Refuse


def decide_route(facts: RouteFacts, caller: E164 | None, now: int) -> RouteDecision:
    """Decide on an inbound call at `now` (µs UTC); `caller` is None when withheld."""
    number, trunk_id, session = facts.number, facts.trunk_id, facts.session
    if number is None or trunk_id is None:
        return Refuse(reason=RefusalReason.UNKNOWN_NUMBER)
    if facts.account_id is None:
        return Refuse(reason=RefusalReason.NOT_LEASED)
    if facts.is_caller_virtual:
        return Refuse(reason=RefusalReason.CALLER_IS_VIRTUAL)
    if session is None or not session.starts_at <= now < session.ends_at:
        return Refuse(reason=RefusalReason.NO_CALLER if caller is None else RefusalReason.NO_SESSION)
    if session.account_id != facts.account_id:
        return Refuse(reason=RefusalReason.NOT_LEASED)
    if session.needs_pin:
        return Refuse(reason=RefusalReason.PIN_REQUIRED)
    if session.callee is None:
        return Refuse(reason=RefusalReason.NO_COUNTERPART)
    return Connect(
        session_id=session.session_id,
        account_id=session.account_id,
        caller_role=session.role,
        callee=session.callee,
        presented=number,
        trunk_id=trunk_id,
        ends_at=session.ends_at,
        ring_timeout_s=session.ring_timeout_s,
        call_time_limit_s=session.call_time_limit_s,
        is_recorded=session.is_recorded,
    )

"""Decide what an inbound call gets: a pure function of the facts that were looked up."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from .masking import RecordFormat, Role
from .numbers import DID, E164
from .pin import PIN_LIMITS, PinLimits, TryWindow, is_locked

BUILT_IN: Final = "built-in"
"""Stands where a refusal prompt's URL would stand, for the "not in service" that is shipped."""


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
    PIN_LOCKED = "pin-locked"
    """Too many wrong PINs from this caller, or on this number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFacts:
    """The live binding of (dialled number, caller) and its session. Instants in µs UTC."""

    session_id: str
    account_id: int
    role: Role
    """Who the caller is."""
    callee: E164 | None
    """The other party; for the registered party of a one-party session whoever called it last."""
    starts_at: int
    ends_at: int
    ring_timeout_s: int
    call_time_limit_s: int
    is_recorded: bool
    record_format: RecordFormat = RecordFormat.MP3
    has_first: bool = True
    """Whether the session has a first party; if not, a stranger stands for it."""
    first_play_url: str = ""
    second_play_url: str = ""
    is_reported: bool = False
    has_pin: bool = False
    dialogue: "PinDialogue | None" = None
    """Set when even a registered party has to enter a PIN first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StrangerFacts:
    """What a number has for callers nobody bound: its newest live session with PIN, or else the newest that plays.

    The tries are those of this caller and of all on this number. Instants in µs UTC.
    """

    session_id: str
    account_id: int
    starts_at: int
    ends_at: int
    dialogue: "PinDialogue | None"
    """Set for a session with PIN."""
    unknown_caller_url: str
    caller_tries: TryWindow | None = None
    number_tries: TryWindow | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteFacts:
    """What the store knows of a dialled number and a caller, as of one instant.

    `trunk_id` is the trunk the number belongs to; an INVITE from an address that this trunk does not
    accept gets no answer. All None: not our number. `strangers` is looked up only where `session` is None.
    """

    number: DID | None
    trunk_id: int | None
    account_id: int | None
    is_caller_virtual: bool
    session: SessionFacts | None
    refusal_prompt_url: str = ""
    """What the account plays to those it refuses: "" for nothing, or BUILT_IN."""
    strangers: StrangerFacts | None = None


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
    callee_role: Role
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
    """A call the service owes: `first` is called, then `connect.callee`; `connect.caller_role` is first's.

    `call_id` is the call's already, since whoever asked for it was told.
    """

    id: int
    call_id: str
    first: E164
    connect: Connect


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuse:
    """Refuse the call: the same 480 for every reason."""

    reason: RefusalReason


RouteDecision = Connect | AskPin | Announce | Refuse


def decide_route(
    facts: RouteFacts, caller: E164 | None, now: int, limits: PinLimits = PIN_LIMITS
) -> RouteDecision:
    """Decide on an inbound call at `now` (µs UTC); `caller` is None when withheld."""
    number, trunk_id, session = facts.number, facts.trunk_id, facts.session
    if number is None or trunk_id is None:
        return Refuse(reason=RefusalReason.UNKNOWN_NUMBER)
    if facts.account_id is None:
        return Refuse(reason=RefusalReason.NOT_LEASED)
    if facts.is_caller_virtual:
        return Refuse(reason=RefusalReason.CALLER_IS_VIRTUAL)
    if session is None or not session.starts_at <= now < session.ends_at:
        return _meet_stranger(facts, caller, now, limits)
    if session.account_id != facts.account_id:
        return Refuse(reason=RefusalReason.NOT_LEASED)
    if session.callee is None:
        return _refuse(facts, RefusalReason.NO_COUNTERPART)
    if session.dialogue is not None:
        return AskPin(dialogue=session.dialogue, number=number, trunk_id=trunk_id)
    is_authorized = session.has_pin and session.role is not Role.ANYONE
    standing = PinStanding.AUTHORIZED if is_authorized else PinStanding.OFF
    return build_connect(session, session.callee, number, trunk_id, standing)


def build_connect(
    session: SessionFacts, callee: E164, number: DID, trunk_id: int, standing: PinStanding
) -> Connect:
    """Build the connection of a session's caller, in its role, to `callee`."""
    # A stranger stands where the session has no party, and hears what that party would.
    is_caller_first = session.role is Role.FIRST or (session.role is Role.ANYONE and not session.has_first)
    plays = (session.first_play_url, session.second_play_url)
    caller_play_url, callee_play_url = plays if is_caller_first else reversed(plays)
    return Connect(
        session_id=session.session_id,
        account_id=session.account_id,
        caller_role=session.role,
        callee_role=Role.SECOND if is_caller_first else Role.FIRST,
        callee=callee,
        presented=number,
        trunk_id=trunk_id,
        ends_at=session.ends_at,
        ring_timeout_s=session.ring_timeout_s,
        call_time_limit_s=session.call_time_limit_s,
        is_recorded=session.is_recorded,
        record_format=session.record_format,
        caller_play_url=caller_play_url,
        callee_play_url=callee_play_url,
        is_reported=session.is_reported,
        pin=standing,
    )


def _meet_stranger(
    facts: RouteFacts, caller: E164 | None, now: int, limits: PinLimits
) -> AskPin | Announce | Refuse:
    """Decide for a caller that no session binds here, or one that withholds its number."""
    assert facts.number is not None
    assert facts.trunk_id is not None
    reason = RefusalReason.NO_CALLER if caller is None else RefusalReason.NO_SESSION
    meets = facts.strangers
    if meets is None or meets.account_id != facts.account_id or not meets.starts_at <= now < meets.ends_at:
        return _refuse(facts, reason)
    if meets.dialogue is not None:
        if is_locked(meets.caller_tries, limits.caller, now) or is_locked(
            meets.number_tries, limits.number, now
        ):
            return _refuse(facts, RefusalReason.PIN_LOCKED)
        return AskPin(dialogue=meets.dialogue, number=facts.number, trunk_id=facts.trunk_id)
    return Announce(
        url=meets.unknown_caller_url,
        reason=reason,
        account_id=meets.account_id,
        session_id=meets.session_id,
        number=facts.number,
        trunk_id=facts.trunk_id,
    )


def _refuse(facts: RouteFacts, reason: RefusalReason) -> Announce | Refuse:
    """Refuse, with the account's prompt if it has one: the same for whatever reason."""
    if not facts.refusal_prompt_url:
        return Refuse(reason=reason)
    assert facts.number is not None
    assert facts.trunk_id is not None
    assert facts.account_id is not None
    url = facts.refusal_prompt_url
    return Announce(
        url="" if url == BUILT_IN else url,
        reason=reason,
        account_id=facts.account_id,
        session_id=None,
        number=facts.number,
        trunk_id=facts.trunk_id,
    )

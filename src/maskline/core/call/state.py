"""What the call machine knows of one call."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from maskline.core.call_record import Side
from maskline.core.masking import Role
from maskline.core.numbers import DID, E164
from maskline.core.routing import Announce, Connect, PinDialogue
from maskline.core.termination import Termination


class Phase(StrEnum):
    """How far a call has come."""

    CLAIMING = "claiming"  # the session is being taken
    OPENING = "opening"  # the relay is being asked for ports
    FETCHING = "fetching"  # A's prompt is being got; A is answered only if there is one
    CALLING = "calling"  # leg A's own INVITE is out: the service calls the first party
    ANSWERING = "answering"  # A was answered, or answered us, and its media is being settled
    ANNOUNCING = "announcing"  # A hears why it is not put through
    PIN_PROMPTING = "pin-prompting"  # A is asked for a PIN
    PIN_COLLECTING = "pin-collecting"  # A enters it
    PIN_CHECKING = "pin-checking"  # it is being looked up
    PIN_CORRECTING = "pin-correcting"  # A hears that it was wrong
    PIN_WAITING = "pin-waiting"  # the pause before A is asked again
    PROMPTING = "prompting"  # A hears its prompt before B is dialled
    DIALLING = "dialling"  # leg B's INVITE is out
    RINGING = "ringing"  # B rings, and so does A
    MEETING = "meeting"  # B answered, and the relay is told where to play its prompt
    GREETING = "greeting"  # B hears its prompt
    JOINING = "joining"  # B is ready; relay and window are being checked
    BRIDGED = "bridged"  # both answered, both hear each other
    ENDED = "ended"  # recorded; legs may still be letting go


class Claim(StrEnum):
    """How the call stands with its session."""

    NOT_ASKED = "not-asked"
    ASKED = "asked"
    HELD = "held"
    SETTLED = "settled"  # refused, or written off at the end


@dataclass(frozen=True, slots=True, kw_only=True)
class CallPlan:
    """What is settled when a call is admitted. Instants are microseconds UTC.

    Exactly one of `connect`, `dialogue` and `announcement` says what the call is for. A service-initiated call has
    `connect`, with its first party as `caller`. `recording_id` names the recording, should there be one.
    """

    call_id: str
    account_id: int
    number: DID
    caller: E164 | None
    started_at: int
    recording_id: str
    connect: Connect | None = None
    dialogue: PinDialogue | None = None
    announcement: Announce | None = None
    is_service_initiated: bool = False
    target_count: int = 1  # addresses of the trunk that may be tried in turn

    @property
    def session_id(self) -> str | None:
        """The session the call began with; a PIN may open another."""
        asked = self.connect or self.dialogue or self.announcement
        return None if asked is None else asked.session_id

    @property
    def role(self) -> Role | None:
        """Who the caller was known to be from the start."""
        if self.connect is not None:
            return self.connect.caller_role
        return None if self.dialogue is None else self.dialogue.forced_role


class PinEntry(NamedTuple):
    """How a PIN dialogue stands."""

    digits: str = ""  # entered so far in this try
    ends_at: int = 0  # of this try, however slowly it is entered
    wrong_count: int = 0
    is_locked_out: bool = False

    def __repr__(self) -> str:
        """Say how many were wrong; what was pressed so far is nobody's business."""
        return f"PinEntry(wrong_count={self.wrong_count})"


class CallState(NamedTuple):
    """One call: both legs in one value. A tuple, since a call replaces it ten times: a third of a dataclass's cost."""

    plan: CallPlan
    phase: Phase = Phase.CLAIMING
    connect: Connect | None = None  # what the call is for, as soon as that is known
    claim: Claim = Claim.NOT_ASKED
    has_media: bool = False  # ports were asked for
    has_leg_a: bool = True
    has_leg_b: bool = False
    released: frozenset[Side] = frozenset()
    target_count_left: int = 0  # targets not yet tried for the leg being dialled
    window_ends_at: int = 0  # of the session, as read last
    entry: PinEntry = PinEntry()
    is_ringback_on: bool = False
    answered_at: int | None = None
    ringing_at: int | None = None
    callee_answered_at: int | None = None
    bridged_at: int | None = None
    ended_at: int | None = None
    termination: Termination | None = None

    def __repr__(self) -> str:
        """Say how far the call is."""
        return f"CallState({self.plan.call_id}, {self.phase.value})"

    @property
    def is_forgotten(self) -> bool:
        """Whether nothing more can happen: recorded and all legs gone."""
        return self.phase is Phase.ENDED and self.claim is not Claim.ASKED and self.released >= self.legs

    @property
    def legs(self) -> frozenset[Side]:
        """The legs this call ever had."""
        return _LEGS[self.has_leg_a, self.has_leg_b]

    @property
    def is_caller_on_the_line(self) -> bool:
        """Whether leg A ends by hanging up: it was answered, or we dialled it."""
        return self.answered_at is not None or self.plan.is_service_initiated


_LEGS = {
    (True, True): frozenset(Side),
    (True, False): frozenset({Side.A}),
    (False, True): frozenset({Side.B}),
    (False, False): frozenset[Side](),
}

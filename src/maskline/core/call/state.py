"""What the call machine knows of one call."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from maskline.core.call_record import Side
from maskline.core.masking import Role
from maskline.core.numbers import DID, E164
from maskline.core.termination import Termination


class Phase(StrEnum):
    """How far a call has come."""

    CLAIMING = "claiming"  # the session is being taken
    OPENING = "opening"  # the relay is being asked for ports
    DIALLING = "dialling"  # leg B's INVITE is out
    RINGING = "ringing"  # B rings, and so does A
    JOINING = "joining"  # B answered; relay and window are being checked
    BRIDGED = "bridged"  # both answered, both hear each other
    ENDED = "ended"  # recorded; legs may still be letting go


@dataclass(frozen=True, slots=True, kw_only=True)
class CallPlan:
    """What is settled when a call is admitted. Instants are microseconds UTC."""

    call_id: str
    account_id: int
    session_id: str
    role: Role  # which party dialled
    number: DID
    caller: E164
    callee: E164
    started_at: int
    window_ends_at: int
    ring_timeout_s: int
    call_time_limit_s: int


_ONE_LEG: Final = frozenset({Side.A})
_BOTH_LEGS: Final = frozenset(Side)


class CallState(NamedTuple):
    """One call: both legs in one value. A tuple, since a call replaces it ten times: a third of a dataclass's cost."""

    plan: CallPlan
    phase: Phase = Phase.CLAIMING
    has_leg_b: bool = False
    is_claim_open: bool = True  # asked for, and not known yet whether it was got
    released: frozenset[Side] = frozenset()
    ringing_at: int | None = None
    callee_answered_at: int | None = None
    bridged_at: int | None = None
    ended_at: int | None = None
    termination: Termination | None = None

    @property
    def is_forgotten(self) -> bool:
        """Whether nothing more can happen: recorded and both legs gone."""
        return self.phase is Phase.ENDED and not self.is_claim_open and self.released >= self.legs

    @property
    def legs(self) -> frozenset[Side]:
        """The legs this call ever had."""
        return _BOTH_LEGS if self.has_leg_b else _ONE_LEG

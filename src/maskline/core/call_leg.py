"""The legs of an account's calls, as the account sees them: who, when, how long, how it ended."""

from dataclasses import dataclass, field, replace
from typing import Final

from .call_record import Side, answered_s, leg_id, leg_status
from .masking import LegStatus, Span
from .numbers import DID, E164
from .termination import Reason, Termination

LEG_LIST_LIMIT_MAX: Final = 20
"""Most legs in one page. Source: Plivo, retrieve all calls."""
LIVE_LEG_COUNT_MAX: Final = 10_000
"""Legs of running calls looked at for one answer: far more than one account's share of a switch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Leg:
    call_id: str
    side: Side
    number: DID
    """The virtual number of the call."""
    party: E164 | None
    """Whose phone it is; None when the number was withheld, or the party is erased."""
    is_service_initiated: bool
    """Whether the service placed both legs."""
    started_at: int
    """Of the call: when leg B was dialled is not kept."""

    @property
    def id(self) -> str:
        """The id under which it is reported."""
        return leg_id(self.call_id, self.side)

    @property
    def is_inbound(self) -> bool:
        """Whether the phone called us."""
        return self.side is Side.A and not self.is_service_initiated

    @property
    def numbers(self) -> tuple[str | None, str | None]:
        """From and to: a phone that calls us dials the virtual number, and one that we call is shown it."""
        real = None if self.party is None else self.party.reveal()
        return (real, self.number) if self.is_inbound else (self.number, real)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallLeg(_Leg):
    """One leg of a finished call. Instants in µs UTC."""

    answered_at: int | None
    ended_at: int
    termination: Termination

    @property
    def duration_s(self) -> int:
        """Answered seconds, a started second counting whole."""
        return answered_s(self.answered_at, self.ended_at)

    @property
    def status(self) -> LegStatus:
        """What became of it."""
        return leg_status(self.termination.reason, is_answered=self.answered_at is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveLeg(_Leg):
    """One leg of a running call. Leg B is known once it was answered. `started_at` in µs UTC."""

    is_answered: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LegFilter:
    """Which legs of an account's calls to list, newest call first.

    `ended_at` spans µs UTC, `duration_s` seconds. `from_number` and `to_number` may be a person's or a virtual one.
    Of running calls only sub-account, direction and numbers are looked at.
    """

    subaccount_id: int | None = None
    is_inbound: bool | None = None
    from_number: E164 | None = None
    to_number: E164 | None = None
    parent_leg: str | None = None
    """Legs B whose leg A is reported by this id."""
    ended_at: Span = field(default_factory=Span)
    duration_s: Span = field(default_factory=Span)
    reasons: frozenset[Reason] | None = None
    limit: int = LEG_LIST_LIMIT_MAX
    offset: int = 0

    def fits(self, leg: LiveLeg) -> bool:
        """Say whether a running leg has the direction and the numbers that are asked for."""
        from_number, to_number = leg.numbers
        return (
            (self.is_inbound is None or self.is_inbound == leg.is_inbound)
            and (self.from_number is None or self.from_number.reveal() == from_number)
            and (self.to_number is None or self.to_number.reveal() == to_number)
        )

    def of_subaccount(self, subaccount_id: int | None) -> "LegFilter":
        """The same for a sub-account's sessions only; None for all."""
        return replace(self, subaccount_id=subaccount_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class LegPage:
    """One page of a list, and how many legs there are over all pages."""

    legs: tuple[CallLeg, ...]
    total_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LegNotFound:
    """No leg of that account's calls has this id."""

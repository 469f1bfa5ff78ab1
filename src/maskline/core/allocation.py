"""Choose a virtual number for a new session: pure ordering of candidates, and why there was none."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, assert_never

from .inventory import AllocationPolicy

CANDIDATE_COUNT_MAX: Final = 256
"""Free numbers looked at for one allocation. First fit needs one; the others choose among the first
256 free ones in inventory order, more than any pair ever exhausts by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A free number. `position` is its place in the inventory; instants in µs UTC, None for never."""

    number_id: int
    position: int
    pair_used_at: int | None = None
    """When this pair last had it."""
    party_used_at: int | None = None
    """When either party last had it."""


class ExhaustionReason(StrEnum):
    """Why a pool had no number."""

    NO_NUMBERS = "no-numbers"
    """None leased and healthy."""
    NO_COUNTRY_MATCH = "no-country-match"
    """None in the country that geomatch asks for."""
    PARTIES_BUSY = "parties-busy"
    """On every one, one of the parties has a live or cooling session."""
    STRANGERS_CLASH = "strangers-clash"
    """Every free one already answers strangers in a way that this session's would contradict."""
    PINS_GUESSABLE = "pins-guessable"
    """With one more PIN session, the PINs of every free one would be too easy to guess."""
    PINS_TAKEN = "pins-taken"
    """On every free one, a PIN of this session is taken."""
    CONTENDED = "contended"
    """Others took each candidate first; the same request may succeed now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolExhausted:
    """No number. `needed` numbers (of the right country) would have been enough for this request."""

    reason: ExhaustionReason
    needed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolFacts:
    """Counts that explain an exhausted pool: each a subset of the one before."""

    usable_count: int
    """Leased to the account or sub-account, healthy, not draining."""
    matching_count: int
    """Of those, in the wanted country."""
    unoccupied_count: int
    """Of those, with neither party on it, live or cooling."""
    compatible_count: int
    """Of those, whose answer to strangers agrees."""
    unguessable_count: int
    """Of those, whose PINs stay hard enough to guess."""
    had_pin_clash: bool


def order_candidates(policy: AllocationPolicy, candidates: tuple[Candidate, ...]) -> tuple[Candidate, ...]:
    """Put free numbers in the order in which they are tried; deterministic for equal input."""
    in_inventory_order = sorted(candidates, key=lambda it: it.position)
    match policy:
        case AllocationPolicy.FIRST_FIT:
            pass
        case AllocationPolicy.STICKY:
            in_inventory_order.sort(key=lambda it: -(it.pair_used_at or -1))
        case AllocationPolicy.SPREAD:
            in_inventory_order.sort(key=lambda it: -1 if it.party_used_at is None else it.party_used_at)
        case _:
            assert_never(policy)
    return tuple(in_inventory_order)


def explain_exhaustion(facts: PoolFacts) -> PoolExhausted:
    """Say why no number was found, and how many would have been enough.

    A request needs one number more than those taken for it: with first fit and shared numbers an
    account never needs more than 2D-1, where D is the most live and cooling sessions of one party.
    """
    if facts.usable_count == 0:
        return PoolExhausted(reason=ExhaustionReason.NO_NUMBERS, needed=1)
    if facts.matching_count == 0:
        return PoolExhausted(reason=ExhaustionReason.NO_COUNTRY_MATCH, needed=1)
    needed = facts.matching_count + 1
    if facts.unoccupied_count == 0:
        return PoolExhausted(reason=ExhaustionReason.PARTIES_BUSY, needed=needed)
    if facts.compatible_count == 0:
        return PoolExhausted(reason=ExhaustionReason.STRANGERS_CLASH, needed=needed)
    if facts.unguessable_count == 0:
        return PoolExhausted(reason=ExhaustionReason.PINS_GUESSABLE, needed=needed)
    if facts.had_pin_clash:
        return PoolExhausted(reason=ExhaustionReason.PINS_TAKEN, needed=needed)
    return PoolExhausted(reason=ExhaustionReason.CONTENDED, needed=facts.matching_count)

"""PINs: when a try is still looked at, how long a party waits after wrong ones, how likely a guess is.

A stranger's wrong PIN belongs to no session, so tries are counted per caller on a number and per number. A window
opens with its first wrong try and closes after its time, whatever happens in between. A registered party that has
to enter a PIN (force mode) is known, and is delayed instead of locked out.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

from .masking import MICROSECONDS, PIN_LENGTH_MAX


class TryLimit(NamedTuple):
    """So many wrong tries in so long; the next is not looked at before the window has closed."""

    wrong_count_max: int
    window_s: int


CALLER_LIMIT: Final = TryLimit(wrong_count_max=3, window_s=600)
"""Who knows a PIN mistypes it once or twice."""
NUMBER_LIMIT: Final = TryLimit(wrong_count_max=60, window_s=3600)
"""Callers are cheap to fake: this is what bounds all of them together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PinLimits:
    """How much guessing is put up with. docs/security.md says what that makes of a guesser's chances."""

    caller: TryLimit = CALLER_LIMIT
    """Per caller on a number; all who withhold theirs are one caller."""
    number: TryLimit = NUMBER_LIMIT
    """Per number, whoever calls."""
    delay_s: int = 60
    """A registered party's first wait; each further dialogue's worth of wrong ones doubles it."""
    delay_s_max: int = 3600
    """Where doubling ends: somebody who fakes a party's number shall not shut it out for the whole session."""
    chance_a_day_max: float = 0.01
    """With strict PINs: the chance that all strangers together may have, within a day, to guess a PIN of a number."""


PIN_LIMITS: Final = PinLimits()

SECONDS_A_DAY: Final = 86_400


class TryWindow(NamedTuple):
    """Wrong tries since an instant (µs UTC), which is when the first of them was made."""

    opened_at: int
    wrong_count: int


class PartyTries(NamedTuple):
    """A registered party's wrong tries since its last right one, and when the last was made (µs UTC)."""

    wrong_count: int
    wrong_at: int


def is_locked(window: TryWindow | None, limit: TryLimit, now: int) -> bool:
    """Say whether a try at `now` (µs UTC) is one too many."""
    return window is not None and _is_open(window, limit, now) and window.wrong_count >= limit.wrong_count_max


def count_wrong(window: TryWindow | None, limit: TryLimit, now: int) -> TryWindow:
    """Add a wrong try at `now` (µs UTC), in a new window if the last one has closed."""
    if window is None or not _is_open(window, limit, now):
        return TryWindow(now, 1)
    return window._replace(wrong_count=window.wrong_count + 1)


def decide_wait_until(tries: PartyTries | None, *, retry_count: int, limits: PinLimits = PIN_LIMITS) -> int:
    """Say from when on (µs UTC) a registered party's next try is looked at; 0 for at once.

    The tries of one dialogue, `retry_count` and one, are not delayed among themselves.
    """
    if tries is None:
        return 0
    dialogue_count, rest = divmod(tries.wrong_count, retry_count + 1)
    if dialogue_count == 0 or rest != 0:
        return 0
    doublings = min(
        dialogue_count - 1, limits.delay_s_max.bit_length()
    )  # more would only make the number long
    wait_s = min(limits.delay_s_max, limits.delay_s << doublings)
    return tries.wrong_at + wait_s * MICROSECONDS


def chance_a_day(pin_lengths: tuple[int, ...], limits: PinLimits = PIN_LIMITS) -> float:
    """Give the chance that a day of guessing on one number hits one of the PINs of these lengths.

    An upper bound: as if every guess had the length of every PIN.
    """
    return min(1.0, _tries_a_day(limits) * sum(10.0**-length for length in pin_lengths))


def pin_weight(length: int) -> int:
    """Give the chance that one try hits one PIN of so many digits, in units of 10**-PIN_LENGTH_MAX."""
    weight: int = 10 ** (PIN_LENGTH_MAX - length)
    return weight


def pin_weight_max(limits: PinLimits = PIN_LIMITS) -> int:
    """Give what the PINs of one number may weigh together where PINs are strict."""
    return int(limits.chance_a_day_max / _tries_a_day(limits) * 10**PIN_LENGTH_MAX)


def _tries_a_day(limits: PinLimits) -> float:
    return limits.number.wrong_count_max * SECONDS_A_DAY / limits.number.window_s


def _is_open(window: TryWindow, limit: TryLimit, now: int) -> bool:
    return now < window.opened_at + limit.window_s * MICROSECONDS

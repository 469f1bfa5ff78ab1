from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.core.pin import (
    PIN_LIMITS,
    PartyTries,
    PinLimits,
    TryLimit,
    TryWindow,
    chance_a_day,
    count_wrong,
    decide_wait_until,
    is_locked,
    pin_weight,
    pin_weight_max,
)

S = 1_000_000
LIMITS = st.builds(TryLimit, st.integers(1, 5), st.integers(1, 20))


@given(limit=LIMITS, pauses_us=st.lists(st.sampled_from([0, 1, S, 5 * S, 20 * S - 1, 20 * S]), max_size=60))
def test_no_window_has_more_wrong_tries_than_its_limit(limit: TryLimit, pauses_us: list[int]) -> None:
    """However somebody spaces tries, from a window's opening to its end no more are looked at than allowed."""
    now, window = 0, None
    looked_at: dict[int, int] = {}
    for pause_us in pauses_us:
        now += pause_us
        if is_locked(window, limit, now):
            assert window is not None
            assert looked_at[window.opened_at] == limit.wrong_count_max
            assert now < window.opened_at + limit.window_s * S
            continue
        window = count_wrong(window, limit, now)
        looked_at[window.opened_at] = looked_at.get(window.opened_at, 0) + 1
        assert window.opened_at <= now < window.opened_at + limit.window_s * S
    assert all(count <= limit.wrong_count_max for count in looked_at.values())
    opened = sorted(looked_at)
    assert all(b - a >= limit.window_s * S for a, b in pairwise(opened))


@pytest.mark.parametrize(("after_us", "is_closed"), [(-1, False), (0, True), (1, True)])
def test_window_closes_at_its_instant(after_us: int, is_closed: bool) -> None:
    """The last microsecond of the window is in it, its end is not."""
    limit, window = PIN_LIMITS.caller, TryWindow(7, 3)
    now = 7 + limit.window_s * S + after_us
    assert is_locked(window, limit, now) is not is_closed
    assert count_wrong(window, limit, now) == (TryWindow(now, 1) if is_closed else TryWindow(7, 4))


def test_nobody_is_locked_before_trying() -> None:
    """Without tries, and with one less than the limit, the next is looked at."""
    assert not is_locked(None, PIN_LIMITS.caller, 0)
    assert not is_locked(TryWindow(0, 2), PIN_LIMITS.caller, 0)
    assert is_locked(TryWindow(0, 3), PIN_LIMITS.caller, 0)


@pytest.mark.parametrize(
    ("wrong_count", "wait_s"),
    [(1, 0), (2, 60), (3, 0), (4, 120), (6, 240), (8, 480), (10, 960), (12, 1920), (14, 3600), (200, 3600)],
)
def test_a_partys_wait_doubles_up_to_an_hour(wrong_count: int, wait_s: int) -> None:
    """A dialogue of two tries is not interrupted; after each one the wait is twice as long."""
    until = decide_wait_until(PartyTries(wrong_count, 1000), retry_count=1)
    assert until == (1000 + wait_s * S if wait_s else 0)


@given(wrong_count=st.integers(0, 10**9), retry_count=st.integers(0, 5))
def test_a_partys_wait_is_bounded(wrong_count: int, retry_count: int) -> None:
    """Nobody waits longer than the limit says, whatever was tried in its name."""
    until = decide_wait_until(PartyTries(wrong_count, 0), retry_count=retry_count)
    assert 0 <= until <= PIN_LIMITS.delay_s_max * S
    assert decide_wait_until(None, retry_count=retry_count) == 0


@given(st.lists(st.integers(4, 15), max_size=40))
def test_weights_are_exact_where_chances_are_rounded(lengths: list[int]) -> None:
    """What strict PINs allow on a number is what keeps a day's guessing at or below one in a hundred."""
    is_allowed = sum(pin_weight(length) for length in lengths) <= pin_weight_max()
    chance = sum(Fraction(1440, 10**length) for length in lengths)
    assert is_allowed is (chance <= Fraction(1, 100))
    assert chance_a_day(tuple(lengths)) == pytest.approx(float(min(chance, 1)))


def test_chance_of_a_guess() -> None:
    """Two PINs of four digits: 1440 tries a day, each with 2 in 10,000; never more than certainty."""
    assert chance_a_day((4, 4)) == pytest.approx(1440 * 2 / 10**4)
    assert chance_a_day((6,) * 6) == pytest.approx(1440 * 6 / 10**6)
    assert chance_a_day(()) == 0
    assert chance_a_day((4,) * 100) == 1
    slower = PinLimits(number=TryLimit(wrong_count_max=6, window_s=3600))
    assert chance_a_day((4, 4), slower) == pytest.approx(chance_a_day((4, 4)) / 10)

import random
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from maskline.core.forecast import (
    AHEAD_RATIO_MAX,
    BASIS_DAYS_MAX,
    BASIS_DAYS_MIN,
    NEWEST_DAY_AGE_MAX,
    DailyPeak,
    ForecastConfidence,
    forecast_exhaustion,
)
from maskline.core.usage import DAY_US

TODAY = 20_700
NOW = TODAY * DAY_US + DAY_US // 3
peaks = st.lists(
    st.builds(DailyPeak, st.integers(TODAY - 120, TODAY + 5), st.integers(0, 10_000)), max_size=150
)


def _rising(days: int, start: float, slope: float) -> list[DailyPeak]:
    return [DailyPeak(TODAY - days + index, round(start + slope * index)) for index in range(days)]


@given(peaks, st.integers(0, 10_000))
def test_a_date_and_confidence_come_together(basis: list[DailyPeak], number_count: int) -> None:
    """Whatever the days: no date without confidence, none in the past, none far beyond what it rests on."""
    found = forecast_exhaustion(basis, number_count, NOW)
    assert (found.exhausted_at is None) == (found.confidence is ForecastConfidence.NONE)
    days = {it.day for it in basis if TODAY - BASIS_DAYS_MAX <= it.day < TODAY}
    assert found.basis_days == len(days)
    if found.exhausted_at is not None:
        assert found.basis_days >= BASIS_DAYS_MIN
        assert found.trend_per_day > 0 or found.exhausted_at == NOW
        assert NOW <= found.exhausted_at <= NOW + AHEAD_RATIO_MAX * found.basis_days * DAY_US + 1


@given(peaks, st.integers(0, 10_000), st.randoms(use_true_random=False))
def test_the_order_of_days_does_not_matter(
    basis: list[DailyPeak], number_count: int, chance: random.Random
) -> None:
    """The same days in another order, and twice, say the same."""
    shuffled = basis * 2
    chance.shuffle(shuffled)
    assert forecast_exhaustion(shuffled, number_count, NOW) == forecast_exhaustion(basis, number_count, NOW)


@given(peaks, st.integers(0, 9_000), st.integers(1, 1_000))
def test_more_numbers_last_no_shorter(basis: list[DailyPeak], number_count: int, more: int) -> None:
    """Adding numbers never brings the date nearer, nor makes one where there was none."""
    before = forecast_exhaustion(basis, number_count, NOW)
    after = forecast_exhaustion(basis, number_count + more, NOW)
    if after.exhausted_at is not None:
        assert before.exhausted_at is not None
        assert before.exhausted_at <= after.exhausted_at
    assert before.trend_per_day == after.trend_per_day


@given(st.integers(BASIS_DAYS_MIN, BASIS_DAYS_MAX), st.integers(1, 50), st.integers(0, 100))
def test_a_straight_rise_is_found(days: int, slope: int, ahead: int) -> None:
    """Where the need rises by so many a day, the date is where the line meets the limit."""
    assume(ahead <= days * AHEAD_RATIO_MAX - 2)
    found = forecast_exhaustion(_rising(days, 1, slope), round(1 + slope * (days + ahead)), NOW)
    assert found.exhausted_at is not None
    assert found.trend_per_day == pytest.approx(slope)
    assert abs(found.exhausted_at - max(NOW, (TODAY + ahead) * DAY_US + DAY_US // 2)) < DAY_US / 1000


@pytest.mark.parametrize(
    ("basis", "number_count"),
    [
        ([], 5),
        (_rising(BASIS_DAYS_MIN - 1, 1, 5), 40),
        (_rising(60, 20, 0), 20),
        (_rising(60, 60, -1), 20),
        ([DailyPeak(TODAY - 60 + index, 10 + 10 * (index % 7 == 5)) for index in range(60)], 21),
        (_rising(30, 1, 1), 300),
        ([DailyPeak(TODAY + index, 5 * index) for index in range(60)], 100),
    ],
)
def test_what_gives_no_date(basis: list[DailyPeak], number_count: int) -> None:
    """Too few days, no rise, only weekends, far away, or days that are not over: nothing is said."""
    found = forecast_exhaustion(basis, number_count, NOW)
    assert (found.exhausted_at, found.confidence) == (None, ForecastConfidence.NONE)


def test_confidence_grows_with_the_basis() -> None:
    """A clear rise over a month is fairly sure; the same over ten days, or with much scatter, is not."""
    month = forecast_exhaustion(_rising(30, 1, 2), 80, NOW)
    assert month.confidence is ForecastConfidence.FAIR
    assert forecast_exhaustion(_rising(10, 1, 2), 24, NOW).confidence is ForecastConfidence.LOW
    scattered = [it._replace(needed=it.needed + 45 * (it.day % 3)) for it in _rising(60, 1, 1)]
    assert forecast_exhaustion(scattered, 150, NOW).confidence is ForecastConfidence.LOW


@given(peaks, st.integers(0, 10_000))
def test_what_the_newest_day_lacks_is_lacking_now(basis: list[DailyPeak], number_count: int) -> None:
    """Whatever the line says; and where nothing was counted of late, nothing is said."""
    days: dict[int, int] = {}
    for day, needed in basis:
        if TODAY - BASIS_DAYS_MAX <= day < TODAY:
            days[day] = max(needed, days.get(day, 0))
    found = forecast_exhaustion(basis, number_count, NOW)
    newest = max(days, default=0)
    if newest < TODAY - NEWEST_DAY_AGE_MAX or len(days) < BASIS_DAYS_MIN:
        assert (found.exhausted_at, found.confidence) == (None, ForecastConfidence.NONE)
    elif days[newest] > number_count:
        assert found.exhausted_at == NOW


@given(
    st.integers(BASIS_DAYS_MIN, 60),
    st.integers(0, 30),
    st.integers(1, 1_000),
    st.integers(0, 1_000),
    st.integers(-3, 3),
)
def test_a_need_that_is_not_met_is_exhausted_now(
    days: int, age: int, needed: int, number_count: int, slope: int
) -> None:
    """Flat, rising or falling: need above what there is gives this instant, as long as it was counted of late."""
    basis = [
        DailyPeak(TODAY - days - age + index, max(0, needed - slope * (days - 1 - index)))
        for index in range(days)
    ]
    found = forecast_exhaustion(basis, number_count, NOW)
    if age >= NEWEST_DAY_AGE_MAX:
        assert found.exhausted_at is None
    elif needed > number_count:
        assert found.exhausted_at == NOW
    elif slope <= 0:
        assert found.exhausted_at is None


def test_confidence_of_what_is_lacking_now() -> None:
    """It was counted, not foretold: a month of it is fairly sure, ten days are not."""
    month = forecast_exhaustion([DailyPeak(TODAY - 30 + index, 9) for index in range(30)], 5, NOW)
    assert (month.exhausted_at, month.confidence) == (NOW, ForecastConfidence.FAIR)
    short = forecast_exhaustion([DailyPeak(TODAY - 10 + index, 9) for index in range(10)], 5, NOW)
    assert (short.exhausted_at, short.confidence) == (NOW, ForecastConfidence.LOW)


def test_what_ended_long_ago_gives_no_date() -> None:
    """Ten days of a steep rise, eighty days ago."""
    found = forecast_exhaustion([it._replace(day=it.day - 70) for it in _rising(10, 1, 2)], 10, NOW)
    assert (found.exhausted_at, found.confidence, found.basis_days) == (None, ForecastConfidence.NONE, 10)


def test_what_is_exceeded_already_is_exhausted_now() -> None:
    """A line above the limit gives this instant, not one in the past."""
    found = forecast_exhaustion(_rising(30, 1, 2), 10, NOW)
    assert found.exhausted_at == NOW
    assert replace(found, exhausted_at=None) != found

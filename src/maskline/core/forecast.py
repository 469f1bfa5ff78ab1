"""When numbers will run out, if they are used as they have been; pure.

A straight line is laid through the highest need of each whole day. It says something only when there are enough
days, when it rises clearly more than it scatters, and when it meets the limit soon compared with what it rests on.
Otherwise no date is given: a date that nothing supports is worse than none. A need that was counted above the
limit on the newest day is no prediction, and needs no line.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from .usage import DAY_US

BASIS_DAYS_MAX: Final = 90
"""Days looked back on: more would weigh a year-old customer as much as this month's."""
BASIS_DAYS_MIN: Final = 7
"""A week, since use goes by weekdays."""
FAIR_DAYS_MIN: Final = 21
"""Three weeks: the same weekday three times."""
NEWEST_DAY_AGE_MAX: Final = 2
"""Days that may have passed since the newest counted one: yesterday, or the day before if a day's samples are missing.
Behind an older one nobody knows what is needed now."""
AHEAD_RATIO_MAX: Final = 2
"""How many times the basis a line is followed ahead."""
SLOPE_ERRORS_MIN: Final = 3.0
"""Standard errors by which the slope must be above zero: by chance that happens about once in a thousand times."""
FAIR_FIT_MIN: Final = 0.5
"""The least share of the scatter (r squared) that the line explains where confidence is fair."""


class ForecastConfidence(StrEnum):
    """How much a date is worth."""

    NONE = "none"
    """There is no date."""
    LOW = "low"
    FAIR = "fair"


class DailyPeak(NamedTuple):
    """The highest need of one day; `day` counts from 1970-01-01 UTC."""

    day: int
    needed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageForecast:
    """When the need will exceed what there is. `exhausted_at` in µs UTC; None, with confidence none: nothing says so.

    `trend_per_day` is the line's slope in numbers a day; 0 without a line. `basis_days` are the days it rests on.
    """

    exhausted_at: int | None
    confidence: ForecastConfidence
    basis_days: int
    trend_per_day: float


class _Line(NamedTuple):
    """A straight line through days since `day`, with how well it fits."""

    day: float
    level: float
    slope: float
    slope_error: float
    fit: float


def forecast_exhaustion(peaks: Sequence[DailyPeak], number_count: int, now: int) -> UsageForecast:
    """Say when the trend of the daily needs exceeds `number_count`; only whole days before `now` (µs UTC) count.

    Days may come in any order and have gaps; of a day that is named twice the higher need counts. When the newest
    day needed more than there is, that is now, whatever the line.
    """
    today = now // DAY_US
    by_day: dict[int, int] = {}
    for day, needed in peaks:
        if today - BASIS_DAYS_MAX <= day < today:
            by_day[day] = max(needed, by_day.get(day, 0))
    basis = len(by_day)
    if basis < BASIS_DAYS_MIN:
        return _without_date(basis, 0.0)
    line = _fit(sorted(by_day.items()))
    newest = max(by_day)
    if today - newest > NEWEST_DAY_AGE_MAX:
        return _without_date(basis, line.slope)
    if by_day[newest] > number_count:
        return _with_date(now, basis, line.slope, is_fair=basis >= FAIR_DAYS_MIN)
    if line.slope <= 0 or line.slope < SLOPE_ERRORS_MIN * line.slope_error:
        return _without_date(basis, line.slope)
    days_ahead = line.day + (number_count - line.level) / line.slope - now / DAY_US
    if days_ahead > basis * AHEAD_RATIO_MAX:
        return _without_date(basis, line.slope)
    is_fair = basis >= FAIR_DAYS_MIN and line.fit >= FAIR_FIT_MIN and days_ahead <= basis
    return _with_date(now + max(0, math.ceil(days_ahead * DAY_US)), basis, line.slope, is_fair=is_fair)


def _with_date(exhausted_at: int, basis: int, slope: float, *, is_fair: bool) -> UsageForecast:
    return UsageForecast(
        exhausted_at=exhausted_at,
        confidence=ForecastConfidence.FAIR if is_fair else ForecastConfidence.LOW,
        basis_days=basis,
        trend_per_day=slope,
    )


def _without_date(basis: int, slope: float) -> UsageForecast:
    return UsageForecast(
        exhausted_at=None, confidence=ForecastConfidence.NONE, basis_days=basis, trend_per_day=slope
    )


def _fit(points: Sequence[tuple[int, int]]) -> _Line:
    """Lay a line through at least three days by least squares; a day's need stands for its middle."""
    count = len(points)
    mean_day = sum(day for day, _ in points) / count
    level = sum(needed for _, needed in points) / count
    spread = sum((day - mean_day) ** 2 for day, _ in points)
    slope = sum((day - mean_day) * (needed - level) for day, needed in points) / spread
    total = sum((needed - level) ** 2 for _, needed in points)
    rest = max(0.0, total - slope * slope * spread)
    return _Line(
        day=mean_day + 0.5,
        level=level,
        slope=slope,
        slope_error=math.sqrt(rest / (count - 2) / spread),
        fit=1.0 if total == 0 else 1.0 - rest / total,
    )

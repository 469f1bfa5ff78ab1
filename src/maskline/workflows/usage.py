"""How much of its numbers an account uses: now, of every hour, and when they will run out."""

from typing import Final, NamedTuple

from maskline.core.forecast import BASIS_DAYS_MAX, UsageForecast, forecast_exhaustion
from maskline.core.inventory import Account
from maskline.core.usage import DAY_US, HOUR_US, Usage, UsageHistoryFilter, UsageSample
from maskline.store import usage as rows
from maskline.store.engine import Tx

SAMPLES_KEPT_DAYS: Final = 400
"""A year and some: this Diwali can be compared with the last."""


class ForecastUsage(NamedTuple):
    """What one scope uses, and what that says of the future."""

    usage: Usage
    forecast: UsageForecast


class MeasuredUsage(NamedTuple):
    """What was counted of one account, to be kept for the hour that began at `sampled_at` (µs UTC)."""

    account_id: int
    sampled_at: int
    usages: tuple[Usage, ...]


def show_usage(tx: Tx, account: Account, now: int) -> tuple[ForecastUsage, ...]:
    """Count the account's usage scope by scope, with forecasts; a sub-account sees its own numbers."""
    own = account.subaccount
    peaks = rows.load_daily_peaks(tx, account.id, now - now % DAY_US - BASIS_DAYS_MAX * DAY_US)
    return tuple(
        ForecastUsage(usage, forecast_exhaustion(peaks.get(usage.scope, ()), usage.counts.healthy_count, now))
        for usage in rows.count_usage(tx, account.id, now)
        if own is None or usage.scope.subaccount_id == own.id
    )


def list_usage_history(tx: Tx, wanted: UsageHistoryFilter) -> tuple[UsageSample, ...]:
    """List the hourly samples of one scope, newest first."""
    return rows.load_samples(tx, wanted)


def list_unsampled(tx: Tx, now: int) -> tuple[int, ...]:
    """Load the ids of up to a hundred accounts of which this hour has no sample; none: none are left."""
    return rows.load_unsampled(tx, now - now % HOUR_US)


def measure_usage(tx: Tx, account_id: int, now: int) -> MeasuredUsage:
    """Count an account's usage; it only reads, so that counting holds up nobody who writes."""
    return MeasuredUsage(account_id, now - now % HOUR_US, rows.count_usage(tx, account_id, now))


def keep_usage(tx: Tx, measured: MeasuredUsage) -> None:
    """Keep what was measured, and drop what is too old; an hour that has its sample keeps it."""
    for usage in measured.usages:
        rows.insert_sample(tx, measured.account_id, usage, measured.sampled_at)
    rows.prune_samples(tx, measured.account_id, measured.sampled_at - SAMPLES_KEPT_DAYS * DAY_US)

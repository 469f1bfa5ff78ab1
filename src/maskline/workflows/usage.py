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
    """What was counted of some accounts, to be kept for the hour that began at `sampled_at` (µs UTC)."""

    sampled_at: int
    accounts: tuple[tuple[int, tuple[Usage, ...]], ...]


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


def measure_usage(tx: Tx, now: int) -> MeasuredUsage:
    """Count the usage of up to a hundred accounts of which this hour has no sample; none are left: no accounts.

    It only reads, so that counting holds up nobody who writes.
    """
    sampled_at = now - now % HOUR_US
    return MeasuredUsage(
        sampled_at,
        tuple((id_, rows.count_usage(tx, id_, now)) for id_ in rows.load_unsampled(tx, sampled_at)),
    )


def keep_usage(tx: Tx, measured: MeasuredUsage) -> None:
    """Keep what was measured, and drop what is too old; an hour that has its sample keeps it."""
    for account_id, usages in measured.accounts:
        for usage in usages:
            rows.insert_sample(tx, account_id, usage, measured.sampled_at)
        rows.prune_samples(tx, account_id, measured.sampled_at - SAMPLES_KEPT_DAYS * DAY_US)

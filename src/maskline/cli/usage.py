"""`maskline usage`."""

from cyclopts import App

from maskline.cli.context import Context, found
from maskline.clock import to_datetime
from maskline.core.usage import UsageCounts
from maskline.store.engine import Tx
from maskline.workflows.accounts import load_account
from maskline.workflows.usage import ForecastUsage, show_usage

_COLUMNS = (
    "subaccount",
    "pool",
    "numbers",
    "healthy",
    "sessions",
    "occupied",
    "busiest",
    "needed",
    "free_for_busiest",
    "exhausted_at",
    "confidence",
)


def add_commands(app: App, context: Context) -> None:
    """Register the command."""

    @app.command(name="usage")
    def usage(account: str, /) -> None:
        """Show how an account's numbers are used, and when they will run out.

        Args:
            account: Name or auth id of the account.
        """
        usages = found(context.run(_show, account, context.clock.now()), "account", account)
        context.answer_table([_row(it) for it in usages], _COLUMNS, "no numbers")


def _show(tx: Tx, name: str, now: int) -> tuple[ForecastUsage, ...] | None:
    account = load_account(tx, auth_id=name) or load_account(tx, name=name)
    return None if account is None else show_usage(tx, account, now)


def _row(it: ForecastUsage) -> dict[str, object]:
    forecast = it.forecast
    exhausted_at = forecast.exhausted_at
    return {
        "subaccount": it.usage.subaccount_auth_id,
        "pool": it.usage.pool_name,
        **_counts(it.usage.counts),
        "exhausted_at": None
        if exhausted_at is None
        else to_datetime(exhausted_at).isoformat(timespec="minutes"),
        "confidence": forecast.confidence.value,
        "basis_days": forecast.basis_days,
        "trend_per_day": round(forecast.trend_per_day, 3),
    }


def _counts(counts: UsageCounts) -> dict[str, object]:
    return {
        "numbers": counts.number_count,
        "healthy": counts.healthy_count,
        "sessions": counts.live_session_count,
        "occupied": counts.occupied_binding_count,
        "busiest": counts.busiest_party_session_count,
        "needed": counts.needed_number_count,
        "free_for_busiest": counts.free_for_busiest,
    }

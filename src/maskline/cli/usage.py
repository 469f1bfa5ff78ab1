"""`maskline usage`.

What is answered are the models of the native interface, of the database of this machine, too.
"""

from cyclopts import App

from maskline.api.native.models.usage import UsageView
from maskline.api.native.usage import render_usage
from maskline.cli.context import Context
from maskline.cli.number import find_account
from maskline.cli.remote import usage as remote
from maskline.store.engine import Tx
from maskline.workflows.usage import show_usage

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
        usages = context.perform(_show, remote.show_usage, account, context.clock.now())
        context.answer_table([_row(it) for it in usages], _COLUMNS, "no numbers")


def _show(tx: Tx, account: str, now: int) -> tuple[UsageView, ...]:
    return tuple(render_usage(it) for it in show_usage(tx, find_account(tx, account), now))


def _row(it: UsageView) -> dict[str, object]:
    exhausted_at = it.forecast.exhausted_at
    return {
        "subaccount": it.subaccount,
        "pool": it.pool,
        "numbers": it.number_count,
        "healthy": it.healthy_count,
        "sessions": it.live_session_count,
        "occupied": it.occupied_binding_count,
        "busiest": it.busiest_party_session_count,
        "needed": it.needed_number_count,
        "free_for_busiest": it.free_for_busiest,
        "exhausted_at": None if exhausted_at is None else exhausted_at.isoformat(timespec="minutes"),
        "confidence": it.forecast.confidence.value,
        "basis_days": it.forecast.basis_days,
        "trend_per_day": it.forecast.trend_per_day,
    }

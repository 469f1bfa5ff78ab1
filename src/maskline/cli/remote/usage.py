"""Usage of numbers elsewhere."""

from typing import TYPE_CHECKING

from maskline.cli.remote.owners import act_for

if TYPE_CHECKING:
    from maskline.api.native.models.usage import UsageView
    from maskline.client import Client


def show_usage(client: "Client", account: str, now: int) -> "tuple[UsageView, ...]":
    """An account's usage scope by scope, with forecasts."""
    return tuple(act_for(client, account).usage.list())

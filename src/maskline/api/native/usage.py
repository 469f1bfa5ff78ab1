"""How an account's numbers are used, over the native interface."""

from typing import Any, Final

from starlette.responses import Response

from maskline.api.native.errors import refuse_field
from maskline.api.native.kernel import NativeKernel, reply
from maskline.api.native.models.common import ListOf, instant, optional_instant
from maskline.api.native.models.usage import Forecast, UsageHistoryQuery, UsageSampleView, UsageView
from maskline.api.native.paging import page_of, read_cursor
from maskline.api.native.queries import find_subaccount, open_span
from maskline.api.native.routes import Asked, Route
from maskline.core.access import Permission, Reach
from maskline.core.usage import UsageCounts, UsageHistoryFilter, UsageSample, UsageScope
from maskline.workflows.pools import PoolNotFound, load_pool
from maskline.workflows.usage import ForecastUsage, list_usage_history, show_usage

_LIST: Final = "usage"


class UsageAPI:
    """Operations on usage; a sub-account's credentials see its own numbers."""

    def __init__(self, kernel: NativeKernel) -> None:
        self._kernel = kernel

    async def show_usage(self, asked: Asked) -> Response:
        """Show how the numbers are used now: all of the account's own, then each sub-account's and each pool's.

        There is one page.
        """
        now = self._kernel.clock.now()
        found = await self._kernel.store.read(show_usage, asked.account, now)
        return reply(200, ListOf[UsageView](data=[render_usage(it) for it in found]))

    async def show_usage_history(self, asked: Asked) -> Response:
        """List the hourly samples of one scope, newest first; without pool and sub-account, of the account's own."""
        query = asked.query(UsageHistoryQuery)
        key = read_cursor(_LIST, query.after, int)
        span = open_span(query.sampled_after, query.sampled_before)
        wanted = UsageHistoryFilter(
            account_id=asked.account.id,
            scope=await self._find_scope(asked, query),
            from_=span.from_,
            until=span.until,
            before=None if key is None else int(key[0]),
            limit=query.limit + 1,
        )
        found = await self._kernel.store.read(list_usage_history, wanted)
        page = page_of(_LIST, found, query.limit, render=render_sample, key=lambda it: (it.sampled_at,))
        return reply(200, page)

    async def _find_scope(self, asked: Asked, query: UsageHistoryQuery) -> UsageScope:
        account = asked.account
        subaccount_id = await find_subaccount(self._kernel.store, account, query.subaccount)
        if account.subaccount is not None:
            subaccount_id = account.subaccount.id
        if query.pool is None:
            return UsageScope(subaccount_id=subaccount_id)
        found = await self._kernel.store.read(load_pool, account.id, query.pool)
        if isinstance(found, PoolNotFound):
            raise refuse_field("/pool", "unknown", "The account has no pool of this name.")
        return UsageScope(subaccount_id=subaccount_id, pool_id=found.id)


def render_usage(found: ForecastUsage) -> UsageView:
    """The usage of a scope as it is told."""
    usage, forecast = found
    return UsageView(
        subaccount=usage.subaccount_auth_id,
        pool=usage.pool_name,
        forecast=Forecast(
            exhausted_at=optional_instant(forecast.exhausted_at),
            confidence=forecast.confidence,
            basis_days=forecast.basis_days,
            trend_per_day=round(forecast.trend_per_day, 3),
        ),
        **_counts(usage.counts),
    )


def render_sample(sample: UsageSample) -> UsageSampleView:
    """An hour's sample as it is told."""
    return UsageSampleView(sampled_at=instant(sample.sampled_at), **_counts(sample.counts))


def _counts(counts: UsageCounts) -> dict[str, Any]:
    return {
        "number_count": counts.number_count,
        "healthy_count": counts.healthy_count,
        "live_session_count": counts.live_session_count,
        "occupied_binding_count": counts.occupied_binding_count,
        "busiest_party_session_count": counts.busiest_party_session_count,
        "needed_number_count": counts.needed_number_count,
        "free_for_busiest": counts.free_for_busiest,
    }


def usage_routes(api: UsageAPI) -> tuple[Route, ...]:
    """The rows of the table."""
    return (
        Route(
            path="/usage",
            method="GET",
            name="show_usage",
            operation=api.show_usage,
            permission=Permission.NUMBERS_READ,
            reach=Reach.SUBACCOUNT,
            response=ListOf[UsageView],
        ),
        Route(
            path="/usage/history",
            method="GET",
            name="show_usage_history",
            operation=api.show_usage_history,
            permission=Permission.NUMBERS_READ,
            reach=Reach.SUBACCOUNT,
            query=UsageHistoryQuery,
            response=ListOf[UsageSampleView],
        ),
    )

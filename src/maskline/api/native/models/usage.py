"""Usage of numbers and the forecast of their exhaustion."""

from typing import Annotated, Literal

from pydantic import Field

from maskline.api.native.models.common import Instant, ListQuery, Name, Resource, SubaccountId
from maskline.core.forecast import ForecastConfidence


class Forecast(Resource):
    """When the trend of the daily needs exceeds the healthy numbers; without a date nothing says so."""

    exhausted_at: Instant | None
    confidence: ForecastConfidence
    basis_days: Annotated[int, Field(description="Whole days that were looked at.")]
    trend_per_day: Annotated[float, Field(description="By how many numbers the need changes a day.")]


class UsageCountsView(Resource):
    """What is counted over the numbers of one scope."""

    object: str
    number_count: int
    healthy_count: Annotated[int, Field(description="Of these, those that take new sessions.")]
    live_session_count: int
    occupied_binding_count: Annotated[int, Field(description="Places taken, live or cooling off.")]
    busiest_party_session_count: Annotated[int, Field(description="Places taken by the busiest party: D.")]
    needed_number_count: Annotated[int, Field(description="2D-1: with so many no request is ever refused.")]
    free_for_busiest: Annotated[
        int, Field(description="Healthy numbers left for the party that has most of them taken.")
    ]


class UsageView(UsageCountsView):
    """How the numbers of one scope are used now."""

    object: Literal["usage"] = "usage"
    subaccount: Annotated[str | None, Field(description="Null: numbers the account leases for itself.")]
    pool: Annotated[str | None, Field(description="Null: all of them.")]
    forecast: Forecast


class UsageSampleView(UsageCountsView):
    """How the numbers of one scope were used in an hour."""

    object: Literal["usage_sample"] = "usage_sample"
    sampled_at: Annotated[Instant, Field(description="When the hour began.")]


class UsageHistoryQuery(ListQuery):
    """What may be asked of GET usage/history."""

    subaccount: SubaccountId | None = None
    pool: Name | None = None
    sampled_after: Instant | None = None
    sampled_before: Instant | None = None

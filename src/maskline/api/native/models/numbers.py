"""Virtual numbers."""

from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import Field

from maskline.api.native.models.common import (
    AccountId,
    Country,
    Instant,
    ListQuery,
    Name,
    Query,
    Request,
    Resource,
    SubaccountId,
    VirtualNumberText,
)
from maskline.core.inventory import NumberHealth

NUMBERS_MAX: Final = 200  # of one request: its transaction must stay short
AREA_LENGTH_MAX: Final = 50


class NumberState(StrEnum):
    """Whether a number may be given to new sessions."""

    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    DRAINING = "draining"


class NewNumbersRequest(Request):
    """What is asked of POST numbers: all are added, in this order, or none."""

    numbers: Annotated[list[VirtualNumberText], Field(min_length=1, max_length=NUMBERS_MAX)]
    trunk: Annotated[Name, Field(description="The trunk that delivers them.")]
    account: Annotated[AccountId, Field(description="Who may use them.")]
    subaccount: Annotated[SubaccountId | None, Field(description="Who alone of the account may.")] = None
    area: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=AREA_LENGTH_MAX,
            pattern=r"^[^\x00-\x1f\x7f-\x9f]+$",
            description="A word of your own for where they are from.",
        ),
    ] = None
    pool: Annotated[Name | None, Field(description="A pool of the account that they join.")] = None


class NumberChangesRequest(Request):
    """What is asked of PATCH numbers/{e164}; what is left out stays, null takes it out of its pool."""

    pool: Name | None = None
    health: Annotated[
        NumberHealth | None,
        Field(strict=False, description="Whether new sessions may have it; operator only."),
    ] = None


class NumberQuery(ListQuery):
    """What may be asked of GET numbers."""

    trunk: Annotated[str | None, Field(max_length=100, pattern=r"^[^\x00]*$")] = None
    pool: Annotated[str | None, Field(max_length=100, pattern=r"^[^\x00]*$")] = None
    country: Country | None = None
    state: NumberState | None = None


class RemovalQuery(Query):
    """What may be asked of DELETE numbers/{e164}."""

    force: Annotated[bool, Field(description="End its live sessions first.")] = False


class NumberView(Resource):
    """A number of the inventory, and who leases it."""

    object: Literal["number"] = "number"
    number: str
    country: str
    area: str | None
    trunk: Annotated[str | None, Field(description="Told to the operator only.")]
    account: str | None
    subaccount: str | None
    pool: str | None
    state: NumberState
    created_at: Instant
    draining_at: Instant | None


class NumberDrainingView(NumberView):
    """A number that gets no new session, and how many old ones it has."""

    live_session_count: int


class NumberRemovedView(Resource):
    """A number that is out of the inventory."""

    object: Literal["number"] = "number"
    number: str
    state: Literal["removed"] = "removed"
    ended_session_count: int

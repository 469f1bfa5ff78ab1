"""Pools of numbers."""

from typing import Annotated, Literal

from pydantic import Field

from maskline.api.native.models.common import Instant, PathName, Request, Resource
from maskline.core.inventory import AllocationPolicy

PolicyField = Annotated[AllocationPolicy, Field(strict=False, description="How the next number is chosen.")]


class NewPool(Request):
    """What is asked of POST pools."""

    name: PathName
    policy: PolicyField = AllocationPolicy.FIRST_FIT


class PoolChanges(Request):
    """What is asked of PATCH pools/{name}."""

    policy: PolicyField


class PoolView(Resource):
    """Some of an account's numbers, which join by PATCH numbers/{e164}."""

    object: Literal["pool"] = "pool"
    name: str
    account: str
    policy: AllocationPolicy
    number_count: int
    created_at: Instant

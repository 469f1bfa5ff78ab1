"""Pools elsewhere."""

from typing import TYPE_CHECKING

from maskline.cli.remote.owners import act_for
from maskline.clock import from_datetime
from maskline.core.inventory import AllocationPolicy, Pool
from maskline.core.numbers import DID
from maskline.workflows.numbers import NumberNotFound
from maskline.workflows.pools import PoolDeleted, PoolExists, PoolInUse, PoolNotFound

if TYPE_CHECKING:
    from maskline.api.native.models.pools import PoolView
    from maskline.client import Client

_ELSEWHERE = 0  # internal ids stay where they are


def create_pool(
    client: "Client", account: str, name: str, policy: AllocationPolicy, now: int
) -> Pool | PoolExists:
    """Make a pool."""
    from maskline.client import ConflictError  # noqa: PLC0415  # slow to load; most commands are local

    try:
        return _pool(act_for(client, account).pools.create(name=name, policy=policy))
    except ConflictError:
        return PoolExists()


def change_pool(client: "Client", account: str, name: str, policy: AllocationPolicy) -> Pool | PoolNotFound:
    """Change a pool's policy."""
    from maskline.client import NotFoundError  # noqa: PLC0415

    try:
        return _pool(act_for(client, account).pools.update(name, policy=policy))
    except NotFoundError:
        return PoolNotFound()


def list_pools(client: "Client", account: str) -> tuple[Pool, ...]:
    """Pools, newest first."""
    return tuple(_pool(it) for it in act_for(client, account).pools.list())


def delete_pool(client: "Client", account: str, name: str) -> PoolDeleted | PoolNotFound | PoolInUse:
    """Delete a pool."""
    from maskline.client import ConflictError, NotFoundError  # noqa: PLC0415

    owner = act_for(client, account)
    try:
        owner.pools.delete(name)
    except NotFoundError:
        return PoolNotFound()
    except ConflictError:
        return PoolInUse(number_count=owner.pools.get(name).number_count)
    return PoolDeleted()


def move_numbers(
    client: "Client", account: str, pool: str | None, numbers: tuple[DID, ...]
) -> PoolNotFound | NumberNotFound | None:
    """Move numbers once all of them, and the pool, were seen to be there."""
    from maskline.client import NotFoundError  # noqa: PLC0415

    owner = act_for(client, account)
    try:
        if pool is not None:
            owner.pools.get(pool)
    except NotFoundError:
        return PoolNotFound()
    try:
        for number in numbers:
            owner.numbers.get(number)
        for number in numbers:
            owner.numbers.update(number, pool=pool)
    except NotFoundError:
        return NumberNotFound()
    return None


def _pool(view: "PoolView") -> Pool:
    return Pool(
        id=_ELSEWHERE,
        account_id=_ELSEWHERE,
        name=view.name,
        policy=view.policy,
        created_at=from_datetime(view.created_at),
        number_count=view.number_count,
    )

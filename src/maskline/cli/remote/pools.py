"""Pools elsewhere."""

from typing import TYPE_CHECKING

from maskline.cli.remote.owners import act_for
from maskline.clock import from_datetime
from maskline.core.inventory import AllocationPolicy, Pool
from maskline.core.numbers import DID
from maskline.errors import RefusedError
from maskline.workflows.pools import PoolDeleted, PoolExists, PoolInUse, PoolNotFound

if TYPE_CHECKING:
    from maskline.api.native.models.pools import PoolView
    from maskline.client import Client


def create_pool(
    client: "Client", account: str, name: str, policy: AllocationPolicy, now: int
) -> Pool | PoolExists:
    """Make a pool."""
    from maskline.client import ConflictError  # noqa: PLC0415  # slow to load; most commands are local

    try:
        return _pool(act_for(client, account).pools.create(name=name, policy=policy))
    except ConflictError:
        return PoolExists()


def list_pools(client: "Client", account: str) -> tuple[Pool, ...]:
    """An account's pools, newest first."""
    return tuple(_pool(it) for it in act_for(client, account).pools.list())


def delete_pool(client: "Client", account: str, name: str) -> PoolDeleted | PoolNotFound | PoolInUse:
    """Delete a pool that no number is in."""
    from maskline.client import ConflictError, NotFoundError  # noqa: PLC0415  # as above

    owner = act_for(client, account)
    try:
        owner.pools.delete(name)
    except NotFoundError:
        return PoolNotFound()
    except ConflictError:
        return PoolInUse(number_count=owner.pools.get(name).number_count)
    return PoolDeleted()


def move_number(client: "Client", account: str, number: DID, pool: str | None) -> bool:
    """Let a number join a pool, or leave its own; False when the account has no such number."""
    from maskline.client import InvalidRequestError, NotFoundError  # noqa: PLC0415  # as above

    try:
        act_for(client, account).numbers.update(number, pool=pool)
    except NotFoundError:
        return False
    except InvalidRequestError as error:
        if any(it.pointer == "/pool" and it.code == "unknown" for it in error.errors):
            raise RefusedError(f"there is no pool {pool!r}") from None
        raise
    return True


def _pool(view: "PoolView") -> Pool:
    return Pool(
        id=0,
        account_id=0,
        name=view.name,
        policy=view.policy,
        created_at=from_datetime(view.created_at),
        number_count=view.number_count,
    )

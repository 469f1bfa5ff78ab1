"""Pools over the native interface: an account's own."""

from typing import Final

from starlette.responses import Response

from maskline.api.native.errors import NativeError
from maskline.api.native.kernel import NativeKernel, refuse, reply
from maskline.api.native.models.common import ListOf, ListQuery, instant
from maskline.api.native.models.pools import NewPool, PoolChanges, PoolView
from maskline.api.native.paging import page_of, read_cursor
from maskline.api.native.routes import Asked, Route
from maskline.core.access import Permission
from maskline.core.inventory import Account, Pool
from maskline.workflows.pools import (
    PoolDeleted,
    PoolExists,
    PoolInUse,
    PoolNotFound,
    change_pool,
    create_pool,
    delete_pool,
    list_pools,
    load_pool,
)

_LIST: Final = "pools"


class PoolsAPI:
    """Operations on an account's pools."""

    def __init__(self, kernel: NativeKernel) -> None:
        self._kernel = kernel

    async def list_pools(self, asked: Asked) -> Response:
        """List pools, newest first."""
        query = asked.query(ListQuery)
        key = read_cursor(_LIST, query.after, int)
        account = asked.account
        found = await self._kernel.store.read(
            list_pools, account.id, before=None if key is None else int(key[0]), limit=query.limit + 1
        )
        page = page_of(
            _LIST, found, query.limit, render=lambda it: _render(account, it), key=lambda it: (it.id,)
        )
        return reply(200, page)

    async def create_pool(self, asked: Asked) -> Response:
        """Make a pool, without numbers at first."""
        wanted = asked.read(NewPool)
        account = asked.account

        def tell(outcome: Pool | PoolExists) -> Response:
            if isinstance(outcome, PoolExists):
                return refuse(NativeError("pool-exists"))
            return reply(201, _render(account, outcome))

        now = self._kernel.clock.now()
        return await self._kernel.write(asked, create_pool, tell, account.id, wanted.name, wanted.policy, now)

    async def get_pool(self, asked: Asked) -> Response:
        """Show one pool."""
        found = await self._kernel.store.read(load_pool, asked.account.id, asked.name())
        if isinstance(found, PoolNotFound):
            raise NativeError("not-found")
        return reply(200, _render(asked.account, found))

    async def change_pool(self, asked: Asked) -> Response:
        """Change how a pool's next number is chosen; it holds for the next session."""
        wanted = asked.read(PoolChanges)
        changed = await self._kernel.store.write(change_pool, asked.account.id, asked.name(), wanted.policy)
        if isinstance(changed, PoolNotFound):
            raise NativeError("not-found")
        return reply(200, _render(asked.account, changed))

    async def delete_pool(self, asked: Asked) -> Response:
        """Delete a pool that no number is in."""
        outcome = await self._kernel.store.write(delete_pool, asked.account.id, asked.name())
        match outcome:
            case PoolNotFound():
                raise NativeError("not-found")
            case PoolInUse(number_count=count):
                raise NativeError("pool-in-use", f"Numbers in it: {count}.")
            case PoolDeleted():
                return reply(204)


def _render(account: Account, pool: Pool) -> PoolView:
    return PoolView(
        name=pool.name,
        account=account.auth_id,
        policy=pool.policy,
        number_count=pool.number_count,
        created_at=instant(pool.created_at),
    )


def pool_routes(api: PoolsAPI) -> tuple[Route, ...]:
    """The rows of the table."""
    return (
        Route(
            path="/pools",
            method="GET",
            name="list_pools",
            operation=api.list_pools,
            permission=Permission.NUMBERS_READ,
            query=ListQuery,
            response=ListOf[PoolView],
        ),
        Route(
            path="/pools",
            method="POST",
            name="create_pool",
            operation=api.create_pool,
            permission=Permission.NUMBERS_WRITE,
            request=NewPool,
            response=PoolView,
            status=201,
            problems=("pool-exists",),
        ),
        Route(
            path="/pools/{name}",
            method="GET",
            name="get_pool",
            operation=api.get_pool,
            permission=Permission.NUMBERS_READ,
            response=PoolView,
        ),
        Route(
            path="/pools/{name}",
            method="PATCH",
            name="change_pool",
            operation=api.change_pool,
            permission=Permission.NUMBERS_WRITE,
            request=PoolChanges,
            response=PoolView,
        ),
        Route(
            path="/pools/{name}",
            method="DELETE",
            name="delete_pool",
            operation=api.delete_pool,
            permission=Permission.NUMBERS_WRITE,
            status=204,
            problems=("pool-in-use",),
        ),
    )

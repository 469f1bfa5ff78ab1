"""Sub-accounts over the native interface: an account's own."""

from typing import Final

from starlette.responses import Response

from maskline.api.native.errors import NativeError
from maskline.api.native.kernel import NativeKernel, refuse, reply
from maskline.api.native.models.accounts import NewSubaccount, SubaccountView, SubaccountWithToken
from maskline.api.native.models.common import ListOf, ListQuery, instant
from maskline.api.native.paging import page_of, read_cursor
from maskline.api.native.routes import Asked, Route
from maskline.core.access import Permission
from maskline.core.inventory import Account, Subaccount
from maskline.store.engine import Tx
from maskline.workflows.accounts import (
    AccountExists,
    create_subaccount,
    list_subaccount_page,
    load_subaccount,
    rotate_token,
)

_LIST: Final = "subaccounts"


class SubaccountsAPI:
    """Operations on an account's sub-accounts."""

    def __init__(self, kernel: NativeKernel) -> None:
        self._kernel = kernel

    async def list_subaccounts(self, asked: Asked) -> Response:
        """List sub-accounts, newest first, without their tokens."""
        query = asked.query(ListQuery)
        key = read_cursor(_LIST, query.after, int)
        before = None if key is None else int(key[0])
        account = asked.account
        found = await self._kernel.store.read(list_subaccount_page, account.id, before, query.limit + 1)
        page = page_of(
            _LIST,
            found,
            query.limit,
            render=lambda it: SubaccountView(**_fields(account, it)),
            key=lambda it: (it.id,),
        )
        return reply(200, page)

    async def create_subaccount(self, asked: Asked) -> Response:
        """Make a sub-account; the answer has its token, this once."""
        wanted = asked.read(NewSubaccount)
        account = asked.account

        def tell(outcome: Subaccount | AccountExists) -> Response:
            if isinstance(outcome, AccountExists):
                return refuse(NativeError("subaccount-exists"))
            return reply(201, SubaccountWithToken(**_fields(account, outcome), auth_token=outcome.token))

        now = self._kernel.clock.now()
        return await self._kernel.write(asked, create_subaccount, tell, account, wanted.name, now)

    async def get_subaccount(self, asked: Asked) -> Response:
        """Show one sub-account, without its token."""
        found = await self._kernel.store.read(load_subaccount, asked.account, asked.path("auth_id"))
        if found is None:
            raise NativeError("not-found")
        return reply(200, SubaccountView(**_fields(asked.account, found)))

    async def rotate_token(self, asked: Asked) -> Response:
        """Give a sub-account a new token, shown this once; the old one ends within a second."""
        account = asked.account

        def tell(outcome: Subaccount | None) -> Response:
            if outcome is None:
                return refuse(NativeError("not-found"))
            return reply(200, SubaccountWithToken(**_fields(account, outcome), auth_token=outcome.token))

        return await self._kernel.write(asked, _rotate, tell, account, asked.path("auth_id"))


def _rotate(tx: Tx, account: Account, auth_id: str) -> Subaccount | None:
    if load_subaccount(tx, account, auth_id) is None:
        return None
    rotated = rotate_token(tx, auth_id)
    return None if rotated is None else rotated.subaccount


def _fields(account: Account, subaccount: Subaccount) -> dict[str, object]:
    return {
        "auth_id": subaccount.auth_id,
        "account": account.auth_id,
        "name": subaccount.name,
        "created_at": instant(subaccount.created_at),
    }


def subaccount_routes(api: SubaccountsAPI) -> tuple[Route, ...]:
    """The rows of the table."""
    return (
        Route(
            path="/subaccounts",
            method="GET",
            name="list_subaccounts",
            operation=api.list_subaccounts,
            permission=Permission.ACCOUNTS_READ,
            query=ListQuery,
            response=ListOf[SubaccountView],
        ),
        Route(
            path="/subaccounts",
            method="POST",
            name="create_subaccount",
            operation=api.create_subaccount,
            permission=Permission.ACCOUNTS_WRITE,
            request=NewSubaccount,
            response=SubaccountWithToken,
            status=201,
            problems=("subaccount-exists",),
        ),
        Route(
            path="/subaccounts/{auth_id}",
            method="GET",
            name="get_subaccount",
            operation=api.get_subaccount,
            permission=Permission.ACCOUNTS_READ,
            response=SubaccountView,
        ),
        Route(
            path="/subaccounts/{auth_id}/rotate-token",
            method="POST",
            name="rotate_subaccount_token",
            operation=api.rotate_token,
            permission=Permission.ACCOUNTS_WRITE,
            response=SubaccountWithToken,
        ),
    )

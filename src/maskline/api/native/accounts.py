"""Accounts over the native interface: all of them for the operator, its own for everybody."""

from typing import Final

from starlette.responses import Response

from maskline.api.native.errors import NativeError
from maskline.api.native.kernel import NativeKernel, refuse, reply
from maskline.api.native.models.accounts import (
    AccountChanges,
    AccountView,
    AccountWithToken,
    NewAccountRequest,
    OwnAccount,
)
from maskline.api.native.models.common import ListOf, ListQuery, instant
from maskline.api.native.paging import page_of, read_cursor
from maskline.api.native.routes import Asked, Route
from maskline.core.access import Permission, Reach
from maskline.core.inventory import Account, NewAccount
from maskline.core.secret import Secret
from maskline.store.engine import Tx
from maskline.workflows.accounts import (
    AccountExists,
    change_account,
    create_account,
    list_account_page,
    load_account,
    rotate_token,
)

_LIST: Final = "accounts"


class AccountsAPI:
    """Operations on accounts."""

    def __init__(self, kernel: NativeKernel) -> None:
        self._kernel = kernel

    async def get_own_account(self, asked: Asked) -> Response:
        """Show the account that the credentials open, or that the header names."""
        subaccount = asked.account.subaccount
        auth_id = None if subaccount is None else subaccount.auth_id
        return reply(200, OwnAccount(**_fields(asked.account), subaccount=auth_id))

    async def list_accounts(self, asked: Asked) -> Response:
        """List accounts, newest first, without their tokens."""
        query = asked.query(ListQuery)
        key = read_cursor(_LIST, query.after, int)
        before = None if key is None else int(key[0])
        found = await self._kernel.store.read(list_account_page, before, query.limit + 1)
        return reply(200, page_of(_LIST, found, query.limit, render=_render, key=lambda it: (it.id,)))

    async def create_account(self, asked: Asked) -> Response:
        """Make an account; the answer has its token, this once."""
        wanted = asked.read(NewAccountRequest)
        new = NewAccount(
            name=wanted.name,
            auth_id=wanted.auth_id,
            token=None if wanted.auth_token is None else Secret(wanted.auth_token),
            country=wanted.country,
            timezone=wanted.timezone,
            policy=wanted.policy,
            cooloff_scope=wanted.cooloff_scope,
        )
        return await self._kernel.write(asked, create_account, _tell_created, new, self._kernel.clock.now())

    async def get_account(self, asked: Asked) -> Response:
        """Show one account, without its token."""
        found = await self._kernel.store.read(load_account, auth_id=asked.path("auth_id"))
        if found is None:
            raise NativeError("not-found")
        return reply(200, _render(found))

    async def change_account(self, asked: Asked) -> Response:
        """Change what is given; it holds for the next call and the next session."""
        wanted = asked.read(AccountChanges)
        changed = await self._kernel.store.write(_change, asked.path("auth_id"), wanted)
        if changed is None:
            raise NativeError("not-found")
        return reply(200, _render(changed))

    async def rotate_token(self, asked: Asked) -> Response:
        """Give an account a new token, shown this once; the old one ends within a second."""
        return await self._kernel.write(asked, _rotate, _tell_rotated, asked.path("auth_id"))


def _change(tx: Tx, auth_id: str, wanted: AccountChanges) -> Account | None:
    account = load_account(tx, auth_id=auth_id)
    if account is None:
        return None
    prompt = (wanted.refusal_prompt or "") if "refusal_prompt" in wanted.model_fields_set else None
    return change_account(
        tx,
        account,
        refusal_prompt_url=prompt,
        has_strict_pins=wanted.strict_pins,
        country=wanted.country,
        timezone=wanted.timezone,
        policy=wanted.policy,
        cooloff_scope=wanted.cooloff_scope,
    )


def _rotate(tx: Tx, auth_id: str) -> Account | None:
    return None if load_account(tx, auth_id=auth_id) is None else rotate_token(tx, auth_id)


def _tell_created(outcome: Account | AccountExists) -> Response:
    match outcome:
        case AccountExists():
            return refuse(NativeError("account-exists"))
        case Account():
            return reply(201, AccountWithToken(**_fields(outcome), auth_token=outcome.token))


def _tell_rotated(outcome: Account | None) -> Response:
    if outcome is None:
        return refuse(NativeError("not-found"))
    return reply(200, AccountWithToken(**_fields(outcome), auth_token=outcome.token))


def _render(account: Account) -> AccountView:
    return AccountView(**_fields(account))


def _fields(account: Account) -> dict[str, object]:
    return {
        "auth_id": account.auth_id,
        "name": account.name,
        "country": account.country,
        "timezone": account.timezone,
        "policy": account.policy,
        "cooloff_scope": account.cooloff_scope,
        "refusal_prompt": account.refusal_prompt_url or None,
        "strict_pins": account.has_strict_pins,
        "created_at": instant(account.created_at),
    }


def account_routes(api: AccountsAPI) -> tuple[Route, ...]:
    """The rows of the table."""
    return (
        Route(
            path="/account",
            method="GET",
            name="get_own_account",
            operation=api.get_own_account,
            permission=None,
            reach=Reach.SUBACCOUNT,
            response=OwnAccount,
        ),
        Route(
            path="/accounts",
            method="GET",
            name="list_accounts",
            operation=api.list_accounts,
            permission=Permission.ACCOUNTS_READ,
            reach=Reach.OPERATOR,
            query=ListQuery,
            response=ListOf[AccountView],
        ),
        Route(
            path="/accounts",
            method="POST",
            name="create_account",
            operation=api.create_account,
            permission=Permission.ACCOUNTS_WRITE,
            reach=Reach.OPERATOR,
            request=NewAccountRequest,
            response=AccountWithToken,
            status=201,
            problems=("account-exists",),
        ),
        Route(
            path="/accounts/{auth_id}",
            method="GET",
            name="get_account",
            operation=api.get_account,
            permission=Permission.ACCOUNTS_READ,
            reach=Reach.OPERATOR,
            response=AccountView,
        ),
        Route(
            path="/accounts/{auth_id}",
            method="PATCH",
            name="change_account",
            operation=api.change_account,
            permission=Permission.ACCOUNTS_WRITE,
            reach=Reach.OPERATOR,
            request=AccountChanges,
            response=AccountView,
        ),
        Route(
            path="/accounts/{auth_id}/rotate-token",
            method="POST",
            name="rotate_account_token",
            operation=api.rotate_token,
            permission=Permission.ACCOUNTS_WRITE,
            reach=Reach.OPERATOR,
            response=AccountWithToken,
        ),
    )

"""What an operator keeps: keys and, one by one, what calls run on. Every method raises ClientError."""

from maskline.api.native.models.accounts import (
    AccountChanges,
    AccountView,
    AccountWithToken,
    NewAccountRequest,
    NewSubaccount,
    OwnAccount,
    SubaccountView,
    SubaccountWithToken,
)
from maskline.api.native.models.common import ListOf, ListQuery
from maskline.api.native.models.keys import Key, KeyWithSecret, NewKey, Rotation
from maskline.client._async.paging import AsyncPages
from maskline.client._async.transport import AsyncResource
from maskline.client.takes import takes, takes_of_one
from maskline.client.wire import build_path


class AsyncAccounts(AsyncResource):
    """Tenants, for the operator; `own` is for everybody."""

    async def own(self) -> OwnAccount:
        """The account that the client's credentials open, or that it acts for."""
        return await self._transport.get("/account", OwnAccount)

    @takes(ListQuery)
    def list(self, query: ListQuery) -> AsyncPages[AccountView]:
        """Accounts, without their tokens."""
        return AsyncPages(self._transport, "/accounts", ListOf[AccountView], query)

    @takes(NewAccountRequest)
    async def create(self, new: NewAccountRequest) -> AccountWithToken:
        """Make an account; its token is shown this once."""
        return await self._transport.post("/accounts", AccountWithToken, body=new)

    async def get(self, auth_id: str) -> AccountView:
        """One account."""
        return await self._transport.get(build_path("accounts", auth_id), AccountView)

    @takes_of_one(AccountChanges)
    async def update(self, auth_id: str, changes: AccountChanges) -> AccountView:
        """Change an account; what is not given stays."""
        return await self._transport.patch(build_path("accounts", auth_id), AccountView, body=changes)

    async def rotate_token(self, auth_id: str) -> AccountWithToken:
        """Give an account another token, which is shown this once."""
        return await self._transport.post(build_path("accounts", auth_id, "rotate-token"), AccountWithToken)


class AsyncSubaccounts(AsyncResource):
    """Parts of the account that the client acts for, with credentials of their own."""

    @takes(ListQuery)
    def list(self, query: ListQuery) -> AsyncPages[SubaccountView]:
        """Sub-accounts, without their tokens."""
        return AsyncPages(self._transport, "/subaccounts", ListOf[SubaccountView], query)

    @takes(NewSubaccount)
    async def create(self, new: NewSubaccount) -> SubaccountWithToken:
        """Make a sub-account; its token is shown this once."""
        return await self._transport.post("/subaccounts", SubaccountWithToken, body=new)

    async def get(self, auth_id: str) -> SubaccountView:
        """One sub-account."""
        return await self._transport.get(build_path("subaccounts", auth_id), SubaccountView)


class AsyncKeys(AsyncResource):
    """API keys: the operator's, or those of the account that the client acts for."""

    @takes(ListQuery)
    def list(self, query: ListQuery) -> AsyncPages[Key]:
        """Keys, newest first, without their secrets."""
        return AsyncPages(self._transport, "/keys", ListOf[Key], query)

    @takes(NewKey)
    async def create(self, new: NewKey) -> KeyWithSecret:
        """Make a key; its secret is shown this once."""
        return await self._transport.post("/keys", KeyWithSecret, body=new)

    async def get(self, id_: str) -> Key:
        """One key."""
        return await self._transport.get(build_path("keys", id_), Key)

    @takes_of_one(Rotation)
    async def rotate(self, id_: str, rotation: Rotation) -> KeyWithSecret:
        """Give a key another secret, which is shown this once; the old one works on for `overlap_s`."""
        return await self._transport.post(build_path("keys", id_, "rotate"), KeyWithSecret, body=rotation)

    async def revoke(self, id_: str) -> None:
        """End a key."""
        await self._transport.delete(build_path("keys", id_))

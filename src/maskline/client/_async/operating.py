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
from maskline.api.native.models.deepcall import DeepCallCredentialsView, NewDeepCallCredentials
from maskline.api.native.models.keys import Key, KeyWithSecret, NewKey, Rotation
from maskline.api.native.models.numbers import (
    NewNumbersRequest,
    NumberChangesRequest,
    NumberDrainingView,
    NumberQuery,
    NumberRemovedView,
    NumberView,
)
from maskline.api.native.models.pools import NewPool, PoolChanges, PoolView
from maskline.api.native.models.trunks import NewTrunk, TrunkChanges, TrunkView
from maskline.client._async.paging import AsyncPages
from maskline.client._async.transport import AsyncResource
from maskline.client.takes import takes, takes_of_one
from maskline.client.wire import build_path, read_answer


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

    async def rotate_token(self, auth_id: str) -> SubaccountWithToken:
        """Give a sub-account another token, which is shown this once."""
        return await self._transport.post(
            build_path("subaccounts", auth_id, "rotate-token"), SubaccountWithToken
        )


class AsyncDeepCall(AsyncResource):
    """What opens the account that the client acts for to clients of the DeepCall dialect."""

    @takes(NewDeepCallCredentials)
    async def make(self, new: NewDeepCallCredentials) -> DeepCallCredentialsView:
        """Make what is missing, or draw anew what is to be; a new ssid is shown this once."""
        return await self._transport.post("/deepcall-credentials", DeepCallCredentialsView, body=new)

    async def withdraw(self) -> None:
        """Forget user id, token and every ssid."""
        await self._transport.delete("/deepcall-credentials")


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


class AsyncTrunks(AsyncResource):
    """Interconnects with carriers, for the operator."""

    @takes(ListQuery)
    def list(self, query: ListQuery) -> AsyncPages[TrunkView]:
        """Trunks, newest first, without their passwords."""
        return AsyncPages(self._transport, "/trunks", ListOf[TrunkView], query)

    @takes(NewTrunk)
    async def create(self, new: NewTrunk) -> TrunkView:
        """Add a trunk."""
        return await self._transport.post("/trunks", TrunkView, body=new)

    async def get(self, name: str) -> TrunkView:
        """One trunk."""
        return await self._transport.get(build_path("trunks", name), TrunkView)

    @takes_of_one(TrunkChanges)
    async def update(self, name: str, changes: TrunkChanges) -> TrunkView:
        """Change a trunk; what is not given stays."""
        return await self._transport.patch(build_path("trunks", name), TrunkView, body=changes)

    async def delete(self, name: str) -> None:
        """Remove a trunk without numbers."""
        await self._transport.delete(build_path("trunks", name))


class AsyncNumbers(AsyncResource):
    """Virtual numbers."""

    @takes(NumberQuery)
    def list(self, query: NumberQuery) -> AsyncPages[NumberView]:
        """Numbers of the inventory, or those that the account leases."""
        return AsyncPages(self._transport, "/numbers", ListOf[NumberView], query)

    @takes(NewNumbersRequest)
    async def add(self, new: NewNumbersRequest) -> ListOf[NumberView]:
        """Add numbers and lease them to an account; all or none."""
        return await self._transport.post("/numbers", ListOf[NumberView], body=new)

    async def get(self, number: str) -> NumberView:
        """One number."""
        return await self._transport.get(build_path("numbers", number), NumberView)

    @takes_of_one(NumberChangesRequest)
    async def update(self, number: str, changes: NumberChangesRequest) -> NumberView:
        """Let a number join or leave a pool, or say whether it is healthy."""
        return await self._transport.patch(build_path("numbers", number), NumberView, body=changes)

    async def drain(self, number: str) -> NumberDrainingView:
        """Give a number to no new session; those it has run on."""
        return await self._transport.post(build_path("numbers", number, "drain"), NumberDrainingView)

    async def remove(self, number: str, *, force: bool = False) -> NumberRemovedView:
        """Take a number out of the inventory once no session lives on it; forced, end them first."""
        response = await self._transport.delete(build_path("numbers", number), query={"force": force})
        return read_answer(response, NumberRemovedView)


class AsyncPools(AsyncResource):
    """Groups of an account's numbers."""

    @takes(ListQuery)
    def list(self, query: ListQuery) -> AsyncPages[PoolView]:
        """Pools of the account."""
        return AsyncPages(self._transport, "/pools", ListOf[PoolView], query)

    @takes(NewPool)
    async def create(self, new: NewPool) -> PoolView:
        """Make a pool; numbers join it by `numbers.update`."""
        return await self._transport.post("/pools", PoolView, body=new)

    async def get(self, name: str) -> PoolView:
        """One pool."""
        return await self._transport.get(build_path("pools", name), PoolView)

    @takes_of_one(PoolChanges)
    async def update(self, name: str, changes: PoolChanges) -> PoolView:
        """Change a pool."""
        return await self._transport.patch(build_path("pools", name), PoolView, body=changes)

    async def delete(self, name: str) -> None:
        """Delete a pool without numbers."""
        await self._transport.delete(build_path("pools", name))

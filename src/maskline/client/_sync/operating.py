# Made by tools/make-client; change the asynchronous one instead.
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
from maskline.client._sync.paging import Pages
from maskline.client._sync.transport import Resource
from maskline.client.takes import takes, takes_of_one
from maskline.client.wire import build_path, read_answer


class Accounts(Resource):
    """Tenants, for the operator; `own` is for everybody."""

    def own(self) -> OwnAccount:
        """The account that the client's credentials open, or that it acts for."""
        return self._transport.get("/account", OwnAccount)

    @takes(ListQuery)
    def list(self, query: ListQuery) -> Pages[AccountView]:
        """Accounts, without their tokens."""
        return Pages(self._transport, "/accounts", ListOf[AccountView], query)

    @takes(NewAccountRequest)
    def create(self, new: NewAccountRequest) -> AccountWithToken:
        """Make an account; its token is shown this once."""
        return self._transport.post("/accounts", AccountWithToken, body=new)

    def get(self, auth_id: str) -> AccountView:
        """One account."""
        return self._transport.get(build_path("accounts", auth_id), AccountView)

    @takes_of_one(AccountChanges)
    def update(self, auth_id: str, changes: AccountChanges) -> AccountView:
        """Change an account; what is not given stays."""
        return self._transport.patch(build_path("accounts", auth_id), AccountView, body=changes)

    def rotate_token(self, auth_id: str) -> AccountWithToken:
        """Give an account another token, which is shown this once."""
        return self._transport.post(build_path("accounts", auth_id, "rotate-token"), AccountWithToken)


class Subaccounts(Resource):
    """Parts of the account that the client acts for, with credentials of their own."""

    @takes(ListQuery)
    def list(self, query: ListQuery) -> Pages[SubaccountView]:
        """Sub-accounts, without their tokens."""
        return Pages(self._transport, "/subaccounts", ListOf[SubaccountView], query)

    @takes(NewSubaccount)
    def create(self, new: NewSubaccount) -> SubaccountWithToken:
        """Make a sub-account; its token is shown this once."""
        return self._transport.post("/subaccounts", SubaccountWithToken, body=new)

    def get(self, auth_id: str) -> SubaccountView:
        """One sub-account."""
        return self._transport.get(build_path("subaccounts", auth_id), SubaccountView)

    def rotate_token(self, auth_id: str) -> SubaccountWithToken:
        """Give a sub-account another token, which is shown this once."""
        return self._transport.post(build_path("subaccounts", auth_id, "rotate-token"), SubaccountWithToken)


class DeepCall(Resource):
    """What opens the account that the client acts for to clients of the DeepCall dialect."""

    @takes(NewDeepCallCredentials)
    def make(self, new: NewDeepCallCredentials) -> DeepCallCredentialsView:
        """Make what is missing, or draw anew what is to be; a new ssid is shown this once."""
        return self._transport.post("/deepcall-credentials", DeepCallCredentialsView, body=new)

    def withdraw(self) -> None:
        """Forget user id, token and every ssid."""
        self._transport.delete("/deepcall-credentials")


class Keys(Resource):
    """API keys: the operator's, or those of the account that the client acts for."""

    @takes(ListQuery)
    def list(self, query: ListQuery) -> Pages[Key]:
        """Keys, newest first, without their secrets."""
        return Pages(self._transport, "/keys", ListOf[Key], query)

    @takes(NewKey)
    def create(self, new: NewKey) -> KeyWithSecret:
        """Make a key; its secret is shown this once."""
        return self._transport.post("/keys", KeyWithSecret, body=new)

    def get(self, id_: str) -> Key:
        """One key."""
        return self._transport.get(build_path("keys", id_), Key)

    @takes_of_one(Rotation)
    def rotate(self, id_: str, rotation: Rotation) -> KeyWithSecret:
        """Give a key another secret, which is shown this once; the old one works on for `overlap_s`."""
        return self._transport.post(build_path("keys", id_, "rotate"), KeyWithSecret, body=rotation)

    def revoke(self, id_: str) -> None:
        """End a key."""
        self._transport.delete(build_path("keys", id_))


class Trunks(Resource):
    """Interconnects with carriers, for the operator."""

    @takes(ListQuery)
    def list(self, query: ListQuery) -> Pages[TrunkView]:
        """Trunks, newest first, without their passwords."""
        return Pages(self._transport, "/trunks", ListOf[TrunkView], query)

    @takes(NewTrunk)
    def create(self, new: NewTrunk) -> TrunkView:
        """Add a trunk."""
        return self._transport.post("/trunks", TrunkView, body=new)

    def get(self, name: str) -> TrunkView:
        """One trunk."""
        return self._transport.get(build_path("trunks", name), TrunkView)

    @takes_of_one(TrunkChanges)
    def update(self, name: str, changes: TrunkChanges) -> TrunkView:
        """Change a trunk; what is not given stays."""
        return self._transport.patch(build_path("trunks", name), TrunkView, body=changes)

    def delete(self, name: str) -> None:
        """Remove a trunk without numbers."""
        self._transport.delete(build_path("trunks", name))


class Numbers(Resource):
    """Virtual numbers."""

    @takes(NumberQuery)
    def list(self, query: NumberQuery) -> Pages[NumberView]:
        """Numbers of the inventory, or those that the account leases."""
        return Pages(self._transport, "/numbers", ListOf[NumberView], query)

    @takes(NewNumbersRequest)
    def add(self, new: NewNumbersRequest) -> ListOf[NumberView]:
        """Add numbers and lease them to an account; all or none."""
        return self._transport.post("/numbers", ListOf[NumberView], body=new)

    def get(self, number: str) -> NumberView:
        """One number."""
        return self._transport.get(build_path("numbers", number), NumberView)

    @takes_of_one(NumberChangesRequest)
    def update(self, number: str, changes: NumberChangesRequest) -> NumberView:
        """Let a number join or leave a pool, or say whether it is healthy."""
        return self._transport.patch(build_path("numbers", number), NumberView, body=changes)

    def drain(self, number: str) -> NumberDrainingView:
        """Give a number to no new session; those it has run on."""
        return self._transport.post(build_path("numbers", number, "drain"), NumberDrainingView)

    def remove(self, number: str, *, force: bool = False) -> NumberRemovedView:
        """Take a number out of the inventory once no session lives on it; forced, end them first."""
        response = self._transport.delete(build_path("numbers", number), query={"force": force})
        return read_answer(response, NumberRemovedView)


class Pools(Resource):
    """Groups of an account's numbers."""

    @takes(ListQuery)
    def list(self, query: ListQuery) -> Pages[PoolView]:
        """Pools of the account."""
        return Pages(self._transport, "/pools", ListOf[PoolView], query)

    @takes(NewPool)
    def create(self, new: NewPool) -> PoolView:
        """Make a pool; numbers join it by `numbers.update`."""
        return self._transport.post("/pools", PoolView, body=new)

    def get(self, name: str) -> PoolView:
        """One pool."""
        return self._transport.get(build_path("pools", name), PoolView)

    @takes_of_one(PoolChanges)
    def update(self, name: str, changes: PoolChanges) -> PoolView:
        """Change a pool."""
        return self._transport.patch(build_path("pools", name), PoolView, body=changes)

    def delete(self, name: str) -> None:
        """Delete a pool without numbers."""
        self._transport.delete(build_path("pools", name))

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
from maskline.api.native.models.keys import Key, KeyWithSecret, NewKey, Rotation
from maskline.client._sync.paging import Pages
from maskline.client._sync.transport import Resource
from maskline.client.takes import takes, takes_of_one
from maskline.client.wire import build_path


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

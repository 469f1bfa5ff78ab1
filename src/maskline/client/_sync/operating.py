# Made by tools/make-client; change the asynchronous one instead.
"""What an operator keeps: keys and, one by one, what calls run on. Every method raises ClientError."""

from maskline.api.native.models.common import ListOf, ListQuery
from maskline.api.native.models.keys import Key, KeyWithSecret, NewKey, Rotation
from maskline.client._sync.paging import Pages
from maskline.client._sync.transport import Resource
from maskline.client.takes import takes, takes_of_one
from maskline.client.wire import build_path


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

"""What an operator keeps: keys and, one by one, what calls run on. Every method raises ClientError."""

from maskline.api.native.models.common import ListOf, ListQuery
from maskline.api.native.models.keys import Key, KeyWithSecret, NewKey, Rotation
from maskline.client._async.paging import AsyncPages
from maskline.client._async.transport import AsyncResource
from maskline.client.takes import takes, takes_of_one
from maskline.client.wire import build_path


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

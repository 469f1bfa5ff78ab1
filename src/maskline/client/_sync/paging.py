# Made by tools/make-client; change the asynchronous one instead.
"""Lists, read page by page as they are walked through."""

from collections.abc import Iterator
from typing import Final, Generic, TypeVar

from maskline.api.native.models.common import LIST_LIMIT_MAX, ListOf, ListQuery
from maskline.client._sync.transport import Transport
from maskline.client.wire import model_query

T = TypeVar("T")

PAGE_LENGTH: Final = LIST_LIMIT_MAX  # the fewest requests


class Pages(Generic[T]):
    """A list: `for` walks through all of it, `page` reads one page.

    Nothing is asked before that, and each walk begins anew. A `limit` that was given is the length of a page, not of
    the list; lists that are short by nature take none.
    """

    def __init__(
        self, transport: Transport, path: str, answer: type[ListOf[T]], query: ListQuery | None = None
    ) -> None:
        self._transport = transport
        self._path = path
        self._answer = answer
        self._query = {} if query is None else {"limit": PAGE_LENGTH, **model_query(query)}

    def page(self, after: str | None = None) -> ListOf[T]:
        """One page: the first, or the one behind the cursor `after`, which is the `next` of another page.

        Raises ClientError.
        """
        query = self._query if after is None else {**self._query, "after": after}
        return self._transport.get(self._path, self._answer, query=query)

    def __iter__(self) -> Iterator[T]:
        after: str | None = None
        while True:
            page = self.page(after)
            for item in page.data:
                yield item
            if page.next is None:
                return
            after = page.next

"""What queries of several lists have in common."""

from datetime import datetime

from maskline.api.native.errors import refuse_field
from maskline.api.ports import StoreThreads
from maskline.clock import from_datetime
from maskline.core.inventory import Account
from maskline.core.masking import Span
from maskline.workflows.accounts import load_subaccount


def open_span(after: datetime | None, before: datetime | None) -> Span:
    """The instants strictly between two; None is open."""
    return Span(
        from_=None if after is None else from_datetime(after) + 1,
        until=None if before is None else from_datetime(before),
    )


async def find_subaccount(store: StoreThreads, account: Account, auth_id: str | None) -> int | None:
    """The sub-account that a query names; None when it names none. Raises NativeError."""
    if auth_id is None:
        return None
    own = account.subaccount
    found = own if own is not None else await store.read(load_subaccount, account, auth_id)
    if found is None or found.auth_id != auth_id:
        raise refuse_field("/subaccount", "unknown", "The account has no sub-account of this auth id.")
    return found.id

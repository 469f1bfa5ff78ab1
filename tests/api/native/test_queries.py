import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from maskline.api.native.errors import NativeError
from maskline.api.native.queries import find_subaccount, open_span
from maskline.core.inventory import Account, AllocationPolicy, CooloffScope, Subaccount
from maskline.core.masking import Span
from maskline.core.secret import Secret

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BRANCH = Subaccount(id=7, account_id=1, auth_id="SA1", name="branch", token=Secret("x"), created_at=0)


def _account(subaccount: Subaccount | None = None) -> Account:
    return Account(
        id=1,
        auth_id="MA1",
        name="Acme",
        country="IN",
        timezone="UTC",
        token=Secret("x"),
        policy=AllocationPolicy.FIRST_FIT,
        cooloff_scope=CooloffScope.PARTY,
        created_at=0,
        subaccount=subaccount,
    )


class Store:
    """Knows one sub-account."""

    async def read(self, _work: object, _account: Account, auth_id: str) -> Subaccount | None:
        return BRANCH if auth_id == BRANCH.auth_id else None


def _find(account: Account, auth_id: str | None) -> int | None:
    store: Any = Store()
    return asyncio.run(find_subaccount(store, account, auth_id))


@pytest.mark.parametrize(
    ("after_us", "before_us", "expected"),
    [
        (None, None, Span()),
        (5, None, Span(from_=6)),
        (None, 9, Span(until=9)),
        (5, 9, Span(from_=6, until=9)),
    ],
)
def test_spans_are_open_at_both_ends(after_us: int | None, before_us: int | None, expected: Span) -> None:
    """Neither instant itself belongs to what is between them."""

    def at(us: int | None) -> datetime | None:
        return None if us is None else EPOCH + timedelta(microseconds=us)

    assert open_span(at(after_us), at(before_us)) == expected


def test_a_subaccount_is_the_accounts_or_ones_own() -> None:
    """None named is none; one that is not there is pointed at."""
    assert _find(_account(), None) is None
    assert _find(_account(), "SA1") == _find(_account(BRANCH), "SA1") == BRANCH.id
    for account in (_account(), _account(BRANCH)):
        with pytest.raises(NativeError) as refused:
            _find(account, "SA2")
        assert [it.pointer for it in refused.value.errors] == ["/subaccount"]

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.core.access import (
    ACCOUNT_PERMISSIONS,
    Caller,
    Denial,
    Permission,
    Reach,
    deny,
    is_granted,
    may_grant,
)
from maskline.core.inventory import Account, AllocationPolicy, CooloffScope, Subaccount
from maskline.core.secret import Secret

_SETS = st.frozensets(st.sampled_from(Permission))
ACCOUNT = Account(
    id=1,
    auth_id="MA" + "0" * 18,
    name="Acme",
    country="IN",
    timezone="Asia/Kolkata",
    token=Secret("t"),
    policy=AllocationPolicy.FIRST_FIT,
    cooloff_scope=CooloffScope.PARTY,
    created_at=0,
)
BRANCH = replace(
    ACCOUNT,
    subaccount=Subaccount(
        id=1, account_id=ACCOUNT.id, auth_id="SA" + "0" * 18, name="b", token=Secret("t"), created_at=0
    ),
)


def _caller(account: Account | None, *, is_operator: bool = False) -> Caller:
    permissions = frozenset({Permission.ALL})
    return Caller(account=account, is_operator=is_operator, permissions=permissions, owner="x")


@pytest.mark.parametrize("permission", Permission)
def test_every_permission_grants_itself(permission: Permission) -> None:
    """And everything grants it; nothing does not."""
    assert is_granted(frozenset({permission}), permission)
    assert is_granted(frozenset({Permission.ALL}), permission)
    assert not is_granted(frozenset(), permission)
    assert is_granted(frozenset(), None)


def test_to_write_is_to_read() -> None:
    """And not the other way round, nor of anything else."""
    write = frozenset({Permission.SESSIONS_WRITE})
    assert is_granted(write, Permission.SESSIONS_READ)
    assert not is_granted(frozenset({Permission.SESSIONS_READ}), Permission.SESSIONS_WRITE)
    assert not is_granted(write, Permission.CALLS_READ)
    assert not is_granted(frozenset(Permission) - {Permission.ALL}, Permission.ALL)


@given(_SETS, _SETS, st.sampled_from(Permission))
def test_nobody_gains_by_granting(
    mine: frozenset[Permission], theirs: frozenset[Permission], wanted: Permission
) -> None:
    """What somebody may who was made by me, I may; so may whoever they make."""
    if may_grant(mine, theirs) and is_granted(theirs, wanted):
        assert is_granted(mine, wanted)


@given(_SETS)
def test_everybody_may_grant_what_they_have(mine: frozenset[Permission]) -> None:
    """Their own permissions, and nothing at all."""
    assert may_grant(mine, mine)
    assert may_grant(mine, ())


def test_an_accounts_token_makes_no_keys() -> None:
    """It may do everything else."""
    missing = {it for it in Permission if not is_granted(ACCOUNT_PERMISSIONS, it)}
    assert missing == {Permission.ALL, Permission.KEYS_READ, Permission.KEYS_WRITE}


@pytest.mark.parametrize(
    ("caller", "denials"),
    [
        (_caller(None, is_operator=True), [None, Denial.ACCOUNT_NEEDED, Denial.ACCOUNT_NEEDED, None]),
        (_caller(ACCOUNT, is_operator=True), [None, None, None, None]),
        (
            _caller(BRANCH, is_operator=True),
            [None, Denial.SUBACCOUNT_NOT_ALLOWED, None, Denial.SUBACCOUNT_NOT_ALLOWED],
        ),
        (_caller(ACCOUNT), [Denial.NOT_PERMITTED, None, None, None]),
        (
            _caller(BRANCH),
            [Denial.NOT_PERMITTED, Denial.SUBACCOUNT_NOT_ALLOWED, None, Denial.SUBACCOUNT_NOT_ALLOWED],
        ),
    ],
)
def test_who_reaches_what(caller: Caller, denials: list[Denial | None]) -> None:
    """The operator's, an account's, a sub-account's, and what is the operator's or an account's."""
    reaches = (Reach.OPERATOR, Reach.ACCOUNT, Reach.SUBACCOUNT, Reach.EITHER)
    assert [deny(caller, Permission.NUMBERS_READ, reach) for reach in reaches] == denials
    bare = replace(caller, permissions=frozenset())
    assert {deny(bare, Permission.NUMBERS_READ, reach) for reach in reaches} == {Denial.NOT_PERMITTED}

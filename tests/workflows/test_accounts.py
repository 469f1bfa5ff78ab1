import pytest
from tests.world import NOW, peek

from maskline.core.inventory import Account, AllocationPolicy, CooloffScope, NewAccount, Subaccount
from maskline.core.secret import Secret
from maskline.store.engine import Store
from maskline.workflows.accounts import (
    AccountExists,
    authenticate,
    create_account,
    create_subaccount,
    list_accounts,
    list_subaccounts,
    load_account,
    load_subaccount,
)


def _create(store: Store, name: str = "Acme", **given: object) -> Account:
    account = store.run(create_account, NewAccount(name=name, **given), NOW)  # type: ignore[arg-type]
    assert isinstance(account, Account)
    return account


def test_draws_credentials_of_the_vendors_shape(store: Store) -> None:
    """An account gets an auth id of MA and 18 letters and a token of 40, different for each."""
    first, second = _create(store, "A"), _create(store, "B")
    assert first.auth_id.startswith("MA")
    assert (len(first.auth_id), len(first.token.reveal())) == (20, 40)
    assert first.auth_id != second.auth_id
    assert first.token != second.token


def test_keeps_what_is_given(store: Store) -> None:
    """Given credentials and settings are taken and read back the same."""
    account = _create(
        store,
        auth_id="MAABCDEFGHIJKLMNOPQR",
        token=Secret("given token"),
        country="US",
        timezone="America/New_York",
        policy=AllocationPolicy.SPREAD,
        cooloff_scope=CooloffScope.NUMBER,
    )
    assert account.token.reveal() == "given token"
    assert store.read(load_account, auth_id="MAABCDEFGHIJKLMNOPQR") == account
    assert store.read(load_account, name="Acme") == account
    assert store.read(list_accounts) == (account,)


@pytest.mark.parametrize(
    "again", [NewAccount(name="Acme"), NewAccount(name="Other", auth_id="MAABCDEFGHIJKLMNOPQR")]
)
def test_names_and_ids_are_unique(store: Store, again: NewAccount) -> None:
    """A second account of the same name or id is refused, and the first stays."""
    _create(store, auth_id="MAABCDEFGHIJKLMNOPQR")
    assert store.run(create_account, again, NOW) == AccountExists()
    assert len(store.read(list_accounts)) == 1


def test_authenticates_by_id_and_token(store: Store) -> None:
    """Only the right pair opens the account."""
    account = _create(store)
    token = account.token.reveal()
    assert store.read(authenticate, account.auth_id, token) == account
    for auth_id, given in (
        (account.auth_id, token[:-1]),
        (account.auth_id, ""),
        (account.auth_id, token + "\udcff"),
        ("MA" + "X" * 18, token),
        ("", token),
        (account.auth_id.lower(), token),
    ):
        assert store.read(authenticate, auth_id, given) is None


def test_subaccounts_have_credentials_of_their_own(store: Store) -> None:
    """A sub-account's credentials open its account and name the sub-account."""
    account = _create(store)
    subaccount = store.run(create_subaccount, account, "North", NOW)
    assert isinstance(subaccount, Subaccount)
    assert subaccount.auth_id.startswith("SA")
    assert len(subaccount.auth_id) == 20
    opened = store.read(authenticate, subaccount.auth_id, subaccount.token.reveal())
    assert opened is not None
    assert (opened.id, opened.subaccount) == (account.id, subaccount)
    assert store.read(authenticate, subaccount.auth_id, account.token.reveal()) is None
    assert store.read(authenticate, "SA" + "X" * 18, account.token.reveal()) is None
    assert store.run(create_subaccount, account, "North", NOW) == AccountExists()
    assert store.read(list_subaccounts, account) == (subaccount,)


def test_subaccount_of_another_account_is_not_found(store: Store) -> None:
    """A sub-account is seen by its own account only."""
    mine, other = _create(store, "A"), _create(store, "B")
    subaccount = store.run(create_subaccount, mine, "North", NOW)
    assert isinstance(subaccount, Subaccount)
    assert store.read(load_subaccount, mine, subaccount.auth_id) == subaccount
    assert store.read(load_subaccount, other, subaccount.auth_id) is None


def test_tokens_are_sealed(store: Store) -> None:
    """The database holds no readable token."""
    account = _create(store)
    [(sealed,)] = peek(store, "SELECT token_sealed FROM account")
    assert account.token.reveal().encode() not in bytes(sealed)

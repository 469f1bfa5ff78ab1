import pytest
from tests.world import World, poke

from maskline.core.inventory import NewAccount
from maskline.store import accounts
from maskline.store.keys import SealError


def test_token_of_another_account_does_not_open(world: World) -> None:
    """A sealed token copied into another row is noticed: rows cannot be swapped behind our back."""
    other = World(world.store, number_count=0, account=NewAccount(name="Other"))
    poke(
        world.store,
        "UPDATE account SET token_sealed = (SELECT a.token_sealed FROM account a WHERE a.id = ?) WHERE id = ?",
        world.account.id,
        other.account.id,
    )
    assert world.store.read(accounts.load_account, id_=world.account.id) == world.account
    with pytest.raises(SealError):
        world.store.read(accounts.load_account, id_=other.account.id)


def test_unknown_keys_find_nothing(world: World) -> None:
    """Whatever key is given, an account that is not there is None."""
    assert world.store.read(accounts.load_account, auth_id="MA") is None
    assert world.store.read(accounts.load_account, name="Nobody") is None
    assert world.store.read(accounts.load_account, id_=12345) is None
    assert world.store.read(accounts.load_subaccount, "SA") is None

from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.world import World, virtual

from maskline.core.allocation import ExhaustionReason, PoolExhausted
from maskline.core.inventory import Account, AllocationPolicy, NewAccount, NewNumbers, Pool
from maskline.workflows.accounts import create_account
from maskline.workflows.numbers import (
    NumberChanges,
    NumbersAdded,
    add_numbers,
    change_number,
    load_number,
    remove_number,
)
from maskline.workflows.pools import (
    PoolDeleted,
    PoolExists,
    PoolInUse,
    PoolNotFound,
    change_pool,
    create_pool,
    delete_pool,
    hold_pool,
    list_pools,
    load_pool,
)

FIRST_FIT, SPREAD = AllocationPolicy.FIRST_FIT, AllocationPolicy.SPREAD


def _make(world: World, name: str = "blue", policy: AllocationPolicy = FIRST_FIT, *indices: int) -> Pool:
    made = world.store.run(create_pool, world.account.id, name, policy, world.now)
    assert isinstance(made, Pool)
    for index in indices:
        _move(world, index, name)
    return made


def _move(world: World, index: int, name: str | None) -> None:
    changes = NumberChanges(is_moved=True, pool_name=name)
    changed = world.store.run(change_number, virtual(index), world.account.id, changes)
    assert not isinstance(changed, PoolNotFound)


def test_a_pool_by_its_name(world: World) -> None:
    """One of a name in an account; another account may have one too."""
    made = _make(world)
    assert (made.name, made.policy, made.number_count) == ("blue", FIRST_FIT, 0)
    again = world.store.run(create_pool, world.account.id, "blue", SPREAD, world.now)
    assert again == PoolExists()
    other = world.store.run(create_account, NewAccount(name="Other"), world.now)
    assert isinstance(other, Account)
    assert world.store.read(load_pool, other.id, "blue") == PoolNotFound()
    assert isinstance(world.store.run(create_pool, other.id, "blue", SPREAD, world.now), Pool)
    assert world.store.read(list_pools, world.account.id, limit=10) == (made,)


def test_pools_are_listed_newest_first(world: World) -> None:
    """Page by page."""
    made = [_make(world, name) for name in "abc"]
    first = world.store.read(list_pools, world.account.id, limit=2)
    second = world.store.read(list_pools, world.account.id, before=first[-1].id, limit=2)
    assert [*first, *second] == made[::-1]


def test_a_pool_in_use_stays(world: World) -> None:
    """Until its numbers have moved or are removed, whose old leases forget it."""
    _make(world, "blue", FIRST_FIT, 0, 1)
    assert world.store.run(delete_pool, world.account.id, "blue") == PoolInUse(number_count=2)
    _move(world, 0, None)
    world.store.run(remove_number, virtual(1), is_forced=True, now=world.now)
    assert world.store.run(delete_pool, world.account.id, "blue") == PoolDeleted()
    for outcome in (
        world.store.run(delete_pool, world.account.id, "blue"),
        world.store.run(change_pool, world.account.id, "blue", SPREAD),
        world.store.read(load_pool, world.account.id, "blue"),
    ):
        assert outcome == PoolNotFound()


def test_a_pool_that_numbers_are_to_join_is_not_deleted(world: World) -> None:
    """Who deletes it at that moment waits, and then finds it in use."""
    _make(world)
    with ThreadPoolExecutor(1) as others:
        with world.store.transaction() as tx:
            pool_id = hold_pool(tx, world.account.id, "blue")
            assert isinstance(pool_id, int)
            deleted = others.submit(world.store.run, delete_pool, world.account.id, "blue")
            with pytest.raises(TimeoutError):
                deleted.result(0.2)
            new = NewNumbers(
                numbers=(virtual(50),),
                account_id=world.account.id,
                trunk_id=world.trunk.id,
                pool_id=pool_id,
            )
            assert isinstance(add_numbers(tx, new, world.now), NumbersAdded)
        assert deleted.result(5) == PoolInUse(number_count=1)
    assert world.store.run(hold_pool, world.account.id, "red") == PoolNotFound()


def test_its_numbers_alone_are_chosen(world: World) -> None:
    """And without a pool, all of the account's are."""
    pool = _make(world, "blue", FIRST_FIT, 2)
    assert world.create(1, 2).virtual_number == virtual(0)
    assert world.create(3, 4, pool_id=pool.id).virtual_number == virtual(2)
    assert world.create(3, 5).virtual_number == virtual(0)
    assert world.create(3, 6).virtual_number == virtual(1)
    full = world.ask(3, 7, pool_id=pool.id)
    assert full == PoolExhausted(reason=ExhaustionReason.PARTIES_BUSY, needed=2)


def test_an_empty_pool_has_no_numbers(world: World) -> None:
    """Nor has one of another account, or one that is not there."""
    pool = _make(world)
    other = world.store.run(create_account, NewAccount(name="Other"), world.now)
    assert isinstance(other, Account)
    empty = PoolExhausted(reason=ExhaustionReason.NO_NUMBERS, needed=1)
    assert world.ask(1, 2, pool_id=pool.id) == empty
    _move(world, 0, "blue")
    assert world.ask(1, 2, pool_id=pool.id, account=other) == empty
    assert world.ask(1, 2, pool_id=pool.id + 1) == empty


def test_a_pool_has_its_own_policy(world: World) -> None:
    """It holds from the next session on."""
    pool = _make(world, "blue", SPREAD, 0, 1, 2)
    seen = []
    for second in (2, 3):
        seen.append(world.create(1, second, pool_id=pool.id).virtual_number)
        world.now += 1
    assert len(set(seen)) == 2
    changed = world.store.run(change_pool, world.account.id, "blue", FIRST_FIT)
    assert isinstance(changed, Pool)
    assert changed.policy is FIRST_FIT
    assert world.create(4, 5, pool_id=pool.id).virtual_number == virtual(0)


def test_a_number_knows_its_pool(world: World) -> None:
    """And its sessions do not mind where it goes."""
    _make(world, "blue", FIRST_FIT, 0)
    session = world.create(1, 2)
    found = world.store.read(load_number, virtual(0))
    assert found is not None
    assert found.pool_name == "blue"
    _move(world, 0, None)
    assert world.create(1, 2).id == session.id

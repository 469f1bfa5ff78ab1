import pytest
from tests.store.plans import plan_of, scans
from tests.world import World, virtual

from maskline.core.inventory import AllocationPolicy, NewNumbers
from maskline.store import pools as rows
from maskline.store.statement import Database, Statement
from maskline.workflows.numbers import add_numbers, remove_number

FIRST_FIT = AllocationPolicy.FIRST_FIT


def test_a_pool_counts_open_leases_only(world: World) -> None:
    """A removed number is in no pool; deleting the pool makes its old lease forget it."""
    account_id = world.account.id
    assert world.store.run(rows.insert_pool, account_id=account_id, name="a", policy=FIRST_FIT, now=1)
    assert not world.store.run(rows.insert_pool, account_id=account_id, name="a", policy=FIRST_FIT, now=2)
    pool = world.store.read(rows.load_pool, account_id, "a")
    assert pool is not None
    new = NewNumbers(
        numbers=(virtual(50), virtual(51)), account_id=account_id, trunk_id=world.trunk.id, pool_id=pool.id
    )
    world.store.run(add_numbers, new, world.now)
    world.store.run(remove_number, virtual(50), is_forced=False, now=world.now)
    found = world.store.read(rows.load_pool, account_id, "a")
    assert found is not None
    assert found.number_count == 1
    world.store.run(remove_number, virtual(51), is_forced=False, now=world.now)
    world.store.run(rows.delete_pool, pool.id)
    assert world.store.read(rows.load_pool, account_id, "a") is None
    assert not world.store.run(rows.lock_pool, pool.id)


def test_a_policy_is_its_accounts(world: World) -> None:
    """Another account's pool has none for it."""
    world.store.run(rows.insert_pool, account_id=world.account.id, name="a", policy=FIRST_FIT, now=1)
    pool = world.store.read(rows.load_pool, world.account.id, "a")
    assert pool is not None
    world.store.run(rows.update_policy, pool.id, AllocationPolicy.STICKY)
    assert world.store.read(rows.load_policy, world.account.id, pool.id) is AllocationPolicy.STICKY
    assert world.store.read(rows.load_policy, world.account.id + 1, pool.id) is None


def test_a_pool_is_found_without_counting(world: World) -> None:
    """By its name, for its account."""
    world.store.run(rows.insert_pool, account_id=world.account.id, name="a", policy=FIRST_FIT, now=1)
    pool = world.store.read(rows.load_pool, world.account.id, "a")
    assert pool is not None
    assert world.store.read(rows.load_pool_id, world.account.id, "a") == pool.id
    assert world.store.read(rows.load_pool_id, world.account.id, "b") is None
    assert world.store.read(rows.load_pool_id, world.account.id + 1, "a") is None


@pytest.mark.parametrize(
    ("statement", "params"),
    [
        (rows.SELECT_ONE, {"account_id": 1, "name": "a"}),
        (rows.SELECT_PAGE, {"account_id": 1, "before": 9, "limit_": 5}),
    ],
)
def test_numbers_of_other_accounts_are_not_counted_over(
    world: World, statement: Statement, params: dict[str, object]
) -> None:
    """However many numbers others have leased."""
    if world.store.database is not Database.SQLITE:
        pytest.skip("small tables are scanned by PostgreSQL whatever their indexes")
    plan = world.store.read(plan_of, statement, params)
    assert scans(Database.SQLITE, plan) == []
    assert "ix_number_lease_open_account" in plan

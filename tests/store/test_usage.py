from dataclasses import replace

import pytest
from tests.store.plans import plan_of
from tests.world import SECOND, World, peek, poke, virtual

from maskline.core.inventory import Account, NewAccount, Subaccount
from maskline.core.usage import (
    DAY_US,
    HOUR_US,
    NOTHING_USED,
    Usage,
    UsageCounts,
    UsageHistoryFilter,
    UsageScope,
)
from maskline.store import usage
from maskline.store.statement import Database
from maskline.workflows.accounts import create_account, create_subaccount
from maskline.workflows.end_masking_session import end_masking_session

ALL = UsageScope()


def _count(world: World) -> dict[UsageScope, UsageCounts]:
    found = world.store.read(usage.count_usage, world.account.id, world.now)
    return {it.scope: it.counts for it in found}


def test_an_account_without_numbers_uses_none(world: World) -> None:
    """Its own scope is there, with nothing in it."""
    created = world.store.run(create_account, NewAccount(name="Empty"), world.now)
    assert isinstance(created, Account)
    [found] = world.store.read(usage.count_usage, created.id, world.now)
    assert (found.scope, found.counts) == (ALL, NOTHING_USED)


def test_sessions_and_their_parties_are_counted(world: World) -> None:
    """One party with three sessions needs five numbers and has none left; others' accounts do not count."""
    for other in (2, 3, 4):
        world.create(1, other)
    world.create(5, 6)
    assert _count(world) == {
        ALL: UsageCounts(
            number_count=3,
            healthy_count=3,
            live_session_count=4,
            occupied_binding_count=8,
            busiest_party_session_count=3,
            taken_for_busiest=3,
        )
    }
    counts = _count(world)[ALL]
    assert (counts.needed_number_count, counts.free_for_busiest) == (5, 0)


def test_cooling_bindings_are_occupied(world: World) -> None:
    """An ended session counts no more, its bindings do until they are free."""
    session = world.create(1, 2, cooloff_s=60)
    world.store.run(end_masking_session, world.account, session.id, world.now)
    counts = _count(world)[ALL]
    assert (counts.live_session_count, counts.occupied_binding_count) == (0, 2)
    world.now += 60 * SECOND
    assert _count(world)[ALL].occupied_binding_count == 0


def test_numbers_that_take_no_sessions_are_told_apart(world: World) -> None:
    """Draining and unhealthy numbers are there, and nobody finds one of them free."""
    world.create(1, 2)
    poke(world.store, "UPDATE virtual_number SET draining_at = 1 WHERE number = ?", virtual(0))
    poke(world.store, "UPDATE virtual_number SET health = 'unhealthy' WHERE number = ?", virtual(1))
    counts = _count(world)[ALL]
    assert (counts.number_count, counts.healthy_count, counts.taken_for_busiest) == (3, 1, 0)
    assert counts.free_for_busiest == 1


def test_subaccounts_and_pools_are_scopes(world: World) -> None:
    """A sub-account's numbers are its own; a pool's count for the pool and for whose they are."""
    made = world.store.run(create_subaccount, world.account, "branch", world.now)
    assert isinstance(made, Subaccount)
    world.add_numbers(virtual(10), virtual(11), subaccount_id=made.id)
    poke(
        world.store,
        "INSERT INTO pool (id, account_id, name, policy, created_at) VALUES (7, ?, 'city', 'first_fit', 1)",
        world.account.id,
    )
    poke(
        world.store,
        "UPDATE number_lease SET pool_id = 7 WHERE virtual_number_id ="
        " (SELECT id FROM virtual_number WHERE number = ?)",
        virtual(0),
    )
    world.create(1, 2)
    world.create(1, 3)
    world.create(1, 2, subaccount_id=made.id)
    found = world.store.read(usage.count_usage, world.account.id, world.now)
    told = {
        (it.subaccount_auth_id, it.pool_name): (
            it.counts.number_count,
            it.counts.live_session_count,
            it.counts.busiest_party_session_count,
        )
        for it in found
    }
    assert told == {(None, None): (3, 2, 2), (None, "city"): (1, 1, 1), (made.auth_id, None): (2, 1, 1)}


def _sample(world: World, at: int, busiest: int, scope: UsageScope = ALL) -> None:
    counts = replace(NOTHING_USED, busiest_party_session_count=busiest)
    kept = Usage(scope=scope, subaccount_auth_id=None, pool_name=None, counts=counts)
    world.store.run(usage.insert_sample, world.account.id, kept, at)


def test_an_hour_keeps_its_first_sample(world: World) -> None:
    """A second one of the same scope and hour changes nothing."""
    _sample(world, HOUR_US, 5)
    _sample(world, HOUR_US, 6)
    wanted = UsageHistoryFilter(account_id=world.account.id, scope=ALL)
    [found] = world.store.read(usage.load_samples, wanted)
    assert (found.sampled_at, found.counts.busiest_party_session_count) == (HOUR_US, 5)


def test_samples_come_in_pages(world: World) -> None:
    """Newest first, within a span, behind where the page before ended, of one scope only."""
    for hour in range(1, 7):
        _sample(world, hour * HOUR_US, hour)
    _sample(world, 3 * HOUR_US, 99, UsageScope(pool_id=7))
    wanted = UsageHistoryFilter(
        account_id=world.account.id, scope=ALL, from_=2 * HOUR_US, until=6 * HOUR_US, limit=2
    )
    first = world.store.read(usage.load_samples, wanted)
    assert [it.counts.busiest_party_session_count for it in first] == [5, 4]
    second = world.store.read(usage.load_samples, replace(wanted, before=first[-1].sampled_at))
    assert [it.counts.busiest_party_session_count for it in second] == [3, 2]


def test_days_have_peaks(world: World) -> None:
    """The highest need of each day, scope by scope, from a day on."""
    pool = UsageScope(pool_id=7)
    for at, busiest, scope in (
        (DAY_US, 9, ALL),
        (2 * DAY_US, 2, ALL),
        (2 * DAY_US + HOUR_US, 4, ALL),
        (2 * DAY_US + 2 * HOUR_US, 3, ALL),
        (3 * DAY_US, 1, pool),
    ):
        _sample(world, at, busiest, scope)
    assert world.store.read(usage.load_daily_peaks, world.account.id, 2 * DAY_US) == {
        ALL: [(2, 7)],
        pool: [(3, 1)],
    }


@pytest.mark.parametrize(("before", "kept"), [(HOUR_US, 2), (HOUR_US + 1, 1), (3 * HOUR_US, 0)])
def test_old_samples_are_dropped(world: World, before: int, kept: int) -> None:
    """What is older than an instant goes, and nothing else."""
    _sample(world, HOUR_US, 1)
    _sample(world, 2 * HOUR_US, 2)
    world.store.run(usage.prune_samples, world.account.id, before)
    assert peek(world.store, "SELECT count(*) FROM usage_sample") == [(kept,)]


def test_accounts_without_a_sample_of_the_hour_are_found(world: World) -> None:
    """Each until it has one, and again in the next hour."""
    assert world.store.read(usage.load_unsampled, HOUR_US) == (world.account.id,)
    _sample(world, HOUR_US, 1)
    assert world.store.read(usage.load_unsampled, HOUR_US) == ()
    assert world.store.read(usage.load_unsampled, 2 * HOUR_US) == (world.account.id,)


@pytest.mark.parametrize("name", ["_SELECT_SESSIONS", "_SELECT_BUSIEST", "_SELECT_BUSIEST_IN_POOLS"])
def test_what_is_over_is_not_counted_over(world: World, name: str) -> None:
    """Bindings that were released are kept for years: counting goes by the index of those that were not."""
    if world.store.database is not Database.SQLITE:
        pytest.skip("PostgreSQL chooses by statistics")
    plan = world.store.read(plan_of, getattr(usage, name), {"account_id": 1, "now": 5})
    assert "SEARCH binding USING INDEX uq_binding_party" in plan

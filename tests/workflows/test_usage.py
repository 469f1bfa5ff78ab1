from dataclasses import replace

from tests.world import World, virtual

from maskline.core.forecast import ForecastConfidence
from maskline.core.inventory import Subaccount
from maskline.core.usage import DAY_US, HOUR_US, UsageHistoryFilter, UsageScope
from maskline.workflows.accounts import create_subaccount
from maskline.workflows.usage import (
    SAMPLES_KEPT_DAYS,
    keep_usage,
    list_unsampled,
    list_usage_history,
    measure_usage,
    show_usage,
)


def _sample(world: World) -> int:
    account_ids = world.store.read(list_unsampled, world.now)
    for account_id in account_ids:
        world.store.run(keep_usage, world.store.read(measure_usage, account_id, world.now))
    return len(account_ids)


def test_an_hour_is_sampled_once(world: World) -> None:
    """However often it is tried: one sample of each scope and hour."""
    world.create(1, 2, expires_in_s=7200)
    assert [_sample(world) for _ in range(3)] == [1, 0, 0]
    twice = world.store.read(measure_usage, world.account.id, world.now + HOUR_US)
    for _ in range(2):
        world.store.run(keep_usage, twice)
    found = world.store.read(
        list_usage_history, UsageHistoryFilter(account_id=world.account.id, scope=UsageScope())
    )
    hour = world.now - world.now % HOUR_US
    assert [it.sampled_at for it in found] == [hour + HOUR_US, hour]
    assert {it.counts.live_session_count for it in found} == {1}


def test_old_samples_go(world: World) -> None:
    """With the first sample of an hour whatever is older than the kept time is dropped."""
    _sample(world)
    world.now += SAMPLES_KEPT_DAYS * DAY_US
    _sample(world)
    world.now += HOUR_US
    _sample(world)
    wanted = UsageHistoryFilter(account_id=world.account.id, scope=UsageScope())
    assert len(world.store.read(list_usage_history, wanted)) == 2


def test_growing_use_has_a_date(world: World) -> None:
    """A party that has one session more each day exceeds what the numbers are good for one day."""
    assert world.store.read(show_usage, world.account, world.now)[0].forecast.basis_days == 0
    for day in range(8):
        _sample(world)
        if day < 2:
            world.create(1, 2 + day, expires_in_s=86_400 * 30)
        world.now += DAY_US
    [found] = world.store.read(show_usage, world.account, world.now)
    assert (found.usage.counts.busiest_party_session_count, found.forecast.basis_days) == (2, 8)
    assert found.forecast.confidence is not ForecastConfidence.FAIR


def test_a_subaccount_sees_its_own(world: World) -> None:
    """Its numbers, and nothing of the account's."""
    made = world.store.run(create_subaccount, world.account, "branch", world.now)
    assert isinstance(made, Subaccount)
    branch = replace(world.account, subaccount=made)
    assert world.store.read(show_usage, branch, world.now) == ()
    world.add_numbers(virtual(10), subaccount_id=made.id)
    [found] = world.store.read(show_usage, branch, world.now)
    assert found.usage.subaccount_auth_id == made.auth_id

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from maskline.core.inventory import Account, NewAccount
from maskline.core.usage import HOUR_US
from maskline.engine.usage_sampler import UsageSampler
from maskline.store.engine import Store
from maskline.workflows.accounts import create_account
from maskline.workflows.usage import keep_usage, list_unsampled, measure_usage
from tests.world import World, peek

T = TypeVar("T")


class Threads:
    """Runs workflows at once, and notes which."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.ran: list[Callable[..., Any]] = []

    async def read(self, work: Callable[..., T], /, *args: Any) -> T:
        self.ran.append(work)
        return self._store.read(work, *args)

    async def write(self, work: Callable[..., T], /, *args: Any) -> T:
        self.ran.append(work)
        return self._store.run(work, *args)


def test_an_hour_is_sampled_and_then_left_alone(world: World) -> None:
    """A round measures and keeps, the next finds nothing left, further ones do not even ask, until the hour is over."""
    threads = Threads(world.store)
    sampler = UsageSampler(threads)
    for _ in range(5):
        assert asyncio.run(sampler.sample(world.now)) == 0
    assert threads.ran == [list_unsampled, measure_usage, keep_usage, list_unsampled]
    asyncio.run(sampler.sample(world.now + HOUR_US))
    assert peek(world.store, "SELECT count(*) FROM usage_sample") == [(2,)]


def test_accounts_are_counted_and_kept_one_at_a_time(world: World) -> None:
    """So that nobody who reads or writes waits for all of them."""
    assert isinstance(world.store.run(create_account, NewAccount(name="Other"), world.now), Account)
    threads = Threads(world.store)
    asyncio.run(UsageSampler(threads).sample(world.now))
    assert threads.ran == [list_unsampled, *[measure_usage, keep_usage] * 2]
    assert peek(world.store, "SELECT count(*) FROM usage_sample") == [(2,)]


def test_two_processes_keep_one_sample(world: World) -> None:
    """Whoever comes second finds the hour done."""
    for _ in range(2):
        sampler = UsageSampler(Threads(world.store))
        asyncio.run(sampler.sample(world.now))
    assert peek(world.store, "SELECT count(*) FROM usage_sample") == [(1,)]

"""Keeps a sample of every account's usage once an hour."""

from collections.abc import Callable
from typing import Any, Final, Protocol, TypeVar

from maskline.core.usage import HOUR_US
from maskline.workflows.usage import keep_usage, list_unsampled, measure_usage

T = TypeVar("T")

_NEVER: Final = -1


class SampledStore(Protocol):
    """Runs workflows on the store's threads."""

    async def read(self, work: Callable[..., T], /, *args: Any) -> T:
        """Call `work(tx, *args)` on a reading connection."""
        ...

    async def write(self, work: Callable[..., T], /, *args: Any) -> T:
        """Call `work(tx, *args)` in a write transaction; returns after its commit."""
        ...


class UsageSampler:
    """Work for `sweeper.tidy_up`: a round takes up to a hundred accounts; an hour that is done is not asked of again.

    Several processes may sample: an hour keeps what came first.
    """

    def __init__(self, store: SampledStore) -> None:
        self._store = store
        self._done_at = _NEVER

    async def sample(self, now: int) -> int:
        """Sample the next accounts of this hour, if any are left; never asks to be called again at once: 0."""
        hour_at = now - now % HOUR_US
        if hour_at == self._done_at:
            return 0
        account_ids = await self._store.read(list_unsampled, now)
        for account_id in account_ids:
            # One at a time: an account may have thousands of scopes, and others wait for the readers and the writer.
            measured = await self._store.read(measure_usage, account_id, now)
            await self._store.write(keep_usage, measured)
        if not account_ids:
            self._done_at = hour_at
        return 0

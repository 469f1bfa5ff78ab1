"""What the HTTP side needs from the rest of the service; `wiring` hands in what fits."""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class StoreThreads(Protocol):
    """Runs workflows on the store's threads; the result of `write` comes after its commit."""

    async def read(self, fn: Callable[..., T], *args: Any) -> T:
        """Call `fn(tx, *args)` on a reading connection."""
        ...

    async def write(self, fn: Callable[..., T], *args: Any) -> T:
        """Call `fn(tx, *args)` in a write transaction."""
        ...


HealthCheck = Callable[[], Awaitable[None]]
"""Returns when a part of the service works; raises, with a message for the operator, when it does not."""

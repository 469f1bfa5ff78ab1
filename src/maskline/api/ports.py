"""What the HTTP side needs from the rest of the service; `wiring` hands in what fits."""

from collections.abc import Awaitable, Callable
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from maskline.store.engine import Tx

P = ParamSpec("P")
T = TypeVar("T")


class StoreThreads(Protocol):
    """Runs workflows on the store's threads; both raise AppError when the database cannot."""

    async def read(self, work: Callable[Concatenate[Tx, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a workflow that only reads."""
        ...

    async def write(self, work: Callable[Concatenate[Tx, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a workflow; its result is durable when this returns."""
        ...


HealthCheck = Callable[[], Awaitable[None]]
"""Returns when a part of the service works; raises, with a message for the operator, when it does not."""

"""What the HTTP side needs from the rest of the service; `wiring` hands in what fits."""

from collections.abc import Awaitable, Callable
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from maskline.core.delivery import EndpointCheck
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

ReceiverCheck = Callable[[str], Awaitable[EndpointCheck]]
"""Calls a URL and says whether it is a receiver of reports."""


async def unchecked(_url: str) -> EndpointCheck:
    """The check of a service that makes no requests: nobody is reached."""
    return EndpointCheck.UNREACHABLE

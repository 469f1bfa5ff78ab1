"""What the worker needs from the rest of the service; `wiring` hands in what fits."""

from collections.abc import Callable, Mapping
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from maskline.outbound.types import OutboundLimits, OutboundResponse
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


class OutboundHTTP(Protocol):
    """Makes requests to addresses that others give."""

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None,
        limits: OutboundLimits,
    ) -> OutboundResponse:
        """Make one request. Raises OutboundRefused, OutboundFailed."""
        ...

"""Connections that go to addresses judged before: the part of the client below HTTP.

Name and address part ways here: the connection goes to the address, TLS checks the name.
"""

import asyncio
from collections.abc import Iterable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from ssl import SSLContext
from typing import Any, Final

import httpcore

from maskline.outbound.addresses import IPNetwork
from maskline.outbound.policy import judge_addresses
from maskline.outbound.resolver import Resolver
from maskline.outbound.types import FailureReason, OutboundFailed, OutboundRefused, RefusalReason

ATTEMPTS_MAX: Final = 3  # addresses of one name that are tried within the time to connect
SocketOptions = Iterable[Any]


@dataclass(slots=True)
class Budget:
    """What one request may still read from its connection, framing and headers included."""

    bytes_left: int


current_budget: ContextVar[Budget | None] = ContextVar("outbound_budget", default=None)
"""The budget of the request that this task makes: a connection serves several requests, one after the other."""


class PinnedNetwork(httpcore.AsyncNetworkBackend):
    """Resolves a host once, judges all its addresses, and connects to these and nothing else."""

    def __init__(
        self, inner: httpcore.AsyncNetworkBackend, resolver: Resolver, allowed: Sequence[IPNetwork]
    ) -> None:
        self._inner = inner
        self._resolver = resolver
        self._allowed = tuple(allowed)

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  # httpcore's interface
        local_address: str | None = None,
        socket_options: SocketOptions | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address that answers. Raises `OutboundRefused`, `OutboundFailed`."""
        del local_address, socket_options  # we give none
        try:
            async with asyncio.timeout(timeout):
                addresses = await self._find_addresses(host, port)
                stream = await self._connect_first(addresses[:ATTEMPTS_MAX], port, timeout)
        except TimeoutError:
            raise OutboundFailed(FailureReason.TIMEOUT) from None
        return PinnedStream(stream)

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109
        socket_options: SocketOptions | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Refuse: no URL of ours leads to one."""
        del path, timeout, socket_options
        raise OutboundRefused(RefusalReason.URL)

    async def sleep(self, seconds: float) -> None:
        """Wait between attempts, of which httpcore makes but one here."""
        await self._inner.sleep(seconds)

    async def _find_addresses(self, host: str, port: int) -> tuple[str, ...]:
        try:
            found = await self._resolver(host, port)
        except OSError:
            raise OutboundFailed(FailureReason.DNS) from None
        if not found:
            raise OutboundFailed(FailureReason.DNS)
        judged = judge_addresses(found, self._allowed)
        if isinstance(judged, RefusalReason):
            raise OutboundRefused(judged)
        return tuple(str(address) for address in judged)

    async def _connect_first(
        self, addresses: Sequence[str], port: int, time_limit_s: float | None
    ) -> httpcore.AsyncNetworkStream:
        share_s = None if time_limit_s is None else time_limit_s / len(addresses)
        for address in addresses:
            try:
                return await self._inner.connect_tcp(address, port, timeout=share_s)
            except httpcore.ConnectTimeout:
                failure = FailureReason.TIMEOUT
            except httpcore.ConnectError:
                failure = FailureReason.CONNECT
        raise OutboundFailed(failure)


class PinnedStream(httpcore.AsyncNetworkStream):
    """A connection that counts what it reads and tells a failure of TLS from others."""

    def __init__(self, inner: httpcore.AsyncNetworkStream) -> None:
        self._inner = inner

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        """Read what is there. Raises `OutboundFailed` when the request's budget is spent."""
        data = await self._inner.read(max_bytes, timeout)
        budget = current_budget.get()
        if budget is not None:
            budget.bytes_left -= len(data)
            if budget.bytes_left < 0:
                raise OutboundFailed(FailureReason.TOO_LARGE)
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        """Send all of it."""
        await self._inner.write(buffer, timeout)

    async def aclose(self) -> None:
        """Close without a goodbye."""
        await self._inner.aclose()

    async def start_tls(
        self,
        ssl_context: SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore.AsyncNetworkStream:
        """Check the certificate against the name, not the address. Raises `OutboundFailed`."""
        try:
            return PinnedStream(await self._inner.start_tls(ssl_context, server_hostname, timeout))
        except httpcore.ConnectTimeout:
            raise OutboundFailed(FailureReason.TIMEOUT) from None
        except (httpcore.ConnectError, OSError):
            raise OutboundFailed(FailureReason.TLS) from None
        except asyncio.CancelledError:
            await self._inner.aclose()  # nobody else knows of this connection yet
            raise

    def get_extra_info(self, info: str) -> Any:
        """Return what httpcore asks about the socket."""
        return self._inner.get_extra_info(info)

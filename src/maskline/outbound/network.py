"""Connections that go to addresses judged before: the part of the client below HTTP.

Name and address part ways here: the connection goes to the address, TLS checks the name.
"""

import asyncio
from collections.abc import Sequence
from ssl import SSLContext, SSLError
from typing import Final, Protocol

from maskline.outbound.addresses import IPNetwork
from maskline.outbound.policy import Target, judge_addresses
from maskline.outbound.resolver import Resolver
from maskline.outbound.types import FailureReason, OutboundFailed, OutboundRefused, RefusalReason
from maskline.outbound.wire import Wire

ATTEMPTS_MAX: Final = 3  # addresses of one name that are tried within the time to connect


class Network(Protocol):
    """What makes connections."""

    async def connect(self, address: str, port: int, tls: SSLContext | None, name: str | None) -> Wire:
        """Connect to an address; with `tls`, to one who proves to be `name`. Raises OSError, SSLError among them."""


class SystemNetwork:
    """The machine's network, under asyncio."""

    async def connect(self, address: str, port: int, tls: SSLContext | None, name: str | None) -> Wire:
        """Connect to an address; with `tls`, to one who proves to be `name`. Raises OSError, SSLError among them."""
        loop = asyncio.get_running_loop()
        _, wire = await loop.create_connection(Wire, address, port, ssl=tls, server_hostname=name)
        return wire


class Connector:
    """Resolves a host once, judges all its addresses, and connects to these and nothing else."""

    def __init__(
        self, network: Network, resolver: Resolver, allowed: Sequence[IPNetwork], tls: SSLContext
    ) -> None:
        self._network = network
        self._resolver = resolver
        self._allowed = tuple(allowed)
        self._tls = tls

    async def connect(self, target: Target, time_limit_s: float) -> Wire:
        """Connect to the first address that answers. Raises `OutboundRefused`, `OutboundFailed`."""
        try:
            async with asyncio.timeout(time_limit_s):
                addresses = await self._find_addresses(target)
                return await self._connect_first(addresses[:ATTEMPTS_MAX], target, time_limit_s)
        except TimeoutError:
            raise OutboundFailed(FailureReason.TIMEOUT) from None

    async def _find_addresses(self, target: Target) -> tuple[str, ...]:
        if target.address is None:
            try:
                found = await self._resolver(target.host, target.port)
            except OSError:
                raise OutboundFailed(FailureReason.DNS) from None
        else:
            found = (str(target.address),)
        if not found:
            raise OutboundFailed(FailureReason.DNS)
        judged = judge_addresses(found, self._allowed)
        if isinstance(judged, RefusalReason):
            raise OutboundRefused(judged)
        return tuple(str(address) for address in judged)

    async def _connect_first(self, addresses: Sequence[str], target: Target, time_limit_s: float) -> Wire:
        """Try one address after the other, each within its share of the time."""
        is_encrypted = target.scheme == "https"
        tls, name = (self._tls, target.host) if is_encrypted else (None, None)
        failure = FailureReason.CONNECT
        for address in addresses:
            try:
                async with asyncio.timeout(time_limit_s / len(addresses)):
                    return await self._network.connect(address, target.port, tls, name)
            except TimeoutError:
                failure = FailureReason.TIMEOUT
            except SSLError:  # who answers as somebody else is not asked at another address
                raise OutboundFailed(FailureReason.TLS) from None
            except OSError:
                failure = FailureReason.CONNECT
        raise OutboundFailed(failure)

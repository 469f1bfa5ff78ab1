"""The client for outgoing requests: one request in, one answer or one named failure out.

It has no cookies, follows no redirects, reads no proxy settings, and unpacks no compression, by having nothing
that knows of such things: URL, address and limits are decided here, and h11 keeps to the grammar of HTTP/1.1.
"""

import asyncio
import re
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import certifi

from maskline.outbound.addresses import parse_networks
from maskline.outbound.connection import Connection
from maskline.outbound.network import Connector, Network, SystemNetwork
from maskline.outbound.policy import Target, judge_addresses, parse_target
from maskline.outbound.pool import ConnectionPool
from maskline.outbound.resolver import Resolver, SystemResolver
from maskline.outbound.types import (
    FailureReason,
    OutboundFailed,
    OutboundLimits,
    OutboundRefused,
    OutboundResponse,
    RefusalReason,
)

CONNECTIONS_MAX: Final = (
    64  # busy ones of one client; requests beyond wait: a file descriptor and some memory each
)
USER_AGENT: Final = "Maskline"

_METHOD: Final = re.compile(r"[A-Z]{1,16}", re.ASCII)
_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9-]{1,64}", re.ASCII)
_HEADER_VALUE: Final = re.compile(r"[\x20-\x7e]*")
_OURS: Final = frozenset({"host", "accept-encoding", "content-length", "transfer-encoding", "connection"})


class OutboundClient:
    """Connections of one user of it; close it when done.

    `allowed_networks` (CIDR) may be reached although they are not public. `resolver` gives the addresses of a
    name, `tls` says whom we trust, `network` makes connections.
    """

    def __init__(
        self,
        *,
        allowed_networks: Sequence[str] = (),
        resolver: Resolver | None = None,
        tls: ssl.SSLContext | None = None,
        network: Network | None = None,
        connections_max: int = CONNECTIONS_MAX,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._allowed = parse_networks(allowed_networks)
        self._own_resolver = SystemResolver() if resolver is None else None
        self._turns = asyncio.Semaphore(connections_max)  # first come, first served
        self._busy: set[Connection] = set()
        self._pool = ConnectionPool(monotonic)
        self._connector = Connector(
            network or SystemNetwork(),
            resolver or self._own_resolver or SystemResolver(),
            self._allowed,
            tls or trust_public_authorities(),
        )

    async def __aenter__(self) -> Self:
        """Return the client itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the client."""
        await self.close()

    async def close(self) -> None:
        """Close every connection; a request under way fails."""
        self._pool.close()
        for connection in self._busy:
            connection.close()
        if self._own_resolver is not None:
            self._own_resolver.close()

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None,
        limits: OutboundLimits,
    ) -> OutboundResponse:
        """Make one request and return its answer, whatever its status.

        Raises `OutboundRefused` before anything is sent, `OutboundFailed` when there is no answer.
        """
        target = parse_target(url)
        if isinstance(target, RefusalReason):
            raise OutboundRefused(target)
        if target.address is not None:  # before anybody waits for a turn
            judged = judge_addresses([str(target.address)], self._allowed)
            if isinstance(judged, RefusalReason):
                raise OutboundRefused(judged)
        lines = _build_headers(method, target, headers, body)
        try:
            async with asyncio.timeout(limits.total_s), self._turns:
                return await self._exchange(method, target, lines, body, limits)
        except TimeoutError:
            raise OutboundFailed(FailureReason.TIMEOUT) from None

    async def _exchange(
        self,
        method: str,
        target: Target,
        lines: Sequence[tuple[str, str]],
        body: bytes | None,
        limits: OutboundLimits,
    ) -> OutboundResponse:
        connection = self._pool.take(target)
        if connection is None:
            connection = Connection(await self._connector.connect(target, limits.connect_s))
        self._busy.add(connection)
        try:
            answer = await connection.exchange(method, target.path, lines, body, limits)
        except BaseException:
            connection.close()
            raise
        finally:
            self._busy.discard(connection)
        self._pool.give_back(target, connection)
        return answer


def trust_public_authorities() -> ssl.SSLContext:
    """Trust what the system trusts, or what Mozilla does where the system has no list."""
    places = ssl.get_default_verify_paths()
    has_system_list = places.cafile is not None or (
        places.capath is not None and any(Path(places.capath).iterdir())
    )
    context = ssl.create_default_context(cafile=None if has_system_list else certifi.where())
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # not every Python asks for it by itself
    context.set_alpn_protocols(["http/1.1"])
    return context


def _build_headers(
    method: str, target: Target, headers: Mapping[str, str], body: bytes | None
) -> list[tuple[str, str]]:
    assert _METHOD.fullmatch(method), "a method of ours"
    lines = {
        "host": ("Host", target.host_header),
        "user-agent": ("User-Agent", USER_AGENT),
        "accept": ("Accept", "*/*"),
        "accept-encoding": ("Accept-Encoding", "identity"),
    }
    for name, value in headers.items():
        assert _HEADER_NAME.fullmatch(name), "a header of ours"
        assert _HEADER_VALUE.fullmatch(value), "a header of ours"
        assert name.lower() not in _OURS, "the client's own header"
        lines[name.lower()] = (name, value)
    if body is not None:
        lines["content-length"] = ("Content-Length", str(len(body)))
    return list(lines.values())

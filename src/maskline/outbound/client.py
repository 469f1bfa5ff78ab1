"""The client for outgoing requests: one request in, one answer or one named failure out.

It has no cookies, follows no redirects, reads no proxy settings, and decodes no compression, by using nothing
that knows of such things: URL, address and limits are decided here, and httpcore speaks HTTP/1.1.
"""

import asyncio
import re
import ssl
from collections.abc import Mapping, Sequence
from contextvars import Token
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import certifi
import httpcore

from maskline.outbound.addresses import parse_networks
from maskline.outbound.network import Budget, PinnedNetwork, current_budget
from maskline.outbound.policy import Target, judge_addresses, parse_target
from maskline.outbound.resolver import Resolver, SystemResolver
from maskline.outbound.types import (
    FailureReason,
    OutboundFailed,
    OutboundLimits,
    OutboundRefused,
    OutboundResponse,
    RefusalReason,
)

CONNECTIONS_MAX: Final = 64  # of one client: requests beyond wait; a file descriptor and some 100 kB each
IDLE_CONNECTIONS_MAX: Final = 32
IDLE_S: Final = (
    30.0  # a receiver of several events in a row is spared the handshakes; servers wait 60 s or so
)
HEADERS_BYTES_MAX: Final = (
    256 * 1024
)  # of an answer and everything before it; httpcore takes 100 kB at a time
FRAMING_FACTOR: Final = 2  # bytes on the wire for each byte of body: chunks of reasonable size need 1.01
USER_AGENT: Final = "Maskline"

_METHOD: Final = re.compile(r"[A-Z]{1,16}", re.ASCII)
_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9-]{1,64}", re.ASCII)
_HEADER_VALUE: Final = re.compile(r"[\x20-\x7e\xa0-\xff]*")
_OURS: Final = frozenset({"host", "accept-encoding", "content-length", "transfer-encoding", "connection"})


class OutboundClient:
    """One pool of connections; close it when done.

    `allowed_networks` (CIDR) may be reached although they are not public. `resolver` gives the addresses of a
    name, `tls` says whom we trust, `network` makes connections.
    """

    def __init__(
        self,
        *,
        allowed_networks: Sequence[str] = (),
        resolver: Resolver | None = None,
        tls: ssl.SSLContext | None = None,
        network: httpcore.AsyncNetworkBackend | None = None,
        connections_max: int = CONNECTIONS_MAX,
    ) -> None:
        self._allowed = parse_networks(allowed_networks)
        self._own_resolver = SystemResolver() if resolver is None else None
        self._turns = asyncio.Semaphore(
            connections_max
        )  # first come, first served; the pool never has a queue
        self._network = network or httpcore.AnyIOBackend()
        pinned = PinnedNetwork(
            self._network,
            resolver or self._own_resolver or SystemResolver(),
            self._allowed,
        )
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls or trust_public_authorities(),
            max_connections=connections_max,
            max_keepalive_connections=min(IDLE_CONNECTIONS_MAX, connections_max),
            keepalive_expiry=IDLE_S,
            network_backend=pinned,
        )

    async def __aenter__(self) -> Self:
        """Return the client itself, with all modules loaded that the first request would stop everybody for."""
        await self._network.sleep(0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the client."""
        await self.close()

    async def close(self) -> None:
        """Close every connection; a request under way fails."""
        await self._pool.aclose()
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
        if target.address is not None:
            judged = judge_addresses([str(target.address)], self._allowed)
            if isinstance(judged, RefusalReason):
                raise OutboundRefused(judged)
        request = _build_request(method, target, headers, body, limits)
        token: Token[Budget | None] = current_budget.set(
            Budget(HEADERS_BYTES_MAX + FRAMING_FACTOR * limits.response_bytes_max)
        )
        try:
            async with asyncio.timeout(limits.total_s), self._turns:
                return await self._exchange(request, limits)
        except (TimeoutError, httpcore.TimeoutException):
            raise OutboundFailed(FailureReason.TIMEOUT) from None
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError):
            raise OutboundFailed(FailureReason.PROTOCOL) from None
        finally:
            current_budget.reset(token)

    async def _exchange(self, request: httpcore.Request, limits: OutboundLimits) -> OutboundResponse:
        response = await self._pool.handle_async_request(request)
        try:
            if response.status < 200:
                raise OutboundFailed(FailureReason.PROTOCOL)  # a change of protocol that nobody asked for
            headers = _read_headers(response.headers)
            body = await _read_body(response, _announced_bytes(headers), limits)
        finally:
            await response.aclose()
        return OutboundResponse(status=response.status, headers=headers, body=body)


def trust_public_authorities() -> ssl.SSLContext:
    """Trust what the system trusts, or what Mozilla does where the system has no list."""
    places = ssl.get_default_verify_paths()
    has_system_list = places.cafile is not None or (
        places.capath is not None and any(Path(places.capath).iterdir())
    )
    return ssl.create_default_context(cafile=None if has_system_list else certifi.where())


def _build_request(
    method: str, target: Target, headers: Mapping[str, str], body: bytes | None, limits: OutboundLimits
) -> httpcore.Request:
    assert _METHOD.fullmatch(method), "a method of ours"
    lines = {
        "Host": target.host_header,
        "User-Agent": USER_AGENT,
        "Accept": "*/*",
        "Accept-Encoding": "identity",
    }
    for name, value in headers.items():
        assert _HEADER_NAME.fullmatch(name), "a header of ours"
        assert _HEADER_VALUE.fullmatch(value), "a header of ours"
        assert name.lower() not in _OURS, "the client's own header"
        lines = {known: kept for known, kept in lines.items() if known.lower() != name.lower()} | {
            name: value
        }
    if body is not None:
        lines["Content-Length"] = str(len(body))
    return httpcore.Request(
        method,
        httpcore.URL(
            scheme=target.scheme.encode(),
            host=target.host.encode(),
            port=target.port,
            target=target.path.encode(),
        ),
        headers=[(name.encode(), value.encode("latin-1")) for name, value in lines.items()],
        content=body,
        extensions={"timeout": {"connect": limits.connect_s, "read": limits.read_s, "write": limits.read_s}},
    )


def _read_headers(raw: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in raw:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers


def _announced_bytes(headers: Mapping[str, str]) -> int:
    text = headers.get("content-length", "0")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else 0


async def _read_body(response: httpcore.Response, announced_bytes: int, limits: OutboundLimits) -> bytes:
    if announced_bytes > limits.response_bytes_max and not limits.cuts_body:
        raise OutboundFailed(FailureReason.TOO_LARGE)
    body = bytearray()
    async for chunk in response.aiter_stream():
        body += chunk
        if len(body) > limits.response_bytes_max:
            if limits.cuts_body:
                return bytes(body[: limits.response_bytes_max])
            raise OutboundFailed(FailureReason.TOO_LARGE)
    return bytes(body)

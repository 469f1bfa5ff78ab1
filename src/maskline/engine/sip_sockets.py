"""SIP on real sockets: UDP and TCP, IPv4 and IPv6."""

import asyncio
import socket
from collections.abc import Callable
from typing import cast

import structlog

from maskline.sip.events import Flow
from maskline.tasks import spawn

_log = structlog.get_logger(__name__)

RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024  # a second of 1,000 calls/s while the loop is busy
CONNECT_TIMEOUT_S = 4.0  # well inside timer B, so that a dead peer is reported while the caller waits
CONNECTION_COUNT_MAX = 1_000  # connections held at once; strangers are closed on their first byte anyway
WRITE_BUFFER_BYTES_MAX = 1024 * 1024  # a peer that reads nothing is cut off

Receive = Callable[[bytes, Flow], None]
Closed = Callable[[Flow], None]
_Address = tuple[str, int]


class SipSockets:
    """One UDP socket and one TCP listener per local address; `send` picks, or makes, what a flow needs."""

    def __init__(self, *, receive: Receive, closed: Closed, is_trusted: Callable[[str], bool]) -> None:
        self._receive = receive
        self._closed = closed
        self._is_trusted = is_trusted
        self._datagrams: dict[bool, asyncio.DatagramTransport] = {}  # keyed by "is IPv6"
        self._listeners: list[asyncio.Server] = []
        self._connections: dict[Flow, asyncio.Transport] = {}
        self._waiting: dict[Flow, list[bytes]] = {}  # connections being made, with what is to be sent on them
        self.local: dict[tuple[str, bool], _Address] = {}  # (transport, is IPv6) -> bound address

    async def listen(self, host: str, port: int) -> None:
        """Bind UDP and TCP on the same port (0: one the system picks for both). Raises OSError."""
        loop = asyncio.get_running_loop()
        is_v6 = ":" in host
        datagram_socket, listener_socket = _bind_pair(host, port)
        transport, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self), sock=datagram_socket)
        bound = _address(transport.get_extra_info("sockname"))
        self._datagrams[is_v6] = transport
        self._listeners.append(await loop.create_server(lambda: _Connection(self), sock=listener_socket))
        self.local["udp", is_v6] = self.local["tcp", is_v6] = bound

    def send(self, flow: Flow, data: bytes) -> None:
        """Send on a flow; a TCP connection that is not there yet is made first."""
        if flow.transport == "udp":
            transport = self._datagrams.get(":" in flow.remote[0])
            if transport is not None:
                transport.sendto(data, flow.remote)
        elif (connection := self._connections.get(flow)) is not None:
            connection.write(data)
        elif flow in self._waiting:
            self._waiting[flow].append(data)
        else:
            self._waiting[flow] = [data]
            spawn(self._connect(flow), name="sip.connect")

    async def close(self) -> None:
        """Close every socket."""
        for datagrams in self._datagrams.values():
            datagrams.close()
        for listener in self._listeners:
            listener.close()
        for connection in tuple(self._connections.values()):
            connection.abort()

    async def _connect(self, flow: Flow) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await loop.create_connection(
                    lambda: _Connection(self, flow),
                    flow.remote[0],
                    flow.remote[1],
                    local_addr=(flow.local[0], 0),
                )
        except (OSError, TimeoutError):
            self._waiting.pop(flow, None)
            self._closed(flow)

    def datagram_received(self, data: bytes, remote: _Address) -> None:
        """Hand a datagram on under the flow it came by."""
        self._receive(data, Flow("udp", self.local["udp", ":" in remote[0]], remote))

    def connection_made(self, transport: asyncio.Transport, flow: Flow | None) -> Flow | None:
        """Take a connection up; None closes it (a stranger, or one too many)."""
        if flow is None:
            remote = _address(transport.get_extra_info("peername"))
            flow = Flow("tcp", self.local["tcp", ":" in remote[0]], remote)
            if len(self._connections) >= CONNECTION_COUNT_MAX or not self._is_trusted(remote[0]):
                transport.abort()
                return None
        transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES_MAX)
        self._connections[flow] = transport
        for data in self._waiting.pop(flow, ()):
            transport.write(data)
        return flow

    def data_received(self, data: bytes, flow: Flow) -> None:
        """Hand a piece of a stream on."""
        self._receive(data, flow)

    def overflowed(self, flow: Flow) -> None:
        """Cut off a peer that does not read."""
        if (connection := self._connections.get(flow)) is not None:
            connection.abort()

    def connection_lost(self, flow: Flow) -> None:
        """Forget a connection and tell the switch."""
        if self._connections.pop(flow, None) is not None:
            self._closed(flow)


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, owner: SipSockets) -> None:
        self._owner = owner

    def datagram_received(self, data: bytes, addr: tuple[str, int] | tuple[str, int, int, int]) -> None:
        self._owner.datagram_received(data, (addr[0], addr[1]))

    def error_received(self, exc: Exception) -> None:
        """An ICMP error: the transaction's own timer decides, since anybody can send one."""


class _Connection(asyncio.Protocol):
    def __init__(self, owner: SipSockets, flow: Flow | None = None) -> None:
        self._owner = owner
        self._flow = flow

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._flow = self._owner.connection_made(cast("asyncio.Transport", transport), self._flow)

    def data_received(self, data: bytes) -> None:
        if self._flow is not None:
            self._owner.data_received(data, self._flow)

    def pause_writing(self) -> None:
        if self._flow is not None:
            self._owner.overflowed(self._flow)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # asyncio's signature
        if self._flow is not None:
            self._owner.connection_lost(self._flow)


def _bind_pair(host: str, port: int) -> tuple[socket.socket, socket.socket]:
    """Bind a UDP and a TCP socket to one port number."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for _ in range(20):  # with port 0 the UDP port found may be taken for TCP: try another
        datagrams = socket.socket(family, socket.SOCK_DGRAM)
        stream = socket.socket(family, socket.SOCK_STREAM)
        try:
            if family == socket.AF_INET6:
                datagrams.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                stream.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            datagrams.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            datagrams.bind((host, port))
            stream.bind((host, datagrams.getsockname()[1]))
        except OSError:
            datagrams.close()
            stream.close()
            if port != 0:
                raise
        else:
            datagrams.setblocking(False)  # noqa: FBT003  # the socket module takes it by position
            stream.setblocking(False)  # noqa: FBT003
            return datagrams, stream
    raise OSError("no port is free for both UDP and TCP")


def _address(name: tuple[str, int] | tuple[str, int, int, int]) -> _Address:
    return name[0], name[1]

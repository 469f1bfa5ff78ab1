"""SIP on real sockets: UDP, TCP and TLS, IPv4 and IPv6.

A flow has one connection at most, since what arrives on it is cut into messages by one reader. A connection that
is lost is reported once; what was to be sent on it is lost with it, and the transactions say so.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import structlog

from maskline.engine.sip_tls import (
    SHUTDOWN_TIMEOUT_S,
    TLSListener,
    client_context,
    note_failure,
    server_context,
)
from maskline.sip.events import Flow
from maskline.tasks import spawn

_log = structlog.get_logger(__name__)

RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024  # a second of 1,000 calls/s while the loop is busy
CONNECT_TIMEOUT_S = 4.0  # TLS included; well inside timer B: a dead peer is reported while the caller waits
CONNECTION_COUNT_MAX = 1_000  # taken from peers at once; trunks need a handful
WRITE_BUFFER_BYTES_MAX = 1024 * 1024  # a peer that reads nothing is cut off; also what waits for a connection
CLOSE_TIMEOUT_S = 1.0  # for what is still to be sent (the last BYEs) when the process stops
BIND_TRY_COUNT_MAX = 20  # with port 0 the UDP port found may be taken for TCP: try another
ADDRESS_CACHE_MAX = 1024  # the trunks' peers; others only push entries out
# A peer that vanished without a word is noticed within two minutes when idle, and when it acknowledges nothing
# after as long as a transaction lives (64*T1).
KEEPALIVE_IDLE_S = 60
KEEPALIVE_INTERVAL_S = 15
KEEPALIVE_COUNT = 4
UNACKNOWLEDGED_MS_MAX = 32_000

Receive = Callable[[bytes, Flow], None]
Closed = Callable[[Flow], None]
_Address = tuple[str, int]
ServerName = Callable[[_Address], str | None]


class SipSockets:
    """One UDP socket, one TCP and one TLS listener per IP version; `send` picks, or makes, what a flow needs.

    `receive` gets what arrives, `closed` each connection that is lost or cannot be made, and a UDP flow that
    leads nowhere (a name, an IP version without socket). Neither is called from inside `send`. `server_name` says
    whose certificate a TLS peer at an address has to show, since flows know addresses only; None stands for the
    address itself.
    """

    def __init__(
        self,
        *,
        receive: Receive,
        closed: Closed,
        is_trusted: Callable[[str], bool],
        server_name: ServerName = lambda _address: None,
    ) -> None:
        self._receive = receive
        self._closed = closed
        self._is_trusted = is_trusted
        self._server_name = server_name
        self._client_context: ssl.SSLContext | None = None
        self._datagrams: dict[bool, _Datagrams] = {}  # keyed by "is IPv6"
        self._listeners: list[asyncio.Server | TLSListener] = []
        self._connections: dict[Flow, _Connection] = {}
        self._waiting: dict[Flow, bytearray] = {}  # connections being made, with what is to be sent on them
        self._is_closed = False
        self.local: dict[tuple[str, bool], _Address] = {}  # (transport, is IPv6) -> bound address

    async def listen(self, host: str, port: int) -> None:
        """Bind UDP and TCP on the same port (0: one the system picks for both). Raises OSError."""
        loop = asyncio.get_running_loop()
        is_v6 = ":" in host
        if is_v6 in self._datagrams:
            raise OSError("one address of each IP version is all a flow can tell apart")
        datagram_socket, listener_socket = _bind_pair(host, port)
        bound = _address(datagram_socket.getsockname())
        self.local["udp", is_v6] = self.local["tcp", is_v6] = bound
        datagrams = self._datagrams[is_v6] = _Datagrams(self, bound)
        await loop.create_datagram_endpoint(lambda: datagrams, sock=datagram_socket)
        self._listeners.append(await loop.create_server(lambda: _Connection(self), sock=listener_socket))

    async def listen_tls(
        self, host: str, port: int, cert: Path, key: Path, *, ca: Path | None = None
    ) -> None:
        """Bind TLS, and let flows of its kind connect. Raises OSError (ssl.SSLError) for address or files.

        `cert` and `key` are PEM files, shown to peers either way; `ca` holds the authorities that peers'
        certificates must come from, by default the system's.
        """
        is_v6 = ":" in host
        if ("tls", is_v6) in self.local:
            raise OSError("one address of each IP version is all a flow can tell apart")
        context = server_context(cert, key)
        self._client_context = client_context(ca, cert, key)
        listening = _bind_stream(host, port)
        self.local["tls", is_v6] = _address(listening.getsockname())
        self._listeners.append(
            TLSListener(
                listening,
                context,
                is_welcome=self._is_welcome,
                make=lambda: _Connection(self, transport_name="tls"),
            )
        )

    def send(self, flow: Flow, data: bytes) -> None:
        """Send on a flow; a connection that is not there yet is made first."""
        if self._is_closed:
            return
        if flow.transport == "udp":
            datagrams = self._datagrams.get(":" in flow.remote[0])
            # A name would be looked up by the socket, and everything would wait for that.
            if datagrams is None or not _is_address(flow.remote[0]):
                asyncio.get_running_loop().call_soon(self._closed, flow)
            else:
                datagrams.send(data, flow.remote)
        elif (connection := self._connections.get(flow)) is not None:
            connection.write(data)
        elif (waiting := self._waiting.get(flow)) is None:
            self._waiting[flow] = bytearray(data)
            spawn(self._connect(flow), name="sip.connect")
        elif (
            len(waiting) + len(data) <= WRITE_BUFFER_BYTES_MAX
        ):  # beyond it the transactions' own timers tell
            waiting += data

    def close_flow(self, flow: Flow) -> None:
        """Close a connection when what is to be sent on it is sent, and take no more from it."""
        if (connection := self._connections.get(flow)) is not None:
            self.forget(connection)
            connection.close()

    async def close(self) -> None:
        """Close every socket, after what is still to be sent."""
        self._is_closed = True
        for listener in self._listeners:
            listener.close()
        for datagrams in self._datagrams.values():
            datagrams.close()
        connections = tuple(self._connections.values())
        self._connections.clear()
        for connection in connections:
            connection.close()
        if connections:
            await asyncio.wait([connection.lost for connection in connections], timeout=CLOSE_TIMEOUT_S)
        for connection in connections:
            connection.abort()

    async def _connect(self, flow: Flow) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await loop.create_connection(
                    lambda: _Connection(self, flow),
                    *flow.remote,
                    local_addr=(flow.local[0], 0),
                    **self._tls_options(flow),
                )
        except (OSError, TimeoutError) as error:
            note_failure(error)
            if self._waiting.pop(flow, None) is not None and not self._is_closed:
                self._closed(flow)

    def _tls_options(self, flow: Flow) -> dict[str, Any]:
        if flow.transport != "tls":
            return {}
        if self._client_context is None:
            raise OSError("no certificate, no TLS")
        return {
            "ssl": self._client_context,
            "server_hostname": self._server_name(flow.remote) or flow.remote[0],
            "ssl_handshake_timeout": CONNECT_TIMEOUT_S,
            "ssl_shutdown_timeout": SHUTDOWN_TIMEOUT_S,
        }

    def _is_welcome(self, host: str) -> bool:
        """Whether one more connection of a peer at that address is taken."""
        return len(self._connections) < CONNECTION_COUNT_MAX and self._is_trusted(host)

    # --- what the protocols report --------------------------------------------------------------------------

    def arrived(self, data: bytes, flow: Flow) -> None:
        """Hand a datagram, or a piece of a stream, on under the flow it came by."""
        self._receive(data, flow)

    def flow_of(self, transport: str, peer: _Address) -> Flow | None:
        """Name the flow of a connection a peer made; None for a stranger, or one too many."""
        if not self._is_welcome(peer[0]):
            return None
        return Flow(transport, self.local[transport, ":" in peer[0]], peer)

    def take(self, connection: "_Connection", flow: Flow) -> bool:
        """Take a connection up and send what waits for it; False when its flow has one and it is ours."""
        if self._is_closed:
            return False
        known = self._connections.get(flow)
        if known is not None:
            if connection.is_ours:
                return False
            # The peer connects anew from the port we had connected to: it speaks on the new connection.
            self.forget(known)
            known.abort()
            self._closed(flow)
        self._connections[flow] = connection
        if (waiting := self._waiting.pop(flow, None)) is not None:
            connection.write(bytes(waiting))
        return True

    def lost(self, connection: "_Connection") -> None:
        """Tell of a connection that is gone, unless it was let go."""
        if (flow := self.forget(connection)) is not None:
            self._closed(flow)

    def forget(self, connection: "_Connection") -> Flow | None:
        """Let go of a connection; None when that was done before."""
        flow, connection.flow = connection.flow, None
        if flow is None or self._connections.get(flow) is not connection:
            return None
        del self._connections[flow]
        return flow


class _Datagrams(asyncio.DatagramProtocol):
    """A UDP socket. A full send buffer drops, as the network would: the transactions repeat."""

    def __init__(self, owner: SipSockets, local: _Address) -> None:
        self._owner = owner
        self._local = local
        self._transport: asyncio.DatagramTransport | None = None
        self._is_full = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def send(self, data: bytes, remote: _Address) -> None:
        if self._transport is not None and not self._is_full:
            self._transport.sendto(data, remote)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def datagram_received(self, data: bytes, addr: tuple[str, int] | tuple[str, int, int, int]) -> None:
        self._owner.arrived(data, Flow("udp", self._local, (addr[0], addr[1])))

    def pause_writing(self) -> None:
        self._is_full = True

    def resume_writing(self) -> None:
        self._is_full = False

    def error_received(self, exc: Exception) -> None:
        """An ICMP error: the transaction's own timer decides, since anybody can send one."""


class _Connection(asyncio.Protocol):
    """A TCP or TLS connection: one we made for `flow`, or one a peer made."""

    def __init__(self, owner: SipSockets, flow: Flow | None = None, *, transport_name: str = "tcp") -> None:
        self._owner = owner
        self._transport_name = transport_name
        self._transport: asyncio.Transport | None = None
        self.is_ours = flow is not None
        self.flow = flow  # None: nothing more is taken from it
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        stream = self._transport = cast("asyncio.Transport", transport)
        flow = self.flow
        if flow is None:
            peer = _address(transport.get_extra_info("peername"))
            flow = self.flow = self._owner.flow_of(self._transport_name, peer)
        stream.set_write_buffer_limits(high=WRITE_BUFFER_BYTES_MAX)
        if flow is None or not self._owner.take(self, flow):
            self.flow = None
            stream.abort()
            return
        _watch(transport.get_extra_info("socket"))

    def write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        if self._transport is not None:
            with suppress(AttributeError):  # Debian 12's Python: TLS whose connection has just gone
                self._transport.abort()

    def data_received(self, data: bytes) -> None:
        if self.flow is not None:
            self._owner.arrived(data, self.flow)

    def pause_writing(self) -> None:
        """Cut off a peer that does not read."""
        _log.warning("sip.peer_does_not_read")
        self.abort()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # asyncio's signature
        if not self.lost.done():
            self.lost.set_result(None)
        self._owner.lost(self)


def _bind_pair(host: str, port: int) -> tuple[socket.socket, socket.socket]:
    """Bind a UDP and a TCP socket to one port number."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    error: OSError | None = None
    for _ in range(BIND_TRY_COUNT_MAX if port == 0 else 1):
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
        except OSError as caught:
            datagrams.close()
            stream.close()
            error = caught
        else:
            datagrams.setblocking(False)  # noqa: FBT003  # the socket module takes it by position
            stream.setblocking(False)  # noqa: FBT003
            return datagrams, stream
    assert error is not None
    raise error


def _bind_stream(host: str, port: int) -> socket.socket:
    """Bind a TCP socket of its own. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    stream = socket.socket(family, socket.SOCK_STREAM)
    try:
        if family == socket.AF_INET6:
            stream.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        stream.bind((host, port))
    except OSError:
        stream.close()
        raise
    stream.setblocking(False)  # noqa: FBT003  # the socket module takes it by position
    return stream


def _watch(stream: socket.socket) -> None:
    """Have the kernel notice a peer that is gone."""
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_IDLE_S)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, KEEPALIVE_COUNT)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS_MAX)


@lru_cache(ADDRESS_CACHE_MAX)
def _is_address(host: str) -> bool:
    """Tell an IP address from a name."""
    try:
        socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host.partition("%")[0])
    except (OSError, ValueError):
        return False
    return True


def _address(name: tuple[str, int] | tuple[str, int, int, int]) -> _Address:
    return name[0], name[1]

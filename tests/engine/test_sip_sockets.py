"""SIP on real sockets of the loopback interface."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvloop

from maskline.engine import sip_sockets
from maskline.engine.sip_sockets import SipSockets
from maskline.sip.events import Flow

DEADLINE_S = 5.0
HOSTS = ("127.0.0.1", "::1")

pytestmark = pytest.mark.parametrize("loop_kind", ["asyncio", "uvloop"])


@dataclass
class Party:
    """Sockets of ours and what came of them; `wait` waits until something holds."""

    trusted: set[str] = field(default_factory=lambda: set(HOSTS))
    received: list[tuple[bytes, Flow]] = field(default_factory=list)
    closed: list[Flow] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    sockets: SipSockets = field(init=False)

    def __post_init__(self) -> None:
        self.sockets = SipSockets(
            receive=self._receive, closed=self._close, is_trusted=lambda host: host in self.trusted
        )

    def _receive(self, data: bytes, flow: Flow) -> None:
        self.received.append((data, flow))
        self.changed.set()

    def _close(self, flow: Flow) -> None:
        self.closed.append(flow)
        self.changed.set()

    def text(self, flow: Flow | None = None) -> bytes:
        return b"".join(data for data, came_by in self.received if flow in {None, came_by})

    async def wait(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not holds():
                self.changed.clear()
                await self.changed.wait()

    def address(self, transport: str, host: str) -> tuple[str, int]:
        return self.sockets.local[transport, ":" in host]


@asynccontextmanager
async def _party(*hosts: str) -> AsyncIterator[Party]:
    party = Party()
    try:
        for host in hosts or ("127.0.0.1",):
            await party.sockets.listen(host, 0)
        yield party
    finally:
        await party.sockets.close()


def run(loop_kind: str, scenario: Callable[[], Any]) -> None:
    """Run a scenario on one kind of loop."""
    factory = uvloop.new_event_loop if loop_kind == "uvloop" else asyncio.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(scenario())


@pytest.mark.parametrize("host", HOSTS)
def test_datagrams_come_and_go(loop_kind: str, host: str) -> None:
    """A datagram carries the flow by which its answer finds back."""

    async def scenario() -> None:
        async with _party(host) as here, _party(host) as there:
            flow = Flow("udp", here.address("udp", host), there.address("udp", host))
            here.sockets.send(flow, b"ping")
            await there.wait(lambda: bool(there.received))
            data, back = there.received[0]
            assert data == b"ping"
            assert back == Flow("udp", flow.remote, flow.local)
            there.sockets.send(back, b"pong")
            await here.wait(lambda: here.text() == b"pong")
            assert here.received[0][1] == flow

    run(loop_kind, scenario)


def test_both_ip_versions_and_transports_share_a_process(loop_kind: str) -> None:
    """Each IP version has its address; UDP and TCP share a port number."""

    async def scenario() -> None:
        async with _party(*HOSTS) as party:
            assert set(party.sockets.local) == {(t, v6) for t in ("udp", "tcp") for v6 in (False, True)}
            for is_v6 in (False, True):
                assert party.sockets.local["udp", is_v6] == party.sockets.local["tcp", is_v6]
            with pytest.raises(OSError, match="each IP version"):
                await party.sockets.listen("127.0.0.1", 0)

    run(loop_kind, scenario)


def test_a_taken_port_is_an_error(loop_kind: str) -> None:
    """A port somebody else has, for UDP or TCP alone, is not half taken."""

    async def scenario() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            party = Party()
            with pytest.raises(OSError, match="in use"):
                await party.sockets.listen("127.0.0.1", other.getsockname()[1])
            assert party.sockets.local == {}
            await party.sockets.close()

    run(loop_kind, scenario)


def test_an_address_that_is_not_ours_is_named_as_the_cause(loop_kind: str) -> None:
    """Trying other ports would not help, and the message says what is wrong."""

    async def scenario() -> None:
        party = Party()
        with pytest.raises(OSError, match="assign requested address"):
            await party.sockets.listen("192.0.2.1", 0)

    run(loop_kind, scenario)


@pytest.mark.parametrize("host", HOSTS)
def test_tcp_connects_on_demand_and_answers_on_the_same_connection(loop_kind: str, host: str) -> None:
    """What is sent while the connection is being made goes out in order; answers come back on it."""

    async def scenario() -> None:
        async with _party(host) as here, _party(host) as there:
            flow = Flow("tcp", here.address("tcp", host), there.address("tcp", host))
            for part in (b"one ", b"two ", b"three"):
                here.sockets.send(flow, part)
            await there.wait(lambda: there.text() == b"one two three")
            back = there.received[0][1]
            assert back.local == flow.remote
            there.sockets.send(back, b"answer")
            await here.wait(lambda: here.text(flow) == b"answer")
            here.sockets.send(flow, b" four")
            await there.wait(lambda: there.text(back) == b"one two three four")

    run(loop_kind, scenario)


def test_a_refused_connection_is_reported_once(loop_kind: str) -> None:
    """Nobody listens: the transactions of that flow hear of it."""

    async def scenario() -> None:
        async with _party() as here:
            with socket.socket() as unused:
                unused.bind(("127.0.0.1", 0))
                flow = Flow("tcp", here.address("tcp", ""), unused.getsockname())
                here.sockets.send(flow, b"x")
                here.sockets.send(flow, b"y")
                assert here.closed == [], "never from inside send"
                await here.wait(lambda: bool(here.closed))
            assert here.closed == [flow]
            async with _party() as there:  # and the next message may try again
                again = Flow("tcp", flow.local, there.address("tcp", ""))
                here.sockets.send(again, b"z")
                await there.wait(lambda: there.text() == b"z")

    run(loop_kind, scenario)


def test_a_connection_that_takes_too_long_is_reported(
    loop_kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A peer whose queue is full never answers the handshake."""
    monkeypatch.setattr(sip_sockets, "CONNECT_TIMEOUT_S", 0.05)

    async def scenario() -> None:
        async with _party() as here:
            with socket.socket() as full:
                full.bind(("127.0.0.1", 0))
                full.listen(0)
                fillers = [socket.socket() for _ in range(4)]
                for filler in fillers:
                    filler.setblocking(False)
                    with suppress(BlockingIOError):
                        filler.connect(full.getsockname())
                flow = Flow("tcp", here.address("tcp", ""), full.getsockname())
                here.sockets.send(flow, b"x")
                await here.wait(lambda: here.closed == [flow])
                for filler in fillers:
                    filler.close()

    run(loop_kind, scenario)


def test_a_lost_connection_is_reported_once(loop_kind: str) -> None:
    """The peer goes away, in whichever way."""

    async def scenario() -> None:
        async with _party() as here:
            for is_reset in (False, True):
                here.closed.clear()
                here.received.clear()
                peer = socket.create_connection(here.address("tcp", ""))
                peer.sendall(b"hello")
                await here.wait(lambda: here.text() == b"hello")
                flow = here.received[0][1]
                if is_reset:
                    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                peer.close()
                await here.wait(lambda: bool(here.closed))
                assert here.closed == [flow]

    run(loop_kind, scenario)


def test_a_strangers_connection_is_cut_and_nothing_of_it_read(loop_kind: str) -> None:
    """An address no trunk accepts gets a reset, and nobody hears of it."""

    async def scenario() -> None:
        async with _party() as here:
            here.trusted.clear()
            loop = asyncio.get_running_loop()
            with socket.socket() as peer:
                peer.setblocking(False)
                async with asyncio.timeout(DEADLINE_S):
                    with suppress(ConnectionError):
                        await loop.sock_connect(peer, here.address("tcp", ""))
                        await loop.sock_sendall(peer, b"INVITE")
                        assert await loop.sock_recv(peer, 100) == b""
            assert here.received == []
            assert here.closed == []
            assert here.sockets._connections == {}

    run(loop_kind, scenario)


def test_connections_of_peers_are_bounded(loop_kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One too many is cut; the others stay, and a place that comes free is given again."""
    monkeypatch.setattr(sip_sockets, "CONNECTION_COUNT_MAX", 2)

    async def scenario() -> None:
        async with _party() as here:
            peers = []
            for number in range(2):
                peers.append(socket.create_connection(here.address("tcp", "")))
                peers[-1].sendall(b"x")
                await here.wait(lambda count=number + 1: len(here.received) == count)  # type: ignore[misc]
            async with asyncio.timeout(DEADLINE_S):
                reader, writer = await asyncio.open_connection(*here.address("tcp", ""))
                with suppress(ConnectionError):
                    assert await reader.read() == b""
                writer.close()
            peers[0].close()
            await here.wait(lambda: len(here.closed) == 1)
            peers.append(socket.create_connection(here.address("tcp", "")))
            peers[-1].sendall(b"y")
            await here.wait(lambda: here.text().endswith(b"y"))
            for peer in peers:
                peer.close()

    run(loop_kind, scenario)


def test_a_peer_that_does_not_read_is_cut_off(loop_kind: str) -> None:
    """What is kept for it is bounded, and its flow is reported lost."""

    async def scenario() -> None:
        async with _party() as here:
            with socket.create_connection(here.address("tcp", "")) as peer:
                peer.sendall(b"hello")
                await here.wait(lambda: bool(here.received))
                flow = here.received[0][1]
                for _ in range(64):
                    here.sockets.send(flow, bytes(256 * 1024))
                await here.wait(lambda: here.closed == [flow])

    run(loop_kind, scenario)


def test_what_waits_for_a_connection_is_bounded(loop_kind: str) -> None:
    """A flood towards a peer that is still being connected to does not fill the memory."""

    async def scenario() -> None:
        async with _party() as here, _party() as there:
            flow = Flow("tcp", here.address("tcp", ""), there.address("tcp", ""))
            for _ in range(10):
                here.sockets.send(flow, bytes(256 * 1024))
            assert len(here.sockets._waiting[flow]) == sip_sockets.WRITE_BUFFER_BYTES_MAX
            await there.wait(lambda: len(there.text()) == sip_sockets.WRITE_BUFFER_BYTES_MAX)

    run(loop_kind, scenario)


def test_a_broken_stream_is_closed_after_its_answer(loop_kind: str) -> None:
    """The peer gets the 400 and then the end; nothing more is taken from it, nothing reported."""

    async def scenario() -> None:
        async with _party() as here:
            reader, writer = await asyncio.open_connection(*here.address("tcp", ""))
            writer.write(b"garbage")
            await here.wait(lambda: bool(here.received))
            flow = here.received[0][1]
            here.sockets.send(flow, b"400")
            here.sockets.close_flow(flow)
            here.sockets.close_flow(flow)
            writer.write(b"more")
            async with asyncio.timeout(DEADLINE_S):
                with suppress(ConnectionResetError):
                    assert await reader.read() == b"400"
            writer.close()
            assert here.text() == b"garbage"
            assert here.closed == []

    run(loop_kind, scenario)


def test_a_peers_new_connection_replaces_ours(loop_kind: str) -> None:
    """One flow, one connection: the bytes of two must never meet in one reader."""

    async def scenario() -> None:
        async with _party() as here:
            with socket.socket() as server:
                server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                server.bind(("127.0.0.1", 0))
                server.listen()
                server.setblocking(False)
                flow = Flow("tcp", here.address("tcp", ""), server.getsockname())
                here.sockets.send(flow, b"to the server")
                first, _ = await asyncio.get_running_loop().sock_accept(server)
                server.close()
            with first, socket.socket() as second:
                second.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                second.bind(flow.remote)
                second.connect(flow.local)
                second.sendall(b"from the server's own port")
                await here.wait(lambda: bool(here.received))
                assert here.received[0][1] == flow
                assert here.closed == [flow], "the reader of the first connection is told to forget"
                here.sockets.send(flow, b"answer")
                second.settimeout(DEADLINE_S)
                assert await asyncio.to_thread(second.recv, 100) == b"answer"
                assert here.closed == [flow], "the end of the replaced connection is no news"

    run(loop_kind, scenario)


def test_closing_delivers_what_was_sent_last(loop_kind: str) -> None:
    """The BYEs of a stopping switch leave before their connection ends."""

    async def scenario() -> None:
        async with _party() as here, _party() as there:
            flow = Flow("tcp", here.address("tcp", ""), there.address("tcp", ""))
            here.sockets.send(flow, b"hello")
            await there.wait(lambda: there.text() == b"hello")
            here.sockets.send(flow, b" and " + bytes(500_000) + b"bye")
            await here.sockets.close()
            await there.wait(lambda: there.text().endswith(b"bye") and bool(there.closed))
            assert here.closed == [], "we closed it ourselves"
            here.sockets.send(flow, b"too late")
            await here.sockets.close()
            assert here.sockets._waiting == {}

    run(loop_kind, scenario)


def test_closing_does_not_wait_for_a_peer_that_does_not_read(
    loop_kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dead peer delays the end of the process by a bounded time."""
    monkeypatch.setattr(sip_sockets, "CLOSE_TIMEOUT_S", 0.05)
    monkeypatch.setattr(sip_sockets, "WRITE_BUFFER_BYTES_MAX", 64 * 1024 * 1024)

    async def scenario() -> None:
        async with _party() as here:
            with socket.create_connection(here.address("tcp", "")) as peer:
                peer.sendall(b"hello")
                await here.wait(lambda: bool(here.received))
                here.sockets.send(here.received[0][1], bytes(32 * 1024 * 1024))
                async with asyncio.timeout(DEADLINE_S):
                    await here.sockets.close()

    run(loop_kind, scenario)


@pytest.mark.parametrize(
    "remote", [("carrier.example", 5060), ("::1", 5060), ("", 5060), ("999.0.0.1", 5060), ("::g", 5060)]
)
def test_a_datagram_that_leads_nowhere_is_reported(loop_kind: str, remote: tuple[str, int]) -> None:
    """A name is never looked up in the call path; the leg fails at once instead of after 32 s."""

    async def scenario() -> None:
        async with _party() as here:
            flow = Flow("udp", here.address("udp", ""), remote)
            here.sockets.send(flow, b"x")
            assert here.closed == [], "never from inside send"
            await here.wait(lambda: here.closed == [flow])

    run(loop_kind, scenario)


def test_a_datagram_that_cannot_be_sent_does_no_harm(loop_kind: str) -> None:
    """Too large, or to a closed port: the transaction's timer decides."""

    async def scenario() -> None:
        async with _party() as here, _party() as there:
            local = here.address("udp", "")
            here.sockets.send(Flow("udp", local, there.address("udp", "")), bytes(70_000))
            here.sockets.send(Flow("udp", local, ("127.0.0.1", 9)), b"nobody")
            here.sockets.send(Flow("udp", local, there.address("udp", "")), b"still there")
            await there.wait(lambda: there.text() == b"still there")
            there.sockets.send(Flow("udp", there.address("udp", ""), local), b"both ways")
            await here.wait(lambda: here.text() == b"both ways")

    run(loop_kind, scenario)

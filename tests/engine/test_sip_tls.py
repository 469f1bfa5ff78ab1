"""SIP over TLS on the loopback interface, with certificates of a private authority."""

import asyncio
import gc
import os
import resource
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
import uvloop

from maskline.engine import sip_sockets, sip_tls
from maskline.engine.sip_sockets import SipSockets
from maskline.sip.events import Flow
from tests.certificates import Certificate, make_authority, make_certificate

DEADLINE_S = 5.0
HOSTS = ("127.0.0.1", "::1")
NAME = "sip.carrier.example"

pytestmark = pytest.mark.parametrize("loop_kind", ["asyncio", "uvloop"])


@dataclass(frozen=True)
class Pki:
    """The authority everybody here believes, one nobody knows, and certificates."""

    authority: Certificate
    carrier: Certificate
    by_address: Certificate
    expired: Certificate
    foreign: Certificate


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    directory = tmp_path_factory.mktemp("pki")
    authority = make_authority(directory)
    return Pki(
        authority=authority,
        carrier=make_certificate(directory, authority, NAME),
        by_address=make_certificate(directory, authority, *HOSTS),
        expired=make_certificate(directory, authority, "old.example", NAME, age=timedelta(days=2)),
        foreign=make_certificate(directory, make_authority(directory, "nobody"), "foreign.example", NAME),
    )


class Party:
    """Sockets of ours and what came of them; `wait` waits until something holds."""

    def __init__(self, name: str | None) -> None:
        self.trusted = set(HOSTS)
        self.received: list[tuple[bytes, Flow]] = []
        self.closed: list[Flow] = []
        self._changed = asyncio.Event()
        self.sockets = SipSockets(
            receive=self._receive,
            closed=self._close,
            is_trusted=lambda host: host in self.trusted,
            server_name=lambda _address: name,
        )

    def _receive(self, data: bytes, flow: Flow) -> None:
        self.received.append((data, flow))
        self._changed.set()

    def _close(self, flow: Flow) -> None:
        self.closed.append(flow)
        self._changed.set()

    def text(self) -> bytes:
        return b"".join(data for data, _ in self.received)

    async def wait(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not holds():
                self._changed.clear()
                await self._changed.wait()

    def address(self, host: str = "127.0.0.1") -> tuple[str, int]:
        return self.sockets.local["tls", ":" in host]


@asynccontextmanager
async def listening(
    pki: Pki, cert: Certificate | None = None, *, host: str = "127.0.0.1", expects: str | None = NAME
) -> AsyncIterator[Party]:
    """Sockets that show `cert`, believe the authority, and expect peers to be called `expects`."""
    party = Party(expects)
    shown = cert or pki.carrier
    try:
        await party.sockets.listen_tls(host, 0, shown.cert_path, shown.key_path, ca=pki.authority.cert_path)
        yield party
    finally:
        await party.sockets.close()


def run(loop_kind: str, scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a scenario on one kind of loop."""
    factory = uvloop.new_event_loop if loop_kind == "uvloop" else asyncio.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(scenario())
    gc.collect()  # a socket left open is the fault of this test, not of a later one


@pytest.mark.parametrize("host", HOSTS)
def test_a_connection_is_made_on_demand_and_answered_on(loop_kind: str, host: str, pki: Pki) -> None:
    """What is sent during the handshake goes out in order; answers come back on the same connection."""

    async def scenario() -> None:
        async with listening(pki, host=host) as here, listening(pki, host=host) as there:
            flow = Flow("tls", here.address(host), there.address(host))
            for part in (b"one ", b"two ", b"three"):
                here.sockets.send(flow, part)
            await there.wait(lambda: there.text() == b"one two three")
            back = there.received[0][1]
            assert (back.transport, back.local) == ("tls", flow.remote)
            there.sockets.send(back, b"answer")
            await here.wait(lambda: here.text() == b"answer")
            assert here.received[0][1] == flow

    run(loop_kind, scenario)


def test_a_peer_without_a_name_shows_its_address(loop_kind: str, pki: Pki) -> None:
    """Where nobody says how the peer is called its certificate has to carry the address."""

    async def scenario() -> None:
        async with listening(pki, expects=None) as here, listening(pki, pki.by_address) as there:
            here.sockets.send(Flow("tls", here.address(), there.address()), b"hello")
            await there.wait(lambda: there.text() == b"hello")

    run(loop_kind, scenario)


@pytest.mark.parametrize(
    ("shown", "expects"),
    [("carrier", "other.example"), ("carrier", None), ("expired", NAME), ("foreign", NAME)],
)
def test_a_certificate_that_is_not_the_peers_ends_the_try(
    loop_kind: str, pki: Pki, shown: str, expects: str | None
) -> None:
    """Another name, another authority or a certificate past its day: the flow is reported closed, nothing sent."""

    async def scenario() -> None:
        async with (
            listening(pki, expects=expects) as here,
            listening(pki, getattr(pki, shown)) as there,
        ):
            flow = Flow("tls", here.address(), there.address())
            with structlog.testing.capture_logs() as logs:
                here.sockets.send(flow, b"secret")
                assert here.closed == [], "never from inside send"
                await here.wait(lambda: here.closed == [flow])
            assert "sip.tls_not_verified" in {entry["event"] for entry in logs}
            assert there.received == []

    run(loop_kind, scenario)


def test_without_a_certificate_of_ours_nothing_is_sent(loop_kind: str, pki: Pki) -> None:
    """Sockets that were not told to listen on TLS do not connect by it."""

    async def scenario() -> None:
        party = Party(NAME)
        async with listening(pki) as there:
            flow = Flow("tls", ("127.0.0.1", 5061), there.address())
            party.sockets.send(flow, b"x")
            await party.wait(lambda: party.closed == [flow])
        await party.sockets.close()

    run(loop_kind, scenario)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")  # naming them is the point
def test_old_protocol_versions_are_refused(loop_kind: str, pki: Pki) -> None:
    """Nothing older than TLS 1.2 is spoken, by us or with us."""

    async def scenario() -> None:
        async with listening(pki) as there:
            context = ssl.create_default_context(cafile=pki.authority.cert_path)
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1
            context.set_ciphers("ALL:@SECLEVEL=0")
            with pytest.raises((ssl.SSLError, ConnectionError)):
                async with asyncio.timeout(DEADLINE_S):
                    await asyncio.open_connection(*there.address(), ssl=context, server_hostname=NAME)

    run(loop_kind, scenario)
    own = sip_tls.client_context(pki.authority.cert_path, pki.carrier.cert_path, pki.carrier.key_path)
    assert own.minimum_version is ssl.TLSVersion.TLSv1_2
    assert own.check_hostname
    assert own.verify_mode is ssl.CERT_REQUIRED


def test_a_stranger_gets_no_handshake(loop_kind: str, pki: Pki) -> None:
    """An address no trunk accepts is cut off before a byte of TLS, and nobody hears of it."""

    async def scenario() -> None:
        async with listening(pki) as here:
            here.trusted.clear()
            loop = asyncio.get_running_loop()
            with socket.socket() as peer:
                peer.setblocking(False)
                async with asyncio.timeout(DEADLINE_S):
                    with suppress(ConnectionError):
                        await loop.sock_connect(peer, here.address())
                        assert await loop.sock_recv(peer, 100) == b""
            assert (here.received, here.closed) == ([], [])

    run(loop_kind, scenario)


def test_a_handshake_takes_a_bounded_time(loop_kind: str, pki: Pki, monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer that connects and says nothing is let go, and so is one that speaks no TLS."""
    monkeypatch.setattr(sip_tls, "HANDSHAKE_TIMEOUT_S", 0.05)

    async def scenario() -> None:
        async with listening(pki) as here:
            for first_words in (b"", b"OPTIONS sip:a SIP/2.0\r\n\r\n"):
                reader, writer = await asyncio.open_connection(*here.address())
                writer.write(first_words)
                async with asyncio.timeout(DEADLINE_S):
                    with suppress(ConnectionError):
                        await reader.read()
                writer.close()
            assert (here.received, here.closed) == ([], [])

    run(loop_kind, scenario)


def test_handshakes_under_way_are_bounded(loop_kind: str, pki: Pki, monkeypatch: pytest.MonkeyPatch) -> None:
    """One half-open connection too many is cut at once; the others go on."""
    monkeypatch.setattr(sip_tls, "HANDSHAKE_COUNT_MAX", 2)

    async def scenario() -> None:
        async with listening(pki) as here:
            slow = [await asyncio.open_connection(*here.address()) for _ in range(2)]
            reader, writer = await asyncio.open_connection(*here.address())
            async with asyncio.timeout(DEADLINE_S):
                with suppress(ConnectionError):
                    assert await reader.read() == b""
            writer.close()
            for _, each in slow:
                each.close()

    run(loop_kind, scenario)


def test_connections_are_bounded(loop_kind: str, pki: Pki, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of all transports together; beyond the limit none is taken."""
    monkeypatch.setattr(sip_sockets, "CONNECTION_COUNT_MAX", 1)

    async def scenario() -> None:
        async with listening(pki) as here, listening(pki) as there:
            there.sockets.send(Flow("tls", there.address(), here.address()), b"first")
            await here.wait(lambda: here.text() == b"first")
            reader, writer = await asyncio.open_connection(*here.address())
            async with asyncio.timeout(DEADLINE_S):
                with suppress(ConnectionError):
                    assert await reader.read() == b""
            writer.close()

    run(loop_kind, scenario)


def test_a_lost_connection_is_reported_once(loop_kind: str, pki: Pki) -> None:
    """The peer goes away, politely or not."""

    async def scenario() -> None:
        async with listening(pki) as here:
            for is_polite in (True, False):
                here.closed.clear()
                here.received.clear()
                context = ssl.create_default_context(cafile=pki.authority.cert_path)
                _, writer = await asyncio.open_connection(*here.address(), ssl=context, server_hostname=NAME)
                writer.write(b"hello")
                await here.wait(lambda: here.text() == b"hello")
                flow = here.received[0][1]
                if is_polite:
                    writer.close()
                else:
                    writer.transport.abort()
                await here.wait(lambda: bool(here.closed))
                assert here.closed == [flow]

    run(loop_kind, scenario)


def test_a_peer_that_does_not_read_is_cut_off(loop_kind: str, pki: Pki) -> None:
    """What is kept for it is bounded, and its flow is reported lost."""

    async def scenario() -> None:
        async with listening(pki) as here:
            context = ssl.create_default_context(cafile=pki.authority.cert_path)
            _, writer = await asyncio.open_connection(*here.address(), ssl=context, server_hostname=NAME)
            writer.write(b"hello")
            await here.wait(lambda: bool(here.received))
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            flow = here.received[0][1]
            for _ in range(64):
                here.sockets.send(flow, bytes(256 * 1024))
            await here.wait(lambda: here.closed == [flow])
            writer.transport.abort()

    run(loop_kind, scenario)


def test_closing_delivers_what_was_sent_last(loop_kind: str, pki: Pki) -> None:
    """The BYEs of a stopping switch leave before their connection ends."""

    async def scenario() -> None:
        async with listening(pki) as here, listening(pki) as there:
            flow = Flow("tls", here.address(), there.address())
            here.sockets.send(flow, b"hello")
            await there.wait(lambda: there.text() == b"hello")
            here.sockets.send(flow, b" and " + bytes(200_000) + b"bye")
            await here.sockets.close()
            await there.wait(lambda: there.text().endswith(b"bye") and bool(there.closed))
            assert here.closed == [], "we closed it ourselves"

    run(loop_kind, scenario)


def test_a_taken_port_or_an_unusable_file_is_an_error(loop_kind: str, pki: Pki, tmp_path: Path) -> None:
    """The operator hears of it at the start."""

    async def scenario() -> None:
        async with listening(pki) as there:
            party = Party(None)
            files = pki.carrier.cert_path, pki.carrier.key_path
            with pytest.raises(OSError, match="in use"):
                await party.sockets.listen_tls(*there.address(), *files)
            with pytest.raises(FileNotFoundError):
                await party.sockets.listen_tls("127.0.0.1", 0, files[0], tmp_path / "none.key")
            with pytest.raises(ssl.SSLError):
                await party.sockets.listen_tls("127.0.0.1", 0, files[1], files[0])
            assert party.sockets.local == {}
            with pytest.raises(OSError, match="each IP version"):
                await there.sockets.listen_tls("127.0.0.1", 0, *files)
            await party.sockets.close()

    run(loop_kind, scenario)


def test_without_file_descriptors_it_tries_again(
    loop_kind: str, pki: Pki, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that cannot be taken now does not end the listener."""
    monkeypatch.setattr(sip_tls, "ACCEPT_PAUSE_S", 0.01)

    class Log:
        def __init__(self) -> None:
            self.written = asyncio.Event()

        def warning(self, event: str, **_fields: str) -> None:
            assert event == "sip.tls_accept_failed"
            self.written.set()

    async def scenario() -> None:
        log = Log()
        monkeypatch.setattr(sip_tls, "_log", log)
        context = ssl.create_default_context(cafile=pki.authority.cert_path)
        async with listening(pki) as here, asyncio.timeout(DEADLINE_S):
            peer = socket.socket()
            peer.setblocking(False)
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            free = os.dup(0)
            os.close(free)
            resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
            try:
                await asyncio.get_running_loop().sock_connect(peer, here.address())
                await log.written.wait()
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            _, writer = await asyncio.open_connection(sock=peer, ssl=context, server_hostname=NAME)
            writer.write(b"x")
            await here.wait(lambda: here.text() == b"x")
            writer.close()
            await writer.wait_closed()

    run(loop_kind, scenario)

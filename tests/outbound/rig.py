"""Peers on loopback that answer whatever they are told, and certificates made for the occasion."""

import asyncio
import datetime as dt
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from maskline.outbound.types import OutboundLimits
from maskline.outbound.wire import Wire

LOOPBACK = ("127.0.0.0/8",)
LIMITS = OutboundLimits(total_s=5, connect_s=2, read_s=2, response_bytes_max=10_000)
SHORT = OutboundLimits(total_s=0.5, connect_s=0.4, read_s=0.2, response_bytes_max=10_000)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass(slots=True)
class Peer:
    """A server and what it has seen."""

    port: int = 0
    connection_count: int = 0
    requests: list[bytes] = field(default_factory=list)
    closed: asyncio.Event = field(default_factory=asyncio.Event)


@asynccontextmanager
async def serve(answer: bytes | Answer = OK, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Peer]:
    """Run a server on loopback; bytes are the answer to each request, a function takes the connection over."""
    peer = Peer()
    tasks: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        peer.connection_count += 1
        try:
            while request := await read_request(reader):
                peer.requests.append(request)
                if isinstance(answer, bytes):
                    writer.write(answer)
                    await writer.drain()
                else:
                    await answer(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            peer.closed.set()
        finally:
            peer.closed.set()
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls)
    peer.port = server.sockets[0].getsockname()[1]
    try:
        yield peer
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


async def read_request(reader: asyncio.StreamReader) -> bytes:
    """Return head and body of one request, nothing at the end."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return head + await reader.readexactly(int(value))
    return head


class AnsweringTransport(asyncio.Transport):
    """The far end of a wire without a network: gives `answer` to whatever is written."""

    def __init__(self, wire: Wire, answer: bytes = b"") -> None:
        super().__init__()
        self._wire = wire
        self._answer = answer
        self.written = b""
        self.is_reading_paused = False
        self.is_aborted = False

    def write(self, data: object) -> None:
        """Answer."""
        assert isinstance(data, bytes)
        self.written += data
        if self._answer:
            self._wire.data_received(self._answer)

    def pause_reading(self) -> None:
        """Note that the wire has enough."""
        self.is_reading_paused = True

    def resume_reading(self) -> None:
        """Note that the wire wants more."""
        self.is_reading_paused = False

    def abort(self) -> None:
        """Note the end."""
        self.is_aborted = True


def resolving(*addresses: str) -> Callable[[str, int], Awaitable[list[str]]]:
    """Return a resolver that says the same of every name."""

    async def resolve(host: str, port: int) -> list[str]:
        return list(addresses)

    return resolve


def make_tls(directory: Path, *names: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return the context of a server whose certificate is for `names`, and that of a client who trusts its issuer."""
    now = dt.datetime.now(dt.UTC)
    issuer_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    issuer_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "issuer of tests")])

    def begin(subject: x509.Name, subject_key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer_name)
            .public_key(subject_key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + dt.timedelta(hours=1))
        )

    issuer = (
        begin(issuer_name, issuer_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(issuer_key, hashes.SHA256())
    )
    certificate = (
        begin(x509.Name([]), key)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=True)
        .sign(issuer_key, hashes.SHA256())
    )
    chain = directory / "server.pem"
    chain.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(chain)
    client = ssl.create_default_context(cadata=issuer.public_bytes(serialization.Encoding.PEM).decode())
    return server, client

"""TLS for SIP: what is asked of certificates, and a listener that looks at addresses before it shakes hands.

A handshake costs a millisecond of CPU and its half-open connection a socket: strangers get neither.
Source: RFC 3261 section 26.3.1; RFC 5922 section 4 on whose name a certificate must carry.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

import structlog

from maskline.tasks import spawn

_log = structlog.get_logger(__name__)

HANDSHAKE_TIMEOUT_S = 4.0  # as long as a connection of ours may take
HANDSHAKE_COUNT_MAX = 100  # at once, all peers together; a trunk's peer has a handful of connections
SHUTDOWN_TIMEOUT_S = 1.0  # for the peer's word that it, too, has nothing more to say
ACCEPT_PAUSE_S = 1.0  # when no file descriptor is left; the next try may find one
BACKLOG = 100

_Made = Callable[[], asyncio.Protocol]


def server_context(cert: Path, key: Path) -> ssl.SSLContext:
    """Present this certificate to whoever connects. Raises OSError (ssl.SSLError) for unusable files."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return _hardened(context)


def client_context(ca: Path | None, cert: Path, key: Path) -> ssl.SSLContext:
    """Verify peers' certificates and names; present ours to peers that ask. Raises OSError.

    `ca` holds the authorities to believe; without it they are the system's.
    """
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=ca)
    context.load_cert_chain(cert, key)
    return _hardened(context)


def _hardened(context: ssl.SSLContext) -> ssl.SSLContext:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    return context


class TLSListener:
    """Takes connections on a bound socket: `is_welcome` is asked about the address first, `make` makes the protocol.

    The protocol's `connection_made` comes after the handshake.
    """

    def __init__(
        self,
        listening: socket.socket,
        context: ssl.SSLContext,
        *,
        is_welcome: Callable[[str], bool],
        make: _Made,
    ) -> None:
        self._socket = listening
        self._context = context
        self._is_welcome = is_welcome
        self._make = make
        self._handshakes: set[asyncio.Task[None]] = set()
        listening.listen(BACKLOG)
        self._accepting = spawn(self._accept(), name="sip.tls_accept")

    def close(self) -> None:
        """Take no more, and let go of handshakes under way."""
        self._accepting.cancel()
        for handshake in self._handshakes:
            handshake.cancel()
        self._socket.close()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                stream, peer = await loop.sock_accept(self._socket)
            except OSError as error:
                _log.warning("sip.tls_accept_failed", error=type(error).__name__)
                await asyncio.sleep(ACCEPT_PAUSE_S)
                continue
            if len(self._handshakes) >= HANDSHAKE_COUNT_MAX or not self._is_welcome(peer[0]):
                stream.close()
                continue
            handshake = spawn(self._shake_hands(stream), name="sip.tls_handshake")
            self._handshakes.add(handshake)
            handshake.add_done_callback(self._handshakes.discard)

    async def _shake_hands(self, stream: socket.socket) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                self._make,
                stream,
                ssl=self._context,
                ssl_handshake_timeout=HANDSHAKE_TIMEOUT_S,
                ssl_shutdown_timeout=SHUTDOWN_TIMEOUT_S,
            )
        except (OSError, TimeoutError) as error:
            stream.close()
            note_failure(error)


def note_failure(error: OSError) -> None:
    """Log why a handshake failed: a carrier whose certificate has run out is for the operator to know."""
    if isinstance(error, ssl.SSLCertVerificationError):
        _log.warning("sip.tls_not_verified", reason=error.verify_message)
    elif isinstance(error, ssl.SSLError):
        _log.warning("sip.tls_failed", reason=error.reason)

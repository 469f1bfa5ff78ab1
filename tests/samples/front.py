"""TLS in front of the service, as an operator's proxy would be: bytes in, bytes out."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

IDLE_S = 20.0  # longer than any sample takes; what hangs ends by it
CHUNK_BYTES = 65_536


@contextmanager
def serve_tls(cert: Path, key: Path, port: int) -> Iterator[int]:
    """Answer for the service on loopback `port`; yields the port that speaks TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_accept, args=(listener, context, port))
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(IDLE_S)


def _accept(listener: socket.socket, context: ssl.SSLContext, port: int) -> None:
    while True:
        try:
            raw, _ = listener.accept()
        except OSError:  # closed
            return
        with suppress(OSError), raw:
            raw.settimeout(IDLE_S)
            with context.wrap_socket(raw, server_side=True) as client:
                _exchange(client, port)


def _exchange(client: ssl.SSLSocket, port: int) -> None:
    """Pass on one request's bytes as they come until the service has answered and closed, or the client has gone."""
    with socket.create_connection(("127.0.0.1", port), IDLE_S) as service:
        up = threading.Thread(target=_pump, args=(client, service))
        up.start()
        _pump(service, client)
        with suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)
        up.join(IDLE_S)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(CHUNK_BYTES):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)

"""A bare UDP socket: sees what is sent to an address, and sends what no sipp scenario would."""

import select
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

DATAGRAM_BYTES_MAX = 65_535


@dataclass(slots=True)
class Listener:
    """Everything that arrived at `address` so far; `send` goes to `peer`."""

    sock: socket.socket
    address: tuple[str, int]
    peer: tuple[str, int]
    _received: list[bytes] = field(default_factory=list)

    @classmethod
    @contextmanager
    def open(cls, address: tuple[str, int], peer: tuple[str, int]) -> Iterator["Listener"]:
        """Bind a socket and close it at the end of the block."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind(address)
            sock.setblocking(False)
            yield cls(sock, address, peer)

    def send(self, data: bytes) -> None:
        """Send one datagram."""
        self.sock.sendto(data, self.peer)

    def received(self) -> list[bytes]:
        """All that has arrived."""
        while True:
            try:
                self._received.append(self.sock.recv(DATAGRAM_BYTES_MAX))
            except BlockingIOError:
                return list(self._received)

    def wait_for(self, count: int, timeout_s: float) -> list[bytes]:
        """Wait for so many more datagrams and return them; fewer when the time is over."""
        start = len(self._received)
        deadline = time.monotonic() + timeout_s
        while len(self.received()) - start < count and (left := deadline - time.monotonic()) > 0:
            select.select([self.sock], [], [], left)
        return self._received[start:]


def render_request(
    method: str,
    source: tuple[str, int],
    target: tuple[str, int],
    *,
    user: str = "",
    caller: str = "tester",
    call_id: str = "",
) -> bytes:
    """A plain request outside any dialog, or with the Call-ID of one."""
    word = uuid.uuid4().hex
    at = f"{user}@" if user else ""
    lines = (
        f"{method} sip:{at}{target[0]}:{target[1]} SIP/2.0",
        f"Via: SIP/2.0/UDP {source[0]}:{source[1]};branch=z9hG4bK{word}",
        "Max-Forwards: 70",
        f"From: <sip:{caller}@{source[0]}>;tag={word[:12]}",
        f"To: <sip:{at}{target[0]}>",
        f"Call-ID: {call_id or word}",
        f"CSeq: 1 {method}",
        f"Contact: <sip:{source[0]}:{source[1]}>",
        "Content-Length: 0",
        "",
        "",
    )
    return "\r\n".join(lines).encode()

"""A carrier written by hand on Python's own ssl: it says what it is told to and reads one message at a time."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Final

from tests.certificates import Certificate
from tests.interop.wire import SIPText

TIMEOUT_S: Final = 8.0  # for a connection and for each message
MESSAGE_COUNT_MAX: Final = 20  # read in vain for one that is waited for
RECEIVE_BYTES: Final = 65_536

_REQUEST = """\
{method} {uri} SIP/2.0
Via: SIP/2.0/TLS {local};branch=z9hG4bK{call}{seq}{method};rport
From: <sip:{user}@{local}>;tag={call}
To: <{to}>{to_tag}
Call-ID: {call}
CSeq: {seq} {method}
Contact: <sip:{user}@{local};transport=tls>
Max-Forwards: 70
"""

_DESCRIPTION = """\
v=0
o=hand 1 1 IN IP4 {host}
s=hand
c=IN IP4 {host}
t=0 0
m=audio {port} RTP/AVP 8 101
a=rtpmap:101 telephone-event/8000
"""


@dataclass(slots=True)
class HandDialog:
    """A call as the hand that dialled it knows it."""

    user: str
    to: str
    call: str
    uri: str
    to_tag: str = ""


@dataclass(slots=True)
class Hand:
    """One end of a connection, whoever made it."""

    connection: ssl.SSLSocket
    heard: list[SIPText] = field(default_factory=list)
    _buffer: bytes = b""

    def dial(self, user: str, dialled: str, *, sdp: bytes = b"") -> HandDialog:
        """Send an INVITE from one user to another."""
        host, port = self.connection.getpeername()
        to = f"sip:{dialled}@{host}:{port}"
        dialog = HandDialog(user, to, token_hex(8), uri=f"{to};transport=tls")
        self.say(dialog, "INVITE", 1, sdp)
        return dialog

    def say(self, dialog: HandDialog, method: str, seq: int, sdp: bytes = b"") -> None:
        """Send a request of a call."""
        host, port = self.connection.getsockname()
        text = _REQUEST.format(
            method=method,
            uri=dialog.uri,
            local=f"{host}:{port}",
            call=dialog.call,
            seq=seq,
            user=dialog.user,
            to=dialog.to,
            to_tag=dialog.to_tag,
        )
        self._send(text, sdp)

    def hear_answer(self, dialog: HandDialog) -> SIPText:
        """Read until the INVITE is answered with 200, and acknowledge it."""
        answer = self.hear(method="INVITE", status=200)
        dialog.to_tag = ";" + answer.header("To").partition(";")[2]
        dialog.uri = answer.header("Contact").strip("<>")
        self.say(dialog, "ACK", 1)
        return answer

    def answer(self, request: SIPText, status: int, *, more: tuple[str, ...] = (), sdp: bytes = b"") -> None:
        """Answer a request."""
        host, port = self.connection.getsockname()
        copied = [
            f"{name}: {value}"
            for name, value in request.headers
            if name in {"Via", "From", "Call-ID", "CSeq", "Record-Route"}
        ]
        to = request.header("To")
        to = to if ";tag=" in to or status == 100 else f"{to};tag=answer"
        contact = f"Contact: <sip:{host}:{port};transport=tls>"
        if request.method == "REGISTER":
            contact = f"Contact: {request.header('Contact')}"
        lines = (f"SIP/2.0 {status} Answered", *copied, f"To: {to}", contact, *more)
        self._send("".join(f"{line}\n" for line in lines), sdp)

    def _send(self, head: str, sdp: bytes) -> None:
        if sdp:
            head += "Content-Type: application/sdp\n"
        head += f"Content-Length: {len(sdp)}\n\n"
        self.connection.sendall(head.replace("\n", "\r\n").encode() + sdp)

    def hear(self, *, method: str, status: int = 0) -> SIPText:
        """Read until a request (`status` 0) of a method has come, or an answer to one."""
        for _ in range(MESSAGE_COUNT_MAX):
            message = self._read()
            if (message.method, message.status) == (method, status):
                return message
        found = f"no {method} {status or ''} among {[text.start_line for text in self.heard]}"
        raise AssertionError(found)

    def _read(self) -> SIPText:
        while b"\r\n\r\n" not in self._buffer:
            self._receive()
        head, _, rest = self._buffer.partition(b"\r\n\r\n")
        (length,) = (
            int(line.partition(b":")[2])
            for line in head.split(b"\r\n")
            if line.startswith(b"Content-Length:")
        )
        while len(rest) < length:
            self._receive()
            rest = self._buffer.partition(b"\r\n\r\n")[2]
        self._buffer = rest[length:]
        self.heard.append(SIPText(head + b"\r\n\r\n" + rest[:length]))
        return self.heard[-1]

    def _receive(self) -> None:
        data = self.connection.recv(RECEIVE_BYTES)
        assert data, "the connection stays"
        self._buffer += data


def describe(address: tuple[str, int]) -> bytes:
    """Write a session description: PCMA and key presses at an address."""
    text = _DESCRIPTION.format(host=address[0], port=address[1])
    return text.replace("\n", "\r\n").encode()


@contextmanager
def connect(
    remote: tuple[str, int], authority: Certificate, *, local: tuple[str, int] | None = None
) -> Iterator[Hand]:
    """Connect over TLS, the peer's certificate verified by its address."""
    context = ssl.create_default_context(cafile=authority.cert_path)
    with (
        socket.create_connection(remote, TIMEOUT_S, local) as plain,
        context.wrap_socket(plain, server_hostname=remote[0]) as connection,
    ):
        yield Hand(connection)


@contextmanager
def listening(address: tuple[str, int], certificate: Certificate) -> Iterator[ssl.SSLSocket]:
    """Listen for TLS."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate.cert_path, certificate.key_path)
    with socket.create_server(address) as plain, context.wrap_socket(plain, server_side=True) as listener:
        listener.settimeout(TIMEOUT_S)
        yield listener


@contextmanager
def accept(listener: ssl.SSLSocket) -> Iterator[Hand]:
    """Take the next connection."""
    connection, _ = listener.accept()
    with closing(connection):
        connection.settimeout(TIMEOUT_S)
        yield Hand(connection)

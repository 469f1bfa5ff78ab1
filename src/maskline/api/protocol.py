"""uvicorn's HTTP/1.1 protocol with what it lacks: bounded heads, bounded waiting for them, and no upgrades.

Clients that offer HTTP/2 on a plain connection (`Upgrade: h2c`; Java's HttpClient does by default) are answered in
HTTP/1.1 as RFC 9110 section 7.8 allows. uvicorn alone would take the body of such a request for another request.
"""

import asyncio
import json
import uuid
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES_MAX = (
    524_288  # twice what one read may bring: a large body read together with its head must not count
)
HEAD_TIMEOUT_S = 30.0  # from connecting, or from a request's first byte, to the end of its head
CONNECTIONS_MAX = 10_000  # at one time; each may hold a head and a body of bounded size
MALFORMED = "Malformed HTTP request."
# Where a body ends is then unknown: RFC 9112 section 6.3 leaves nothing but this and a closed connection.
LENGTH_UNREADABLE = "Malformed HTTP request. Content-Length is empty or not a number."
HEAD_TOO_LARGE = "Malformed HTTP request. The head is too large."


class BoundedHTTPProtocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._is_in_head = True
        self._head_bytes = 0
        self._is_resuming = False
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Start waiting for the first head, or refuse when there are too many connections."""
        super().connection_made(transport)
        if len(self.connections) > CONNECTIONS_MAX:
            transport.abort()
            return
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed the parser; an upgrade that was offered is passed over."""
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._pass_over_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError as error:
            is_length = "content-length" in str(error).lower()
            self.send_400_response(LENGTH_UNREADABLE if is_length else MALFORMED)
        else:
            if self._is_in_head:
                self._head_bytes += len(data)
                if self._head_bytes > HEAD_BYTES_MAX:
                    self.send_400_response(HEAD_TOO_LARGE)

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP in the form that all dialects share, and close."""
        body = json.dumps({"api_id": str(uuid.uuid4()), "error": msg}).encode()
        self.transport.write(
            b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\nconnection: close\r\n"
            b"content-length: %d\r\n\r\n%s" % (len(body), body)
        )
        self.transport.close()

    # While resuming, the head is a stand-in: the request is known already, only its body is read.

    def on_message_begin(self) -> None:
        """Parser callback."""
        if self._is_resuming:
            return
        self._is_in_head, self._head_bytes = True, 0
        if self._head_timer is None:
            self._wait_for_head()
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Parser callback."""
        if not self._is_resuming:
            super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Parser callback."""
        if not self._is_resuming:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Parser callback."""
        if self._is_resuming:
            return
        self._is_in_head = False
        self._stop_waiting()
        super().on_headers_complete()
        # For streams whose reader does not read: closing would wait for it.
        self.scope["extensions"] = {"maskline.abort": {"call": self.transport.abort}}

    def on_body(self, body: bytes) -> None:
        """Parser callback; what follows the resumed request belongs to nobody."""
        if not self._is_resuming or self.cycle.more_body:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Parser callback; the parser calls a message complete where the other protocol would begin."""
        if self._is_resuming or not self.parser.should_upgrade():
            super().on_message_complete()

    def _pass_over_upgrade(self, rest: bytes) -> None:
        """Read the body with a parser that was offered nothing; the connection ends after this answer."""
        self.cycle.keep_alive = False
        framing = b"".join(
            b"%s: %s\r\n" % (name, value)
            for name, value in self.headers
            if name in (b"content-length", b"transfer-encoding")
        )
        self._is_resuming = True
        self.parser = httptools.HttpRequestParser(self)
        self.data_received(b"POST / HTTP/1.1\r\nhost: -\r\n" + framing + b"\r\n" + rest)

    def _wait_for_head(self) -> None:
        self._head_timer = self.loop.call_later(HEAD_TIMEOUT_S, self._give_up)

    def _stop_waiting(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _give_up(self) -> None:
        self._head_timer = None
        self.transport.close()

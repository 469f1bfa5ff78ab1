"""A small web server of somebody else's: prompts are fetched from it, webhooks posted to it."""

import hashlib
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

WEB_PORT = 8000
SLOW_S = 30.0  # longer than anybody waits for a prompt; a closing server ends it
STOP_TIMEOUT_S = 5.0


def not_found(_body: str) -> int:
    """Judge of every path that has no other."""
    return 404


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One request as it came."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: str
    status: int


@dataclass(slots=True)
class Web:
    """What is served, and who came. `judge` decides the status of a request for no file."""

    base: str
    files: dict[str, bytes] = field(default_factory=dict)
    visits: list[Visit] = field(default_factory=list)
    judges: dict[str, Callable[[str], int]] = field(default_factory=dict)  # by path, without its query
    is_closing: threading.Event = field(default_factory=threading.Event)

    def put(self, name: str, content: bytes) -> str:
        """Serve a file; return its URL, another for other content: the service believes a URL for five minutes."""
        path = f"/{name}?{hashlib.sha256(content).hexdigest()[:8]}"
        self.files[path] = content
        return self.base + path

    def slow(self) -> str:
        """Return a URL, new each time, of something that never comes."""
        return f"{self.base}/slow?{secrets.token_hex(4)}"

    def missing(self) -> str:
        """Return a URL, new each time, of nothing."""
        return f"{self.base}/missing?{secrets.token_hex(4)}"

    def visits_to(self, name: str) -> list[Visit]:
        """Requests for one path, whatever their query."""
        return [it for it in tuple(self.visits) if it.path.partition("?")[0] == f"/{name}"]

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: str) -> tuple[int, bytes]:
        """Take a request."""
        bare = path.partition("?")[0]
        if bare == "/slow":
            self.is_closing.wait(SLOW_S)
        content = self.files.get(path, b"")
        judge = self.judges.get(bare, not_found)
        status = 200 if content else judge(body)
        self.visits.append(Visit(method=method, path=path, headers=headers, body=body, status=status))
        return status, content


@contextmanager
def serve_web(host: str) -> Iterator[Web]:
    """Run the server at an address while the block runs."""
    web = Web(f"http://{host}:{WEB_PORT}")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(size).decode()
            status, content = web.answer(self.command, self.path, dict(self.headers), body)
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET  # noqa: N815  # the server's name for it

        def log_message(self, *_args: Any) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_args: Any) -> None:
            """Clients go away when they have waited enough: that is what they are here for."""

    with Server((host, WEB_PORT), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield web
        finally:
            web.is_closing.set()
            server.shutdown()
            thread.join(STOP_TIMEOUT_S)

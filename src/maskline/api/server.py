"""uvicorn inside our own event loop: no signal handlers, no access log, the bound port known."""

import asyncio
import contextlib
import errno
import socket
from collections.abc import Generator

import uvicorn
from starlette.types import ASGIApp

from maskline.api.protocol import BoundedHTTPProtocol
from maskline.errors import AddressInUseError
from maskline.tasks import spawn

STARTUP_TIMEOUT_S = 10.0  # binding is done before; what is left is milliseconds
SHUTDOWN_TIMEOUT_S = 5  # requests in progress; the longest workflow takes far less
KEEP_ALIVE_S = 65  # longer than the usual 60 s of load balancers, so that they close first
BACKLOG = 1_024  # connections not yet accepted


class HTTPServer:
    """A running server; made by `start_server`, ended by `close`."""

    def __init__(self, server: "_Server", task: asyncio.Task[None], address: tuple[str, int]) -> None:
        self._server = server
        self._task = task
        self.address = address

    async def wait(self) -> None:
        """Until the server has ended."""
        await asyncio.shield(self._task)

    async def close(self) -> None:
        """Refuse new connections, let running requests finish for `SHUTDOWN_TIMEOUT_S`, then cut them."""
        self._server.should_exit = True
        await self._task


class _Server(uvicorn.Server):
    """Leaves signals alone and tells when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_listening = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.is_listening.set()


async def start_server(app: ASGIApp, bind: tuple[str, int]) -> HTTPServer:
    """Listen on `bind` (port 0: any free one) and serve `app` until `close`.

    Raises AddressInUseError, or OSError when the address cannot be bound for another reason.
    """
    listener = _listen(bind)
    host, port = listener.getsockname()[:2]
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,  # paths and queries carry numbers
        server_header=False,
        proxy_headers=False,
        http=BoundedHTTPProtocol,
        ws="none",
        lifespan="off",
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=SHUTDOWN_TIMEOUT_S,
    )
    server = _Server(config)
    task = spawn(server.serve(sockets=[listener]), name="http-server")
    try:
        async with asyncio.timeout(STARTUP_TIMEOUT_S):
            await server.is_listening.wait()
    except BaseException:
        server.should_exit = True
        await asyncio.wait([task])
        listener.close()
        raise
    return HTTPServer(server, task, (host, port))


def _listen(bind: tuple[str, int]) -> socket.socket:
    host, port = bind
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            msg = f"another program listens on {host} port {port}"
            raise AddressInUseError(msg) from error
        raise
    # Accepted sockets inherit it. asyncio sets it only on sockets made with an explicit protocol number; without
    # it the head of an answer waits some 40 ms for the client's delayed acknowledgement before its body follows.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener

import asyncio
import signal
import socket

import pytest
from fastapi import FastAPI, Response

from maskline.api.server import _listen, start_server
from maskline.errors import AddressInUseError


def hello() -> FastAPI:
    app = FastAPI(openapi_url=None)
    app.add_api_route("/", lambda: Response(b"hello"))
    return app


async def fetch(address: tuple[str, int]) -> bytes:
    reader, writer = await asyncio.open_connection(*address)
    writer.write(b"GET / HTTP/1.1\r\nHost: m\r\nConnection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_serves_on_a_free_port_and_leaves_signals_alone(host: str) -> None:
    """The bound port is told; whoever embeds the server keeps its signal handlers."""
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    server = await start_server(hello(), (host, 0))
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    assert server.address[0] == host
    assert (await fetch(server.address)).endswith(b"hello")
    await server.close()
    await server.wait()
    with pytest.raises(ConnectionRefusedError):
        await fetch(server.address)


async def test_answers_are_not_held_back() -> None:
    """Small writes leave at once: Nagle's algorithm is off on every connection."""
    listener = _listen(("127.0.0.1", 0))
    with listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def test_a_taken_address_is_named() -> None:
    """Before anything is served."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(AddressInUseError, match=f"127.0.0.1 port {port}"):
            await start_server(hello(), ("127.0.0.1", port))


async def test_close_waits_for_a_running_request() -> None:
    """It is answered, new connections are not."""
    started, finish = asyncio.Event(), asyncio.Event()
    app = FastAPI(openapi_url=None)

    async def slow() -> Response:
        started.set()
        await finish.wait()
        return Response(b"done")

    app.add_api_route("/", slow)
    server = await start_server(app, ("127.0.0.1", 0))
    request = asyncio.ensure_future(fetch(server.address))  # noqa: TID251
    await started.wait()
    closing = asyncio.ensure_future(server.close())  # noqa: TID251
    finish.set()
    assert (await request).endswith(b"done")
    await closing

"""Bytes on the connection that are not, or not quite, a plain HTTP/1.1 request."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from maskline.api import protocol
from maskline.api.server import HTTPServer, start_server

WAIT_S = 20.0
UPGRADE = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"


async def echo(request: Request) -> Response:
    return Response(request.method.encode() + b" " + await request.body())


@pytest.fixture
async def server() -> AsyncIterator[HTTPServer]:
    """Answers with the method and the body it got."""
    running = await start_server(
        Starlette(routes=[Route("/", echo, methods=["GET", "POST"])]), ("127.0.0.1", 0)
    )
    yield running
    await running.close()


async def exchange(server: HTTPServer, *chunks: bytes) -> bytes:
    """Send the chunks one by one and read until the server closes."""
    reader, writer = await asyncio.open_connection(*server.address)
    try:
        async with asyncio.timeout(WAIT_S):
            for chunk in chunks:
                writer.write(chunk)
                await writer.drain()
            return await reader.read()
    finally:
        writer.close()


BODY = b"0123456789"


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 10\r\n\r\n" + BODY,
        b"Transfer-Encoding: chunked\r\n\r\na\r\n" + BODY + b"\r\n0\r\n\r\n",
    ],
)
@pytest.mark.parametrize("cut", [0, 130, 150, 170])
async def test_an_offered_upgrade_is_passed_over(server: HTTPServer, framing: bytes, cut: int) -> None:
    """The body is the request's own, wherever the packets end; Java's HttpClient offers HTTP/2 like this."""
    request = b"POST / HTTP/1.1\r\nHost: m\r\n" + UPGRADE + framing
    chunks = [request[:cut], request[cut:]] if cut else [request]
    answer = await exchange(server, *chunks)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b"\r\n\r\nPOST " + BODY)


async def test_an_offered_upgrade_without_body(server: HTTPServer) -> None:
    """Is a plain GET."""
    answer = await exchange(server, b"GET / HTTP/1.1\r\nHost: m\r\n" + UPGRADE + b"\r\n")
    assert answer.endswith(b"\r\n\r\nGET ")


async def test_nothing_after_an_offered_upgrade_is_taken_for_its_body(server: HTTPServer) -> None:
    """Nor for another request: the connection ends."""
    request = b"POST / HTTP/1.1\r\nHost: m\r\n" + UPGRADE + b"Content-Length: 10\r\n\r\n" + BODY
    second = b"POST / HTTP/1.1\r\nHost: m\r\nContent-Length: 3\r\n\r\nabc"
    answer = await exchange(server, request + second)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert answer.endswith(b"\r\n\r\nPOST " + BODY)


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
        b"INVITE sip:x SIP/2.0\r\n\r\n",
        b"BREW / HTTP/1.1\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: m\r\n\r\n",
        b"CONNECT m:80 HTTP/1.1\r\nHost: m\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nBad Header\x00: x\r\n\r\n",
    ],
)
async def test_what_is_not_http_gets_the_common_error(server: HTTPServer, garbage: bytes) -> None:
    """400 with an id and a text, then the connection ends."""
    answer = await exchange(server, garbage)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"content-type: application/json" in head
    assert list(json.loads(body)) == ["api_id", "error"]


@pytest.mark.parametrize("length", [b"", b" ", b"x", b"1, 1"])
async def test_unreadable_length_is_named(server: HTTPServer, length: bytes) -> None:
    """Some clients send it empty: whoever reads the answer sees why it cannot be."""
    answer = await exchange(server, b"POST / HTTP/1.1\r\nContent-Length:" + length + b"\r\n\r\n{}")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert json.loads(body)["error"] == protocol.LENGTH_UNREADABLE


async def pour(server: HTTPServer, piece: bytes, count_max: int) -> int:
    """Send a head that never ends until the server closes; how many pieces that took."""
    reader, writer = await asyncio.open_connection(*server.address)
    writer.write(b"GET / HTTP/1.1\r\nX: ")
    try:
        for count in range(count_max):
            writer.write(piece)
            await writer.drain()
            if reader.at_eof():
                return count
    except (ConnectionResetError, BrokenPipeError):
        return count
    finally:
        writer.close()
    return count_max


@pytest.mark.parametrize("piece", [b"X-Header: " + b"x" * 10_000 + b"\r\n", b"x" * 10_000])
async def test_endless_heads_are_cut(server: HTTPServer, piece: bytes) -> None:
    """Whether of many lines or of one."""
    count_max = 2_000
    async with asyncio.timeout(WAIT_S):
        assert await pour(server, piece, count_max) < count_max


async def test_a_large_head_is_read(server: HTTPServer) -> None:
    """Below the limit, in many pieces."""
    lines = [b"X-%d: " % index + b"x" * 1_000 + b"\r\n" for index in range(100)]
    answer = await exchange(server, b"GET / HTTP/1.1\r\nHost: m\r\nConnection: close\r\n", *lines, b"\r\n")
    assert answer.endswith(b"GET ")


@pytest.mark.parametrize("beginning", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: m\r\n"])
async def test_heads_that_do_not_come_are_given_up(
    server: HTTPServer, monkeypatch: pytest.MonkeyPatch, beginning: bytes
) -> None:
    """After a bounded time, without an answer."""
    monkeypatch.setattr(protocol, "HEAD_TIMEOUT_S", 0.02)
    assert await exchange(server, beginning) == b""


async def test_too_many_connections_are_refused(server: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is read."""
    monkeypatch.setattr(protocol, "CONNECTIONS_MAX", 0)
    assert await exchange(server, b"") == b""


async def test_requests_follow_each_other(server: HTTPServer) -> None:
    """On one connection, pipelined, bodies included."""
    one = b"POST / HTTP/1.1\r\nHost: m\r\nContent-Length: 3\r\n\r\nabc"
    last = b"GET / HTTP/1.1\r\nHost: m\r\nConnection: close\r\n\r\n"
    answer = await exchange(server, one + one + last)
    assert answer.count(b"HTTP/1.1 200 ") == 3
    assert answer.count(b"POST abc") == 2
    assert answer.endswith(b"GET ")

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

from starlette.types import Message

from maskline.api.native.event_stream import EventStreamResponse, render_event, render_place


class Exchange:
    """One response: what was sent, and what the client does."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.leave = asyncio.Event()
        self.can_take = asyncio.Event()
        self.can_take.set()
        self.aborted = 0
        self.closed = 0
        self.has_let_go = False

    async def chunks(self, count: int) -> AsyncGenerator[bytes]:
        try:
            for index in range(count):
                yield b"%d" % index
            if count == 0:
                await asyncio.Event().wait()
        finally:
            self.has_let_go = True

    async def receive(self) -> Message:
        await self.leave.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        await self.can_take.wait()
        self.sent.append(message)

    def abort(self) -> None:
        self.aborted += 1

    def close(self) -> None:
        self.closed += 1

    async def run(self, count: int, send_timeout_s: float = 5.0) -> None:
        response = EventStreamResponse(self.chunks(count), self.close, send_timeout_s=send_timeout_s)
        scope: dict[str, Any] = {"type": "http", "extensions": {"maskline.abort": {"call": self.abort}}}
        await asyncio.wait_for(response(scope, self.receive, self.send), 5.0)


def test_chunks_are_sent_one_by_one() -> None:
    """With the head before them and an end after them; nothing between may keep them."""

    async def run() -> Exchange:
        exchange = Exchange()
        await exchange.run(3)
        return exchange

    exchange = asyncio.run(run())
    head, *bodies = exchange.sent
    headers = dict(head["headers"])
    assert headers[b"content-type"] == b"text/event-stream; charset=utf-8"
    assert (headers[b"cache-control"], headers[b"x-accel-buffering"]) == (b"no-store", b"no")
    assert b"content-length" not in headers
    assert [(it["body"], it["more_body"]) for it in bodies] == [
        (b"0", True),
        (b"1", True),
        (b"2", True),
        (b"", False),
    ]
    assert (exchange.closed, exchange.aborted, exchange.has_let_go) == (1, 0, True)


def test_a_client_that_leaves_ends_it() -> None:
    """Whatever the stream waits for."""

    async def run() -> Exchange:
        exchange = Exchange()
        asyncio.get_running_loop().call_later(0.01, exchange.leave.set)
        await exchange.run(0)
        return exchange

    exchange = asyncio.run(run())
    assert (exchange.closed, exchange.aborted, exchange.has_let_go) == (1, 0, True)


def test_a_client_that_takes_nothing_is_cut() -> None:
    """After the time it may take, without waiting for what is buffered."""

    async def run() -> Exchange:
        exchange = Exchange()

        async def send(message: Message) -> None:
            exchange.sent.append(message)
            if message["type"] == "http.response.body":
                await asyncio.Event().wait()

        exchange.send = send  # type: ignore[method-assign]
        await exchange.run(3, send_timeout_s=0.05)
        return exchange

    exchange = asyncio.run(run())
    assert len(exchange.sent) == 2
    assert (exchange.closed, exchange.aborted, exchange.has_let_go) == (1, 1, True)


def test_the_form_of_events() -> None:
    """Fields in lines, an empty one behind them."""
    assert render_event("abc", "call.started", "{}") == b"id: abc\nevent: call.started\ndata: {}\n\n"
    assert render_place("abc") == b"id: abc\n\n"

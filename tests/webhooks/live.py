"""A receiver on loopback and the worker that sends to it, with the real client, database and threads."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from tests.world import World, peek

from maskline.clock import SystemClock
from maskline.core.events import EventKind, NewEvent
from maskline.core.masking import MaskingSession
from maskline.outbound.client import OutboundClient
from maskline.store.engine import Store
from maskline.store.thread import StoreThreads
from maskline.tasks import spawn
from maskline.webhooks.worker import DeliveryWorker
from maskline.workflows.report_event import report_event

DEADLINE_S = 20.0  # for what takes milliseconds on an idle machine


@dataclass
class Received:
    method: str
    target: str
    headers: dict[str, str]
    body: str


@dataclass
class Receiver:
    """An HTTP server of a few lines; `statuses` are answered in turn, then 204."""

    received: list[Received] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    port: int = 0
    connection_count: int = 0

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["Receiver"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        yield self
        server.close()
        async with asyncio.timeout(DEADLINE_S):
            while self.connection_count:  # noqa: ASYNC110  # the client has closed its end
                await asyncio.sleep(0.01)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connection_count += 1
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                await self._answer(reader, writer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        self.connection_count -= 1

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line, *fields = (await reader.readuntil(b"\r\n\r\n")).decode().rstrip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (it.partition(":") for it in fields)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        method, target, _ = line.split(" ")
        self.received.append(Received(method, target, headers, body.decode()))
        status = self.statuses.pop(0) if self.statuses else 204
        content = b"" if status == 204 else b"content-length: 0\r\n"
        writer.write(b"HTTP/1.1 %d X\r\n%s\r\n" % (status, content))

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"


@dataclass
class Live:
    """What a test has in its hands."""

    world: World
    receiver: Receiver
    worker: DeliveryWorker

    def report(self, session: MaskingSession, kind: EventKind, **facts: str | int) -> None:
        event = NewEvent(
            kind=kind,
            account_id=session.account_id,
            session_id=session.id,
            call_id="c1",
            occurred_at=SystemClock().now(),
            facts=dict(facts),
        )
        self.world.store.run(report_event, event, SystemClock().now())

    async def until(self, count: int) -> list[Received]:
        """Wait until so many requests have come."""
        async with asyncio.timeout(DEADLINE_S):
            while len(self.receiver.received) < count:  # noqa: ASYNC110  # the other side is a real one
                await asyncio.sleep(0.01)
        return self.receiver.received

    async def until_state(self, state: str, count: int) -> None:
        """Wait until so many deliveries are in a state."""
        query = "SELECT count(*) FROM delivery WHERE state = ?"
        async with asyncio.timeout(DEADLINE_S):
            while peek(self.world.store, query, state) != [(count,)]:  # noqa: ASYNC110
                await asyncio.sleep(0.01)


async def with_live(
    store: Store, test: Callable[[Live], Awaitable[None]], allowed: tuple[str, ...] = ("127.0.0.0/8",)
) -> None:
    """Run a test while the worker sends to its receiver; a fresh account in a world of its own."""
    world = World(store)
    world.now = SystemClock().now()
    threads = StoreThreads(store)
    async with Receiver().listening() as receiver, OutboundClient(allowed_networks=allowed) as client:
        worker = DeliveryWorker(
            store=threads,
            http=client,
            clock=SystemClock(),
            random_bytes=os.urandom,
            worker_id="worker",
            public_url="https://maskline.example",
        )
        task = spawn(worker.run(), name="worker")
        try:
            await test(Live(world, receiver, worker))
        finally:
            task.cancel()
            await asyncio.wait([task])
            await threads.close()

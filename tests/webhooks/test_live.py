"""The worker on real sockets: a receiver on loopback, the real client, the real database and its threads."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

import pytest
from plivo.utils import validate_v3_signature
from standardwebhooks import Webhook
from tests.world import SECOND, World, peek

from maskline.clock import SystemClock
from maskline.core.delivery import EndpointCreated, NewEndpoint
from maskline.core.events import EventKind, NewEvent
from maskline.core.masking import CallbackMethod, MaskingSession
from maskline.outbound.client import OutboundClient
from maskline.store.engine import Store, Tx
from maskline.store.thread import StoreThreads
from maskline.tasks import spawn
from maskline.webhooks.worker import DeliveryWorker
from maskline.workflows.report_event import report_event
from maskline.workflows.webhook_endpoints import create_endpoint

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


async def _with_live(
    store: Store, test: Callable[[Live], Awaitable[None]], allowed: tuple[str, ...] = ("127.0.0.0/8",)
) -> None:
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


async def test_callbacks_arrive_signed(store: Store) -> None:
    """A call's steps arrive in order, by POST and by GET, and the vendor's validator accepts each as it arrived."""

    async def test(live: Live) -> None:
        token = live.world.account.token.reveal()
        for index, method in enumerate(CallbackMethod):
            url = live.receiver.url(f"/cb/{method.value}?tenant=7#rt=3000")
            session = live.world.create(
                2 * index + 1, 2 * index + 2, callback_url=url, callback_method=method
            )
            live.report(session, EventKind.PARTY_ANSWERED, role="first")
            live.report(session, EventKind.PARTY_HUNG_UP, role="first", duration_s=3, reason="time-limit")
        received = await live.until(4)
        by_method: dict[str, list[str]] = {"GET": [], "POST": []}
        for it in received:
            assert validate_v3_signature(
                it.method,
                live.receiver.url(it.target),
                it.headers["x-plivo-signature-v3-nonce"],
                token,
                it.headers["x-plivo-signature-v3"],
                dict(parse_qsl(it.body, keep_blank_values=True)),
            )
            fields = dict(parse_qsl(it.body or it.target.partition("?")[2], keep_blank_values=True))
            by_method[it.method].append(fields["EventName"])
        names = ["SessionFirstPartyAnswer", "SessionFirstPartyHangup"]
        assert by_method == {"GET": names, "POST": names}
        await live.until_state("delivered", 4)

    await _with_live(store, test)


async def test_webhooks_verify_with_the_standards_library(store: Store) -> None:
    """Whole verification, the time included, by the library's own rules."""

    async def test(live: Live) -> None:
        new = NewEndpoint(url=live.receiver.url("/hook"))
        created = live.world.store.run(create_endpoint, live.world.account.id, new, live.world.now)
        assert isinstance(created, EndpointCreated)
        session = live.world.create()
        live.worker.notify()
        [it] = await live.until(1)
        event = Webhook(created.secret.reveal()).verify(it.body, it.headers)
        assert (event["type"], event["data"]["session_id"]) == ("session.created", session.id)
        assert it.headers["content-type"] == "application/json"

    await _with_live(store, test)


async def test_a_private_address_is_refused_and_shown(store: Store) -> None:
    """Without the operator's permission nothing is sent to a private network, and the list says why."""

    async def test(live: Live) -> None:
        session = live.world.create(callback_url=live.receiver.url("/cb"))
        live.report(session, EventKind.PARTY_ANSWERED, role="first")
        query = "SELECT last_error FROM delivery WHERE attempt_count > 0"
        async with asyncio.timeout(DEADLINE_S):
            while not (found := peek(live.world.store, query)):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert found == [("refused-address-not-public",)]
        assert live.receiver.received == []

    await _with_live(store, test, allowed=())


@pytest.mark.parametrize("status", [302, 500])
async def test_a_failure_is_tried_again_with_the_same_body(store: Store, status: int) -> None:
    """A redirect is not followed; the next attempt says the same under another nonce."""

    async def test(live: Live) -> None:
        live.receiver.statuses = [status]
        session = live.world.create(callback_url=live.receiver.url("/cb"))
        live.report(session, EventKind.PARTY_ANSWERED, role="first")
        first = (await live.until(1))[0]
        await live.until_state("pending", 1)
        live.world.store.run(_make_due, SystemClock().now())
        second = (await live.until(2))[1]
        assert second.body == first.body
        nonce = "x-plivo-signature-v3-nonce"
        assert second.headers[nonce] != first.headers[nonce]
        await live.until_state("delivered", 1)

    await _with_live(store, test)


def _make_due(tx: Tx, now: int) -> None:
    tx._raw.execute(f"UPDATE delivery SET next_at = {now - SECOND}")

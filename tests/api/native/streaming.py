"""A service that publishes events and streams them, and readers of its streams."""

import asyncio
import http.client
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.api.native.tenant_requests import PREFIX
from tests.api.service import WAIT_S, Service, Tenant

from maskline.api.app import create_app
from maskline.api.native.event_hub import EventHub, StreamPace
from maskline.api.server import start_server
from maskline.store.thread import StoreThreads
from maskline.tasks import spawn
from maskline.workflows.take_deliveries import publish_events

POLL_S = 0.1  # of the publisher, as of the worker that it stands for


class StreamingService(Service):
    """As `Service`, with somebody who publishes what was written."""

    def __init__(self, database_url: str, key_file: Path, pace: StreamPace) -> None:
        self._pace = pace
        super().__init__(database_url, key_file)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self._news = asyncio.Event()
        threads = StoreThreads(self.store)
        self.hub = EventHub(threads, self.clock, wake_publisher=self._news.set, pace=self._pace)
        threads.on_commit = self.hub.committed
        app = create_app(
            store=threads,
            clock=self.clock,
            random_bytes=os.urandom,
            public_url="http://maskline.test",
            events=self.hub,
        )
        server = await start_server(app, ("127.0.0.1", 0))
        self.port = server.address[1]
        publishing = spawn(self._publish(threads), name="publish")
        self._ready.set()
        await self._stop.wait()
        await self.hub.drain()
        await server.close()
        publishing.cancel()
        await asyncio.wait([publishing])
        await threads.close()

    async def _publish(self, threads: StoreThreads) -> None:
        while True:
            self._news.clear()
            if await threads.write(publish_events, self.clock.now()):
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self._news.wait()

    def drain(self) -> None:
        """Let streams end, as at the end of the process."""
        asyncio.run_coroutine_threadsafe(self.hub.drain(), self._loop).result(WAIT_S)


@dataclass(frozen=True)
class Told:
    """One event of a stream."""

    id: str
    kind: str
    data: str


class Reader:
    """Reads one stream; `close` hangs up."""

    def __init__(
        self,
        tenant: Tenant,
        query: str = "",
        last_id: str | None = None,
        receive_buffer: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", tenant.service.port, timeout=WAIT_S)
        if receive_buffer is not None:
            narrow = socket.socket()
            narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            narrow.settimeout(WAIT_S)
            narrow.connect(("127.0.0.1", tenant.service.port))
            self._connection.sock = narrow
        given = {**tenant.authorization, "Accept": "text/event-stream", **(headers or {})}
        if last_id is not None:
            given["Last-Event-ID"] = last_id
        self._connection.request("GET", f"{PREFIX}/events?{query}", None, given)
        self.response = self._connection.getresponse()
        self.last_id = last_id
        self.heartbeat_count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        self.response.close()
        self._connection.close()

    def events(self) -> Iterator[Told]:
        """Events, until the stream ends. `last_id` is always where to resume."""
        fields: dict[str, str] = {}
        while line := self.response.readline():
            text = line.decode().rstrip("\n")
            if text.startswith(":"):
                self.heartbeat_count += 1
            elif text:
                name, _, value = text.partition(": ")
                fields[name] = value
            else:
                self.last_id = fields.get("id", self.last_id)
                if "data" in fields:
                    yield Told(fields["id"], fields["event"], fields["data"])
                fields = {}

    def take(self, count: int) -> list[Told]:
        """The next events; they must come."""
        events = self.events()
        return [next(events) for _ in range(count)]

    def wait_until_open(self) -> str:
        """The place that a stream begins with."""
        line = self.response.readline().decode()
        assert line.startswith("id: "), line
        assert self.response.readline() == b"\n"
        self.last_id = line[4:].rstrip("\n")
        return self.last_id

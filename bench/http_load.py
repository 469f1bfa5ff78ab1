"""The clients of the HTTP bench: `python -m bench.http_load` reads a plan and writes what was measured, both JSON.

A process of its own, so that its work is not the service's. Each client keeps its connection and sends its next
request when the last is answered; it does no more than that, so that one core of clients outruns one of service.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import count, cycle
from typing import cast

import uvloop

from bench.dialects import FIRST, SECOND, Requests

CONNECT_TIMEOUT_S = 5.0
GRACE_S = 10.0  # how long after its time a run may take to hear the last answers


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPlan:
    """What to send: the requests in turn, over and over; those with a body are each of another pair."""

    port: int
    requests: tuple[Requests, ...]
    client_count: int
    duration_s: float
    core: int
    first_index: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What was seen. `cpu_share` is of the measuring process's own core."""

    answered: int
    failed: int
    elapsed_s: float
    p50_ms: float
    p99_ms: float
    cpu_s: float
    cpu_share: float
    session_ids: tuple[str, ...] = ()
    first_failure: str = ""


def parties(index: int) -> tuple[str, str]:
    """A pair nobody had before; five pairs share their first party, so that one number is not enough."""
    return f"+9196{10_000_000 + index // 5}", f"+9197{10_000_000 + index}"


def percentile(ordered: list[float], share: float) -> float:
    """The value below which `share` of the sorted values lie."""
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else 0.0


def summarise(
    latencies_s: list[float],
    *,
    failed: int,
    elapsed_s: float,
    cpu_s: float,
    session_ids: tuple[str, ...] = (),
    first_failure: str = "",
) -> Measured:
    """Reduce a run to its figures."""
    ordered = sorted(latencies_s)
    return Measured(
        answered=len(ordered),
        failed=failed,
        elapsed_s=elapsed_s,
        p50_ms=percentile(ordered, 0.5) * 1000,
        p99_ms=percentile(ordered, 0.99) * 1000,
        cpu_s=cpu_s,
        cpu_share=cpu_s / elapsed_s,
        session_ids=session_ids,
        first_failure=first_failure,
    )


class Load:
    """What the clients of one run share."""

    def __init__(self, plan: LoadPlan) -> None:
        self.latencies_s: list[float] = []
        self.failed = 0
        self.first_failure = ""
        self.session_ids: list[str] = []
        wanted = plan.requests[0]  # all are of one kind
        self.wanted_status = str(wanted.wanted_status).encode()
        self.wanted_text = wanted.wanted_text.encode()
        self.id_follows = wanted.id_follows.encode()
        self._requests = render_creates(plan) if wanted.body else render_gets(plan)
        self._running = 0
        self._ends_mono_s = time.perf_counter() + plan.duration_s
        self.done = asyncio.Event()

    def join(self) -> None:
        """Count one more client."""
        self._running += 1

    def next_request(self) -> bytes | None:
        """The next request, or None when the time is over."""
        return next(self._requests) if time.perf_counter() < self._ends_mono_s else None

    def fail(self, text: str) -> None:
        """Count a wrong answer, or none."""
        self.failed += 1
        self.first_failure = self.first_failure or text

    def leave(self) -> None:
        """Count one client less."""
        self._running -= 1
        if not self._running:
            self.done.set()


def render_head(plan: LoadPlan, requests: Requests) -> str:
    """A request's head but for its length and the blank line."""
    return f"{requests.head}Host: 127.0.0.1:{plan.port}\r\nAccept: */*\r\nUser-Agent: bench\r\n"


def render_creates(plan: LoadPlan) -> Iterator[bytes]:
    """Creations without end, each of another pair."""
    (requests,) = plan.requests
    head = render_head(plan, requests)
    for index in count(plan.first_index):
        first, second = parties(index)
        body = requests.body.replace(FIRST, first).replace(SECOND, second)
        yield f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()


def render_gets(plan: LoadPlan) -> Iterator[bytes]:
    """The given questions, over and over."""
    return cycle([f"{render_head(plan, it)}\r\n".encode() for it in plan.requests])


class Client(asyncio.Protocol):
    """One connection with at most one request on its way."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._buffer = b""
        self._sent_mono_s = 0.0
        self._is_waiting = False
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's derive from nothing

    def start(self) -> None:
        """Send a request, or hang up when the time is over."""
        request = self._load.next_request()
        if request is None:
            self._transport.close()
            return
        self._is_waiting = True
        self._sent_mono_s = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer = self._buffer + data if self._buffer else data
        head_end = buffer.find(b"\r\n\r\n")
        if head_end < 0:
            return
        length_at = buffer.lower().find(b"\r\ncontent-length:", 0, head_end) + len(b"\r\ncontent-length:")
        length = int(buffer[length_at : buffer.find(b"\r\n", length_at)])
        if len(buffer) < head_end + 4 + length:
            return
        load = self._load
        load.latencies_s.append(time.perf_counter() - self._sent_mono_s)
        if buffer[9:12] != load.wanted_status or buffer.find(load.wanted_text, head_end) < 0:
            load.fail(buffer.decode())
        elif load.id_follows:
            id_at = buffer.find(load.id_follows, head_end) + len(load.id_follows)
            load.session_ids.append(buffer[id_at : id_at + 36].decode())
        self._buffer = b""
        self._is_waiting = False
        self.start()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._is_waiting:
            self._load.fail(f"connection lost: {exc}")
        self._load.leave()


async def run(plan: LoadPlan) -> Measured:
    """Keep every client busy for the plan's time."""
    loop = asyncio.get_running_loop()
    load = Load(plan)
    clients = []
    for _ in range(plan.client_count):
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            _transport, client = await loop.create_connection(lambda: Client(load), "127.0.0.1", plan.port)
        load.join()
        clients.append(client)
    started, cpu_before_s = time.perf_counter(), time.process_time()
    for client in clients:
        client.start()
    async with asyncio.timeout(plan.duration_s + GRACE_S):
        await load.done.wait()
    return summarise(
        load.latencies_s,
        failed=load.failed,
        elapsed_s=time.perf_counter() - started,
        cpu_s=time.process_time() - cpu_before_s,
        session_ids=tuple(load.session_ids),
        first_failure=load.first_failure,
    )


def main() -> None:
    """Run the plan on standard input."""
    given = json.load(sys.stdin)
    plan = LoadPlan(**given | {"requests": tuple(Requests(**it) for it in given["requests"])})
    os.sched_setaffinity(0, {plan.core})
    json.dump(asdict(uvloop.run(run(plan))), sys.stdout)


if __name__ == "__main__":
    main()

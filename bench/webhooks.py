"""Webhooks to a receiver on this machine: how many a second, how late, and how late beside one that hangs.

The worker has a process of its own on the measured core; the receiver, and whoever writes events, share the other.
"""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.process import pin, read_usage, time_core_ms
from bench.world import OTHER_CORE, SERVICE_CORE, free_port
from maskline.clock import SystemClock, from_datetime
from maskline.core.delivery import NewEndpoint
from maskline.core.events import EventKind, NewEvent
from maskline.core.inventory import Account, NewAccount, NewNumbers, Target, Trunk, TrunkSettings
from maskline.core.masking import MaskingSession, NewMaskingSession, SessionCreated
from maskline.core.numbers import DID, E164
from maskline.observability import configure_logging
from maskline.outbound.client import OutboundClient
from maskline.store.engine import Store, Tx
from maskline.store.setup import init_database, open_store
from maskline.store.thread import StoreThreads
from maskline.webhooks.worker import DeliveryWorker
from maskline.workflows.accounts import create_account
from maskline.workflows.create_masking_session import create_masking_session
from maskline.workflows.numbers import add_numbers
from maskline.workflows.report_event import report_event
from maskline.workflows.trunks import add_trunk
from maskline.workflows.webhook_endpoints import create_endpoint

SESSION_COUNT = 1_000
BACKLOG_STEPS = 5  # events of each session, written before the worker starts
PACED_S = 20.0
PACED_PER_S = 120  # what 20 calls a second tell
GRACE_S = 60.0
START_TIMEOUT_S = 15.0
STEPS = (
    (EventKind.PARTY_RINGING, "second"),
    (EventKind.PARTY_ANSWERED, "second"),
    (EventKind.PARTY_ANSWERED, "first"),
    (EventKind.PARTY_HUNG_UP, "first"),
    (EventKind.PARTY_HUNG_UP, "second"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the table. Lag is from an event's instant to its request's arrival; None with a backlog."""

    name: str
    delivered: int
    per_s: float
    cpu_ms: float
    core_share: float
    lag_p50_ms: float | None
    lag_p99_ms: float | None
    core_ms: float


class World:
    """A database, its account, its sessions, and how to write their events."""

    def __init__(self, directory: Path, url: str, callback_url: str | None) -> None:
        self.url = f"sqlite:///{directory / 'maskline.db'}"
        self.key = directory / "maskline.key"
        init_database(self.url, self.key)
        self.store: Store = open_store(self.url, self.key)
        self.clock = SystemClock()
        now = self.clock.now()
        account = self.store.run(create_account, NewAccount(name="bench"), now)
        trunk = self.store.run(
            add_trunk, TrunkSettings(name="bench", targets=(Target(host="127.0.0.1"),)), now
        )
        assert isinstance(account, Account)
        assert isinstance(trunk, Trunk)
        numbers = tuple(DID(f"+9122{60_000_000 + index}") for index in range(100))
        self.store.run(
            add_numbers, NewNumbers(numbers=numbers, account_id=account.id, trunk_id=trunk.id), now
        )
        self.sessions = [self._session(account, index, callback_url, now) for index in range(SESSION_COUNT)]
        if url:
            self.store.run(create_endpoint, account.id, NewEndpoint(url=url), now)
        self._mark_published()

    def _session(self, account: Account, index: int, callback_url: str | None, now: int) -> MaskingSession:
        new = NewMaskingSession(
            first=E164(f"+9198{10_000_000 + 2 * index}"),
            second=E164(f"+9198{10_000_001 + 2 * index}"),
            expires_in_s=86_400,
            callback_url=callback_url,
        )
        created = self.store.run(create_masking_session, account, new, now)
        assert isinstance(created, SessionCreated)
        return created.session

    def _mark_published(self) -> None:
        def mark(tx: Tx) -> None:
            tx.command("UPDATE outbox SET published_at = occurred_at")

        self.store.run(mark)

    def report(self, tx: Tx, session: MaskingSession, step: int) -> None:
        """Write the next event of a session's call."""
        kind, role = STEPS[step % len(STEPS)]
        now = self.clock.now()
        event = NewEvent(
            kind=kind,
            account_id=session.account_id,
            session_id=session.id,
            call_id=session.id,
            occurred_at=now,
            facts={"role": role, "duration_s": 5, "reason": "time-limit"},
        )
        report_event(tx, event, now)


def bench_webhooks() -> dict[str, Any]:
    """Measure and print a table; return its lines."""
    lines = [
        _backlog("backlog, native", is_native=True),
        _backlog("backlog, callbacks", is_native=False),
        _paced("120 events/s", has_hanging=False),
        _paced("120 events/s beside one that hangs", has_hanging=True),
    ]
    print("| line | deliveries | per s | CPU ms | of core | lag p50 ms | lag p99 ms |")
    for line in lines:
        lag = ("" if it is None else f"{it:.0f}" for it in (line.lag_p50_ms, line.lag_p99_ms))
        print(
            f"| {line.name} | {line.delivered} | {line.per_s:.0f} | {line.cpu_ms:.2f} | {line.core_share:.0%} |"
            f" {' | '.join(lag)} |"
        )
    return {"lines": [asdict(line) for line in lines]}


def _backlog(name: str, *, is_native: bool) -> Line:
    with tempfile.TemporaryDirectory() as text, _receiver() as (port, log):
        url = f"http://127.0.0.1:{port}/hook"
        world = World(Path(text), url if is_native else "", None if is_native else url)

        def write(tx: Tx, step: int) -> None:
            for session in world.sessions:
                world.report(tx, session, step)

        for step in range(BACKLOG_STEPS):
            world.store.run(write, step)
        count = SESSION_COUNT * BACKLOG_STEPS
        with _worker(world) as pid:
            cpu_s, core_ms = read_usage(pid).cpu_s, time_core_ms(SERVICE_CORE)
            _wait_for(log, count)
            cpu_s = read_usage(pid).cpu_s - cpu_s
        arrivals = [at for at, _ in _read(log)]
        duration_s = (max(arrivals) - min(arrivals)) / 1e6
        return Line(
            name=name,
            delivered=len(arrivals),
            per_s=len(arrivals) / duration_s,
            cpu_ms=cpu_s * 1000 / len(arrivals),
            core_share=cpu_s / duration_s,
            lag_p50_ms=None,
            lag_p99_ms=None,
            core_ms=core_ms,
        )


def _paced(name: str, *, has_hanging: bool) -> Line:
    with tempfile.TemporaryDirectory() as text, _receiver() as (port, log):
        # A hanging receiver: connections are taken by the kernel and never answered.
        hanging = f"http://127.0.0.1:{_hang()}/cb" if has_hanging else None
        world = World(Path(text), f"http://127.0.0.1:{port}/hook", hanging)
        count = int(PACED_S * PACED_PER_S)
        with _worker(world) as pid:
            time.sleep(1.0)
            cpu_s, core_ms, started = read_usage(pid).cpu_s, time_core_ms(SERVICE_CORE), time.monotonic()
            for index in range(count):
                due = started + index / PACED_PER_S
                time.sleep(max(0.0, due - time.monotonic()))
                session = world.sessions[(index // len(STEPS)) % SESSION_COUNT]
                world.store.run(world.report, session, index)
            _wait_for(log, count)
            cpu_s, duration_s = read_usage(pid).cpu_s - cpu_s, time.monotonic() - started
        lags = sorted(at - occurred_at for at, occurred_at in _read(log))
        return Line(
            name=name,
            delivered=len(lags),
            per_s=len(lags) / duration_s,
            cpu_ms=cpu_s * 1000 / len(lags),
            core_share=cpu_s / duration_s,
            lag_p50_ms=lags[len(lags) // 2] / 1000,
            lag_p99_ms=lags[len(lags) * 99 // 100] / 1000,
            core_ms=core_ms,
        )


@contextmanager
def _receiver() -> Iterator[tuple[int, Path]]:
    """A receiver in a process of its own, and the file where it notes what came."""
    port = free_port()
    with tempfile.TemporaryDirectory() as text:
        log = Path(text) / "log"
        log.touch()
        with _process("receiver", str(port), str(log), core=OTHER_CORE):
            yield port, log


@contextmanager
def _worker(world: World) -> Iterator[int]:
    with _process("worker", world.url, str(world.key), core=SERVICE_CORE) as pid:
        yield pid


@contextmanager
def _process(*arguments: str, core: int) -> Iterator[int]:
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.webhooks", *arguments], stdout=subprocess.PIPE, text=True
    )
    try:
        pin(process.pid, core)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(START_TIMEOUT_S)


def _hang() -> int:
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    _held.append(listener)
    port: int = listener.getsockname()[1]
    return port


_held: list[Any] = []


def _wait_for(log: Path, count: int) -> None:
    deadline = time.monotonic() + GRACE_S
    while (came := log.read_bytes().count(b"\n")) < count:
        if time.monotonic() > deadline:
            raise SystemExit(f"only {came} of {count} deliveries came")
        time.sleep(0.05)


def _read(log: Path) -> list[tuple[int, int]]:
    """Arrival and event's instant of each request, in µs."""
    return [(int(at), int(occurred_at)) for at, occurred_at in (line.split() for line in log.open())]


async def _run_worker(url: str, key: str) -> None:
    configure_logging(level="info")
    store = open_store(url, Path(key))
    threads = StoreThreads(store)
    async with OutboundClient(allowed_networks=("127.0.0.0/8",), connections_max=128) as client:
        worker = DeliveryWorker(
            store=threads,
            http=client,
            clock=SystemClock(),
            random_bytes=os.urandom,
            worker_id="bench",
            public_url="http://127.0.0.1",
        )
        print("ready", flush=True)
        await worker.run()


class _Receiver(asyncio.Protocol):
    """Answers 204 to every request that comes whole in its reads, and notes when it came."""

    def __init__(self, log: Any) -> None:
        self._log = log
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        while (end := self._data.find(b"\r\n\r\n")) >= 0:
            head = self._data[:end].lower()
            length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
            if len(self._data) < end + 4 + length:
                return
            body, self._data = self._data[end + 4 : end + 4 + length], self._data[end + 4 + length :]
            occurred_at = 0
            if body.startswith(b"{"):
                text = json.loads(body)["timestamp"]
                occurred_at = from_datetime(datetime.fromisoformat(text))
            self._log.write(f"{time.time_ns() // 1000} {occurred_at}\n")
            self._transport.write(b"HTTP/1.1 204 X\r\n\r\n")


async def _run_receiver(port: str, path: str) -> None:
    log = open(path, "w", buffering=1)  # noqa: ASYNC230, SIM115  # once, for as long as the process lives
    server = await asyncio.get_running_loop().create_server(lambda: _Receiver(log), "127.0.0.1", int(port))
    print("ready", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    role, first, second = sys.argv[1:]
    asyncio.run({"worker": _run_worker, "receiver": _run_receiver}[role](first, second))

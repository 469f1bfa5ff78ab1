"""Masking sessions created and read over HTTP, beside the same statements run without HTTP; on both databases.

The service's process is pinned to one core; the clients, and PostgreSQL, share the other. Each database begins with
the 5,000 sessions of the calls bench, and both ways of creating begin with a copy of the same database.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from bench.dialects import Requests, make_creations, plivo_reads
from bench.http_direct import DirectPlan
from bench.http_load import LoadPlan, Measured
from bench.process import children_of, pin, read_family_cpu_s, read_usage, time_core_ms
from bench.world import OTHER_CORE, SERVICE_CORE, SESSION_COUNT, fill, free_port, running
from maskline.core.inventory import Account
from maskline.core.masking import SessionFilter
from maskline.store.setup import open_store
from maskline.testing.postgresql import PostgreSQLCluster, PostgreSQLMissingError
from maskline.workflows.accounts import list_accounts
from maskline.workflows.list_masking_sessions import list_masking_sessions

CLIENT_COUNTS = (1, 16, 64)
POINTS = (("plivo", 1), ("plivo", 16), ("plivo", 64), ("deepcall", 64), ("native", 64))
"""Creations over HTTP: the dialect and how many clients."""
CREATE_S, GET_S, WARM_UP_S = 10.0, 5.0, 3.0
WARM_UP_CLIENTS = 16
GET_IDS_MAX = 1_000  # sessions asked for in turn
PROCESS_GRACE_S = 40.0  # how long after its time a measuring process may take
BANNER_TIMEOUT_S = 5.0  # the service is healthy just before it says where it listens
SYNC_COUNT = 100
FRESH_STATISTICS = (
    "-c autovacuum_naptime=1s"  # a database that has run for a while has them; a minute is too long here
)
INDEXES_PER_POINT = 1_000_000  # far more than can be created in a point: no pair comes twice


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A database to measure: where it is, its account, its server's process if it has one, how to create in it."""

    directory: Path
    url: str
    server_pid: int | None
    account: Account
    creations: dict[str, Requests]


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One line of the table. CPU is that of the measured process, in ms a request and as a share of its core."""

    name: str
    client_count: int
    answered: int
    failed: int
    requests_per_s: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float
    core_share: float
    clients_share: float
    database_share: float
    core_ms: float


def time_sync_ms(directory: Path) -> float:
    """Time one write that waits for the disk: what bounds commits one after the other."""
    path = directory / "sync"
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY)
    started = time.perf_counter()
    for _ in range(SYNC_COUNT):
        os.write(descriptor, bytes(4096))
        os.fdatasync(descriptor)
    elapsed_s = time.perf_counter() - started
    os.close(descriptor)
    path.unlink()
    return elapsed_s / SYNC_COUNT * 1000


def open_world(directory: Path, url: str, server_pid: int | None = None) -> World:
    """A database that `fill` made, with what clients of every dialect need."""
    store = open_store(url, directory / "maskline.key")
    try:
        (account,) = store.read(list_accounts)
        creations = make_creations(store, account, time.time_ns() // 1000)
    finally:
        store.close()
    return World(directory=directory, url=url, server_pid=server_pid, account=account, creations=creations)


def count_sessions(world: World) -> int:
    """Masking sessions in the database."""
    store = open_store(world.url, world.directory / "maskline.key")
    try:
        page = store.read(
            list_masking_sessions, world.account, SessionFilter(limit=1), time.time_ns() // 1000
        )
    finally:
        store.close()
    return page.total_count


def cpu_of_server(world: World) -> float:
    """CPU seconds of the database's processes; none for a database inside the service."""
    return 0.0 if world.server_pid is None else read_family_cpu_s(world.server_pid)


def run_process(module: str, plan: LoadPlan | DirectPlan) -> Measured:
    """Run a plan in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", module],
        input=json.dumps(asdict(plan)),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=plan.duration_s + PROCESS_GRACE_S,
    )
    given = json.loads(done.stdout)
    return Measured(**given | {"session_ids": tuple(given["session_ids"])})


def read_http_port(directory: Path) -> int:
    """Where the service says it listens."""
    deadline = time.monotonic() + BANNER_TIMEOUT_S
    while time.monotonic() < deadline:
        found = re.search(r"http://127\.0\.0\.1:(\d+)", (directory / "service.log").read_text())
        if found:
            return int(found[1])
        time.sleep(0.05)
    raise RuntimeError("the service did not say where it listens; see service.log")


def measure_http(
    name: str, world: World, pid: int, plan: LoadPlan, *, is_shown: bool = True
) -> tuple[Point, tuple[str, ...]]:
    """Load the service; return the figures and the sessions created."""
    core_ms = time_core_ms(SERVICE_CORE)
    before_s, server_before_s = read_usage(pid).cpu_s, cpu_of_server(world)
    measured = run_process("bench.http_load", plan)
    cpu_s, server_cpu_s = read_usage(pid).cpu_s - before_s, cpu_of_server(world) - server_before_s
    if measured.failed:
        print(f"first failure: {measured.first_failure}")
    point = Point(
        name=name,
        client_count=plan.client_count,
        answered=measured.answered,
        failed=measured.failed,
        requests_per_s=measured.answered / measured.elapsed_s,
        p50_ms=measured.p50_ms,
        p99_ms=measured.p99_ms,
        cpu_ms=cpu_s / max(measured.answered, 1) * 1000,
        core_share=cpu_s / measured.elapsed_s,
        clients_share=measured.cpu_share,
        database_share=server_cpu_s / measured.elapsed_s,
        core_ms=core_ms,
    )
    if is_shown:
        show(point)
    return point, measured.session_ids


def measure_direct(name: str, world: World, plan: DirectPlan) -> Point:
    """Run the workflow alone on the service's core."""
    core_ms = time_core_ms(SERVICE_CORE)
    server_before_s = cpu_of_server(world)
    measured = run_process("bench.http_direct", plan)
    point = Point(
        name=name,
        client_count=max(plan.caller_count, 1),
        answered=measured.answered,
        failed=measured.failed,
        requests_per_s=measured.answered / measured.elapsed_s,
        p50_ms=measured.p50_ms,
        p99_ms=measured.p99_ms,
        cpu_ms=measured.cpu_s / max(measured.answered, 1) * 1000,
        core_share=measured.cpu_share,
        clients_share=0.0,
        database_share=(cpu_of_server(world) - server_before_s) / measured.elapsed_s,
        core_ms=core_ms,
    )
    show(point)
    return point


def bench_service(world: World) -> tuple[list[Point], list[Point]]:
    """Creations and reads over HTTP."""
    url = None if world.server_pid is None else world.url
    with running(world.directory, calls_max=100, url=url) as service:
        plan = LoadPlan(
            port=read_http_port(world.directory),
            requests=(world.creations["plivo"],),
            client_count=WARM_UP_CLIENTS,
            duration_s=WARM_UP_S,
            core=OTHER_CORE,
        )
        _, ids = measure_http("warm-up", world, service.pid, plan, is_shown=False)
        created = len(ids)
        creates = []
        for serial, (dialect, clients) in enumerate(POINTS, 1):
            load = replace(
                plan,
                requests=(world.creations[dialect],),
                client_count=clients,
                duration_s=CREATE_S,
                first_index=serial * INDEXES_PER_POINT,
            )
            point, _ = measure_http(f"create, {dialect}", world, service.pid, load)
            creates.append(point)
            created += point.answered - point.failed
        # A repeated pair would have updated its session: every answer must have left one of its own.
        stored = count_sessions(world) - SESSION_COUNT
        if stored != created:
            raise RuntimeError(f"{created} creations answered, {stored} stored")
        gets = []
        for clients in CLIENT_COUNTS:
            reads = tuple(plivo_reads(world.account, f"{id_}/") for id_ in ids[:GET_IDS_MAX])
            load = replace(plan, client_count=clients, duration_s=GET_S, requests=reads)
            point, _ = measure_http("get one, HTTP", world, service.pid, load)
            gets.append(point)
    return creates, gets


def bench_direct(world: World) -> tuple[Point, list[Point]]:
    """The same creations without HTTP: one by one, then with shared commits."""
    plan = DirectPlan(
        url=world.url,
        key_path=str(world.directory / "maskline.key"),
        caller_count=0,
        duration_s=CREATE_S,
        core=SERVICE_CORE,
        first_index=0,
    )
    alone = measure_direct("create, one by one", world, plan)
    grouped = [
        measure_direct(
            "create, grouped",
            world,
            replace(plan, caller_count=callers, first_index=serial * INDEXES_PER_POINT),
        )
        for serial, callers in enumerate(CLIENT_COUNTS, 1)
    ]
    return alone, grouped


def bench_database(over_http: World, direct: World) -> dict[str, Any]:
    """Every figure of one database, and what HTTP costs there."""
    print(
        f"{'':<20} {'clients':>7} {'requests/s':>10} {'p50 ms':>8} {'p99 ms':>8} {'CPU ms':>7} "
        f"{'of core':>8} {'load':>8} {'database':>8} {'failed':>6} {'core ms':>8}"
    )
    creates, gets = bench_service(over_http)
    alone, grouped = bench_direct(direct)
    costs = []
    for http in creates:
        bare = next(it for it in grouped if it.client_count == http.client_count)
        costs.append(
            {
                "name": http.name,
                "client_count": http.client_count,
                "rate_ratio": http.requests_per_s / bare.requests_per_s,
                "p50_ratio": http.p50_ms / bare.p50_ms,
                "p99_ratio": http.p99_ms / bare.p99_ms,
                "http_cpu_ms": http.cpu_ms - bare.cpu_ms,
            }
        )
        print(
            f"{http.name} at {http.client_count:>2} clients: {costs[-1]['rate_ratio']:4.0%} of the rate of its "
            f"statements, p50 {costs[-1]['p50_ratio']:.1f} and p99 {costs[-1]['p99_ratio']:.1f} times theirs, "
            f"{costs[-1]['http_cpu_ms']:.2f} ms CPU more a request"
        )
    return {
        "create_http": [asdict(point) for point in creates],
        "get_http": [asdict(point) for point in gets],
        "create_one_by_one": asdict(alone),
        "create_grouped": [asdict(point) for point in grouped],
        "http_cost": costs,
    }


def show(point: Point) -> None:
    """Print one line of the table."""
    print(
        f"{point.name:<20} {point.client_count:>7} {point.requests_per_s:>10.0f} {point.p50_ms:>8.2f} "
        f"{point.p99_ms:>8.2f} {point.cpu_ms:>7.2f} {point.core_share:>8.0%} {point.clients_share:>8.0%} "
        f"{point.database_share:>8.0%} {point.failed:>6} {point.core_ms:>8.1f}",
        flush=True,
    )


def bench_sqlite(directory: Path) -> dict[str, Any]:
    """SQLite, in the service's own process."""
    first, second = directory / "sqlite", directory / "sqlite-direct"
    first.mkdir()
    fill(first, callee_port=free_port())
    shutil.copytree(first, second)
    over_http, direct = (open_world(it, f"sqlite:///{it / 'maskline.db'}") for it in (first, second))
    return bench_database(over_http, direct)


def bench_postgresql(directory: Path) -> dict[str, Any]:
    """PostgreSQL with its defaults for durability, on this machine."""
    place = directory / "postgresql"
    place.mkdir()
    with pinned_cluster() as cluster:
        first = cluster.create_database("over_http")
        fill(place, callee_port=free_port(), url=first)
        cluster.analyse("over_http")
        second = cluster.create_database("direct", template="over_http")
        over_http, direct = (open_world(place, url, cluster.pid) for url in (first, second))
        return bench_database(over_http, direct)


@contextmanager
def pinned_cluster(settings: str = "") -> Iterator[PostgreSQLCluster]:
    """A durable cluster on the core of the clients; processes it starts later stay there too."""
    with PostgreSQLCluster(is_durable=True, settings=f"{FRESH_STATISTICS} {settings}") as cluster:
        for pid in (cluster.pid, *children_of(cluster.pid)):
            pin(pid, OTHER_CORE)
        yield cluster


def bench_http() -> dict[str, Any]:
    """Both databases; a missing PostgreSQL is said and passed over."""
    with tempfile.TemporaryDirectory(prefix="maskline-bench-") as name:
        directory = Path(name)
        figures: dict[str, Any] = {"sync_ms": time_sync_ms(directory)}
        print(f"one write to the disk: {figures['sync_ms']:.2f} ms")
        print("= SQLite", flush=True)
        figures["sqlite"] = bench_sqlite(directory)
        print("= PostgreSQL", flush=True)
        try:
            figures["postgresql"] = bench_postgresql(directory)
        except PostgreSQLMissingError as error:
            print(f"left out: {error}")
            figures["postgresql"] = {"left_out": str(error)}
    return figures

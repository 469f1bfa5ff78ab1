"""A database of a million masking sessions beside an empty one: lists, and the first creations beside the millionth.

Both are measured in turn in the same run, by the same clients; the seeded one is made by `bench.seeding`.
"""

import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

from bench.dialects import plivo_reads
from bench.http import Point, World, measure_direct, measure_http, open_world, pinned_cluster, read_http_port
from bench.http_direct import DirectPlan
from bench.http_load import LoadPlan
from bench.seeding import SEEDED_COUNT, Seed, first_party, second_party, seed_sessions
from bench.world import NUMBER_COUNT, OTHER_CORE, SERVICE_CORE, fill, free_port, running
from maskline.core.masking import SessionFilter, SessionStatus, Span
from maskline.core.numbers import DID
from maskline.store.setup import open_store
from maskline.workflows.list_masking_sessions import list_masking_sessions

CLIENT_COUNTS: Final = (1, 64)
CREATE_S, LIST_S = 6.0, 3.0
LIST_COUNT: Final = 40
INDEXES_PER_POINT: Final = 1_000_000
MEMORY: Final = "-c shared_buffers=1GB -c max_wal_size=4GB"
"""PostgreSQL's defaults are for a database of megabytes."""
DAY_US: Final = 86_400_000_000
LIMIT: Final = 20


def name_lists(now: int) -> dict[str, SessionFilter]:
    """The lists measured; all but those by ends, and the long one, are of the default window of seven days."""
    week = SessionFilter(created_at=Span(from_=now - 7 * DAY_US), limit=LIMIT)
    recent = SEEDED_COUNT - 999
    return {
        "default": week,
        "offset 70,000": replace(week, offset=70_000),
        "30 days": replace(week, created_at=Span(from_=now - 30 * DAY_US)),
        "30 days, long ago": replace(week, created_at=Span(from_=now - 80 * DAY_US, until=now - 50 * DAY_US)),
        "first party": replace(week, first=first_party(recent)),
        "first party, busy": replace(week, first=first_party(0)),
        "second party": replace(week, second=second_party(recent)),
        "virtual number": replace(week, virtual_number=DID("+912260000005")),
        "active": replace(week, status=SessionStatus.ACTIVE),
        "expired": replace(week, status=SessionStatus.EXPIRED),
        "in progress": replace(week, status=SessionStatus.IN_PROGRESS),
        "duration": replace(week, duration_s=Span(from_=86_400, until=86_401)),
        "sub-account": replace(week, subaccount_id=1),
        "ends in a week": SessionFilter(ends_at=Span(from_=now - 7 * DAY_US, until=now), limit=LIMIT),
        "ends in 30 days": SessionFilter(
            ends_at=Span(from_=now - 80 * DAY_US, until=now - 50 * DAY_US), limit=LIMIT
        ),
    }


@contextmanager
def on_core(core: int) -> Iterator[None]:
    """Keep this process on one core for a while."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def bench_lists(world: World, lists: dict[str, SessionFilter], now: int) -> list[dict[str, Any]]:
    """Time the workflow behind a list in this process, on the service's core."""
    found = []
    store = open_store(world.url, world.directory / "maskline.key")
    print(f"{'list':<22} {'total_count':>11} {'p50 ms':>8} {'worst ms':>8}")
    try:
        with on_core(SERVICE_CORE):
            for name, wanted in lists.items():
                times_ms = []
                for _ in range(LIST_COUNT):
                    started = time.perf_counter()
                    page = store.read(list_masking_sessions, world.account, wanted, now)
                    times_ms.append((time.perf_counter() - started) * 1000)
                line = {
                    "name": name,
                    "total_count": page.total_count,
                    "p50_ms": statistics.median(times_ms),
                    "worst_ms": max(times_ms),
                }
                found.append(line)
                print(
                    f"{name:<22} {page.total_count:>11,} {line['p50_ms']:>8.2f} {line['worst_ms']:>8.2f}",
                    flush=True,
                )
    finally:
        store.close()
    return found


def bench_service(name: str, world: World, *, has_lists: bool) -> tuple[list[Point], list[Point]]:
    """Creations and lists over HTTP."""
    url = None if world.server_pid is None else world.url
    lists = []
    with running(world.directory, calls_max=100, url=url) as service:
        plan = LoadPlan(
            port=read_http_port(world.directory),
            requests=(world.creations["plivo"],),
            client_count=1,
            duration_s=CREATE_S,
            core=OTHER_CORE,
        )
        if has_lists:
            for path in (f"?limit={LIMIT}", f"?limit={LIMIT}&offset=70000"):
                load = replace(plan, requests=(plivo_reads(world.account, path),), duration_s=LIST_S)
                point, _ = measure_http(f"list {path.partition('&')[2]}".strip(), world, service.pid, load)
                lists.append(point)
        creates = []
        for serial, clients in enumerate(CLIENT_COUNTS, 1):
            load = replace(plan, client_count=clients, first_index=serial * INDEXES_PER_POINT)
            point, _ = measure_http(f"create, {name}", world, service.pid, load)
            creates.append(point)
    return creates, lists


def bench_direct(name: str, world: World) -> list[Point]:
    """The same creations without HTTP, with shared commits."""
    plan = DirectPlan(
        url=world.url,
        key_path=str(world.directory / "maskline.key"),
        caller_count=1,
        duration_s=CREATE_S,
        core=SERVICE_CORE,
        first_index=0,
    )
    return [
        measure_direct(
            f"grouped, {name}",
            world,
            replace(plan, caller_count=callers, first_index=(10 + serial) * INDEXES_PER_POINT),
        )
        for serial, callers in enumerate(CLIENT_COUNTS)
    ]


def bench_database(empty: World, full: World, now: int) -> dict[str, Any]:
    """Every figure of one database."""
    lists = bench_lists(full, name_lists(now), now)
    print(
        f"{'':<20} {'clients':>7} {'requests/s':>10} {'p50 ms':>8} {'p99 ms':>8} {'CPU ms':>7} "
        f"{'of core':>8} {'load':>8} {'database':>8} {'failed':>6} {'core ms':>8}"
    )
    first, _ = bench_service("first", empty, has_lists=False)
    last, http_lists = bench_service("millionth", full, has_lists=True)
    bare_first, bare_last = bench_direct("first", empty), bench_direct("millionth", full)
    ratios = []
    for one, other in zip((*first, *bare_first), (*last, *bare_last), strict=True):
        ratio = {
            "name": other.name,
            "client_count": one.client_count,
            "rate_ratio": other.requests_per_s / one.requests_per_s,
            "p50_ratio": other.p50_ms / one.p50_ms,
            "cpu_ratio": other.cpu_ms / one.cpu_ms,
        }
        ratios.append(ratio)
        print(
            f"{other.name} at {one.client_count:>2} clients, to the first: {ratio['rate_ratio']:.0%} of the rate, "
            f"p50 {ratio['p50_ratio']:.2f} and CPU {ratio['cpu_ratio']:.2f} times theirs"
        )
    return {
        "lists": lists,
        "lists_http": [asdict(point) for point in http_lists],
        "first": [asdict(point) for point in (*first, *bare_first)],
        "millionth": [asdict(point) for point in (*last, *bare_last)],
        "millionth_to_first": ratios,
    }


def seed(world: World, now: int) -> float:
    """Write the million sessions; say and return how many seconds that took."""
    wanted = Seed(account_id=world.account.id, number_count=NUMBER_COUNT, now=now)
    seconds = seed_sessions(world.url, world.directory / "maskline.key", wanted)
    print(f"{SEEDED_COUNT:,} sessions written in {seconds:.0f} s", flush=True)
    return seconds


def bench_size_sqlite() -> dict[str, Any]:
    """A file of a million sessions beside an empty one."""
    with tempfile.TemporaryDirectory(prefix="maskline-bench-") as name:
        first, second = Path(name) / "empty", Path(name) / "full"
        first.mkdir()
        fill(first, callee_port=free_port(), session_count=0)
        shutil.copytree(first, second)
        empty, full = (open_world(it, f"sqlite:///{it / 'maskline.db'}") for it in (first, second))
        now = time.time_ns() // 1000
        seconds = seed(full, now)
        return {"seed_s": seconds, **bench_database(empty, full, now)}


def bench_size_postgresql() -> dict[str, Any]:
    """The same on PostgreSQL, with memory for it; the first list comes before any clean-up of what was loaded."""
    with tempfile.TemporaryDirectory(prefix="maskline-bench-") as name, pinned_cluster(MEMORY) as cluster:
        place = Path(name)
        first = cluster.create_database("first")
        fill(place, callee_port=free_port(), url=first, session_count=0)
        second = cluster.create_database("million", template="first")
        empty, full = (open_world(place, url, cluster.pid) for url in (first, second))
        now = time.time_ns() // 1000
        seconds = seed(full, now)
        print("just loaded:")
        loaded = bench_lists(full, {"default": name_lists(now)["default"]}, now)
        for database in ("first", "million"):
            cluster.analyse(database)
        return {"seed_s": seconds, "just_loaded": loaded, **bench_database(empty, full, now)}

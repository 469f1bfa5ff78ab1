"""Calls a second, CPU and memory a call, and the delay the switch adds; sippy's b2bua_simple in the same run.

The switch's process is pinned to one core; sipp and the media process share the other. No RTP is sent, but every
call opens, connects and closes a relay, reads its route from the database and writes its claim, record and events.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.process import pin, read_usage, time_core_ms
from bench.sipp import Counts, run_caller, start_callee
from bench.world import SERVICE_CORE, fill, free_port, running

RATE, RUN_S, HOLD_MS = 500, 20, 1_000
LATENCY_RATE = 50
HELD_COUNT, HELD_RATE, HELD_MS = 2_000, 200, 16_000
BACKLOG_S_MAX = 1.5  # a run that ends later than this had a backlog building
PEER_RATES = (150, 200, 250, 300, 350)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run at one rate."""

    name: str
    rate: int
    counts: Counts
    late_s: float
    cpu_ms_per_call: float
    media_cpu_ms_per_call: float
    core_share: float
    rss_kb: int
    core_ms: float

    @property
    def is_sustained(self) -> bool:
        """No failure, no retransmission, no backlog."""
        return not (self.counts.failed or self.counts.retransmissions) and self.late_s <= BACKLOG_S_MAX


def measure(
    name: str,
    directory: Path,
    *,
    pid: int,
    media_pid: int | None,
    port: int,
    callers: Path,
    rate: int,
    hold_ms: int,
) -> Run:
    """Make calls at `rate` for `RUN_S` seconds and measure the process meanwhile."""
    core_ms = time_core_ms(SERVICE_CORE)
    calls = rate * RUN_S
    before, media_before = read_usage(pid), read_usage(media_pid) if media_pid else None
    counts = run_caller(
        directory,
        target=f"127.0.0.1:{port}",
        port=free_port(),
        callers=callers,
        rate=rate,
        calls=calls,
        hold_ms=hold_ms,
    )
    after, media_after = read_usage(pid), read_usage(media_pid) if media_pid else None
    cpu_s = after.cpu_s - before.cpu_s
    media_cpu_s = media_after.cpu_s - media_before.cpu_s if media_after and media_before else 0.0
    return Run(
        name=name,
        rate=rate,
        counts=counts,
        late_s=counts.elapsed_s - calls / rate - hold_ms / 1000,
        cpu_ms_per_call=cpu_s / counts.calls * 1000,
        media_cpu_ms_per_call=media_cpu_s / counts.calls * 1000,
        core_share=cpu_s / counts.elapsed_s,
        rss_kb=after.rss_kb,
        core_ms=core_ms,
    )


def bench_maskline(directory: Path) -> dict[str, Any]:
    """Every figure of our own switch."""
    callee_port = free_port()
    callers = fill(directory, callee_port=callee_port)
    callee = start_callee(directory, port=callee_port)
    try:
        with running(directory, calls_max=10_000) as service:
            where = {"pid": service.pid, "media_pid": service.media_pid, "port": service.sip_port}
            show(measure("warm-up", directory, **where, callers=callers, rate=100, hold_ms=HOLD_MS))
            latency = measure(
                "at 50/s", directory, **where, callers=callers, rate=LATENCY_RATE, hold_ms=HOLD_MS
            )
            show(latency)
            full = measure("maskline", directory, **where, callers=callers, rate=RATE, hold_ms=HOLD_MS)
            show(full)
        # A process of its own: what finished calls left free would hide what held ones take.
        with running(directory, calls_max=10_000) as service:
            memory = measure_memory(directory, service.pid, service.sip_port, callers)
    finally:
        callee.kill()
        callee.wait()
    return {
        "latency": asdict(latency),
        "full": asdict(full),
        "full_sustained": full.is_sustained,
        "memory": memory,
    }


def measure_memory(directory: Path, pid: int, port: int, callers: Path) -> dict[str, float]:
    """Resident memory per held call, and what is left of it afterwards.

    Twice the same: the second run shows whether memory that the first one took is used again.
    """
    figures: dict[str, float] = {}
    for run in ("first", "second"):
        before_kb = read_usage(pid).rss_kb
        caller = subprocess.Popen(
            [sys.executable, "-m", "bench.hold", str(directory), str(port), str(callers)],
        )
        time.sleep(HELD_COUNT / HELD_RATE + 3)  # all are up, none has ended
        held_kb = read_usage(pid).rss_kb
        caller.wait(120)
        time.sleep(2)
        after_kb = read_usage(pid).rss_kb
        figures[f"{run}_before_kb"], figures[f"{run}_held_kb"] = before_kb, held_kb
        figures[f"{run}_after_kb"] = after_kb
        figures[f"{run}_kb_per_held_call"] = (held_kb - before_kb) / HELD_COUNT
        print(
            f"memory, {run} time: {before_kb} KB idle, {held_kb} KB with {HELD_COUNT} calls, {after_kb} KB after: "
            f"{figures[f'{run}_kb_per_held_call']:.1f} KB a held call"
        )
    return figures


@contextmanager
def sippy(directory: Path, *, port: int, callee_port: int) -> Iterator[int]:
    """sippy's b2bua_simple from its package, pinned to the core our switch was on."""
    command = [
        str(peer_python()),
        *(
            "-m",
            "sippy.b2bua_simple",
            "-f",
            "-l",
            "127.0.0.1",
            "-p",
            str(port),
            "-n",
            f"127.0.0.1:{callee_port}",
        ),
        *("-L", str(directory / "sippy.log")),
    ]
    with (directory / "sippy.out").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=directory)
        try:
            time.sleep(3)
            if process.poll() is not None:
                raise RuntimeError("sippy ended; see sippy.out")
            pin(process.pid, SERVICE_CORE)
            yield process.pid
        finally:
            process.kill()
            process.wait()


def peer_python() -> Path:
    """The interpreter of the peers' environment, made on first use."""
    root = Path("var/bench/peer-venv").absolute()
    python = root / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(root)], check=True)
        requirements = Path("requirements/peers.txt").absolute()
        subprocess.run(
            [str(python), "-m", "pip", "install", "-q", "--require-hashes", "-r", str(requirements)],
            check=True,
        )
    return python


def bench_sippy(directory: Path, callers: Path) -> list[Run]:
    """The highest rate sippy sustains, and what a call costs it; a rate it fails is tried once more."""
    runs: list[Run] = []
    for rate in PEER_RATES:
        for _ in range(2):
            runs.append(run_sippy(directory, callers, rate))
            show(runs[-1])
            if runs[-1].is_sustained:
                break
        else:
            break
    return runs


def run_sippy(directory: Path, callers: Path, rate: int) -> Run:
    """One run of sippy at one rate."""
    callee_port, port = free_port(), free_port()
    callee = start_callee(directory, port=callee_port)
    try:
        with sippy(directory, port=port, callee_port=callee_port) as pid:
            where: dict[str, Any] = {"pid": pid, "media_pid": None, "port": port}
            return measure("sippy", directory, **where, callers=callers, rate=rate, hold_ms=HOLD_MS)
    finally:
        callee.kill()
        callee.wait()


def show(run: Run) -> None:
    """Print one line of the table."""
    counts = run.counts
    print(
        f"{run.name:<10} {run.rate:>4}/s  calls {counts.calls:>6}  failed {counts.failed:>4}  "
        f"retransmitted {counts.retransmissions:>5}  late {run.late_s:5.2f} s  CPU {run.cpu_ms_per_call:5.2f} ms/call "
        f"({run.core_share:4.0%} of the core; media {run.media_cpu_ms_per_call:4.2f})  "
        f"set-up p50 {counts.setup_p50_ms:6.1f} p99 {counts.setup_p99_ms:6.1f} ms  RSS {run.rss_kb // 1024} MB",
        flush=True,
    )


def bench_calls() -> dict[str, Any]:
    """Our switch, then sippy, and the ratio."""
    with tempfile.TemporaryDirectory(prefix="maskline-bench-") as name:
        directory = Path(name)
        figures = bench_maskline(directory)
        peers = bench_sippy(directory, directory / "callers.csv")
    sustained = [run for run in peers if run.is_sustained]
    best = sustained[-1] if sustained else peers[0]
    figures["sippy"] = [asdict(run) for run in peers]
    figures["rate_ratio"] = figures["full"]["rate"] / best.rate
    figures["cpu_ratio"] = best.cpu_ms_per_call / figures["full"]["cpu_ms_per_call"]
    print(
        f"ratio to sippy at {best.rate}/s: {figures['rate_ratio']:.1f} times the calls, "
        f"{figures['cpu_ratio']:.1f} times less CPU a call"
    )
    return figures

"""Reads what a process used: CPU, memory, and where it may run."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU seconds so far and resident memory now."""

    cpu_s: float
    rss_kb: int


def read_usage(pid: int) -> Usage:
    """Read the usage of one process; children are not counted."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    rss_pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    cpu_s = (int(fields[11]) + int(fields[12])) / TICKS_PER_S
    return Usage(cpu_s, rss_pages * os.sysconf("SC_PAGE_SIZE") // 1024)


def read_family_cpu_s(pid: int) -> float:
    """CPU seconds of a process and its children, those that have ended included."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    own_and_ended_s = sum(int(field) for field in fields[11:15]) / TICKS_PER_S
    return own_and_ended_s + sum(read_usage(child).cpu_s for child in children_of(pid))


def children_of(pid: int) -> list[int]:
    """Direct children of a process."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += [int(child) for child in (task / "children").read_text().split()]
    return found


def pin(pid: int, core: int) -> None:
    """Keep every thread of a process on one core."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(task.name), {core})


def time_core_ms(core: int) -> float:
    """Time a fixed loop on a core, so that two runs can be told apart by the machine they had."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    started = time.perf_counter()
    total = 0
    for number in range(300_000):
        total += number
    os.sched_setaffinity(0, before)
    return (time.perf_counter() - started) * 1000

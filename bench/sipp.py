"""Runs sipp and reads what it counted."""

import csv
import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
SIPP_CORE = "0"  # sipp and whatever else is not being measured
GRACE_S = 40  # how long after its time a run may take before it is ended


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What the caller's sipp saw. Times in ms from INVITE to 200."""

    calls: int
    failed: int
    retransmissions: int
    elapsed_s: float
    setup_p50_ms: float
    setup_p99_ms: float


def start_callee(directory: Path, *, port: int, host: str = "127.0.0.1") -> "subprocess.Popen[bytes]":
    """Start the callee; it runs until killed."""
    command = [
        *("taskset", "-c", SIPP_CORE, "sipp", "-sf", str(HERE / "uas.xml"), "-i", host, "-p", str(port)),
        *("-mi", host, "-nostdin", "-buff_size", "4194304", "-skip_rlimit"),
    ]
    with (directory / "callee.log").open("wb") as log:
        return subprocess.Popen(command, cwd=directory, stdout=log, stderr=log, env=_environment())


def run_caller(
    directory: Path,
    *,
    target: str,
    port: int,
    callers: Path,
    rate: int,
    calls: int,
    hold_ms: int,
    host: str = "127.0.0.1",
) -> Counts:
    """Make `calls` calls at `rate` a second, each held `hold_ms`; wait for the end and count."""
    for old in directory.glob("uac_*"):
        old.unlink()
    command = [
        *("taskset", "-c", SIPP_CORE, "sipp", target, "-sf", str(HERE / "uac.xml"), "-inf", str(callers)),
        *("-i", host, "-p", str(port), "-mi", host, "-r", str(rate), "-m", str(calls), "-d", str(hold_ms)),
        *("-l", str(max(1000, rate * (hold_ms // 1000 + 10))), "-nostdin", "-buff_size", "4194304"),
        *("-trace_stat", "-stf", "uac_stat.csv", "-fd", "1", "-trace_rtt", "-rtt_freq", "200"),
        *("-trace_err", "-skip_rlimit"),
    ]
    limit_s = calls / rate + hold_ms / 1000 + GRACE_S
    started = time.monotonic()
    with (directory / "caller.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=directory, stdout=log, stderr=log, env=_environment())
        try:
            process.wait(limit_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    elapsed_s = time.monotonic() - started
    return _read(directory, elapsed_s)


def _environment() -> dict[str, str]:
    return {**os.environ, "TERM": "dumb"}


def _read(directory: Path, elapsed_s: float) -> Counts:
    with (directory / "uac_stat.csv").open(newline="") as file:
        last = list(csv.DictReader(file, delimiter=";"))[-1]
    setups = sorted(_setup_times_ms(directory))
    return Counts(
        calls=int(last["TotalCallCreated"]),
        failed=int(last["FailedCall(C)"]) + int(last["CurrentCall"]),
        retransmissions=int(last["Retransmissions(C)"]),
        elapsed_s=elapsed_s,
        setup_p50_ms=_quantile(setups, 0.50),
        setup_p99_ms=_quantile(setups, 0.99),
    )


def _setup_times_ms(directory: Path) -> list[float]:
    times = []
    for path in directory.glob("uac_*_rtt.csv"):
        with path.open(newline="") as file:
            reader = csv.reader(file, delimiter=";")
            next(reader, None)
            times += [float(row[1]) for row in reader if len(row) > 1]
    return times


def _quantile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("nan")

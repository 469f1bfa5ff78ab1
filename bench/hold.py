"""Holds calls, for the memory figure: `python -m bench.hold DIRECTORY PORT CALLERS`."""

import sys
from pathlib import Path

from bench.calls import HELD_COUNT, HELD_MS, HELD_RATE
from bench.sipp import run_caller
from bench.world import free_port


def main() -> None:
    """Make the calls and wait for their end."""
    directory, port, callers = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    counts = run_caller(
        directory,
        target=f"127.0.0.1:{port}",
        port=free_port(),
        callers=callers,
        rate=HELD_RATE,
        calls=HELD_COUNT,
        hold_ms=HELD_MS,
    )
    if counts.failed:
        raise SystemExit(f"{counts.failed} held calls failed")


main()

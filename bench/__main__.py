"""`python -m bench [part ...]`: run the parts named or all, print, write var/bench/*.json."""

import json
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.calls import bench_calls
from bench.http import bench_http
from bench.media import bench_media
from bench.recordings import bench_recordings
from bench.size import bench_size_postgresql, bench_size_sqlite
from bench.webhooks import bench_webhooks

BENCHES: dict[str, Callable[[], dict[str, Any]]] = {
    "calls": bench_calls,
    "http": bench_http,
    "media": bench_media,
    "recordings": bench_recordings,
    "size-postgresql": bench_size_postgresql,
    "size-sqlite": bench_size_sqlite,
    "webhooks": bench_webhooks,
}
OUT = Path("var/bench")


def main() -> None:
    """Run the benches named, or all."""
    OUT.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[1:] or BENCHES:
        print(f"== {name}", flush=True)
        figures = BENCHES[name]()
        figures["machine"] = {"python": platform.python_version(), "kernel": platform.release()}
        figures["finished_at"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        path = OUT / f"{name}.json"
        path.write_text(json.dumps(figures, indent=2, sort_keys=True) + "\n")
        print(f"wrote {path}", flush=True)


main()

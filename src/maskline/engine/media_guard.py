"""The guard process: the engine and its filters behind a Unix socket.

`python -m maskline.engine.media_guard --socket PATH --v4 BIND[=ADVERTISE] --ports FIRST-LAST --spool DIR`
"""

import argparse
import contextlib
import os
import signal
import socket
import sys
from pathlib import Path

from maskline.engine.media_log import StderrPump
from maskline.engine.media_server import Guard
from maskline.engine.media_types import EngineSettings, Family


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    """Read the command line; `--v4` and `--v6` are BIND or BIND=ADVERTISE, at least one of them is needed."""
    parser = argparse.ArgumentParser(prog="media_guard")
    parser.add_argument("--socket", type=Path, required=True)
    parser.add_argument("--v4")
    parser.add_argument("--v6")
    parser.add_argument("--ports", required=True, metavar="FIRST-LAST")
    parser.add_argument("--calls-max", type=int, default=400)
    parser.add_argument("--ttl-s", type=int, default=60)
    parser.add_argument("--switch-gone-s", type=float, default=60.0)
    parser.add_argument("--spool", required=True)
    parser.add_argument("--prompts", action="append", default=[], metavar="DIR")
    parser.add_argument("--with-parent", action="store_true", help="stop when stdin ends")
    parsed = parser.parse_args(arguments)
    if not (parsed.v4 or parsed.v6):
        parser.error("one of --v4 and --v6 is needed")
    return parsed


def read_settings(parsed: argparse.Namespace) -> EngineSettings:
    """Turn the command line into settings."""
    bind: dict[Family, str] = {}
    advertise: dict[Family, str] = {}
    for family, text in ((Family.V4, parsed.v4), (Family.V6, parsed.v6)):
        if text:
            bind[family], _, announced = text.partition("=")
            advertise[family] = announced or bind[family]
    first, _, last = parsed.ports.partition("-")
    return EngineSettings(
        bind=bind,
        advertise=advertise,
        port_first=int(first),
        port_last=int(last),
        spool=parsed.spool,
        prompt_dirs=tuple(parsed.prompts),
        ttl_s=parsed.ttl_s,
        calls_max=parsed.calls_max,
        switch_gone_s=parsed.switch_gone_s,
    )


def main(arguments: list[str]) -> int:
    """Run until SIGTERM, SIGINT or the parent's end; 0 after a clean stop, 1 after a failure."""
    parsed = parse_arguments(arguments)
    settings = read_settings(parsed)
    os.umask(0o077)  # captures are people's voices
    pump = StderrPump()
    waker, wake = socket.socketpair()
    waker.settimeout(0)
    try:
        guard = Guard(settings, parsed.socket, pump.log)
        signal.set_wakeup_fd(waker.fileno())
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _number, _frame: guard.stop())
        pump.log.write("media.guard_started", pid=os.getpid())
        guard.run(wake, 0 if parsed.with_parent else None)
    except Exception as error:  # noqa: BLE001 - the process boundary: say what happened, without its text
        place = _place(error)
        pump.log.write("media.guard_failed", level="error", error=type(error).__name__, place=place)
        return 1
    finally:
        with contextlib.suppress(ValueError):
            signal.set_wakeup_fd(-1)
        pump.stop()
    return 0


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

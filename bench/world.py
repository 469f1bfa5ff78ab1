"""A service with data to route by, started as a process of its own and pinned to one core."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.process import children_of, pin
from maskline.clock import SystemClock
from maskline.core.inventory import Account, NewAccount, NewNumbers, Target, Trunk, TrunkSettings
from maskline.core.masking import NewMaskingSession, SessionCreated
from maskline.core.numbers import DID, E164
from maskline.store.setup import init_database, open_store
from maskline.workflows.accounts import create_account
from maskline.workflows.create_masking_session import create_masking_session
from maskline.workflows.numbers import add_numbers
from maskline.workflows.trunks import add_trunk

SERVICE_CORE, OTHER_CORE = 1, 0
NUMBER_COUNT = 1_000
SESSION_COUNT = 5_000
START_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Running:
    """A started service."""

    pid: int
    media_pid: int
    sip_port: int


def free_port() -> int:
    """A port free for UDP and TCP on the loopback interface right now."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams, socket.socket() as stream:
            datagrams.bind(("127.0.0.1", 0))
            port: int = datagrams.getsockname()[1]
            try:
                stream.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def fill(
    directory: Path, *, callee_port: int, url: str | None = None, session_count: int = SESSION_COUNT
) -> Path:
    """Make sessions, 5,000 as a rule, on 1,000 numbers; return sipp's file of callers and virtual numbers."""
    url = url or f"sqlite:///{directory / 'maskline.db'}"
    key = directory / "maskline.key"
    init_database(url, key)
    store = open_store(url, key)
    clock = SystemClock()
    lines = ["SEQUENTIAL"]
    try:
        account = store.run(create_account, NewAccount(name="bench"), clock.now())
        trunk = store.run(
            add_trunk,
            TrunkSettings(
                name="bench",
                targets=(Target(host="127.0.0.1", port=callee_port),),
                accept=("127.0.0.1/32",),
                has_health_check=False,  # sipp would count it as a call
            ),
            clock.now(),
        )
        assert isinstance(account, Account)
        assert isinstance(trunk, Trunk)
        numbers = tuple(DID(f"+9122{60_000_000 + index}") for index in range(NUMBER_COUNT))
        store.run(
            add_numbers, NewNumbers(numbers=numbers, account_id=account.id, trunk_id=trunk.id), clock.now()
        )
        for index in range(session_count):
            # Five sessions share one first party, so that sessions spread over numbers.
            first = E164(f"+9198{10_000_000 + index // 5}")
            second = E164(f"+9199{10_000_000 + index}")
            created = store.run(
                create_masking_session,
                account,
                NewMaskingSession(first=first, second=second, expires_in_s=86_400),
                clock.now(),
            )
            assert isinstance(created, SessionCreated)
            number = created.session.virtual_number
            lines += [f"{first.reveal()};{number};", f"{second.reveal()};{number};"]
    finally:
        store.close()
    # One call a session at a time: the callers of one session are far apart in the file.
    rows = [*lines[1::2], *lines[2::2]]
    path = directory / "callers.csv"
    path.write_text("\n".join([lines[0], *rows]) + "\n")
    return path


@contextmanager
def running(directory: Path, *, calls_max: int, url: str | None = None) -> Iterator[Running]:
    """Start the service on the data of `directory`; its switch on one core, its media process on the other."""
    sip_port, http_port = free_port(), free_port()
    environment = {
        **os.environ,
        "MASKLINE_DATA_DIR": str(directory),
        "MASKLINE_HTTP_BIND": f"127.0.0.1:{http_port}",
        "MASKLINE_SIP_BIND": f"127.0.0.1:{sip_port}",
        "MASKLINE_RTP_PORTS": "35000-60999",  # outside the kernel's own range on most machines
        "MASKLINE_CALLS_MAX": str(calls_max),
        "MASKLINE_NEW_CALLS_PER_S_MAX": "100000",
        "MASKLINE_LOG_LEVEL": "warning",
    }
    if url is not None:
        environment["MASKLINE_DATABASE_URL"] = url
    with (directory / "service.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "maskline", "serve"],
            env=environment,
            stdout=log,
            stderr=log,
            cwd=directory,
        )
        try:
            wait_until_healthy(process, f"http://127.0.0.1:{http_port}/healthz")
            (media_pid,) = (child for child in children_of(process.pid) if is_media_process(child))
            pin(process.pid, SERVICE_CORE)
            pin(media_pid, OTHER_CORE)
            yield Running(process.pid, media_pid, sip_port)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)


def is_media_process(pid: int) -> bool:
    """Whether a child of the service is its media process: others may live for a moment at its start."""
    try:
        return b"maskline.engine.media_guard" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def wait_until_healthy(process: "subprocess.Popen[bytes]", url: str) -> None:
    """Return once the health check says ok."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the service ended with {process.returncode}; see service.log")
        try:
            with opener.open(url, timeout=1) as answer:
                if json.load(answer)["status"] == "ok":
                    return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError("the service did not get healthy")

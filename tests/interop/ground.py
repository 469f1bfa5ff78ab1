"""The ground calls are made on: the service as a process of its own, its database, and carriers at addresses apart.

Every run takes a block 127.X.0.0/16 of the loopback interface for itself. The service is at 127.X.0.10; carrier N
has 127.X.N.0/24 with an address each for caller, callee and their media, so that a leaked address shows.
"""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import psycopg

from maskline.core.inventory import Account, NewAccount, NewNumbers, Target, Transport, Trunk, TrunkSettings
from maskline.core.masking import MaskingSession, NewMaskingSession, SessionCreated
from maskline.core.numbers import DID, E164
from maskline.core.secret import Secret
from maskline.store.engine import Store, Tx
from maskline.store.setup import init_database, open_store
from maskline.workflows.accounts import create_account
from maskline.workflows.create_masking_session import create_masking_session
from maskline.workflows.end_masking_session import end_masking_session
from maskline.workflows.numbers import NumbersAdded, add_numbers
from maskline.workflows.trunks import add_trunk, change_trunk, load_trunk
from tests.interop.secrets_of import MARKERS, Party
from tests.interop.waiting import wait_for

SIP_PORT = 5060
HTTP_PORT = 8080
SANDBOX_PORT = 5070
RTP_PORTS = (20_000, 20_999)
START_TIMEOUT_S = 30.0  # a cold start on a busy machine; an idle one takes two seconds
STOP_TIMEOUT_S = 10.0
COMMAND_TIMEOUT_S = 30.0
LOCK_PORT = 47_061  # whoever is bound to it at 127.X.0.1 has the block
BLOCKS = range(40, 240)
CREDENTIALS = ("trunkuser", "trunk-pass-52906")
CALL_COUNT_MAX = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Carrier:
    """One trunk with its addresses, its virtual numbers and two subscribers."""

    index: int
    block: str
    transport: str
    account: Account  # of its own: first fit would give every session of one account the same number
    numbers: tuple[DID, ...]
    peer: tuple[str, int] | None = None  # other than the usual one

    def host(self, last: int) -> str:
        """An address of this carrier."""
        return f"{self.block}.{self.index}.{last}"

    @property
    def uac(self) -> tuple[str, int]:
        """Where its calls come from."""
        return self.host(101), SIP_PORT

    @property
    def uas(self) -> tuple[str, int]:
        """Where calls to it go: the trunk's peer."""
        return self.peer or (self.host(202), SIP_PORT)

    @property
    def a(self) -> Party:
        """The subscriber who calls."""
        number = f"+9198{self.index:03d}31847"
        return Party(side="a", number=number, hosts=(self.host(101), self.host(131)))

    @property
    def b(self) -> Party:
        """The subscriber who is called. Its host is the peer's, which leg B may name to itself."""
        number = f"+9197{self.index:03d}52906"
        return Party(side="b", number=number, hosts=(self.host(202), self.host(232)))

    @property
    def virtual(self) -> DID:
        """The first of its virtual numbers."""
        return self.numbers[0]


@dataclass(slots=True)
class Ground:
    """The service, its database and what was put there."""

    block: str
    directory: Path
    database_url: str = ""
    key_file: Path | None = None
    is_sandbox: bool = False
    settings: dict[str, str] = field(default_factory=dict)  # other than the usual ones, without their prefix
    store: Store = field(init=False)
    process: subprocess.Popen[bytes] | None = None
    carriers: dict[str, Iterator[Carrier]] = field(default_factory=dict)  # not yet used, by kind
    _all: list[Carrier] = field(default_factory=list)
    _next_index: int = 1
    _start_count: int = 0

    def __post_init__(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        self.database_url = self.database_url or f"sqlite:///{self.directory / 'maskline.db'}"
        self.key_file = self.key_file or self.directory / "maskline.key"
        init_database(self.database_url, self.key_file)
        self.store = open_store(self.database_url, self.key_file)

    # --- what is in the database ----------------------------------------------------------------------------

    def add_carriers(
        self, count: int, *, transport: str = "udp", has_credentials: bool = False
    ) -> list[Carrier]:
        """Add carriers; a running service knows them a second later at most."""
        first, self._next_index = self._next_index, self._next_index + count
        assert self._next_index <= 255, "a block has room for 254 carriers"

        def add(tx: Tx) -> list[Carrier]:
            return [
                self._add_carrier(tx, index, transport, has_credentials)
                for index in range(first, first + count)
            ]

        added = self.store.run(add)
        self._all += added
        return added

    def _add_carrier(self, tx: Tx, index: int, transport: str, has_credentials: bool) -> Carrier:
        account = create_account(tx, NewAccount(name=f"customer{index}"), now_us())
        assert isinstance(account, Account)
        numbers = tuple(DID(f"+91226947{index:03d}{last}") for last in range(2))
        carrier = Carrier(
            index=index, block=self.block, transport=transport, account=account, numbers=numbers
        )
        trunk = add_trunk(
            tx,
            TrunkSettings(
                name=f"carrier{index}",
                targets=(Target(host=carrier.uas[0], port=carrier.uas[1], transport=Transport(transport)),),
                accept=(f"{self.block}.{index}.0/24",),
                sends_asserted=True,
                has_health_check=False,  # sipp would take it for its call
                username=CREDENTIALS[0] if has_credentials else None,
                password=Secret(CREDENTIALS[1]) if has_credentials else None,
            ),
            now_us(),
        )
        assert isinstance(trunk, Trunk)
        new = NewNumbers(numbers=numbers, account_id=account.id, trunk_id=trunk.id)
        assert isinstance(add_numbers(tx, new, now_us()), NumbersAdded)
        return carrier

    def change_trunk(self, carrier: Carrier, **changed: object) -> Trunk:
        """Give a carrier's trunk other settings; a running service knows them a second later at most."""

        def change(tx: Tx) -> Trunk:
            trunk = load_trunk(tx, f"carrier{carrier.index}")
            assert trunk is not None
            trunk = replace(trunk, **changed)  # type: ignore[arg-type]
            assert change_trunk(tx, trunk)
            return trunk

        return self.store.run(change)

    def move_peer(self, carrier: Carrier, peer: tuple[str, int]) -> Carrier:
        """Have a carrier's calls go elsewhere, as `change_trunk`."""
        target = Target(host=peer[0], port=peer[1], transport=Transport(carrier.transport))
        self.change_trunk(
            carrier, targets=(target,), accept=(f"{self.block}.{carrier.index}.0/24", f"{peer[0]}/128")
        )
        return replace(carrier, peer=peer)

    def set_targets(self, carrier: Carrier, *targets: Target) -> None:
        """Give a carrier other targets; the running service knows them when this returns."""
        loaded_count = self.log.count("trunks.loaded")
        self.change_trunk(carrier, targets=targets)
        wait_for(lambda: self.log.count("trunks.loaded") > loaded_count, 5.0, "the trunks are loaded again")

    def add_session(
        self,
        carrier: Carrier,
        *,
        first: str = "",
        second: str = "",
        ring_timeout_s: int | None = None,
        call_time_limit_s: int | None = None,
        age_s: int = 0,
        expires_in_s: int = 600,
        callback_url: str | None = None,
    ) -> MaskingSession:
        """Let the carrier's two subscribers (or two other numbers) reach each other on its first number."""
        new = NewMaskingSession(
            first=E164(first or carrier.a.number),
            second=E164(second or carrier.b.number),
            expires_in_s=expires_in_s,
            ring_timeout_s=ring_timeout_s,
            call_time_limit_s=call_time_limit_s,
            callback_url=callback_url,
            is_geomatched=False,
        )
        created = self.store.run(create_masking_session, carrier.account, new, now_us() - age_s * 1_000_000)
        assert isinstance(created, SessionCreated), created
        return created.session

    def end_session(self, carrier: Carrier, session: MaskingSession) -> None:
        """Delete a session, as the API would."""
        ended = self.store.run(end_masking_session, carrier.account, session.id, now_us())
        assert isinstance(ended, MaskingSession), ended

    def query(self, text: str) -> list[tuple[object, ...]]:
        """Ask the database directly, on a connection of its own."""
        if self.database_url.startswith("sqlite"):
            path = self.database_url.removeprefix("sqlite:///")
            with closing(sqlite3.connect(path, timeout=5.0)) as connection:
                return connection.execute(text).fetchall()
        with psycopg.connect(self.database_url.replace("+psycopg", "")) as connection:
            return connection.execute(text.encode()).fetchall()

    # --- the service ----------------------------------------------------------------------------------------

    @property
    def address(self) -> tuple[str, int]:
        """Where the switch is."""
        return f"{self.block}.0.10", SIP_PORT

    def start(self) -> None:
        """Start the service and wait until it says that it is up."""
        self._start_count += 1
        arguments = [sys.executable, "-m", "maskline", "serve"] + (["--sandbox"] if self.is_sandbox else [])
        with self.printed_path.open("ab") as printed, self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=log,
                cwd=self.directory,
                env=self._environment(),
            )
        wait_for(self._is_up, START_TIMEOUT_S, f"the service starts: {self.log[-3000:]}")

    def _is_up(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            message = f"the service ended with {self.process.returncode}:\n{self.log[-5000:]}"
            raise AssertionError(message)
        return self.printed_path.read_text().count("Maskline ") >= self._start_count

    def run_command(self, *arguments: str) -> dict[str, object]:
        """Run a command of the command line beside the service and return what it answers."""
        done = subprocess.run(
            [sys.executable, "-m", "maskline", *arguments, "--json"],
            capture_output=True,
            check=False,
            cwd=self.directory,
            env=self._environment(),
            timeout=COMMAND_TIMEOUT_S,
        )
        assert done.returncode == 0, done.stderr.decode()
        answer: dict[str, object] = json.loads(done.stdout)
        return answer

    def _environment(self) -> dict[str, str]:
        host = self.address[0]
        ours = {
            "DATA_DIR": str(self.directory),
            "DATABASE_URL": self.database_url,
            "KEY_FILE": str(self.key_file),
            "HTTP_BIND": f"{host}:{HTTP_PORT}",
            "SIP_BIND": f"{host}:{SIP_PORT}",
            "SANDBOX_BIND": f"{self.block}.0.20:{SANDBOX_PORT}",
            "RTP_BIND": host,
            "RTP_PORTS": f"{RTP_PORTS[0]}-{RTP_PORTS[1]}",
            "CALLS_MAX": str(CALL_COUNT_MAX),
            "LOG_LEVEL": "debug",
            "LOG_FORMAT": "json",
        }
        ours |= self.settings
        kept = {name: value for name, value in os.environ.items() if not name.startswith("MASKLINE_")}
        return kept | {f"MASKLINE_{name}": value for name, value in ours.items()}

    def stop(self) -> None:
        """Stop the service as an operator would with Ctrl-C; the test fails where it does not end by itself."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def drain(self) -> None:
        """Tell the service to take no new calls and end with those that run."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kill the service as a power cut would: it gets no chance to say anything."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(STOP_TIMEOUT_S)

    @property
    def printed_path(self) -> Path:
        """What it prints for the operator."""
        return self.directory / "service.out"

    @property
    def log_path(self) -> Path:
        """What it logs."""
        return self.directory / "service.log"

    @property
    def log(self) -> str:
        """All it has logged so far."""
        return self.log_path.read_text("utf-8", "replace") if self.log_path.exists() else ""

    def told_in_logs(self) -> list[str]:
        """Log lines that hold a number, or anything else a party said."""
        secrets = [word for carrier in self._all for word in (carrier.a.national, carrier.b.national)]
        secrets += MARKERS.values()
        return [line for line in self.log.splitlines() if any(word in line for word in secrets)]

    def errors_in_logs(self) -> list[str]:
        """Log lines that speak of a fault in the service."""
        return [line for line in self.log.splitlines() if '"level": "error"' in line or "Traceback" in line]

    # --- what is left of calls ------------------------------------------------------------------------------

    def live_call_count(self) -> int:
        """Calls that still hold a session."""
        (row,) = self.query("SELECT count(*) FROM live_call")
        assert isinstance(row[0], int)
        return row[0]

    def relay_port_count(self) -> int:
        """UDP sockets the media engine holds on the service's address."""
        octets = bytes(int(part) for part in self.address[0].split("."))
        prefix = octets[::-1].hex().upper() + ":"
        lines = (line.split()[1] for line in Path("/proc/net/udp").read_text().splitlines()[1:])
        ports = [int(local.partition(":")[2], 16) for local in lines if local.startswith(prefix)]
        return sum(RTP_PORTS[0] <= port <= RTP_PORTS[1] for port in ports)

    def records(self, number: str) -> list[tuple[str, str]]:
        """Result and reason of every stored call on a virtual number, oldest first."""
        rows = self.query(
            "SELECT r.result, r.reason FROM call_record r JOIN virtual_number n ON n.id = r.virtual_number_id"
            f" WHERE n.number = '{number}' ORDER BY r.started_at"
        )
        return [(str(result), str(reason)) for result, reason in rows]

    def wait_for_records(self, number: str, count: int = 1, timeout_s: float = 5.0) -> list[tuple[str, str]]:
        """Wait until that many calls on a virtual number are recorded, and return all there are."""
        return wait_for(
            lambda: found if len(found := self.records(number)) >= count else None,
            timeout_s,
            f"{count} call records on {number}",
        )


def now_us() -> int:
    """Microseconds UTC."""
    return time.time_ns() // 1000


@contextmanager
def loopback_block() -> Iterator[str]:
    """Take a block of loopback addresses for this run, as its first two octets."""
    for second in BLOCKS:
        lock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            lock.bind((f"127.{second}.0.1", LOCK_PORT))
        except OSError:
            lock.close()
            continue
        with lock:
            yield f"127.{second}"
        return
    raise AssertionError("every block of loopback addresses is taken")

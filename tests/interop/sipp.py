"""Runs sipp with our scenarios and reads its message trace.

A scenario file is sipp's XML with two additions, made before sipp sees it: a line `@name` stands for
`scenarios/parts/name.txt`, and `@{name}` for a value the test gives.
"""

import csv
import ipaddress
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from maskline.config_types import Address
from tests.interop.waiting import wait_for
from tests.interop.wire import SIPText
from tests.peers import program

SCENARIOS = Path(__file__).parent / "scenarios"
START_TIMEOUT_S = 5.0
_INCLUDE = re.compile(r"^@([a-z0-9_]+)$", re.MULTILINE)
_VALUE = re.compile(r"@\{([a-z_]+)(?:=([^}]*))?\}")
_TRACED = re.compile(
    rb"^(?:UDP|TCP) message (sent|received) [\[(](\d+)(?:\] bytes :| bytes\):)\n\n", re.MULTILINE
)
_INCLUDE_DEPTH_MAX = 4  # parts of parts; more is a loop


@dataclass(slots=True)
class Sipp:
    """One running sipp; it ends by itself when its calls are over or `timeout_s` has passed."""

    name: str
    process: subprocess.Popen[bytes]
    directory: Path
    local: tuple[str, int]
    timeout_s: float
    _trace: list[tuple[str, SIPText]] = field(default_factory=list)

    def wait(self) -> "Sipp":
        """Wait for its end; the test fails unless every call went as its scenario says."""
        status = self.process.wait(self.timeout_s + 5)
        assert status == 0, f"{self.name} ended with {status}:\n{self.errors}\n{self.story}"
        return self

    def stop(self) -> None:
        """End it if it still runs."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(2)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(5)

    @property
    def errors(self) -> str:
        """What sipp did not expect."""
        path = self.directory / f"{self.name}.errors"
        text = path.read_text("utf-8", "replace") if path.exists() else ""
        printed = (self.directory / f"{self.name}.screen").read_text("utf-8", "replace")
        return text or printed[-2000:]

    @property
    def story(self) -> str:
        """The start lines of the trace, to be read when a test fails."""
        return "\n".join(
            f"  {direction:8} {text.start_line} [{text.header('CSeq')}]" for direction, text in self.trace()
        )

    def trace(self) -> list[tuple[str, SIPText]]:
        """Every message so far as (sent | received, message)."""
        path = self.directory / f"{self.name}.messages"
        data = path.read_bytes() if path.exists() else b""
        found = []
        position = 0
        while (match := _TRACED.search(data, position)) is not None:
            position = match.end() + int(match[2])
            raw = data[match.end() : position]
            if len(raw) == int(match[2]):
                found.append((match[1].decode(), SIPText(raw)))
        return found

    def received(self, *, method: str = "", status: int | None = None) -> list[SIPText]:
        """What came from the switch: all of it, or requests of a method, or its responses with a status."""
        messages = [text for direction, text in self.trace() if direction == "received"]
        if method:
            messages = [text for text in messages if text.method == method]
            wanted = status or 0
            return [text for text in messages if text.status == wanted]
        return messages

    def sent(self) -> list[SIPText]:
        """What went to the switch."""
        return [text for direction, text in self.trace() if direction == "sent"]

    @property
    def statistics(self) -> dict[str, int]:
        """The cumulative counts of its last statistics line, once it has ended."""
        with (self.directory / f"{self.name}.csv").open(newline="") as file:
            rows = list(csv.DictReader(file, delimiter=";"))
        return {
            name: int(value)
            for name, value in rows[-1].items()
            if name and value and value.lstrip("-").isdecimal()
        }


def start_sipp(
    scenario: str,
    *,
    directory: Path,
    local: tuple[str, int],
    remote: tuple[str, int],
    keys: Mapping[str, str],
    values: Mapping[str, str],
    media_host: str,
    transport: str = "udp",
    calls: int = 1,
    rate: int = 1,
    injected: str = "",
    timeout_s: float = 20.0,
    is_traced: bool = True,
    handles_retransmissions: bool = True,
    is_server: bool = False,
) -> Sipp:
    """Start sipp; a server is bound when this returns."""
    name = f"{scenario}-{local[0]}-{local[1]}"
    scenario_path = directory / f"{name}.xml"
    scenario_path.write_text(expand(scenario, values))
    arguments = [program("sipp"), str(Address(*remote)), "-sf", str(scenario_path)]
    arguments += ["-i", local[0], "-p", str(local[1]), "-mi", media_host, "-nostdin", "-t"]
    arguments += ["t1" if transport == "tcp" else "u1", "-m", str(calls), "-r", str(rate)]
    arguments += ["-timeout", f"{timeout_s:g}s", "-timeout_error", "-deadcall_wait", "0"]
    arguments += ["-trace_err", "-error_file", str(directory / f"{name}.errors")]
    arguments += ["-trace_stat", "-fd", "1", "-stf", str(directory / f"{name}.csv")]
    # Nothing sipp adds by itself: a BYE of its own would hide that ours is missing.
    arguments += ["-default_behaviors", "abortunexp", "-cid_str", keys.get("cid", "qz-%u-%p@%s")]
    if not handles_retransmissions:
        arguments.append("-nr")  # every message counts as a new one, retransmissions included
    if is_traced:
        arguments += ["-trace_msg", "-message_file", str(directory / f"{name}.messages")]
    if injected:
        (directory / f"{name}.inf").write_text(injected)
        arguments += ["-inf", str(directory / f"{name}.inf")]
    for key, value in keys.items():
        arguments += ["-key", key, value]
    with (directory / f"{name}.screen").open("wb") as screen:
        process = subprocess.Popen(
            arguments, stdout=screen, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
        )
    running = Sipp(name=name, process=process, directory=directory, local=local, timeout_s=timeout_s)
    if is_server:
        try:
            wait_for(lambda: is_bound(local, transport) or process.poll() is not None, START_TIMEOUT_S, name)
        except AssertionError:
            running.stop()
            raise
        assert process.poll() is None, running.errors
    return running


def expand(scenario: str, values: Mapping[str, str]) -> str:
    """Return a scenario as sipp reads it."""
    text = (SCENARIOS / f"{scenario}.xml").read_text()
    for _ in range(_INCLUDE_DEPTH_MAX):
        text = _INCLUDE.sub(
            lambda line: (SCENARIOS / "parts" / f"{line[1]}.txt").read_text().strip("\n"), text
        )
    return _VALUE.sub(lambda found: _value(scenario, found, values), text)


def _value(scenario: str, found: re.Match[str], values: Mapping[str, str]) -> str:
    value = values.get(found[1], found[2])
    assert value is not None, f"{scenario} needs a value for {found[1]}"
    return value


def is_bound(address: tuple[str, int], transport: str) -> bool:
    """Whether some process of this machine is bound to an address."""
    packed = ipaddress.ip_address(address[0]).packed
    # The kernel prints an address as 32-bit words in the byte order of the machine.
    words = [packed[i : i + 4][:: -1 if sys.byteorder == "little" else 1] for i in range(0, len(packed), 4)]
    wanted = f" {b''.join(words).hex().upper()}:{address[1]:04X} "
    table = transport if len(words) == 1 else f"{transport}6"
    return wanted in Path(f"/proc/net/{table}").read_text()

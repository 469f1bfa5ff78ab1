"""What tshark, a decoder apart from ours, sees on the loopback interface."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.interop.waiting import wait_for
from tests.peers import program

START_TIMEOUT_S = 10.0


@dataclass(slots=True)
class Capture:
    """Packets written to `path`; readable once the block of `capture` has ended."""

    path: Path

    def fields(self, display_filter: str, *names: str) -> list[list[list[str]]]:
        """For each matching packet, the values of each named field; malformed packets are packets too."""
        arguments = [program("tshark"), "-r", str(self.path), "-n", "-Y", display_filter, "-T", "json"]
        arguments += [part for name in names for part in ("-e", name)]
        # Whatever the port: descriptions announce ports of their own.
        found = subprocess.run(arguments, check=True, capture_output=True, timeout=60)
        packets: list[dict[str, Any]] = json.loads(found.stdout or b"[]")
        return [[packet["_source"]["layers"].get(name, []) for name in names] for packet in packets]


@contextmanager
def capture(path: Path, filter_: str) -> Iterator[Capture]:
    """Capture on the loopback interface while the block runs."""
    log = path.with_suffix(".log")
    arguments = [program("tshark"), "-i", "lo", "-n", "-q", "-w", str(path), "-f", filter_]
    with log.open("wb") as screen:
        process = subprocess.Popen(arguments, stdout=screen, stderr=screen, stdin=subprocess.DEVNULL)
    try:
        wait_for(
            lambda: path.exists() and "Capturing on" in log.read_text(), START_TIMEOUT_S, "tshark captures"
        )
        yield Capture(path)
    finally:
        # Packets reach the file some tenths of a second after the wire; tshark writes the rest when it is told to end.
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)
            raise

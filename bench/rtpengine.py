"""The peer of the media bench: rtpengine from Debian's package, userspace, one worker, as it relays by default.

Its control protocol is bencoded dictionaries over UDP, each answer under the request's cookie; ports are found in
the session descriptions that it gives back.
"""

import itertools
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.process import pin
from bench.world import SERVICE_CORE, free_port

PORT_FIRST, PORT_LAST = 35_000, 60_999
ANSWER_TIMEOUT_S, START_TIMEOUT_S, START_POLL_S = 2.0, 10.0, 0.05
ANSWER_BYTES_MAX = 65_536
PROGRAM = "rtpengine"
_AUDIO = re.compile(r"m=audio (\d+) ")


class RTPEngine:
    """A running rtpengine."""

    def __init__(self, pid: int, port: int, *, is_recorded: bool) -> None:
        self.pid = pid
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.settimeout(ANSWER_TIMEOUT_S)
        self._socket.connect(("127.0.0.1", port))
        self._cookies = itertools.count()
        self._is_recorded = is_recorded

    def open_call(self, call: str, a: tuple[str, int], b: tuple[str, int]) -> tuple[int, int]:
        """Join two parties; return the ports that A and B send to."""
        offer = self._ask("offer", call, {"from-tag": "a", "sdp": _description(*a)})
        answer = self._ask("answer", call, {"from-tag": "a", "to-tag": "b", "sdp": _description(*b)})
        if self._is_recorded:
            self._ask("start recording", call, {})
        return _port(answer), _port(offer)

    def ping(self) -> None:
        """Return once it answers."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                self._ask("ping", "", {})
            except (TimeoutError, ConnectionError):
                if time.monotonic() > deadline:
                    raise RuntimeError("rtpengine does not answer; see rtpengine.out") from None
                time.sleep(START_POLL_S)
            else:
                return

    def close(self) -> None:
        """Give the control socket back."""
        self._socket.close()

    def _ask(self, command: str, call: str, fields: dict[str, str]) -> dict[str, Any]:
        cookie = f"c{next(self._cookies)}".encode()
        request = {"command": command, **({"call-id": call} if call else {}), **fields}
        self._socket.send(cookie + b" " + render_bencode(request))
        while True:
            echoed, _, data = self._socket.recv(ANSWER_BYTES_MAX).partition(b" ")
            if echoed == cookie:
                break
        answer, _ = parse_bencode(data)
        if not isinstance(answer, dict) or answer.get("result") not in {"ok", "pong"}:
            raise RuntimeError(f"rtpengine answered {answer!r} to {command}")
        return answer


@contextmanager
def rtpengine(directory: Path, *, is_recorded: bool) -> Iterator[RTPEngine]:
    """Run it on the core of what is measured."""
    control, spool = free_port(), directory / "rtpengine"
    spool.mkdir(exist_ok=True)
    recording = ("--recording-method=pcap", "--recording-format=eth", f"--recording-dir={spool}")
    command = [
        *(PROGRAM, "--foreground", "--log-stderr", "--log-level=4", "--table=-1", "--interface=127.0.0.1"),
        *(f"--listen-ng=127.0.0.1:{control}", "--num-threads=1", "--media-num-threads=1"),
        *(f"--port-min={PORT_FIRST}", f"--port-max={PORT_LAST}", "--config-file=none"),
        *(recording if is_recorded else ()),
    ]
    with (directory / "rtpengine.out").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=directory)
        engine = RTPEngine(process.pid, control, is_recorded=is_recorded)
        try:
            engine.ping()
            pin(process.pid, SERVICE_CORE)
            yield engine
        finally:
            engine.close()
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def is_installed() -> bool:
    """Whether there is a peer to measure."""
    return shutil.which(PROGRAM) is not None


def render_bencode(value: str | dict[str, str]) -> bytes:
    """Write text or a dictionary of texts."""
    if isinstance(value, str):
        data = value.encode()
        return b"%d:%s" % (len(data), data)
    return b"d" + b"".join(render_bencode(key) + render_bencode(each) for key, each in value.items()) + b"e"


def parse_bencode(data: bytes) -> tuple[Any, bytes]:
    """Read one value; return it and what follows."""
    match data[:1]:
        case b"i":
            digits, _, rest = data[1:].partition(b"e")
            return int(digits), rest
        case b"l" | b"d" as kind:
            items, data = [], data[1:]
            while data[:1] != b"e":
                item, data = parse_bencode(data)
                items.append(item)
            pairs = zip(items[::2], items[1::2], strict=True) if kind == b"d" else ()
            return (dict(pairs) if kind == b"d" else items), data[1:]
        case _:
            size, _, rest = data.partition(b":")
            return rest[: int(size)].decode(), rest[int(size) :]


def _description(address: str, port: int) -> str:
    lines = (
        "v=0",
        f"o=- 1 1 IN IP4 {address}",
        "s=-",
        f"c=IN IP4 {address}",
        "t=0 0",
        f"m=audio {port} RTP/AVP 0",
        "a=rtpmap:0 PCMU/8000",
        "a=sendrecv",
        "",
    )
    return "\r\n".join(lines)


def _port(answer: dict[str, Any]) -> int:
    match = _AUDIO.search(answer["sdp"])
    if match is None:
        raise RuntimeError("rtpengine gave no port")
    return int(match[1])

"""An independent phone: Debian's baresip without sound card, driven over its control socket.

It sends a tone from a file and writes what it hears, decoded by itself, to another.
"""

import json
import socket
import subprocess
import wave
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import cos, pi, sin
from pathlib import Path
from typing import Any

from tests.interop.waiting import wait_for
from tests.peers import program

MODULES = Path("/usr/lib/baresip/modules")
SAMPLE_RATE_HZ = 8000
TONE_S = 30  # longer than any test's call
TONE_AMPLITUDE = 8000
START_TIMEOUT_S = 10.0

# baresip binds its media sockets to every address, so what it sends comes from 127.0.0.1: that is what it must
# announce, or the relay takes it for somebody else's.
CONFIG = """\
poll_method epoll
sip_listen {sip_address}
net_interface 127.0.0.1
audio_source aufile,{directory}/say.wav
audio_player aubridge,{name}
audio_alert aubridge,{name}-alert
audio_srate 8000-8000
audio_channels 1-1
audio_level no
rtp_ports {ports}
rtp_stats no
rtcp_mux no
jitter_buffer_delay 2-5
snd_path {directory}
module_path {modules}
module g711.so
module aufile.so
module aubridge.so
module sndfile.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen {host}:4444
"""


@dataclass(slots=True)
class Baresip:
    """One running phone."""

    directory: Path
    host: str
    process: subprocess.Popen[bytes]
    _control: socket.socket
    _buffer: bytes = b""
    _events: list[dict[str, Any]] = field(default_factory=list)

    def command(self, name: str, params: str = "") -> None:
        """Type a command."""
        text = json.dumps({"command": name, "params": params, "token": name}).encode()
        self._control.sendall(b"%d:%s," % (len(text), text))

    def events(self) -> list[dict[str, Any]]:
        """Everything it has reported so far."""
        try:
            while piece := self._control.recv(65_536):
                self._buffer += piece
        except BlockingIOError:
            pass
        while (found := _netstring(self._buffer)) is not None:
            text, self._buffer = found
            self._events.append(json.loads(text))
        return self._events

    def wait_for_event(self, kind: str, timeout_s: float = 8.0, *, count: int = 1) -> dict[str, Any]:
        """Wait until it has reported `count` events of a kind, and return the last of them."""

        def found() -> dict[str, Any] | None:
            events = [event for event in self.events() if event.get("type") == kind]
            return events[count - 1] if len(events) >= count else None

        try:
            return wait_for(found, timeout_s, f"{kind} at {self.host}")
        except AssertionError as error:
            error.add_note(self.output)
            raise

    def wait_until_registered(self) -> None:
        """Wait until the carrier has taken its registration, which may be before its control socket is there."""
        wait_for(
            lambda: "[1 binding]" in self.output,
            START_TIMEOUT_S,
            f"registration of {self.host}: {self.output}",
        )

    @property
    def output(self) -> str:
        """What it printed."""
        return (self.directory / "output").read_text("utf-8", "replace")[-4000:]

    def heard(self) -> "array[int]":
        """The samples of the last second that it has heard, once there is a second of sound."""

        def last_second() -> "array[int] | None":
            samples = self._recorded()
            return samples[-SAMPLE_RATE_HZ:] if len(samples) >= 3 * SAMPLE_RATE_HZ // 2 else None

        return wait_for(last_second, 10.0, f"a second of sound at {self.host}: {self.output}")

    def _recorded(self) -> "array[int]":
        recordings = sorted(self.directory.glob("dump-*-dec.wav"), key=lambda path: path.stat().st_mtime)
        samples = array("h")
        if recordings:
            # While the call runs the header does not yet know the length; the samples follow its 44 bytes.
            data = recordings[-1].read_bytes()[44:]
            samples.frombytes(data[: len(data) // 2 * 2])
        return samples

    def close(self) -> None:
        """Hang up and end the process."""
        self._control.close()
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(5)


@contextmanager
def baresip(
    directory: Path,
    *,
    host: str,
    account: str,
    ports: tuple[int, int],
    tone_hz: int,
    sip_address: tuple[str, int] | None = None,
    more_config: str = "",
) -> Iterator[Baresip]:
    """Run a phone at `host` with one account, saying a tone of `tone_hz`.

    Its SIP is at `host` too, unless `sip_address` says otherwise; its TLS has the next higher port.
    """
    sip_host, sip_port = sip_address or (host, 5060)
    directory.mkdir()
    write_tone(directory / "say.wav", tone_hz)
    config = CONFIG.format(
        host=host,
        sip_address=f"{sip_host}:{sip_port}",
        directory=directory,
        name=directory.name,
        ports=f"{ports[0]}-{ports[1]}",
        modules=MODULES,
    )
    (directory / "config").write_text(config + more_config)
    (directory / "accounts").write_text(account + "\n")
    (directory / "contacts").write_text("")
    with (directory / "output").open("wb") as output:
        process = subprocess.Popen(
            [program("baresip"), "-4", "-f", str(directory)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=directory,
        )
    try:
        control = wait_for(lambda: _connect((host, 4444)), START_TIMEOUT_S, "baresip's control socket")
    except AssertionError as error:
        process.kill()
        process.wait(5)
        error.add_note((directory / "output").read_text("utf-8", "replace"))
        raise
    phone = Baresip(directory, host, process, control)
    try:
        yield phone
    finally:
        phone.close()


def _connect(address: tuple[str, int]) -> socket.socket | None:
    try:
        control = socket.create_connection(address, timeout=1.0)
    except OSError:
        return None
    control.setblocking(False)
    return control


def _netstring(buffer: bytes) -> tuple[bytes, bytes] | None:
    size, colon, rest = buffer.partition(b":")
    if not colon or len(rest) <= int(size):
        return None
    return rest[: int(size)], rest[int(size) + 1 :]


def write_tone(path: Path, hz: int) -> None:
    """Write a sine wave, 16 bits, mono."""
    period = [round(TONE_AMPLITUDE * sin(2 * pi * hz * i / SAMPLE_RATE_HZ)) for i in range(SAMPLE_RATE_HZ)]
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes(array("h", period * TONE_S).tobytes())


def level_of(samples: "array[int]", hz: int) -> float:
    """The share of the samples' energy at one frequency, 0 to 1 (Goertzel)."""
    count = len(samples)
    energy = sum(sample * sample for sample in samples)
    if energy == 0:
        return 0.0
    factor = 2 * cos(2 * pi * hz / SAMPLE_RATE_HZ)
    before = last = 0.0
    for sample in samples:
        before, last = last, sample + factor * last - before
    power = last * last + before * before - factor * last * before
    return 2 * power / (count * energy)

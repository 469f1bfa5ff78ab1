"""Parties on loopback, and a guard (or an engine without its filters) to attack."""

import asyncio
import random
import socket
import struct
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from maskline.engine.media_link import GuardLink
from maskline.engine.media_supervisor import MediaSupervisor
from maskline.engine.media_types import EngineSettings, Family, PartyMedia
from maskline.media.dtmf import make_key_press
from maskline.media.g711 import Law
from maskline.media.rtp import RTPPacket, parse_rtp, render_rtp
from maskline.media.tone import PTIME_MS, make_tone, measure_payloads_db
from maskline.prompts.types import PromptFile

ARRIVAL_S = 3.0  # on loopback a packet takes 0.2 ms; a busy machine may need longer
QUIET_S = 0.05
DEADLINE_S = 15.0
KEYS_TYPE = 101
LOOPBACK = {Family.V4: "127.0.0.1", Family.V6: "::1"}

# The same process without its guards: filters attached to nothing, every stream learning its address.
_UNGUARDED_PROGRAM = """
import sys
from maskline.engine import media_filters, media_guard, media_sessions
media_filters.Program.attach = lambda self, fd: None
media_sessions._mode = lambda party: ""
sys.exit(media_guard.main(sys.argv[1:]))
"""
UNGUARDED = (sys.executable, "-c", _UNGUARDED_PROGRAM)


class Party:
    """A phone: a pair of sockets, RTP and RTCP, at an address of its own."""

    def __init__(self, address: str) -> None:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        for _ in range(50):
            self.rtp = socket.socket(family, socket.SOCK_DGRAM)
            self.rtcp = socket.socket(family, socket.SOCK_DGRAM)
            self.rtp.bind((address, 0))
            self.port = self.rtp.getsockname()[1]
            try:
                self.rtcp.bind((address, self.port + 1))
                break
            except (OSError, OverflowError):
                self.close()
        self.address = address
        self._sequence = random.randrange(30_000)
        self.source = random.getrandbits(32)

    def media(self, *networks: str, is_behind_nat: bool = False) -> PartyMedia:
        """What this phone signals."""
        return PartyMedia(
            address=self.address, port=self.port, networks=networks, is_behind_nat=is_behind_nat
        )

    def packet(self, payload: bytes, **fields: object) -> bytes:
        """Return the next packet of this phone's stream."""
        self._sequence += 1
        packet = RTPPacket(
            payload_type=0,
            sequence=self._sequence & 0xFFFF,
            timestamp=self._sequence * 160 & 0xFFFFFFFF,
            source=self.source,
            payload=payload,
        )
        return render_rtp(replace(packet, **fields))  # type: ignore[arg-type]  # names checked by replace

    def say(self, to: tuple[str, int], payload: bytes, **fields: object) -> None:
        """Send one packet of audio."""
        self.rtp.sendto(self.packet(payload, **fields), to)

    def hear(self, payload: bytes, *, within_s: float = ARRIVAL_S) -> list[bytes]:
        """Wait for a payload; return everything that came before it, on either socket, headers and all."""
        before: list[bytes] = []
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            for each in (self.rtcp, self.rtp):
                each.settimeout(0.005)
                try:
                    data = each.recv(4096)
                except TimeoutError:
                    continue
                if data.endswith(payload):
                    return before + self.drain()
                before.append(data)
        raise AssertionError(f"{payload!r} never came; instead {before!r}")

    def drain(self, quiet_s: float = QUIET_S) -> list[bytes]:
        """Return what arrives until nothing has for a while."""
        got: list[bytes] = []
        until = time.monotonic() + quiet_s
        while time.monotonic() < until:
            for each in (self.rtp, self.rtcp):
                each.settimeout(0.002)
                try:
                    got.append(each.recv(4096))
                except TimeoutError:
                    continue
                until = time.monotonic() + quiet_s
        return got

    def close(self) -> None:
        """Free the sockets."""
        self.rtp.close()
        self.rtcp.close()


@contextmanager
def parties(*addresses: str) -> Iterator[list[Party]]:
    """Phones at these addresses."""
    made = [Party(address) for address in addresses]
    try:
        yield made
    finally:
        for party in made:
            party.close()


@dataclass
class Talker:
    """A phone that sends a tone to a port of ours, and what it has heard."""

    party: Party
    to: tuple[str, int]
    tone_hz: int
    heard: list[RTPPacket] = field(default_factory=list)

    def levels_db(self, *tones_hz: int) -> dict[int, float]:
        """Return how loud each tone was in what has been heard, and forget it."""
        payloads = [packet.payload for packet in self.heard if packet.payload_type == 0]
        self.heard.clear()
        return measure_payloads_db(payloads, Law.MU, tones_hz)

    def listen(self) -> None:
        """Take what has arrived."""
        self.party.rtp.settimeout(0)
        while True:
            try:
                self.heard.append(parse_rtp(self.party.rtp.recv(4096)))
            except BlockingIOError:
                return


async def talk(*talkers: Talker, for_s: float) -> None:
    """Let phones send in real time, 20 ms a packet, and hear; what is on its way at the end is heard too."""
    tones = [make_tone(talker.tone_hz) for talker in talkers]
    loop = asyncio.get_running_loop()
    started_mono_s = loop.time()
    for number in range(round(for_s * 1000 / PTIME_MS)):
        for talker, tone in zip(talkers, tones, strict=True):
            talker.party.say(talker.to, tone[number % len(tone)])
        await asyncio.sleep(started_mono_s + (number + 1) * PTIME_MS / 1000 - loop.time())
        for talker in talkers:
            talker.listen()
    await asyncio.sleep(QUIET_S)
    for talker in talkers:
        talker.listen()


def press(party: Party, to: tuple[str, int], key: str, *, payload_type: int = KEYS_TYPE) -> None:
    """Press a key: a packet each 20 ms of it, the end three times."""
    timestamp = random.getrandbits(32)
    for payload in make_key_press(key):
        party.say(to, payload, payload_type=payload_type, timestamp=timestamp)


def make_prompt(directory: str | Path, name: str, *, tone_hz: int, duration_s: float) -> PromptFile:
    """Write a tone as a prompt in PCMU."""
    stem = Path(directory) / name
    audio = b"".join(make_tone(tone_hz)) * (int(duration_s) + 1)
    Path(f"{stem}.0").write_bytes(audio[: round(duration_s * 8000)])
    return PromptFile(stem=str(stem), payload_type=0, duration_s=duration_s)


def free_port_block(pairs: int) -> int:
    """Return an even port from which this many pairs are free just now, below the ephemeral range."""
    for _ in range(200):
        first = random.randrange(20_000, 31_000, 2)
        if all(is_port_free(port) for port in range(first, first + 2 * pairs)):
            return first
    raise AssertionError("no free ports on this machine")


def make_settings(spool: str, *, pairs: int = 60, **others: object) -> EngineSettings:
    """Settings of a guard on loopback, both IP versions."""
    first = free_port_block(pairs)
    settings = EngineSettings(
        bind=LOOPBACK, advertise=LOOPBACK, port_first=first, port_last=first + 2 * pairs - 1, spool=spool
    )
    return replace(settings, **others)  # type: ignore[arg-type]  # names checked by replace


@asynccontextmanager
async def guard(
    *, command: tuple[str, ...] | None = None, **others: object
) -> AsyncIterator[tuple[MediaSupervisor, GuardLink]]:
    """A running guard and its relay."""
    with tempfile.TemporaryDirectory() as spool:
        settings = make_settings(spool, **others)  # type: ignore[arg-type]  # see make_settings
        supervisor = (
            MediaSupervisor(settings, switch="test")
            if command is None
            else MediaSupervisor(settings, switch="test", command=command)
        )
        async with supervisor:
            yield supervisor, supervisor.relay


def is_port_free(port: int) -> bool:
    """Say whether nobody is bound to a port of 127.0.0.1."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


async def until(condition: Callable[[], object]) -> None:
    """Wait for a fact of another process."""
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110 - no event tells it
            await asyncio.sleep(0.01)


def rtcp_with_name(source: int, name: bytes = b"alice@secret.example") -> bytes:
    """A receiver report and a source description that names the sender."""
    item = b"\x01" + bytes([len(name)]) + name + b"\0"
    chunk = struct.pack("!I", source) + item
    chunk += bytes(-len(chunk) % 4)
    report = struct.pack("!BBHI", 0x80, 201, 1, source)
    return report + struct.pack("!BBH", 0x81, 202, len(chunk) // 4) + chunk

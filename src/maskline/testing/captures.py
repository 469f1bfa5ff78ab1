"""Capture files as the relay writes them, and tones in every codec to put into them."""

import math
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

import av
import numpy as np
from numpy.typing import NDArray

from maskline.core.call_record import Side
from maskline.core.recording import CapturedCodec, CapturedLeg, NotedLegs
from maskline.media.g711 import Law, encode_g711
from maskline.media.rtp import RTPPacket, render_rtp

PORT: Final = {Side.A: 20_000, Side.B: 20_002}
PCMU: Final = CapturedCodec(0, "PCMU", 8_000)
PCMA: Final = CapturedCodec(8, "PCMA", 8_000)
G722: Final = CapturedCodec(9, "G722", 8_000)
G729: Final = CapturedCodec(18, "G729", 8_000)
OPUS: Final = CapturedCodec(111, "opus", 48_000)
KEYS: Final = CapturedCodec(101, "telephone-event", 8_000)
PTIME_US: Final = 20_000
AMPLITUDE: Final = 8_192
_PCAP_HEADER: Final = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, 1)
_AUDIO_RATE_HZ: Final = {"PCMU": 8_000, "PCMA": 8_000, "G722": 16_000, "opus": 48_000}


@dataclass(frozen=True, slots=True)
class SentPacket:
    """A packet on its way to one of our ports; instants in µs UTC."""

    arrived_at: int
    side: Side
    packet: RTPPacket
    is_v6: bool = False
    port: int | None = None


def note(noted_at: int, *codecs: CapturedCodec) -> NotedLegs:
    """Say that both sides speak these codecs from now on."""
    legs = tuple(CapturedLeg(side=side, port=port, codecs=codecs) for side, port in PORT.items())
    return NotedLegs(noted_at=noted_at, legs=legs)


def render_capture(packets: Iterable[SentPacket]) -> bytes:
    """Write a capture file with the packets in the order of their arrival."""
    ordered = sorted(packets, key=lambda it: it.arrived_at)
    return b"".join([_PCAP_HEADER, *(render_record(it.arrived_at, render_frame(it)) for it in ordered)])


def write_capture(path: Path, packets: Iterable[SentPacket]) -> None:
    """Write a capture file."""
    path.write_bytes(render_capture(packets))


def render_record(arrived_at: int, frame: bytes) -> bytes:
    """Write one record of a capture file."""
    seconds, us = divmod(arrived_at, 1_000_000)
    return struct.pack("<IIII", seconds, us, len(frame), len(frame)) + frame


def render_frame(sent: SentPacket) -> bytes:
    """Write an Ethernet frame with IPv4 or IPv6, UDP and RTP."""
    data = render_rtp(sent.packet)
    port = PORT[sent.side] if sent.port is None else sent.port
    udp = struct.pack("!HHHH", 40_000, port, 8 + len(data), 0) + data
    addresses = ("2001:db8::9", "2001:db8::1") if sent.is_v6 else ("192.0.2.9", "192.0.2.1")
    source, target = (ip_address(text).packed for text in addresses)
    if sent.is_v6:
        network = struct.pack("!IHBB", 6 << 28, len(udp), 17, 64) + source + target
        return bytes(12) + b"\x86\xdd" + network + udp
    network = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0) + source + target
    return bytes(12) + b"\x08\x00" + network + udp


def make_sine(frequency_hz: float, duration_s: float, rate_hz: int) -> NDArray[np.int16]:
    """Make a tone 12 dB below full scale."""
    at = np.arange(round(duration_s * rate_hz)) / rate_hz
    samples: NDArray[np.int16] = np.rint(AMPLITUDE * np.sin(2 * math.pi * frequency_hz * at)).astype(np.int16)
    return samples


def encode_tone(codec: CapturedCodec, frequency_hz: float, duration_s: float) -> list[bytes]:
    """Encode a tone in payloads of 20 ms."""
    samples = make_sine(frequency_hz, duration_s, _AUDIO_RATE_HZ[codec.name])
    return encode_samples(codec, samples)


def encode_samples(codec: CapturedCodec, samples: NDArray[np.int16]) -> list[bytes]:
    """Encode samples, at the codec's own rate, in payloads of 20 ms."""
    size = _AUDIO_RATE_HZ[codec.name] // 50
    parts = [samples[start : start + size] for start in range(0, len(samples) - size + 1, size)]
    if codec.name in ("PCMU", "PCMA"):
        law = Law.MU if codec.name == "PCMU" else Law.A
        return [encode_g711(part.tolist(), law) for part in parts]
    context: Any = av.CodecContext.create("g722" if codec.name == "G722" else "libopus", "w")
    context.sample_rate, context.layout, context.format = size * 50, "mono", "s16"
    if codec.name == "opus":
        context.bit_rate = 32_000
    payloads: list[bytes] = []
    for part in parts:
        frame = av.AudioFrame.from_ndarray(part.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = size * 50
        payloads += [bytes(packet) for packet in context.encode(frame)]
    return payloads[: len(parts)]


@dataclass(slots=True, kw_only=True)
class Speaker:
    """One side's stream: payloads every 20 ms, from `started_at` on."""

    side: Side
    codec: CapturedCodec
    started_at: int
    source: int = 0x1234
    sequence: int = 100
    timestamp: int = 5_000
    is_v6: bool = False
    lost: frozenset[int] = field(default_factory=frozenset)
    """Payloads, by number, that never arrive."""

    def send(self, payloads: Iterable[bytes]) -> Iterator[SentPacket]:
        """Yield the packets of payloads; the next call goes on where this one ended."""
        for index, payload in enumerate(payloads):
            packet = RTPPacket(
                payload_type=self.codec.payload_type,
                sequence=self.sequence,
                timestamp=self.timestamp,
                source=self.source,
                payload=payload,
            )
            if index not in self.lost:
                # The first sample of a packet was spoken when the packet before was sent.
                yield SentPacket(self.started_at + PTIME_US, self.side, packet, self.is_v6)
            self.pause(1, is_packet=True)

    def pause(self, count: int, *, is_packet: bool = False) -> None:
        """Let the time of so many payloads pass."""
        self.sequence = (self.sequence + (count if is_packet else 0)) & 0xFFFF
        self.timestamp = (self.timestamp + count * self.codec.clock_rate_hz // 50) & 0xFFFF_FFFF
        self.started_at += count * PTIME_US

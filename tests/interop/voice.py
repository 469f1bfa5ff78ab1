"""The audio of one end of a call: RTP of our own making beside sipp's SIP, and what was heard of the other end.

A voice says a tone from the moment it is told where to, presses keys, and keeps every packet with its time.
"""

import contextlib
import random
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final, NamedTuple

import av
import numpy as np

from maskline.media.dtmf import make_key_press
from maskline.media.errors import RemoteProtocolError
from maskline.media.rtp import RTPPacket, parse_rtp, render_rtp
from maskline.media.tone import PRESENT_DB, measure_level_db
from tests.interop.waiting import wait_for
from tests.interop.wire import SIPText

FRAME_S: Final = 0.02
STOP_TIMEOUT_S: Final = 2.0
DATAGRAM_BYTES_MAX: Final = 2048
KEY_GAP_FRAMES: Final = 4  # silence between two keys: a person's fingers are slower
EVENT_TYPE: Final = 101  # as all our scenarios have it
LEVEL_RATE_HZ: Final = 8000  # of the samples that levels are measured in
AMPLITUDE: Final = 0.25
SOUND_MIN: Final = 1000  # of 32,768: no noise of any codec
MOMENT_S: Final = 0.1
MOMENTS: Final = 3


class Form(NamedTuple):
    """How a codec is made and read; `units` of its RTP clock are in one packet of 20 ms."""

    encoder: str
    decoder: str
    rate_hz: int
    units: int


FORMS: Final = {
    "PCMU": Form("pcm_mulaw", "pcm_mulaw", 8_000, 160),
    "PCMA": Form("pcm_alaw", "pcm_alaw", 8_000, 160),
    "G722": Form(
        "g722", "g722", 16_000, 160
    ),  # its RTP clock counts half its samples: RFC 3551 section 4.5.2
    "opus": Form("libopus", "opus", 48_000, 960),
}
STATIC: Final = {0: "PCMU", 8: "PCMA", 9: "G722"}


class Speech(NamedTuple):
    """What a session description says of audio."""

    remote: tuple[str, int]
    codec: str
    payload_type: int


class Heard(NamedTuple):
    """One packet and when it came, in seconds since 1970."""

    at_s: float
    packet: RTPPacket


def read_speech(text: SIPText, payload_type: int | None = None) -> Speech:
    """Read where a description wants audio, and in what: its first choice, or the one that was accepted."""
    lines = text.sdp
    host = next(line.split()[2] for line in lines if line.startswith("c="))
    media = next(line.split() for line in lines if line.startswith("m=audio "))
    payload_type = int(media[3]) if payload_type is None else payload_type
    maps = [line.removeprefix("a=rtpmap:").split() for line in lines if line.startswith("a=rtpmap:")]
    named = {int(number): name.split("/")[0] for number, name in maps}
    return Speech((host, int(media[1])), named.get(payload_type) or STATIC[payload_type], payload_type)


@cache
def make_payloads(codec: str, hz: int) -> tuple[bytes, ...]:
    """Return one second of a tone, a payload for every 20 ms."""
    form = FORMS[codec]
    count = form.rate_hz // 50
    wave = AMPLITUDE * np.sin(2 * np.pi * hz * np.arange(form.rate_hz) / form.rate_hz)
    samples = np.rint(wave * 32_767).astype("<i2")
    context: Any = av.CodecContext.create(form.encoder, "w")
    context.sample_rate, context.layout, context.format = form.rate_hz, "mono", "s16"
    payloads = []
    for start in range(0, form.rate_hz, count):
        frame = av.AudioFrame.from_ndarray(samples[None, start : start + count], format="s16", layout="mono")
        frame.sample_rate, frame.pts = form.rate_hz, start
        payloads += [bytes(packet) for packet in context.encode(frame)]
    return tuple(payloads)


def decode(codec: str, payloads: list[bytes]) -> list[int]:
    """Return samples at 8000 Hz."""
    form = FORMS[codec]
    context: Any = av.CodecContext.create(form.decoder, "r")
    context.sample_rate, context.layout = form.rate_hz, "mono"
    resampler = av.AudioResampler(format="s16", layout="mono", rate=LEVEL_RATE_HZ)
    samples: list[int] = []
    for payload in payloads:
        for frame in context.decode(av.Packet(payload)):
            for part in resampler.resample(frame):
                samples += part.to_ndarray()[0].tolist()
    return samples


@dataclass(slots=True)
class Voice:
    """One end's audio at `address`; `tone_hz` 0 is silence, said in packets all the same."""

    sock: socket.socket
    address: tuple[str, int]
    tone_hz: int
    heard: list[Heard] = field(default_factory=list)
    joined_at_s: float = 0.0
    speech: Speech | None = None  # what it was told by the switch
    _keys: deque[str] = field(default_factory=deque)
    _is_over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _sequence: int = field(default_factory=lambda: random.getrandbits(15))
    _timestamp: int = field(default_factory=lambda: random.getrandbits(31))
    _source: int = field(default_factory=lambda: random.getrandbits(32))

    def join(self, text: SIPText, payload_type: int | None = None) -> None:
        """Begin to send to where this message's description says; of an earlier call nothing is left.

        `payload_type` is what the end answers to an offer; an answer has but one.
        """
        self.close()
        self._is_over.clear()
        self.heard.clear()
        self._keys.clear()
        self.speech = read_speech(text, payload_type)
        make_payloads(self.speech.codec, self.tone_hz)  # before the first packet is due
        self.joined_at_s = time.time()
        self._thread = threading.Thread(target=self._run, args=(self.speech,), daemon=True)
        self._thread.start()

    def press(self, keys: str) -> None:
        """Press keys one after another, as RFC 4733 events; the tone pauses meanwhile."""
        self._keys.extend(keys)

    def wait_until_pressed(self, timeout_s: float = 5.0) -> None:
        """Wait until the last key has been let go."""
        wait_for(lambda: not self._keys, timeout_s, "every key is pressed")

    def close(self) -> None:
        """Fall silent."""
        self._is_over.set()
        if self._thread is not None:
            self._thread.join(STOP_TIMEOUT_S)
            self._thread = None

    # --- what it heard --------------------------------------------------------------------------------------

    def events(self, since_s: float = 0.0) -> list[Heard]:
        """Packets of telephone-events."""
        return [it for it in tuple(self.heard) if it.packet.payload_type == EVENT_TYPE and it.at_s >= since_s]

    def samples(self, from_s: float = 0.0, until_s: float = float("inf")) -> list[int]:
        """The audio that came between two instants, one packet after another."""
        assert self.speech is not None
        payloads = [
            it.packet.payload
            for it in tuple(self.heard)
            if from_s <= it.at_s < until_s and it.packet.payload_type == self.speech.payload_type
        ]
        return decode(self.speech.codec, payloads)

    def level_db(self, hz: int, from_s: float = 0.0, until_s: float = float("inf")) -> float:
        """How loud a tone was between two instants."""
        return measure_level_db(self.samples(from_s, until_s), hz)

    def hears(self, hz: int) -> bool:
        """Whether each of the last moments was a tone of this frequency."""
        samples = self.samples(time.time() - MOMENTS * MOMENT_S)
        size = round(MOMENT_S * LEVEL_RATE_HZ)
        moments = [samples[start : start + size] for start in range(0, len(samples) - size // 2, size)]
        is_whole = len(moments) == MOMENTS
        return is_whole and all(measure_level_db(moment, hz) > PRESENT_DB for moment in moments)

    def is_addressed(self) -> bool:
        """Whether there was any sound at all, of whatever kind."""
        return any(abs(sample) > SOUND_MIN for sample in self.samples())

    def wait_until_hears(self, hz: int, timeout_s: float = 6.0) -> float:
        """Wait for a tone; return when it was there, in seconds since 1970."""
        wait_for(lambda: self.hears(hz), timeout_s, f"{self.address[0]} hears {hz} Hz")
        return time.time()

    def has_ever_heard(self, hz: int) -> bool:
        """Whether a tone was there for a tenth of a second at any time; the edges of others are not it."""
        samples = self.samples()
        step = LEVEL_RATE_HZ // 10
        parts = (samples[start : start + step] for start in range(0, len(samples), step // 2))
        return any(measure_level_db(part, hz) > PRESENT_DB for part in parts if len(part) == step)

    # --- the wire -------------------------------------------------------------------------------------------

    def _run(self, speech: Speech) -> None:
        payloads = make_payloads(speech.codec, self.tone_hz)
        units = FORMS[speech.codec].units
        due_s = time.monotonic()
        frame = 0
        pressing: deque[bytes | None] = deque()  # packets of the key that is down; None is a gap
        pressed_at = 0
        while not self._is_over.is_set():
            if not pressing and self._keys:
                pressing.extend([*make_key_press(self._keys[0]), *[None] * KEY_GAP_FRAMES])
                pressed_at = self._timestamp
            if pressing:
                payload = pressing.popleft()
                if payload is not None:
                    self._send(speech, EVENT_TYPE, payload, pressed_at)
                if not pressing:
                    self._keys.popleft()
            else:
                self._send(speech, speech.payload_type, payloads[frame % len(payloads)], self._timestamp)
            frame += 1
            self._timestamp = (self._timestamp + units) & 0xFFFF_FFFF
            due_s += FRAME_S
            self._listen_until(due_s)

    def _send(self, speech: Speech, payload_type: int, payload: bytes, timestamp: int) -> None:
        packet = RTPPacket(
            payload_type=payload_type,
            sequence=self._sequence,
            timestamp=timestamp,
            source=self._source,
            payload=payload,
        )
        self._sequence = (self._sequence + 1) & 0xFFFF
        with contextlib.suppress(ConnectionError):  # the relay has gone: so it is after a call
            self.sock.sendto(render_rtp(packet), speech.remote)

    def _listen_until(self, due_s: float) -> None:
        while (left_s := due_s - time.monotonic()) > 0:
            if select.select([self.sock], [], [], left_s)[0]:
                self._receive()

    def _receive(self) -> None:
        try:
            data = self.sock.recv(DATAGRAM_BYTES_MAX)
            self.heard.append(Heard(time.time(), parse_rtp(data)))
        except (ConnectionError, RemoteProtocolError):
            return


@contextmanager
def voice(address: tuple[str, int], tone_hz: int) -> Iterator[Voice]:
    """A voice at an address, silent until it joins."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(address)
        made = Voice(sock, address, tone_hz)
        try:
            yield made
        finally:
            made.close()

"""From the payloads of a codec to samples at 8 kHz.

How long a payload sounds is read from the payload itself, so that what is lost or broken leaves silence of the
right length.

Source: RFC 3551 sections 4.5.2, 4.5.6 and 4.5.14; RFC 6716 section 3.1; RFC 7587 section 4.
"""

from typing import Any, Final, Protocol

import av
import av.error
import numpy as np
from numpy.typing import NDArray

from maskline.media.g711 import SAMPLE_RATE_HZ, Law, decode_g711

Samples = NDArray[np.int16]

_OPUS_RATE_HZ: Final = 48_000
_OPUS_FRAME_US: Final = (  # by configuration number, RFC 6716 table 2
    *(10_000, 20_000, 40_000, 60_000) * 3,
    *(10_000, 20_000) * 2,
    *(2_500, 5_000, 10_000, 20_000) * 4,
)
_OPUS_PACKET_US_MAX: Final = 120_000
_G729_FRAME_BYTES: Final = 10
_G729_FRAME_SAMPLES: Final = 80
_G729_PAYLOAD_BYTES_MAX: Final = 300  # 300 ms; senders use 20 to 60
_FILTER_TAPS_FOR_ONE_KHZ: Final = 24
"""Length of the decimation filter in multiples of its factor: 24 keeps aliases 60 dB down from 4.6 kHz on."""
_PASS_HZ: Final = 3_700


class Decoder(Protocol):
    """Decodes the payloads of one stream in their order. `rate_hz` is that of the samples."""

    rate_hz: int

    def decode(self, payloads: list[bytes]) -> Samples:
        """Return the samples of payloads that follow one another without a gap."""
        ...


def measure_payload(name: str, payload: bytes) -> int:
    """Return how long a payload sounds, in units of its codec's RTP clock; 0 when it cannot be decoded."""
    match name:
        case (
            "PCMU" | "PCMA" | "G722"
        ):  # G.722 counts 8 kHz for 16,000 samples a second (RFC 3551 section 4.5.2)
            return len(payload)
        case "G729":
            if len(payload) > _G729_PAYLOAD_BYTES_MAX:
                return 0
            return (
                len(payload) // _G729_FRAME_BYTES * _G729_FRAME_SAMPLES
            )  # a short last frame is comfort noise
        case "opus":
            return _measure_opus(payload)
    return 0


def _measure_opus(payload: bytes) -> int:
    if not payload:
        return 0
    frame_us = _OPUS_FRAME_US[payload[0] >> 3]
    match payload[0] & 3:
        case 0:
            count = 1
        case 1 | 2:
            count = 2
        case _:
            count = payload[1] & 0x3F if len(payload) > 1 else 0
    duration_us = frame_us * count
    return duration_us * _OPUS_RATE_HZ // 1_000_000 if duration_us <= _OPUS_PACKET_US_MAX else 0


def make_decoder(name: str) -> Decoder:
    """Make the decoder of a codec that `measure_payload` knows."""
    match name:
        case "PCMU":
            return _TableDecoder(Law.MU)
        case "PCMA":
            return _TableDecoder(Law.A)
        case "G722":
            return _LibraryDecoder("g722", 16_000, name, is_joined=True)
        case "G729":
            return _LibraryDecoder("g729", SAMPLE_RATE_HZ, name, is_joined=False)
        case _:
            return _LibraryDecoder("libopus", _OPUS_RATE_HZ, "opus", is_joined=False)


class _TableDecoder:
    """G.711: a byte is a sample."""

    rate_hz = SAMPLE_RATE_HZ

    def __init__(self, law: Law) -> None:
        self._table = np.array(decode_g711(bytes(range(256)), law), dtype=np.int16)

    def decode(self, payloads: list[bytes]) -> Samples:
        """Return one sample for each byte."""
        return self._table[np.frombuffer(b"".join(payloads), dtype=np.uint8)]


class _LibraryDecoder:
    """A codec of FFmpeg. `is_joined`: payloads are one stream of bytes, decoded faster at once."""

    def __init__(self, library_name: str, rate_hz: int, name: str, *, is_joined: bool) -> None:
        self.rate_hz = rate_hz
        self._name = name
        self._is_joined = is_joined
        context: Any = av.CodecContext.create(library_name, "r")
        context.sample_rate = rate_hz
        context.layout = "mono"
        self._context = context

    def decode(self, payloads: list[bytes]) -> Samples:
        """Return the samples; what cannot be decoded is silence."""
        parts = [b"".join(payloads)] if self._is_joined else payloads
        return np.concatenate([self._decode_one(part) for part in parts])

    def _decode_one(self, payload: bytes) -> Samples:
        clock_hz = 8_000 if self._name == "G722" else self.rate_hz
        wanted = measure_payload(self._name, payload) * (self.rate_hz // clock_hz)
        whole = payload
        if self._name == "G729":
            whole = payload[: len(payload) // _G729_FRAME_BYTES * _G729_FRAME_BYTES]
        try:
            frames = self._context.decode(av.Packet(whole))
        except av.error.FFmpegError:
            return np.zeros(wanted, dtype=np.int16)
        samples = np.zeros(wanted, dtype=np.int16)
        place = 0
        for frame in frames:
            part = _to_mono(frame)[: wanted - place]
            samples[place : place + len(part)] = part
            place += len(part)
        return samples


def _to_mono(frame: av.AudioFrame) -> Samples:
    """Return a frame's samples as one channel of 16 bits."""
    values: NDArray[Any] = frame.to_ndarray()
    channel_count = frame.layout.nb_channels
    if channel_count > 1:
        by_channel = values if frame.format.is_planar else values.reshape(-1, channel_count).T
        values = by_channel.mean(axis=0).astype(values.dtype)
    values = values.reshape(-1)
    if values.dtype == np.int16:
        return values
    return np.clip(values * 32_768.0, -32_768, 32_767).astype(np.int16)


class Decimator:
    """Takes every `factor`-th sample after a low-pass filter. What comes out is `delay` output samples late."""

    def __init__(self, factor: int) -> None:
        self._factor = factor
        count = _FILTER_TAPS_FOR_ONE_KHZ * factor
        self.delay = round(((count - 1) / 2 - (factor - 1)) / factor)
        # A windowed sinc; the window keeps the stop band down.
        at = np.arange(count) - (count - 1) / 2
        cut = _PASS_HZ + (SAMPLE_RATE_HZ / 2 - _PASS_HZ) / 2
        taps = np.sinc(2 * cut / (SAMPLE_RATE_HZ * factor) * at) * np.kaiser(count, 6.0)
        self._taps = (taps / taps.sum()).astype(np.float32)
        self._history = np.zeros(count - factor, dtype=np.float32)

    def reset(self) -> None:
        """Forget what came before: silence."""
        self._history[:] = 0

    def process(self, samples: Samples) -> Samples:
        """Return a sample for every `factor` ones; their number is a multiple of it."""
        factor, taps = self._factor, self._taps
        signal = np.concatenate([self._history, samples.astype(np.float32)])
        self._history = signal[len(signal) - len(self._history) :].copy()
        by_phase = signal.reshape(-1, factor)
        count = len(samples) // factor
        result = np.zeros(count, dtype=np.float32)
        for phase in range(factor):
            # Taps run backwards in time: the newest sample of each group meets the first tap.
            result += np.convolve(by_phase[:, factor - 1 - phase], taps[phase::factor], mode="valid")[:count]
        return np.clip(np.rint(result), -32_768, 32_767).astype(np.int16)

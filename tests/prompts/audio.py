"""Audio for tests: tones as files, and what payloads sound like."""

import io
import wave
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from maskline.prompts.format import PromptCodec
from maskline.prompts.types import PromptFile

Signal = NDArray[np.float64]
DECODERS = {
    PromptCodec.PCMU: ("pcm_mulaw", 8_000),
    PromptCodec.PCMA: ("pcm_alaw", 8_000),
    PromptCodec.G722: ("g722", 16_000),
}


def tone(frequency_hz: float, seconds: float, rate_hz: int = 8_000, amplitude: float = 0.5) -> Signal:
    """Return a sine."""
    return amplitude * np.sin(2 * np.pi * frequency_hz * np.arange(round(seconds * rate_hz)) / rate_hz)


def sweep(seconds: float, rate_hz: int, first_hz: float = 200, last_hz: float = 3_400) -> Signal:
    """Return a sine whose frequency rises: it is like itself at one delay only."""
    t = np.arange(round(seconds * rate_hz)) / rate_hz
    return 0.5 * np.sin(2 * np.pi * (first_hz * t + (last_hz - first_hz) * t**2 / (2 * seconds)))


def make_wav(*channels: Signal, rate_hz: int = 8_000) -> bytes:
    """Return a WAV file of 16 bits."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(len(channels))
        writer.setsampwidth(2)
        writer.setframerate(rate_hz)
        writer.writeframes(np.rint(np.stack(channels, axis=1) * 32_767).astype("<i2").tobytes())
    return file.getvalue()


def make_file(container: str, encoder: str, signal: Signal, rate_hz: int, *, channel_count: int = 1) -> bytes:
    """Return a file of any format that the library writes."""
    file = io.BytesIO()
    layout = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}[channel_count]
    with av.open(file, "w", format=container) as target:
        stream: Any = target.add_stream(encoder, rate=rate_hz)
        stream.layout = layout
        resampler = av.AudioResampler(
            format=stream.format.name, layout=layout, rate=rate_hz, frame_size=stream.frame_size or 1_024
        )
        samples = np.ascontiguousarray(np.tile(signal.astype(np.float32), (channel_count, 1)))
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = rate_hz, 0, Fraction(1, rate_hz)
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            target.mux(stream.encode(part))
        target.mux(stream.encode(None))
    return file.getvalue()


def hear(codec: PromptCodec, payload: bytes) -> tuple[Signal, int]:
    """Return what a phone hears of payloads, between -1 and 1, and the rate of the samples."""
    name, rate_hz = DECODERS[codec]
    context: Any = av.CodecContext.create(name, "r")
    context.sample_rate = rate_hz
    context.layout = "mono"
    parts = [frame.to_ndarray()[0] for frame in context.decode(av.Packet(payload))]
    return np.concatenate(parts).astype(np.float64) / 32_768, rate_hz


def read_payload(file: PromptFile) -> bytes:
    """Return what the media engine would send."""
    return Path(f"{file.stem}.{file.payload_type}").read_bytes()


def likeness(heard: Signal, sent: Signal) -> float:
    """Return the correlation of two signals at the delay where it is greatest: 1 is the same."""
    size = 1 << (heard.size + sent.size).bit_length()
    product = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(sent, size)), size)
    return float(np.max(product) / (np.linalg.norm(heard) * np.linalg.norm(sent)))


def peak_hz(signal: Signal, rate_hz: int) -> float:
    """Return the strongest frequency."""
    spectrum = np.abs(np.fft.rfft(signal * np.hanning(signal.size)))
    return float(np.argmax(spectrum) * rate_hz / signal.size)


def level_db(signal: Signal) -> float:
    """Return the RMS in dB below full scale."""
    return float(10 * np.log10(np.mean(signal**2) + 1e-15))


def as_samples(signal: Signal) -> Sequence[int]:
    """Return 16-bit samples, as the tone detector takes them."""
    return [int(sample) for sample in np.rint(signal * 32_767)]

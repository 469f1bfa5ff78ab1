"""Files of sound, as somebody's web server would have them."""

import io
import wave
from typing import Any

import av
import numpy as np

MP3_RATE_HZ = 22_050  # files come at any rate; telephones have another
WAV_RATE_HZ = 8_000
AMPLITUDE = 0.4


def make_tone_file(container: str, hz: int, seconds: float) -> bytes:
    """Return a tone as `wav` or `mp3`."""
    rate_hz = WAV_RATE_HZ if container == "wav" else MP3_RATE_HZ
    samples = AMPLITUDE * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate_hz)) / rate_hz)
    data = np.rint(samples * 32_767).astype("<i2")
    return _wav(data, rate_hz) if container == "wav" else _mp3(data, rate_hz)


def _wav(data: Any, rate_hz: int) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(rate_hz)
        writer.writeframes(data.tobytes())
    return file.getvalue()


def _mp3(data: Any, rate_hz: int) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="mp3") as target:
        stream: Any = target.add_stream("libmp3lame", rate=rate_hz)
        stream.layout, stream.format = "mono", "s16p"
        frame = av.AudioFrame.from_ndarray(data[None, :], format="s16p", layout="mono")
        frame.sample_rate = rate_hz
        resampler = av.AudioResampler(
            format="s16p", layout="mono", rate=rate_hz, frame_size=stream.frame_size or 576
        )
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            target.mux(stream.encode(part))
        target.mux(stream.encode(None))
    return file.getvalue()

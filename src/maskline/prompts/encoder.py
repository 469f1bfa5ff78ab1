"""Samples to the payloads of each codec. Used by the decoding process, not by the service itself.

Source: ITU-T G.711 and G.722; RFC 3551, section 4.5.2, on G.722's clock of 8,000 Hz.
"""

from collections.abc import Callable
from fractions import Fraction
from typing import Final

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from numpy.typing import NDArray

from maskline.prompts.format import CODECS, FRAME_MS, PromptCodec

Samples = NDArray[np.float32]
FULL_SCALE: Final = 32_767
PEAK_MAX: Final = (
    0.97  # where a prompt that would clip is brought down to: G.711's laws have no finer step there
)


def tame_peaks(samples: Samples) -> Samples:
    """Return samples that do not clip: the same, or all of them quieter by one factor."""
    peak = float(np.max(np.abs(samples))) if samples.size else 0.0
    return samples if peak <= 1.0 else samples * np.float32(PEAK_MAX / peak)


def encode(codec: PromptCodec, samples: Samples, frame_count: int) -> bytes:
    """Encode samples at the codec's own rate to `frame_count` whole frames, padded with silence or cut."""
    profile = CODECS[codec]
    length = frame_count * profile.sample_rate_hz * FRAME_MS // 1000
    whole = np.zeros(length, np.float32)
    kept = min(length, samples.size)
    whole[:kept] = samples[:kept]
    pcm = np.clip(np.rint(whole * FULL_SCALE), -FULL_SCALE - 1, FULL_SCALE).astype(np.int16)
    return _encode_pcm(profile.encoder, profile.sample_rate_hz, pcm)


def _encode_pcm(name: str, sample_rate_hz: int, pcm: NDArray[np.int16]) -> bytes:
    context = av.CodecContext.create(name, "w")
    assert isinstance(context, AudioCodecContext)
    context.sample_rate = sample_rate_hz
    context.layout = "mono"
    context.format = "s16"
    context.time_base = Fraction(1, sample_rate_hz)
    step = sample_rate_hz  # a second at a time
    payload = bytearray()
    drain: Callable[[av.AudioFrame | None], None] = lambda frame: payload.extend(  # noqa: E731
        b"".join(bytes(packet) for packet in context.encode(frame))
    )
    for start in range(0, pcm.size, step):
        frame = av.AudioFrame.from_ndarray(
            pcm[start : start + step].reshape(1, -1), format="s16", layout="mono"
        )
        frame.sample_rate = sample_rate_hz
        frame.pts = start
        drain(frame)
    drain(None)
    return bytes(payload)

"""Looking into finished recordings."""

from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

RATE_HZ = 8_000
Audio = NDArray[np.float64]


def read_audio(path: Path) -> Audio:
    """The samples of a file, a row for each channel, as an independent reader hears them."""
    rows: list[NDArray[Any]] = []
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            values = frame.to_ndarray()
            if not frame.format.is_planar:
                values = values.reshape(-1, frame.layout.nb_channels).T
            rows.append(values if values.dtype == np.int16 else values * 32_768.0)
            assert frame.sample_rate == RATE_HZ
    channels = rows[0].shape[0] if rows else 1
    return np.concatenate(rows, axis=1).astype(np.float64) if rows else np.zeros((channels, 0))


def level(samples: Audio, frequency_hz: float) -> float:
    """How loud one frequency is, as the amplitude of its sine."""
    if len(samples) == 0:
        return 0.0
    window = np.hanning(len(samples))
    wave = np.exp(-2j * np.pi * frequency_hz * np.arange(len(samples)) / RATE_HZ)
    return float(abs(2 * (samples * window * wave).sum() / window.sum()))


def rms(samples: Audio) -> float:
    return float(np.sqrt((samples**2).mean())) if len(samples) else 0.0


def part(samples: Audio, from_s: float, to_s: float) -> Audio:
    return samples[round(from_s * RATE_HZ) : round(to_s * RATE_HZ)]

"""Test tones: made as G.711 payloads, found again by frequency. They prove who hears whom.

Source: G. Goertzel, An Algorithm for the Evaluation of Finite Trigonometric Series (1958).
"""

import math
from collections.abc import Iterable, Sequence
from typing import Final

from maskline.media.g711 import SAMPLE_RATE_HZ, Law, decode_g711, encode_g711

FULL_SCALE: Final = 32_767
AMPLITUDE: Final = 8_192  # 12 dB below full scale: no clipping in either law
PTIME_MS: Final = 20
PRESENT_DB: Final = -30.0  # a tone of ours measures about -15; noise of G.711 quantisation lies below -50
ABSENT_DB: Final = -45.0
FLOOR_DB: Final = -120.0


def make_tone(frequency_hz: int, law: Law = Law.MU, *, ptime_ms: int = PTIME_MS) -> tuple[bytes, ...]:
    """Return one second of a sine as payloads; repeating them gives an unbroken tone.

    `frequency_hz` is a whole number, `ptime_ms` divides a second.
    """
    step = 2 * math.pi * frequency_hz / SAMPLE_RATE_HZ
    samples = [round(AMPLITUDE * math.sin(step * index)) for index in range(SAMPLE_RATE_HZ)]
    encoded = encode_g711(samples, law)
    size = SAMPLE_RATE_HZ * ptime_ms // 1000
    return tuple(encoded[start : start + size] for start in range(0, SAMPLE_RATE_HZ, size))


def measure_level_db(samples: Sequence[int], frequency_hz: float) -> float:
    """Return the level of one frequency, in dB below a full-scale sine (0 is the loudest)."""
    if not samples:
        return FLOOR_DB
    coefficient = 2 * math.cos(2 * math.pi * frequency_hz / SAMPLE_RATE_HZ)
    before = last = 0.0
    for sample in samples:
        before, last = last, sample + coefficient * last - before
    power = last * last + before * before - coefficient * last * before
    amplitude = 2 * math.sqrt(max(power, 0.0)) / len(samples)
    return max(20 * math.log10(amplitude / FULL_SCALE), FLOOR_DB) if amplitude > 0 else FLOOR_DB


def measure_levels_db(samples: Sequence[int], frequencies_hz: Iterable[int]) -> dict[int, float]:
    """Return the level of each frequency."""
    return {frequency: measure_level_db(samples, frequency) for frequency in frequencies_hz}


def measure_payloads_db(
    payloads: Iterable[bytes], law: Law, frequencies_hz: Iterable[int]
) -> dict[int, float]:
    """Return the level of each frequency in the payloads received, in order, as one signal."""
    return measure_levels_db(decode_g711(b"".join(payloads), law), frequencies_hz)


def hears_only(levels_db: dict[int, float], frequency_hz: int) -> bool:
    """Say whether `frequency_hz` is there and none of the other frequencies measured."""
    others = (level for frequency, level in levels_db.items() if frequency != frequency_hz)
    return levels_db[frequency_hz] > PRESENT_DB and all(level < ABSENT_DB for level in others)

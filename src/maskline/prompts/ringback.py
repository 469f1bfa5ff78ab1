"""Ringback as each country's callers know it: one period, made to be repeated.

Source: ITU-T E.180, Supplement 2 (2003), the list of administrations; ATIS-0600401 for 440 + 480 Hz; ITU-T E.180
(1998), section 3, for the level.
"""

import io
import math
import wave
from array import array
from dataclasses import dataclass
from typing import Final

SAMPLE_RATE_HZ: Final = 16_000
AMPLITUDE: Final = 5_100  # of all tones together: -16.2 dB below a full-scale sine, about -13 dBm0
RAMP_MS: Final = 4  # tones that begin at once begin with a click


@dataclass(frozen=True, slots=True)
class Ringback:
    """Tones that sound together, whole Hz, and the milliseconds on, off, on, off of one period.

    `modulation_hz` lets a single tone swell and fade so often a second.
    """

    frequencies_hz: tuple[int, ...]
    cadence_ms: tuple[int, ...]
    modulation_hz: int = 0


DEFAULT: Final = Ringback((425,), (1000, 4000))
_BRITISH: Final = Ringback((400, 450), (400, 200, 400, 2000))
_AMERICAN: Final = Ringback((440, 480), (2000, 4000))
_EAST_ASIAN: Final = Ringback((440, 480), (1000, 2000))
_SLOW: Final = Ringback((425,), (1000, 5000))

# By ISO 3166 code; who is not listed has 425 Hz, 1 s on, 4 s off, as the Recommendation prefers.
RINGBACKS: Final = {
    "IN": Ringback((400,), (400, 200, 400, 2000), modulation_hz=25),
    "US": _AMERICAN,
    "CA": _AMERICAN,
    "PR": _AMERICAN,
    "GB": _BRITISH,
    "IE": _BRITISH,
    "NZ": _BRITISH,
    "AE": _BRITISH,
    "AU": Ringback((413, 438), (400, 200, 400, 2000)),
    "SG": Ringback((425,), (400, 200, 400, 2000), modulation_hz=24),
    "MY": Ringback((425,), (400, 200, 400, 2000)),
    "HK": Ringback((440, 480), (400, 200, 400, 3000)),
    "ZA": Ringback((400,), (400, 200, 400, 2000), modulation_hz=33),
    "JP": Ringback((400,), (1000, 2000), modulation_hz=16),
    "KR": _EAST_ASIAN,
    "TW": _EAST_ASIAN,
    "CN": Ringback((450,), (1000, 4000)),
    "PH": Ringback((425, 480), (1000, 4000)),
    "TH": Ringback((420,), (1000, 5000)),
    "IL": Ringback((400,), (1000, 3000)),
    "FR": Ringback((440,), (1500, 3500)),
    "ES": Ringback((425,), (1500, 3000)),
    "BE": Ringback((425,), (1000, 3000)),
    "HU": Ringback((425,), (1250, 3750)),
    "AT": Ringback((420,), (1000, 5000)),
    "PT": _SLOW,
    "SE": _SLOW,
    "CL": Ringback((400,), (1000, 3000)),
    "TR": Ringback((450,), (2000, 4000)),
}


def find_ringback(country: str) -> Ringback:
    """Return the ringback of a country by its ISO 3166 code of two letters; the usual one if it is not listed."""
    return RINGBACKS.get(country.upper(), DEFAULT)


def make_ringback(ringback: Ringback) -> bytes:
    """Return one period as a WAV file, ending in the pause."""
    samples = array("h")
    for index, length_ms in enumerate(ringback.cadence_ms):
        count = length_ms * SAMPLE_RATE_HZ // 1000
        samples.extend(_make_burst(ringback, count) if index % 2 == 0 else array("h", bytes(2 * count)))
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(SAMPLE_RATE_HZ)
        writer.writeframes(samples.tobytes())
    return file.getvalue()


def _make_burst(ringback: Ringback, count: int) -> "array[int]":
    """Return the tones for `count` samples; whole Hz repeat after a second at the latest, mostly far earlier."""
    components = _components(ringback)
    period = SAMPLE_RATE_HZ // math.gcd(SAMPLE_RATE_HZ, *(frequency for frequency, _ in components))
    step = 2 * math.pi / SAMPLE_RATE_HZ
    loudest = sum(share for _, share in components)
    once = array(
        "h",
        (
            round(
                AMPLITUDE
                / loudest
                * sum(share * math.sin(step * frequency * n) for frequency, share in components)
            )
            for n in range(period)
        ),
    )
    burst = (once * (count // period + 1))[:count]
    ramp = RAMP_MS * SAMPLE_RATE_HZ // 1000
    for n in range(ramp):
        burst[n] = burst[n] * n // ramp
        burst[-1 - n] = burst[-1 - n] * n // ramp
    return burst


def _components(ringback: Ringback) -> tuple[tuple[int, float], ...]:
    """Return each frequency and its share: a modulated tone is one between two of half its strength."""
    if ringback.modulation_hz == 0:
        return tuple((frequency, 1.0) for frequency in ringback.frequencies_hz)
    (carrier,) = ringback.frequencies_hz
    beside = ringback.modulation_hz
    return ((carrier - beside, 0.5), (carrier, 1.0), (carrier + beside, 0.5))

import io
import wave
from itertools import accumulate, pairwise

import numpy as np
import pytest

from maskline.media.tone import measure_levels_db
from maskline.prompts.format import FRAME_MS
from maskline.prompts.ringback import (
    AMPLITUDE,
    DEFAULT,
    RINGBACKS,
    SAMPLE_RATE_HZ,
    Ringback,
    find_ringback,
    make_ringback,
)

COUNTRIES = {**RINGBACKS, "": DEFAULT}


def _samples(ringback: Ringback) -> np.ndarray[tuple[int, ...], np.dtype[np.int16]]:
    with wave.open(io.BytesIO(make_ringback(ringback)), "rb") as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, SAMPLE_RATE_HZ)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2")


@pytest.mark.parametrize("country", COUNTRIES)
def test_cadence_is_that_of_the_country(country: str) -> None:
    """Tone and pause alternate for the milliseconds of the table, and the period ends in silence."""
    ringback = COUNTRIES[country]
    samples = _samples(ringback)
    edges = [0, *(total * SAMPLE_RATE_HZ // 1000 for total in accumulate(ringback.cadence_ms))]
    assert samples.size == edges[-1]
    for index, (start, end) in enumerate(pairwise(edges)):
        part = samples[start:end].astype(float)
        if index % 2:
            assert not part.any()
        else:
            assert np.sqrt(np.mean(part**2)) > AMPLITUDE / 4
            assert np.max(np.abs(part)) <= AMPLITUDE + 1


@pytest.mark.parametrize("country", COUNTRIES)
def test_tones_are_those_of_the_country(country: str) -> None:
    """The tone detector finds the frequencies of the table, and none of the others."""
    ringback = COUNTRIES[country]
    burst = _samples(ringback)[: ringback.cadence_ms[0] * SAMPLE_RATE_HZ // 1000 : 2]  # as heard at 8 kHz
    others = (
        (350, 480, 525, 620, 850, 1_000)
        if 480 not in ringback.frequencies_hz
        else (350, 525, 620, 850, 1_000)
    )
    levels = measure_levels_db([int(sample) for sample in burst], (*ringback.frequencies_hz, *others))
    assert all(levels[frequency] > -26 for frequency in ringback.frequencies_hz)
    assert all(levels[frequency] < -38 for frequency in others)


@pytest.mark.parametrize("country", COUNTRIES)
def test_periods_are_whole_frames(country: str) -> None:
    """A period is repeated without a gap."""
    assert sum(COUNTRIES[country].cadence_ms) % FRAME_MS == 0
    assert len(COUNTRIES[country].cadence_ms) % 2 == 0


def test_level_is_that_of_a_network() -> None:
    """All tones together are some 16 dB below full scale while they sound."""
    for ringback in (DEFAULT, RINGBACKS["US"], RINGBACKS["IN"]):
        burst = _samples(ringback)[: ringback.cadence_ms[0] * SAMPLE_RATE_HZ // 1000].astype(float) / 32_768
        assert -24 < 10 * np.log10(np.mean(burst**2)) < -18


def test_modulated_tones_swell_and_fade() -> None:
    """India's tone goes up and down 25 times a second."""
    burst = _samples(RINGBACKS["IN"])[: SAMPLE_RATE_HZ * 2 // 5].astype(float)
    envelope = np.abs(burst).reshape(-1, SAMPLE_RATE_HZ // 400).max(axis=1)
    spectrum = np.abs(np.fft.rfft(envelope - envelope.mean()))
    assert np.argmax(spectrum) * 400 / envelope.size == pytest.approx(25, abs=2.5)


def test_bursts_begin_softly() -> None:
    """The first and last samples of a burst are near silence."""
    samples = _samples(DEFAULT)
    assert abs(int(samples[0])) == 0
    assert abs(int(samples[SAMPLE_RATE_HZ - 1])) == 0


@pytest.mark.parametrize(("code", "found"), [("in", "IN"), ("GB", "GB"), ("us", "US"), ("CA", "US")])
def test_countries_are_found_by_code(code: str, found: str) -> None:
    """Upper and lower case are the same."""
    assert find_ringback(code) == RINGBACKS[found]


@pytest.mark.parametrize("code", ["", "DE", "XX", "nowhere"])
def test_other_countries_have_the_usual_tone(code: str) -> None:
    """Most of the world has 425 Hz, one second in five."""
    assert find_ringback(code) == DEFAULT == Ringback((425,), (1000, 4000))

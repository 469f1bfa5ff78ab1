import io
import wave

import numpy as np
import pytest

from maskline.prompts.built_in import load_built_in
from maskline.prompts.decoder import make_payloads
from maskline.prompts.format import CODECS, FRAME_BYTES, PromptCodec
from maskline.prompts.types import BuiltIn
from tests.prompts.audio import Signal, hear, level_db, likeness

SPOKEN = (BuiltIn.PIN, BuiltIn.PIN_WRONG, BuiltIn.NOT_IN_SERVICE)


def _samples(name: BuiltIn) -> tuple[Signal, int]:
    with wave.open(io.BytesIO(load_built_in(name, "")), "rb") as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32_768, file.getframerate()


def _loudness(samples: Signal, rate_hz: int) -> Signal:
    size = rate_hz // 50
    frames = samples[: samples.size // size * size].reshape(-1, size)
    return np.asarray(10 * np.log10(np.mean(frames**2, axis=1) + 1e-12))


@pytest.mark.parametrize("name", SPOKEN)
def test_speech_has_the_level_of_announcements(name: BuiltIn) -> None:
    """Speech is some 20 dB below full scale, no sample clips, and there is no constant offset."""
    samples, rate_hz = _samples(name)
    loudness = _loudness(samples, rate_hz)
    active = loudness[loudness > -35]
    assert -23 < 10 * np.log10(np.mean(10 ** (active / 10))) < -18
    assert 0.3 < np.max(np.abs(samples)) < 0.75
    assert abs(np.mean(samples)) < 0.001


@pytest.mark.parametrize("name", SPOKEN)
def test_speech_begins_and_ends_with_a_breath(name: BuiltIn) -> None:
    """A fifth of a second passes before the first word; nothing is cut off at the end; most of it is speech."""
    samples, rate_hz = _samples(name)
    assert rate_hz == 16_000
    assert not samples[: rate_hz // 5].any()
    assert not samples[-rate_hz // 4 :].any()
    assert 2 < samples.size / rate_hz < 6
    assert np.mean(_loudness(samples, rate_hz) > -45) > 0.6


@pytest.mark.parametrize("name", SPOKEN)
def test_speech_is_heard_in_every_codec(name: BuiltIn) -> None:
    """What a phone decodes is what was recorded."""
    samples, _ = _samples(name)
    frame_count, payloads = make_payloads(load_built_in(name, ""))
    assert frame_count == -(-samples.size * 50 // 16_000)
    for codec, payload in zip(CODECS, payloads, strict=True):
        heard, rate_hz = hear(codec, payload)
        sent = samples if rate_hz == 16_000 else _halved(samples)
        assert likeness(heard, sent) > 0.97
        assert level_db(heard) == pytest.approx(level_db(sent), abs=1)


def _halved(samples: Signal) -> Signal:
    """The samples at half the rate, by cutting the upper half of their spectrum."""
    spectrum = np.fft.rfft(samples)
    return np.asarray(np.fft.irfft(spectrum[: spectrum.size // 2 + 1], samples.size // 2) / 2)


def test_spoken_prompts_differ() -> None:
    """Each says something else."""
    assert len({load_built_in(name, "") for name in SPOKEN}) == len(SPOKEN)


@pytest.mark.parametrize("codec", PromptCodec)
def test_silence_is_silent(codec: PromptCodec) -> None:
    """A second without a sound in every codec."""
    frame_count, payloads = make_payloads(load_built_in(BuiltIn.SILENCE, ""))
    payload = payloads[list(CODECS).index(codec)]
    assert len(payload) == frame_count * FRAME_BYTES == 8_000
    assert np.max(np.abs(hear(codec, payload)[0])) < 0.001


def test_ringback_follows_the_country() -> None:
    """India's is shorter than the usual one, and others are the same everywhere."""
    assert make_payloads(load_built_in(BuiltIn.RINGBACK, "IN"))[0] == 150
    assert make_payloads(load_built_in(BuiltIn.RINGBACK, ""))[0] == 250
    assert load_built_in(BuiltIn.PIN, "IN") == load_built_in(BuiltIn.PIN, "")

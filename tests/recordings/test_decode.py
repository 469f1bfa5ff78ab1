import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.recordings.audio import level, rms

from maskline.core.recording import CapturedCodec
from maskline.recordings.decode import Decimator, make_decoder, measure_payload
from maskline.testing.captures import AMPLITUDE, G722, OPUS, PCMA, PCMU, encode_tone, make_sine

RATE_HZ = {"PCMU": 8_000, "PCMA": 8_000, "G722": 16_000, "G729": 8_000, "opus": 48_000}


@pytest.mark.parametrize("codec", [PCMU, PCMA, G722, OPUS], ids=lambda it: it.name)
def test_a_tone_comes_back(codec: CapturedCodec) -> None:
    """Each codec's decoder gives its samples back, as many as the payloads' own lengths say."""
    payloads = encode_tone(codec, 600, 1.0)
    decoder = make_decoder(codec.name)
    samples = decoder.decode(payloads)
    assert decoder.rate_hz == RATE_HZ[codec.name]
    assert len(samples) == decoder.rate_hz
    at_8_khz = samples[:: decoder.rate_hz // 8_000].astype(float)  # the tone lies far below the half of it
    assert level(at_8_khz[1000:], 600) == pytest.approx(AMPLITUDE, rel=0.05)


@pytest.mark.parametrize("codec", [PCMU, PCMA, G722, OPUS], ids=lambda it: it.name)
def test_payloads_tell_their_length(codec: CapturedCodec) -> None:
    """20 ms are 20 ms in the units of each codec's RTP clock."""
    assert {measure_payload(codec.name, it) for it in encode_tone(codec, 600, 0.4)} == {
        codec.clock_rate_hz // 50
    }


@pytest.mark.parametrize(
    ("name", "payload", "duration"),
    [
        ("G729", bytes(20), 160),
        ("G729", bytes(22), 160),  # two frames and one of comfort noise
        ("G729", bytes(2), 0),
        ("G729", bytes(310), 0),
        ("opus", b"", 0),
        ("opus", b"\x03", 0),  # a count that is not there
        ("opus", bytes([0x03, 0x3F]), 0),  # 63 frames of 10 ms: longer than any packet
        ("opus", bytes([0x18]), 2_880),
        ("opus", bytes([0xE1]), 240),
        ("opus", bytes([0xE3, 0x04]), 480),
        ("EVS", bytes(20), 0),
    ],
)
def test_lengths_of_odd_payloads(name: str, payload: bytes, duration: int) -> None:
    """What no decoder would take has no length."""
    assert measure_payload(name, payload) == duration


def test_g729_decodes_two_frames_to_a_packet() -> None:
    """Speech of 8 kbit/s has 80 samples for every ten bytes, comfort noise left out."""
    speech = bytes.fromhex("78525f3c0a9dfa4ec0da" * 2)
    samples = make_decoder("G729").decode([speech, speech + b"\x01\x02"])
    assert len(samples) == 320
    assert rms(samples.astype(float)) > 0


@given(
    name=st.sampled_from(sorted(RATE_HZ)), payloads=st.lists(st.binary(min_size=1, max_size=300), max_size=8)
)
def test_any_payload_gives_its_length(name: str, payloads: list[bytes]) -> None:
    """Garbage is noise or silence, never longer or shorter than it said it was."""
    kept = [payload for payload in payloads if measure_payload(name, payload)]
    if not kept:
        return
    decoder = make_decoder(name)
    clock_hz = 8_000 if name == "G722" else decoder.rate_hz
    expected = sum(measure_payload(name, it) for it in kept) * decoder.rate_hz // clock_hz
    assert len(decoder.decode(kept)) == expected


@pytest.mark.parametrize("factor", [2, 6])
def test_decimation_keeps_speech_and_drops_the_rest(factor: int) -> None:
    """What telephones carry passes, what would come back as another tone does not."""
    rate_hz = 8_000 * factor
    for frequency_hz in (100, 1_000, 3_000, 3_400):
        kept = Decimator(factor).process(make_sine(frequency_hz, 1.0, rate_hz)).astype(float)
        assert level(kept[200:], frequency_hz) == pytest.approx(AMPLITUDE, rel=0.05)
    for frequency_hz in (4_800, 5_500, 7_000):
        gone = Decimator(factor).process(make_sine(frequency_hz, 1.0, rate_hz)).astype(float)
        assert rms(gone[200:]) < AMPLITUDE / 500


@pytest.mark.parametrize("factor", [2, 6])
def test_decimation_is_late_by_its_delay(factor: int) -> None:
    """An impulse comes out where it went in, the delay counted."""
    samples = np.zeros(8_000 * factor // 10, dtype=np.int16)
    samples[400 * factor] = 30_000
    decimator = Decimator(factor)
    assert abs(int(decimator.process(samples).argmax()) - decimator.delay - 400) <= 1


@given(cuts=st.lists(st.integers(1, 30), max_size=8), factor=st.sampled_from([2, 6]))
def test_decimation_in_parts_is_decimation_at_once(cuts: list[int], factor: int) -> None:
    """Where a stream is cut cannot be heard."""
    rng = np.random.default_rng(5)
    samples = rng.integers(-20_000, 20_000, factor * 300).astype(np.int16)
    whole = Decimator(factor).process(samples)
    decimator, parts, start = Decimator(factor), [], 0
    for cut in [*cuts, 300]:
        parts.append(decimator.process(samples[start : start + cut * factor]))
        start += cut * factor
    joined = np.concatenate(parts)[:300]
    assert np.abs(joined.astype(int) - whole[: len(joined)]).max() <= 1


def test_decimation_starts_anew_after_a_reset() -> None:
    """Nothing of what came before is left."""
    decimator = Decimator(2)
    decimator.process(make_sine(500, 0.1, 16_000))
    decimator.reset()
    assert not decimator.process(np.zeros(320, dtype=np.int16)).any()

import numpy as np
import pytest

from maskline.media.g711 import Law, encode_g711
from maskline.prompts.encoder import PEAK_MAX, encode, tame_peaks
from maskline.prompts.format import CODECS, DURATION_S_MAX, FRAME_BYTES, FRAMES_MAX, PromptCodec, duration_s
from tests.prompts.audio import as_samples, hear, likeness, peak_hz, sweep, tone


@pytest.mark.parametrize("codec", PromptCodec)
def test_what_is_encoded_is_heard(codec: PromptCodec) -> None:
    """A phone that decodes the payload hears the same signal at the same level."""
    rate_hz = CODECS[codec].sample_rate_hz
    sent = sweep(2.0, rate_hz)
    payload = encode(codec, sent.astype(np.float32), 100)
    heard, heard_rate_hz = hear(codec, payload)
    assert heard_rate_hz == rate_hz
    assert len(payload) == 100 * FRAME_BYTES
    assert likeness(heard, sent) > 0.99
    assert np.std(heard) == pytest.approx(np.std(sent), rel=0.03)


@pytest.mark.parametrize("codec", PromptCodec)
def test_pitch_is_kept(codec: PromptCodec) -> None:
    """A tone has the same frequency after each codec."""
    rate_hz = CODECS[codec].sample_rate_hz
    heard, _ = hear(codec, encode(codec, tone(700, 1.0, rate_hz).astype(np.float32), 50))
    assert peak_hz(heard, rate_hz) == pytest.approx(700, abs=2)


def test_g722_carries_what_narrow_codecs_cannot() -> None:
    """Six kilohertz are there in G.722: it is really encoded from 16 kHz."""
    heard, rate_hz = hear(
        PromptCodec.G722, encode(PromptCodec.G722, tone(6_000, 1, 16_000).astype(np.float32), 50)
    )
    assert peak_hz(heard, rate_hz) == pytest.approx(6_000, abs=5)


@pytest.mark.parametrize(("codec", "law"), [(PromptCodec.PCMU, Law.MU), (PromptCodec.PCMA, Law.A)])
def test_laws_agree_with_our_own_tables(codec: PromptCodec, law: Law) -> None:
    """The library's G.711 and ours differ by one step at most, and seldom."""
    sent = sweep(0.2, 8_000)
    theirs = encode(codec, sent.astype(np.float32), 10)
    ours = encode_g711(as_samples(sent), law)
    heard, _ = hear(codec, theirs)
    expected, _ = hear(codec, ours)
    steps = np.abs(heard - expected)
    assert np.max(steps) <= 1_024 / 32_768  # the coarsest step of either law
    assert np.mean(steps > 0) < 0.1


@pytest.mark.parametrize("codec", PromptCodec)
@pytest.mark.parametrize("length", [0, 1, 159, 161, 7_999])
def test_frames_are_whole(codec: PromptCodec, length: int) -> None:
    """A prompt is as many frames as was said, padded with silence or cut."""
    payload = encode(codec, np.full(length, 0.1, np.float32), 25)
    assert len(payload) == 25 * FRAME_BYTES


@pytest.mark.parametrize("amplitude", [0.0, 1e-4, 0.1, 0.5, 1.0])
def test_what_does_not_clip_is_left_alone(amplitude: float) -> None:
    """Quiet prompts stay quiet, loud ones loud."""
    samples = tone(700, 0.1, amplitude=amplitude).astype(np.float32)
    assert np.array_equal(tame_peaks(samples), samples)


def test_what_would_clip_is_made_quieter_as_a_whole() -> None:
    """One factor for all, so that nothing is distorted."""
    samples = tone(701, 0.1, amplitude=3.0).astype(np.float32)
    tamed = tame_peaks(samples)
    assert np.max(np.abs(tamed)) == pytest.approx(PEAK_MAX)
    assert likeness(tamed.astype(float), samples.astype(float)) == pytest.approx(1.0)


def test_nothing_has_no_peak() -> None:
    """No samples are no trouble."""
    assert tame_peaks(np.zeros(0, np.float32)).size == 0


def test_all_codecs_take_the_same_room() -> None:
    """Eight thousand bytes are a second in each of them."""
    assert duration_s(FRAMES_MAX * FRAME_BYTES) == DURATION_S_MAX
    assert {CODECS[codec].payload_type for codec in PromptCodec} == {0, 8, 9}

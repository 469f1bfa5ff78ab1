import pytest

from maskline.media.g711 import Law, decode_g711
from maskline.media.tone import (
    FLOOR_DB,
    hears_only,
    make_tone,
    measure_level_db,
    measure_levels_db,
    measure_payloads_db,
)

FREQUENCIES = (440, 620, 1000, 1750)


@pytest.mark.parametrize("law", list(Law))
@pytest.mark.parametrize("frequency", FREQUENCIES)
def test_finds_its_own_tone_only(law: Law, frequency: int) -> None:
    """A tone is found at its level, about 12 dB below full scale, and no other is."""
    levels = measure_payloads_db(make_tone(frequency, law), law, FREQUENCIES)
    assert levels[frequency] == pytest.approx(-12, abs=0.5)
    assert hears_only(levels, frequency)
    assert not any(hears_only(levels, other) for other in FREQUENCIES if other != frequency)


def test_two_tones_are_not_one() -> None:
    """With a second tone in it a signal is nobody's alone."""
    first, second = (decode_g711(b"".join(make_tone(f)), Law.MU) for f in (440, 1000))
    mixed = [a + b for a, b in zip(first, second, strict=True)]
    levels = measure_levels_db(mixed, FREQUENCIES)
    assert not hears_only(levels, 440)
    assert not hears_only(levels, 1000)


def test_short_piece_is_enough() -> None:
    """A fifth of a second from the middle still tells tones apart."""
    assert hears_only(measure_payloads_db(make_tone(620)[7:17], Law.MU, FREQUENCIES), 620)


def test_silence_and_nothing() -> None:
    """Silence, and no samples at all, measure at the floor."""
    assert measure_level_db([0] * 800, 440) == FLOOR_DB
    assert measure_level_db([], 440) == FLOOR_DB


def test_repeats_without_a_break() -> None:
    """The second following on itself gives the same level as alone."""
    twice = make_tone(440) * 2
    assert measure_payloads_db(twice, Law.MU, (440,))[440] == pytest.approx(-12, abs=0.5)


def test_payload_sizes() -> None:
    """A payload holds its packet time."""
    assert {len(payload) for payload in make_tone(440, ptime_ms=10)} == {80}
    assert len(make_tone(440)) == 50

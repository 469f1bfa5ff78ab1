import subprocess
import sys

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from maskline.prompts.container import find_audio
from maskline.prompts.decoder import Unusable, make_payloads
from maskline.prompts.format import CODECS, FRAME_BYTES, PromptCodec
from maskline.prompts.types import PromptFailure
from tests.prompts.audio import Signal, hear, level_db, likeness, make_file, make_wav, peak_hz, sweep, tone


def _heard(content: bytes) -> dict[PromptCodec, Signal]:
    frame_count, payloads = make_payloads(content)
    assert {len(payload) for payload in payloads} == {frame_count * FRAME_BYTES}
    return {codec: hear(codec, payload)[0] for codec, payload in zip(CODECS, payloads, strict=True)}


def _failure(content: bytes) -> PromptFailure:
    with pytest.raises(Unusable) as caught:
        make_payloads(content)
    return caught.value.failure


@pytest.mark.parametrize(
    ("container", "encoder", "rate_hz", "channel_count"),
    [
        ("wav", "pcm_s16le", 8_000, 1),
        ("wav", "pcm_s16le", 11_025, 1),
        ("wav", "pcm_s16le", 44_100, 2),
        ("wav", "pcm_s16le", 48_000, 6),
        ("wav", "pcm_s16le", 96_000, 1),
        ("wav", "pcm_u8", 8_000, 1),
        ("wav", "pcm_s24le", 48_000, 2),
        ("wav", "pcm_s32le", 16_000, 1),
        ("wav", "pcm_f32le", 16_000, 2),
        ("wav", "pcm_f64le", 16_000, 1),
        ("wav", "pcm_mulaw", 8_000, 1),
        ("wav", "pcm_alaw", 8_000, 1),
        ("wav", "adpcm_ms", 16_000, 1),
        ("wav", "adpcm_ima_wav", 22_050, 1),
        ("mp3", "libmp3lame", 8_000, 1),
        ("mp3", "libmp3lame", 16_000, 1),
        ("mp3", "libmp3lame", 22_050, 1),
        ("mp3", "libmp3lame", 44_100, 2),
        ("mp3", "libmp3lame", 48_000, 1),
    ],
)
def test_every_kind_of_file_is_heard_as_it_was(
    container: str, encoder: str, rate_hz: int, channel_count: int
) -> None:
    """Whatever rate, depth and channels a file has, each codec carries its sound at its level."""
    sent = sweep(1.5, rate_hz, last_hz=3_000)  # LAME cuts what is higher at 8 kHz
    content = make_file(container, encoder, sent, rate_hz, channel_count=channel_count)
    for codec, heard in _heard(content).items():
        expected = sweep(1.5, CODECS[codec].sample_rate_hz, last_hz=3_000)
        assert likeness(heard, expected) > 0.95
        assert level_db(heard[: expected.size]) == pytest.approx(level_db(expected), abs=1)


@pytest.mark.parametrize(
    ("seconds", "frame_count"), [(0.001, 1), (0.02, 1), (0.021, 2), (1.0, 50), (1.999, 100), (2.0, 100)]
)
def test_duration_is_exact(seconds: float, frame_count: int) -> None:
    """A prompt is as long as its file, in whole frames."""
    assert make_payloads(make_wav(tone(700, seconds)))[0] == frame_count


def test_mp3_lasts_as_long_as_what_was_put_in() -> None:
    """What an MP3 encoder adds at either end is not played."""
    content = make_file("mp3", "libmp3lame", tone(700, 2.0, 44_100), 44_100)
    assert make_payloads(content)[0] == pytest.approx(100, abs=2)


def test_channels_are_mixed_without_getting_louder() -> None:
    """Two channels that say the same keep their level; one that is silent halves it."""
    both = _heard(make_wav(tone(700, 1), tone(700, 1)))[PromptCodec.PCMU]
    one = _heard(make_wav(tone(700, 1), tone(700, 1, amplitude=0)))[PromptCodec.PCMU]
    assert level_db(both) == pytest.approx(level_db(tone(700, 1)), abs=0.3)
    assert level_db(both) - level_db(one) == pytest.approx(6, abs=0.3)


def test_clipping_is_tamed_and_quiet_is_left() -> None:
    """A file beyond full scale is brought down without distortion; a quiet one stays quiet."""
    loud = make_file("wav", "pcm_f32le", tone(700, 1, 16_000, amplitude=4.0), 16_000)
    heard = _heard(loud)[PromptCodec.G722]
    assert np.max(np.abs(heard)) <= 1.0
    assert likeness(heard, tone(700, 1, 16_000)) > 0.99
    quiet = _heard(make_wav(tone(700, 1, amplitude=0.01)))[PromptCodec.PCMU]
    assert level_db(quiet) == pytest.approx(level_db(tone(700, 1, amplitude=0.01)), abs=0.5)


def test_high_frequencies_do_not_fold_back() -> None:
    """What 8 kHz cannot carry is not heard as something else; 16 kHz carries more of it."""
    heard = _heard(make_wav(tone(6_000, 1, 44_100), rate_hz=44_100))
    assert level_db(heard[PromptCodec.PCMU]) < -50
    assert peak_hz(heard[PromptCodec.G722], 16_000) == pytest.approx(6_000, abs=5)


def test_values_that_are_no_numbers_are_silence() -> None:
    """Floats may be anything; none of it reaches a phone."""
    broken = tone(700, 1, 16_000)
    content = bytearray(make_file("wav", "pcm_f32le", broken, 16_000))
    content[-4_000:] = np.full(1_000, np.nan, "<f4").tobytes()
    assert np.all(np.isfinite(_heard(bytes(content))[PromptCodec.PCMU]))


def test_two_minutes_are_enough() -> None:
    """A prompt of 120 s is fine, one sample more is not."""
    assert make_payloads(make_wav(np.zeros(120 * 8_000)))[0] == 6_000
    assert _failure(make_wav(np.zeros(120 * 8_000 + 1))) is PromptFailure.TOO_LONG


def test_what_lasts_for_hours_is_not_decoded_to_its_end() -> None:
    """Few bytes may be much sound; reading stops at two minutes."""
    content = make_file("mp3", "libmp3lame", np.zeros(8_000 * 60), 8_000)
    found = find_audio(content)
    assert found is not None
    assert _failure(content[found[1] :] * 8) is PromptFailure.TOO_LONG


@pytest.mark.parametrize(
    "content",
    [b"", b"<html>", b"#EXTM3U\nfile:///etc/passwd\n", b"ffconcat version 1.0\nfile /etc/passwd\n"],
)
def test_what_is_no_audio_is_told_so(content: bytes) -> None:
    """Pages and playlists are not given to a demuxer."""
    assert _failure(content) is PromptFailure.NOT_AUDIO


@pytest.mark.parametrize(
    "content",
    [
        b"RIFF\0\0\0\0WAVE",
        b"RIFF\0\0\0\0WAVEfmt ",
        make_wav(tone(700, 0.1))[:40],
        make_wav(np.zeros(0)),
        b"\xff\xfb\x90\x64",
        b"\xff\xfb\x90\x64" * 1_000,
        make_file("wav", "pcm_s16le", tone(700, 0.5), 8_000).replace(b"\x01\0\x01\0", b"\x5a\x5a\x01\0", 1),
        make_file("wav", "g722", tone(700, 0.5, 16_000), 16_000),
        make_file("wav", "aac", tone(700, 0.5, 44_100), 44_100),
        make_wav(tone(700, 0.5), rate_hz=100),
        make_wav(tone(700, 0.5), rate_hz=400_000),
        make_wav(*[tone(700, 0.1)] * 9),
    ],
    ids=[
        *("bare", "no-format", "cut", "empty", "one-header", "headers", "unknown-tag", "g722", "aac"),
        *("too-slow", "too-fast", "nine-channels"),
    ],
)
def test_what_only_looks_like_audio_is_told_so(content: bytes) -> None:
    """Headers without sound, codecs that no prompt needs, and absurd rates are refused."""
    assert _failure(content) is PromptFailure.DECODE_FAILED


def test_file_that_is_cut_short_plays_to_its_end() -> None:
    """A download that stopped early is better than nothing."""
    content = make_file("mp3", "libmp3lame", tone(700, 2.0, 44_100), 44_100)
    frame_count, _ = make_payloads(content[: len(content) // 2])
    assert 40 <= frame_count <= 60


def test_junk_between_frames_is_skipped() -> None:
    """Broken packets cost their own sound alone."""
    content = bytearray(make_file("mp3", "libmp3lame", tone(700, 2.0, 44_100), 44_100))
    content[8_000:8_300] = bytes(300)
    heard = _heard(bytes(content))[PromptCodec.PCMU]
    assert peak_hz(heard, 8_000) == pytest.approx(700, abs=5)


_FILES = [
    make_file("mp3", "libmp3lame", tone(700, 0.5, 16_000), 16_000),
    make_file("wav", "pcm_s16le", tone(700, 0.5), 8_000),
    make_file("wav", "adpcm_ms", tone(700, 0.5), 8_000),
]


@given(
    st.sampled_from(_FILES),
    st.lists(st.tuples(st.integers(0, 10_000), st.binary(min_size=1, max_size=8)), max_size=6),
    st.integers(0, 10_000),
)
@settings(max_examples=60, deadline=None)
def test_any_damage_is_a_prompt_or_a_failure(
    content: bytes, damage: list[tuple[int, bytes]], cut: int
) -> None:
    """Files with bytes changed and lost are decoded to whole frames, or refused; nothing else happens."""
    broken = bytearray(content)
    for place, junk in damage:
        at = place % len(broken)
        broken[at : at + len(junk)] = junk
    try:
        frame_count, payloads = make_payloads(bytes(broken[: len(broken) - cut % len(broken)]))
    except Unusable as error:
        event(error.failure)
    else:
        assert {len(payload) for payload in payloads} == {frame_count * FRAME_BYTES}


@pytest.mark.parametrize(
    "attempt",
    [
        "open('/etc/hostname')",
        "__import__('socket').socket()",
        "__import__('os').pipe()",
        "bytearray(2_000_000_000)",
        "__import__('subprocess').run(['true'])",
        "__import__('os').write(1, bytes(4_000_000)) > 3_000_000 or 1 / 0",
    ],
    ids=["file", "socket", "pipe", "memory", "process", "output"],
)
def test_decoding_process_has_given_up_its_powers(attempt: str, tmp_path: object) -> None:
    """With its libraries loaded, the process can open nothing, and take and write only so much."""
    program = (
        "import socket, subprocess, sys\n"
        "from maskline.prompts.decoder import give_up_powers, load_libraries\n"
        "load_libraries()\n"
        "give_up_powers()\n"
        "try:\n"
        f"    {attempt}\n"
        "except (OSError, MemoryError, ZeroDivisionError):\n"
        "    sys.exit(42)\n"
    )
    with open(f"{tmp_path}/output", "wb") as output:
        done = subprocess.run([sys.executable, "-c", program], stdout=output, check=False, timeout=60)
    assert done.returncode == 42

import wave
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.recordings.audio import level, read_audio

from maskline.core.masking import RecordFormat
from maskline.recordings.audio_file import create_audio_file
from maskline.testing.captures import AMPLITUDE, make_sine

MP3_FRAME = 576
MP3_SURPLUS = 47  # the encoder does not end within the first samples of a frame


def write(path: Path, format_: RecordFormat, sizes: list[int], channel_count: int = 2) -> None:
    total = sum(sizes)
    tones = [make_sine(500 * (channel + 1), total / 8_000, 8_000) for channel in range(channel_count)]
    samples = np.stack(tones, axis=1)
    with path.open("wb+") as file:
        audio = create_audio_file(file, format_, channel_count)
        start = 0
        for size in sizes:
            audio.write(np.ascontiguousarray(samples[start : start + size]))
            start += size
        audio.close()


@settings(max_examples=25, deadline=None)
@given(sizes=st.lists(st.integers(1, 9_000), min_size=1, max_size=4), channel_count=st.sampled_from([1, 2]))
@pytest.mark.parametrize("format_", RecordFormat)
def test_files_are_as_long_as_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, format_: RecordFormat, sizes: list[int], channel_count: int
) -> None:
    """To the sample, in both formats, whatever the pieces; an mp3 may have 6 ms more."""
    path = tmp_path_factory.mktemp("audio") / f"a.{format_.value}"
    write(path, format_, sizes, channel_count)
    length = sum(sizes)
    channels, found = read_audio(path).shape
    assert channels == channel_count
    assert length <= found <= length + (MP3_SURPLUS if format_ is RecordFormat.MP3 else 0)


@pytest.mark.parametrize("format_", RecordFormat)
def test_channels_stay_apart(tmp_path: Path, format_: RecordFormat) -> None:
    """Left is left and right is right."""
    path = tmp_path / "a"
    write(path, format_, [16_000])
    left, right = read_audio(path)
    for samples, own_hz, other_hz in ((left, 500, 1_000), (right, 1_000, 500)):
        assert level(samples[4_000:12_000], own_hz) == pytest.approx(AMPLITUDE, rel=0.1)
        assert level(samples[4_000:12_000], other_hz) < AMPLITUDE / 100


def test_wav_as_another_reader_sees_it(tmp_path: Path) -> None:
    """The header says what is in the file."""
    path = tmp_path / "a.wav"
    write(path, RecordFormat.WAV, [100, 300])
    with wave.open(str(path)) as found:
        assert found.getparams()[:4] == (2, 2, 8_000, 400)
    assert path.stat().st_size == 44 + 400 * 4


@pytest.mark.parametrize("format_", RecordFormat)
def test_files_of_nothing_are_files(tmp_path: Path, format_: RecordFormat) -> None:
    """A recording without a sample can still be opened."""
    path = tmp_path / "a"
    with path.open("wb+") as file:
        create_audio_file(file, format_, 2).close()
    assert read_audio(path).shape[1] < MP3_FRAME


@pytest.mark.parametrize("format_", RecordFormat)
def test_files_carry_no_words(tmp_path: Path, format_: RecordFormat) -> None:
    """No tag of any kind: nothing that could name anybody."""
    path = tmp_path / "a"
    write(path, format_, [8_000])
    data = path.read_bytes()
    assert not any(tag in data for tag in (b"ID3", b"TAG", b"LIST", b"INFO", b"bext", b"APETAG"))

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.prompts.container import TAGS_MAX, Container, find_audio
from tests.prompts.audio import make_file, make_wav, tone

FRAME = b"\xff\xfb\x90\x64" + bytes(413)


def _tag(size: int, *, flags: int = 0) -> bytes:
    sizes = bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\x04\x00" + bytes([flags]) + sizes + bytes(size) + (bytes(10) if flags & 0x10 else b"")


def test_wav_is_told_by_its_header() -> None:
    """RIFF with WAVE in it is WAV, from its first byte."""
    assert find_audio(make_wav(tone(700, 0.1))) == (Container.WAV, 0)


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 16_000, 22_050, 44_100, 48_000])
def test_mp3_is_told_by_its_first_frame(rate_hz: int) -> None:
    """Files that an encoder writes are found, tag and all."""
    content = make_file("mp3", "libmp3lame", tone(700, 0.3, rate_hz), rate_hz)
    found = find_audio(content)
    assert found is not None
    container, start = found
    assert container is Container.MP3
    assert content[start] == 0xFF


@pytest.mark.parametrize(
    ("head", "start"),
    [
        (b"", 0),
        (_tag(0), 10),
        (_tag(100), 110),
        (_tag(300_000), 300_010),
        (_tag(100, flags=0x10), 120),
        (_tag(20) + _tag(30), 70),
        (_tag(20) + bytes(500), 530),
    ],
)
def test_tags_before_the_audio_are_skipped(head: bytes, start: int) -> None:
    """What a tag holds, pictures included, is not given to a demuxer."""
    assert find_audio(head + FRAME) == (Container.MP3, start)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"R",
        b"RIFF",
        b"RIFF\0\0\0\0AVI LIST",
        b"RIFX\0\0\0\0WAVE",
        b"#EXTM3U\nhttp://10.0.0.1/",
        b"#EXTM3U\n#EXT-X-STREAM-INF\nfile:///etc/passwd",
        b"ffconcat version 1.0\nfile /etc/passwd",
        b"[playlist]\nFile1=http://10.0.0.1/",
        b"<?xml version='1.0'?><MPD/>",
        b"<html>404</html>",
        b"OggS" + bytes(100),
        b"fLaC" + bytes(100),
        b"\0\0\0\x20ftypM4A " + bytes(100),
        b"\x1a\x45\xdf\xa3" + bytes(100),
        b"\xff\xf1\x50\x80" + bytes(100),  # AAC
        b"\xff\xfd\x90\x64" + bytes(100),  # layer II
        b"\xff\xff\x90\x64" + bytes(100),  # layer I
        b"\xff\xeb\x90\x64" + bytes(100),  # reserved version
        b"\xff\xfb\xf0\x64" + bytes(100),  # impossible bit rate
        b"\xff\xfb\x00\x64" + bytes(100),  # free bit rate
        b"\xff\xfb\x9c\x64" + bytes(100),  # reserved sample rate
        b"\0\0\0\0" + FRAME,
        b"ID3",
        b"ID3\x04\0\0\xff\xff\xff\xff" + FRAME,
        _tag(100),
        _tag(100) + b"#EXTM3U\nfile:///etc/passwd",
        b"".join(_tag(0) for _ in range(TAGS_MAX + 1)) + FRAME,
    ],
)
def test_anything_else_is_nothing(content: bytes) -> None:
    """Playlists, other formats, pages and fragments are not audio."""
    assert find_audio(content) is None


@given(
    st.binary(max_size=200), st.sampled_from([b"", b"RIFF", b"ID3", b"ID3\x04\0\0\0\0\0\x05", b"\xff\xfb"])
)
def test_any_bytes_are_judged(content: bytes, head: bytes) -> None:
    """No content raises, and where audio starts lies within the content."""
    found = find_audio(head + content)
    assert found is None or 0 <= found[1] < len(head + content)


def test_judging_takes_no_time() -> None:
    """A tag that is followed by megabytes of zeros is judged like any other."""
    assert find_audio(_tag(0) + bytes(np.zeros(4_000_000, np.uint8))) is None

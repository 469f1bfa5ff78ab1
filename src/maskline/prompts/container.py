"""Which of the two formats a file has, by its first bytes; names and Content-Type are not asked.

The format is then given to the demuxer, which guesses nothing: guessing would open playlists, and playlists would
open other files.

Source: RIFF (Microsoft, Multimedia Programming Interface 1.0, 1991); ISO/IEC 11172-3, section 2.4.1.3 (frame
header); ID3v2.4.0, sections 3.1 and 3.4.
"""

from enum import StrEnum
from typing import Final

ID3_HEADER_BYTES: Final = 10
TAGS_MAX: Final = 4  # at the start of a file; more than one is already odd
_FRAME_HEADER_BYTES: Final = 4


class Container(StrEnum):
    """A format we read, by the name that the demuxer has for it."""

    WAV = "wav"
    MP3 = "mp3"


def find_audio(content: bytes) -> tuple[Container, int] | None:
    """Return the format and where the audio starts, or None for anything else.

    ID3v2 tags are skipped: they may hold pictures, for which there are decoders nobody needs here.
    """
    if content[:4] == b"RIFF" and content[8:12] == b"WAVE":
        return Container.WAV, 0
    start = 0
    for _ in range(TAGS_MAX):
        size = _tag_bytes(content[start : start + ID3_HEADER_BYTES])
        if size == 0:
            break
        start += size
    start += _padding_bytes(content, start) if start else 0
    return (Container.MP3, start) if _is_frame_header(content[start : start + _FRAME_HEADER_BYTES]) else None


def _tag_bytes(header: bytes) -> int:
    """Return the length of the tag that starts so, header and footer included; 0 if none does."""
    if len(header) < ID3_HEADER_BYTES or header[:3] != b"ID3" or any(byte & 0x80 for byte in header[6:10]):
        return 0
    size = 0
    for byte in header[6:10]:
        size = size << 7 | byte
    has_footer = header[5] & 0x10
    return ID3_HEADER_BYTES + size + (ID3_HEADER_BYTES if has_footer else 0)


def _padding_bytes(content: bytes, start: int) -> int:
    """Return how many zeros some writers leave behind a tag."""
    rest = content[start:]
    return len(rest) - len(rest.lstrip(b"\0"))


def _is_frame_header(header: bytes) -> bool:
    """Say whether a frame of MPEG audio, layer III, starts here: no reserved value in any field."""
    if len(header) < _FRAME_HEADER_BYTES or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
        return False
    version, layer = header[1] >> 3 & 3, header[1] >> 1 & 3
    bit_rate, sample_rate = header[2] >> 4, header[2] >> 2 & 3
    return version != 1 and layer == 1 and bit_rate not in (0, 15) and sample_rate != 3

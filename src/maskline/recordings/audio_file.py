"""Audio files, written as the samples come: 8 kHz, 16 bits, wav or mp3, without a word about who spoke.

Source: Multimedia Programming Interface and Data Specifications 1.0 (1991), WAVE; ISO/IEC 13818-3 (MPEG-2 audio) and
its 8 kHz extension, with the LAME tag that tells players the exact length.
"""

import struct
from typing import Any, BinaryIO, Final, Protocol

import av
import numpy as np
from numpy.typing import NDArray

from maskline.core.masking import RecordFormat
from maskline.media.g711 import SAMPLE_RATE_HZ

_WAV_HEADER_BYTES: Final = 44
_SAMPLE_BYTES: Final = 2
_MP3_BIT_RATE: Final = {1: 24_000, 2: 32_000}
"""For speech of telephone bandwidth; by number of channels."""
_MP3_QUALITY: Final = "7"
"""LAME's; a third less work than its default, and nothing to hear in speech of telephone bandwidth."""
_LAYOUT: Final = {1: "mono", 2: "stereo"}


class AudioFile(Protocol):
    """A file being written. Close it, or it is not complete."""

    def write(self, samples: NDArray[np.int16]) -> None:
        """Append samples, a column for each channel."""
        ...

    def close(self) -> None:
        """Write what remains, so that every player knows the length."""
        ...


def create_audio_file(file: BinaryIO, format_: RecordFormat, channel_count: int) -> AudioFile:
    """Begin an audio file in an empty, seekable file that stays the caller's."""
    match format_:
        case RecordFormat.WAV:
            return WavFile(file, channel_count)
        case RecordFormat.MP3:
            return Mp3File(file, channel_count)


class WavFile:
    """PCM, signed 16 bits, little-endian."""

    def __init__(self, file: BinaryIO, channel_count: int) -> None:
        self._file = file
        self._channel_count = channel_count
        self._byte_count = 0
        self._file.write(self._header())

    def write(self, samples: NDArray[np.int16]) -> None:
        """Append samples."""
        data = samples.astype("<i2").tobytes()
        self._file.write(data)
        self._byte_count += len(data)

    def close(self) -> None:
        """Write the sizes into the header."""
        self._file.seek(0)
        self._file.write(self._header())

    def _header(self) -> bytes:
        block = _SAMPLE_BYTES * self._channel_count
        return struct.pack(
            "<4sI4s4sIHHIIHH4sI",
            b"RIFF",
            self._byte_count + _WAV_HEADER_BYTES - 8,
            b"WAVE",
            b"fmt ",
            16,
            1,
            self._channel_count,
            SAMPLE_RATE_HZ,
            SAMPLE_RATE_HZ * block,
            block,
            8 * _SAMPLE_BYTES,
            b"data",
            self._byte_count,
        )


class Mp3File:
    """MPEG-2.5 layer III at a constant bit rate."""

    def __init__(self, file: BinaryIO, channel_count: int) -> None:
        self._layout = _LAYOUT[channel_count]
        # No ID3 tag: it would name nothing that is of use and could only tell too much.
        self._container: Any = av.open(file, "w", format="mp3", options={"id3v2_version": "0"})
        self._stream: Any = self._container.add_stream("libmp3lame", rate=SAMPLE_RATE_HZ)
        self._stream.bit_rate = _MP3_BIT_RATE[channel_count]
        self._stream.layout = self._layout
        self._stream.options = {"compression_level": _MP3_QUALITY}
        self._channel_count = channel_count
        self._is_empty = True

    def write(self, samples: NDArray[np.int16]) -> None:
        """Append samples."""
        self._is_empty = False
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout=self._layout)
        frame.sample_rate = SAMPLE_RATE_HZ
        self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        """Write the last frames and the tag with the exact length."""
        if self._is_empty:  # no player opens a file without a frame
            self.write(np.zeros((1, self._channel_count), dtype=np.int16))
        self._container.mux(self._stream.encode(None))
        self._container.close()

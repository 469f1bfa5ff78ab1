"""The decoding process: one file on standard input, its payloads in every codec on standard output.

It is started for each file, because files come from anywhere and decoders have bugs. Before the file is read it
gives up what a decoder does not need: opening files and sockets, more memory and time, writing more than prompts
have bytes. The first line of the output is a JSON object: `frame_count`, or `failure`. The payloads follow in the
order of `CODECS`, each `frame_count` frames long.
"""

import io
import json
import os
import resource
import sys
import wave
from collections.abc import Iterator
from typing import Final

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream

from maskline.prompts.container import Container, find_audio
from maskline.prompts.encoder import Samples, encode, tame_peaks
from maskline.prompts.format import CODECS, CONTENT_BYTES_MAX, FRAME_MS, FRAMES_MAX, OUTPUT_BYTES_MAX
from maskline.prompts.types import PromptFailure

CPU_S_MAX: Final = 8  # two minutes of audio take half a second
MEMORY_BYTES_MAX: Final = 1_500_000_000  # of addresses; numpy and FFmpeg map some 600 MB before they use any
SAMPLE_RATES_HZ: Final = range(4_000, 192_001)
CHANNELS_MAX: Final = 8
BROKEN_PACKETS_MAX: Final = 50  # that are skipped; a file that has more is not what it says

# What WAV files hold in practice; other tags lead to decoders for every sound ever made.
DECODERS: Final = {
    Container.MP3: frozenset({"mp3", "mp3float"}),
    Container.WAV: frozenset(
        {
            *("pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_f64le"),
            *("pcm_alaw", "pcm_mulaw", "adpcm_ms", "adpcm_ima_wav"),
        }
    ),
}


class Unusable(Exception):  # noqa: N818
    """The file is no prompt."""

    def __init__(self, failure: PromptFailure) -> None:
        super().__init__(failure.value)
        self.failure = failure


def give_up_powers() -> None:
    """Leave this process nothing but memory, time and the descriptors it has, all bounded."""
    os.nice(5)  # calls come first, but a caller waits for this too
    for kind, limit in (
        (resource.RLIMIT_AS, MEMORY_BYTES_MAX),
        (resource.RLIMIT_CPU, CPU_S_MAX),
        (resource.RLIMIT_FSIZE, OUTPUT_BYTES_MAX),
        (resource.RLIMIT_NOFILE, 3),
        (resource.RLIMIT_CORE, 0),
    ):
        _, allowed = resource.getrlimit(kind)
        bound = limit if allowed == resource.RLIM_INFINITY else min(limit, allowed)
        resource.setrlimit(kind, (bound, bound))


def make_payloads(content: bytes) -> tuple[int, list[bytes]]:
    """Return the number of frames and the payloads in the order of `CODECS`. Raises `Unusable`."""
    samples, frame_count = _decode(content)
    tamed = {rate: tame_peaks(channel) for rate, channel in samples.items()}
    return frame_count, [
        encode(codec, tamed[profile.sample_rate_hz], frame_count) for codec, profile in CODECS.items()
    ]


def _decode(content: bytes) -> tuple[dict[int, Samples], int]:
    """Return the file as one channel at each rate, and how many frames hold it."""
    rates = {codec.sample_rate_hz for codec in CODECS.values()}
    parts: dict[int, list[Samples]] = {rate: [] for rate in rates}
    resamplers: dict[int, AudioResampler] = {}
    sample_count = frame_count = 0
    try:
        for frame in _frames(content):
            sample_count += frame.samples
            frame_count = -(-sample_count * 1000 // (frame.sample_rate * FRAME_MS))
            if frame_count > FRAMES_MAX:
                raise Unusable(PromptFailure.TOO_LONG)
            if not resamplers:
                resamplers = {
                    rate: AudioResampler(format="fltp", layout=frame.layout, rate=rate) for rate in rates
                }
            for rate, resampler in resamplers.items():
                parts[rate] += [_mix(part) for part in resampler.resample(frame)]
        for rate, resampler in resamplers.items():
            parts[rate] += [_mix(part) for part in resampler.resample(None)]
    except (av.FFmpegError, ValueError, MemoryError):  # ValueError: the format changes within the file
        raise Unusable(PromptFailure.DECODE_FAILED) from None
    if frame_count == 0:
        raise Unusable(PromptFailure.DECODE_FAILED)
    nothing = np.zeros(0, np.float32)  # a resampler gives back none of the very shortest sounds
    return {
        rate: np.nan_to_num(np.concatenate([nothing, *found])) for rate, found in parts.items()
    }, frame_count


def _mix(frame: AudioFrame) -> Samples:
    """Return the mean of all channels: what both sides of a stereo file say keeps its level."""
    channels: Samples = frame.to_ndarray().astype(np.float32)
    mean: Samples = channels.mean(axis=0, dtype=np.float32)
    return mean


def _frames(content: bytes) -> Iterator[AudioFrame]:
    found = find_audio(content)
    if found is None:
        raise Unusable(PromptFailure.NOT_AUDIO)
    container, start = found
    with av.open(io.BytesIO(content[start:]), format=container.value, mode="r") as source:
        if not source.streams.audio:
            raise Unusable(PromptFailure.DECODE_FAILED)
        stream = source.streams.audio[0]
        _check_stream(container, stream)
        broken_count = 0
        for packet in source.demux(stream):
            try:
                yield from packet.decode()
            except av.error.InvalidDataError:
                broken_count += 1
                if broken_count > BROKEN_PACKETS_MAX:
                    raise


def _check_stream(container: Container, stream: AudioStream) -> None:
    context: AudioCodecContext | None = stream.codec_context  # none where FFmpeg knows no decoder
    if (
        context is None
        or context.codec.name not in DECODERS[container]
        or context.sample_rate not in SAMPLE_RATES_HZ
        or not 1 <= context.layout.nb_channels <= CHANNELS_MAX
    ):
        raise Unusable(PromptFailure.DECODE_FAILED)
    context.thread_count = 1


def load_libraries() -> None:
    """Decode a moment of silence, so that no module is left to be loaded from files."""
    silence = io.BytesIO()
    with wave.open(silence, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8_000)
        file.writeframes(bytes(320))
    make_payloads(silence.getvalue())


def main() -> None:
    """Read, decode, write."""
    load_libraries()
    give_up_powers()
    content = sys.stdin.buffer.read(CONTENT_BYTES_MAX + 1)
    try:
        if len(content) > CONTENT_BYTES_MAX:
            raise Unusable(PromptFailure.TOO_LARGE)
        frame_count, payloads = make_payloads(content)
        answer = json.dumps({"frame_count": frame_count}).encode() + b"\n" + b"".join(payloads)
    except Unusable as error:
        answer = json.dumps({"failure": error.failure.value}).encode() + b"\n"
    sys.stdout.buffer.write(answer)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()

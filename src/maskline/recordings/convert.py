"""From a capture to a file of audio: the whole conversion, in one pass and with memory that does not grow.

The caller's side is left, the callee's right. Sample 0 is the instant of the bridge, the last one the call's end.
"""

import os
from pathlib import Path
from typing import BinaryIO, Final

from maskline.core.call_record import Side
from maskline.core.recording import CapturedCodec, NotedLegs
from maskline.media.codecs import TELEPHONE_EVENT
from maskline.media.g711 import SAMPLE_RATE_HZ
from maskline.recordings.audio_file import create_audio_file
from maskline.recordings.capture import CapturedPacket, CaptureUnreadableError, read_capture
from maskline.recordings.conversion import ConversionJob, ConvertedAudio
from maskline.recordings.decode import Decimator, Decoder, make_decoder
from maskline.recordings.mix import HELD_S, Mixer
from maskline.recordings.timeline import US_PER_S, Run, Timeline

LAST_PACKET_US: Final = 20_000
"""How long the last packet of an interrupted call sounds, about."""


def convert(job: ConversionJob) -> ConvertedAudio:
    """Convert a capture into `job.target`, which is on the disk when this returns.

    Raises OSError, and CaptureUnreadableError also when nothing says how long an interrupted call was.
    """
    length = (job.ended_at - job.started_at) * SAMPLE_RATE_HZ // US_PER_S
    with job.capture.open("rb") as capture, _create(job.target) as target:
        audio = create_audio_file(target, job.format, 1 if job.is_mono else 2)
        mixer = Mixer(length, audio.write, is_mono=job.is_mono)
        last_at, packet_count = _mix(capture, job, mixer)
        if job.is_interrupted:
            if packet_count == 0:
                raise CaptureUnreadableError
            length = (last_at + LAST_PACKET_US - job.started_at) * SAMPLE_RATE_HZ // US_PER_S
        mixer.finish(length)
        audio.close()
        target.flush()
        os.fsync(target.fileno())
        count = mixer.written_count
        return ConvertedAudio(
            ended_at=job.started_at + count * US_PER_S // SAMPLE_RATE_HZ,
            duration_ms=(count * 1000 + SAMPLE_RATE_HZ // 2) // SAMPLE_RATE_HZ,
            size_bytes=os.fstat(target.fileno()).st_size,
            packet_count=packet_count,
        )


def _create(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "w+b")


def _mix(capture: BinaryIO, job: ConversionJob, mixer: Mixer) -> tuple[int, int]:
    """Read the capture into the mixer; return when the last packet of the call came and how many there were."""
    meanings = Meanings(job.notes)
    tracks = {Side.A: _Track(0, job.started_at, mixer), Side.B: _Track(1, job.started_at, mixer)}
    last_at, count = job.started_at, 0
    for captured in read_capture(capture, meanings.ports):
        found = meanings.find(captured)
        if found is None:
            continue
        side, codec = found
        if captured.arrived_at <= job.ended_at:
            last_at = max(last_at, captured.arrived_at)
        count += 1
        tracks[side].add(captured, codec)
        tracks[side.other].advance(captured.arrived_at)
        mixer.advance(
            (captured.arrived_at - job.started_at) * SAMPLE_RATE_HZ // US_PER_S - HELD_S * SAMPLE_RATE_HZ
        )
    for track in tracks.values():
        track.flush()
    return last_at, count


class Meanings:
    """Whose packet it is and how it is encoded, from what was noted when the call was bridged and changed."""

    def __init__(self, notes: tuple[NotedLegs, ...]) -> None:
        self._noted_at = [note.noted_at for note in notes]
        self._codecs: list[dict[tuple[int, int], tuple[Side, CapturedCodec]]] = [
            {(leg.port, codec.payload_type): (leg.side, codec) for leg in note.legs for codec in leg.codecs}
            for note in notes
        ]
        self._current = 0
        self.ports = frozenset(leg.port for note in notes for leg in note.legs)

    def find(self, captured: CapturedPacket) -> tuple[Side, CapturedCodec] | None:
        """Say whose audio a packet is; None for keys that were pressed and for what nobody announced.

        Packets of a new codec may come a little before the note of it: then the nearest note that knows it counts.
        """
        while (
            self._current + 1 < len(self._noted_at)
            and self._noted_at[self._current + 1] <= captured.arrived_at
        ):
            self._current += 1
        key = (captured.port, captured.packet.payload_type)
        found = self._codecs[self._current].get(key)
        if found is None:
            later, earlier = self._codecs[self._current + 1 :], self._codecs[: self._current]
            found = next((codecs[key] for codecs in (*later, *reversed(earlier)) if key in codecs), None)
        return None if found is None or found[1].name == TELEPHONE_EVENT else found


class _Track:
    """One direction: from its packets to its track of the mixer."""

    def __init__(self, index: int, started_at: int, mixer: Mixer) -> None:
        self._index = index
        self._mixer = mixer
        self._timeline = Timeline(started_at)
        self._decoder: Decoder | None = None
        self._decimator: Decimator | None = None
        self._position = 0

    def add(self, captured: CapturedPacket, codec: CapturedCodec) -> None:
        """Take a packet."""
        for run in self._timeline.add(captured.arrived_at, codec, captured.packet):
            self._place(run)

    def advance(self, now: int) -> None:
        """Say what time it is."""
        for run in self._timeline.advance(now):
            self._place(run)

    def flush(self) -> None:
        """Take what waits: no more comes."""
        for run in self._timeline.flush():
            self._place(run)

    def _place(self, run: Run) -> None:
        if run.is_new or self._decoder is None:
            self._decoder = make_decoder(run.codec.name)
            factor = self._decoder.rate_hz // SAMPLE_RATE_HZ
            self._decimator = Decimator(factor) if factor > 1 else None
        samples = self._decoder.decode(run.payloads)
        if not run.is_joined:
            self._position = round(run.place_us * SAMPLE_RATE_HZ / US_PER_S)
            if self._decimator is not None:
                self._decimator.reset()
                self._position -= self._decimator.delay
        if self._decimator is not None:
            samples = self._decimator.process(samples)
        self._mixer.place(self._index, self._position, samples)
        self._position += len(samples)

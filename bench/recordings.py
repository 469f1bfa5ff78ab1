"""Recordings converted by the service's own process, as a multiple of real time, for each codec and format.

A call of ten minutes in which both talk all the time: noise of speech's bandwidth, so that no codec has it easy.
The process is pinned to one core, with everything it costs: its start, reading the capture, and the sync at the end.
"""

import asyncio
import os
import resource
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.process import time_core_ms
from bench.world import SERVICE_CORE
from maskline.core.call_record import Side
from maskline.core.masking import RecordFormat
from maskline.core.recording import CapturedCodec
from maskline.recordings.conversion import ConversionJob, ConvertedAudio
from maskline.recordings.converter import COMMAND, ProcessConverter
from maskline.testing.captures import (
    G722,
    OPUS,
    PCMU,
    SentPacket,
    Speaker,
    encode_samples,
    note,
    render_capture,
    render_frame,
    render_record,
)

CALL_S, TALK_S = 600, 30  # the same half minute again and again: making it takes longer than converting it
ROUND_COUNT = 3  # the best counts: what disturbs a run only makes it slower
AT = 1_790_000_000_000_000
RATE_HZ = {"PCMU": 8_000, "G722": 16_000, "opus": 48_000}
PINNED = ("taskset", "-c", str(SERVICE_CORE), *COMMAND)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One codec and format. CPU is in seconds for a minute of the call; `real_time` how many times as fast as it."""

    codec: str
    format: str
    real_time: float
    wall_s: float
    cpu_s_per_minute: float
    file_mb_per_hour: float
    core_ms: float


def make_talk(rate_hz: int, seed: int) -> NDArray[np.int16]:
    """Noise in syllables: bursts of a fifth of a second, low-passed."""
    rng = np.random.default_rng(seed)
    size = rate_hz * TALK_S
    noise = np.convolve(rng.normal(size=size), np.ones(rate_hz // 2_000) / (rate_hz // 2_000), mode="same")
    syllables = np.abs(np.sin(2 * np.pi * 2.5 * np.arange(size) / rate_hz))
    talk: NDArray[np.int16] = np.clip(noise * syllables * 9_000, -32_768, 32_767).astype(np.int16)
    return talk


def write_talk(path: Path, codec: CapturedCodec) -> None:
    """Write the capture of a call, both sides' packets in turn."""
    packets: list[SentPacket] = []
    for side, source in ((Side.A, 1), (Side.B, 2)):
        payloads = encode_samples(codec, make_talk(RATE_HZ[codec.name], source))
        speaker = Speaker(side=side, codec=codec, started_at=AT, source=source)
        for _ in range(CALL_S // TALK_S):
            packets += speaker.send(payloads)
    packets.sort(key=lambda it: it.arrived_at)
    with path.open("wb") as file:
        file.write(render_capture([]))
        for it in packets:
            file.write(render_record(it.arrived_at, render_frame(it)))


def measure(directory: Path, codec: CapturedCodec, format_: RecordFormat) -> Line:
    """Convert a call some times and take the best."""
    capture = directory / f"{codec.name}.pcap"
    if not capture.exists():
        write_talk(capture, codec)
    core_ms = time_core_ms(SERVICE_CORE)
    best = (float("inf"), 0.0, 0)
    for _ in range(ROUND_COUNT):
        target = directory / "audio"
        target.unlink(missing_ok=True)
        job = ConversionJob(
            capture=capture,
            target=target,
            format=format_,
            is_mono=False,
            started_at=AT,
            ended_at=AT + CALL_S * 1_000_000,
            is_interrupted=False,
            notes=(note(AT, codec),),
        )
        began, cpu = time.perf_counter(), children_cpu_s()
        made = asyncio.run(ProcessConverter(PINNED).convert(job))
        wall_s = time.perf_counter() - began
        if not isinstance(made, ConvertedAudio) or made.duration_ms != CALL_S * 1_000:
            sys.exit(f"the conversion failed: {made}")
        best = min(best, (wall_s, children_cpu_s() - cpu, made.size_bytes))
    wall_s, cpu_s, size_bytes = best
    return Line(
        codec=codec.name,
        format=format_.value,
        real_time=round(CALL_S / wall_s, 0),
        wall_s=round(wall_s, 2),
        cpu_s_per_minute=round(cpu_s * 60 / CALL_S, 3),
        file_mb_per_hour=round(size_bytes * 3_600 / CALL_S / 1_000_000, 1),
        core_ms=round(core_ms, 1),
    )


def children_cpu_s() -> float:
    """CPU of the processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def bench_recordings() -> dict[str, Any]:
    """Measure and print a table."""
    print(
        f"{'codec':6} {'format':6} {'x real time':>11} {'wall s':>7} {'CPU s/min':>9} {'MB/hour':>8} {'core_ms':>7}"
    )
    lines = []
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as directory:
        for codec in (PCMU, G722, OPUS):
            for format_ in (RecordFormat.WAV, RecordFormat.MP3):
                line = measure(Path(directory), codec, format_)
                lines.append(asdict(line))
                print(
                    f"{line.codec:6} {line.format:6} {line.real_time:11.0f} {line.wall_s:7.2f} "
                    f"{line.cpu_s_per_minute:9.3f} {line.file_mb_per_hour:8.1f} {line.core_ms:7.1f}",
                    flush=True,
                )
    return {"lines": lines, "call_s": CALL_S}

"""Runs conversions in processes of their own, one at a time, and notices what becomes of them."""

import asyncio
import contextlib
import json
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Sequence
from enum import StrEnum
from typing import Final, Protocol

import structlog

from maskline.core.masking import MICROSECONDS
from maskline.recordings.conversion import ConversionJob, ConvertedAudio
from maskline.tasks import spawn

COMMAND: Final = (sys.executable, "-m", "maskline.recordings.convert_process")
START_S: Final = 30.0  # a loaded machine takes seconds to import the libraries at the lowest priority
REAL_TIME_MIN: Final = 2
"""A conversion that is slower than twice real time is given up: usual is a hundred times, idle or not."""
ANSWER_BYTES_MAX: Final = 4_096
_EXIT_S: Final = 5.0

_log = structlog.get_logger(__name__)


class ConversionFailure(StrEnum):
    """Why there is no file."""

    UNREADABLE = "unreadable"
    """The capture is none."""
    NO_ROOM = "no-room"
    """The disk is full; another time it may not be."""
    SYSTEM = "system"
    """A file could not be read or written."""
    MEMORY = "memory"
    OVERRAN = "overran"
    """It took too long and was killed."""
    CRASHED = "crashed"


class Converter(Protocol):
    """Converts captures."""

    async def convert(self, job: ConversionJob) -> ConvertedAudio | ConversionFailure:
        """Make `job.target`; it may be there in part when this fails. Cancelling ends the conversion."""
        ...


class ProcessConverter:
    """Converts each capture in a process that is killed when it takes too long."""

    def __init__(self, command: Sequence[str] = COMMAND, *, start_s: float = START_S) -> None:
        self._command = tuple(command)
        self._start_s = start_s

    async def convert(self, job: ConversionJob) -> ConvertedAudio | ConversionFailure:
        """Convert in a process of its own."""
        duration_s = (job.ended_at - job.started_at) / MICROSECONDS
        process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            env=_environment(),
        )
        try:
            async with asyncio.timeout(self._start_s + duration_s / REAL_TIME_MIN):
                answer = await _ask(process, job)
        except TimeoutError:
            _kill(process)
            _log.warning("recording.converter_overran", duration_s=round(duration_s))
            return ConversionFailure.OVERRAN
        finally:
            await _end(process)
        return _read_answer(answer, process.returncode)


async def _ask(process: Process, job: ConversionJob) -> bytes:
    """Hand the job over and wait for the line that answers it; "" when the process dies instead."""
    assert process.stdin is not None
    assert process.stdout is not None
    with contextlib.suppress(ConnectionError):  # it died at once: its answer is empty
        process.stdin.write(f"{job.to_json()}\n".encode())
        await process.stdin.drain()
    return await process.stdout.read(ANSWER_BYTES_MAX)


async def _end(process: Process) -> None:
    """Let the process end, kill it when it does not, and take its exit status."""
    assert process.stdin is not None
    process.stdin.close()  # which ends it
    ending = spawn(process.wait(), name="recordings.converter_end")
    # Not `asyncio.timeout`: in a task that is being cancelled, Debian 12's Python lets it run out without a word.
    await asyncio.wait((ending,), timeout=_EXIT_S)
    if not ending.done():
        _kill(process)
    await ending


def _kill(process: Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()


def _read_answer(answer: bytes, status: int | None) -> ConvertedAudio | ConversionFailure:
    try:
        plain = json.loads(answer)
        if "error" in plain:
            return ConversionFailure(plain["error"])
        return ConvertedAudio(**{name: int(value) for name, value in plain.items()})
    except (ValueError, TypeError):
        _log.warning("recording.converter_crashed", exit_status=status)
        return ConversionFailure.CRASHED


def _environment() -> dict[str, str]:
    """The environment without our settings, one of which may be a password, and without threads for algebra."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MASKLINE_", "AWS_"))}
    return kept | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}

"""Runs the decoding process: a file in, payloads or a failure out, whatever becomes of the process."""

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Final

import structlog

from maskline.prompts.format import CODECS, FRAME_BYTES, FRAMES_MAX, HEADER_BYTES_MAX, OUTPUT_BYTES_MAX
from maskline.prompts.types import PromptFailure

DECODE_S_MAX: Final = 12.0  # by the clock: the process has 8 s of its own to use
DECODER_COMMAND: Final = (sys.executable, "-P", "-m", "maskline.prompts.decoder")

# All that the process sees of our environment; the rest may hold passwords.
_PASSED_ON: Final = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH")
_ENVIRONMENT: Final = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
}  # no pool of threads for sums this small

_log = structlog.get_logger(__name__)

Payloads = Mapping[int, bytes]
"""By payload type; equally long."""


class DecoderProcess:
    """Decodes files, each in a process of its own; blocks the calling thread.

    `directory` holds the output while it is made, in a file without a name.
    """

    def __init__(self, directory: Path, command: tuple[str, ...] = DECODER_COMMAND) -> None:
        self._directory = directory
        self._command = command
        self._running: set[subprocess.Popen[bytes]] = set()
        self._is_closed = False
        self._lock = threading.Lock()

    def decode(self, content: bytes, time_limit_s: float = DECODE_S_MAX) -> Payloads | PromptFailure:
        """Return the payloads of a file. Raises OSError where no process or file can be made."""
        with tempfile.TemporaryFile(dir=self._directory) as output:
            return_code = self._run(content, output, time_limit_s)
            output.seek(0)
            answer = output.read(OUTPUT_BYTES_MAX + 1)
        if return_code != 0:
            _log.warning("prompt.decoder_died", return_code=return_code)
            return PromptFailure.DECODE_FAILED
        return _parse_answer(answer)

    def close(self) -> None:
        """End what is running, and start nothing more."""
        with self._lock:
            self._is_closed = True
            for process in self._running:
                process.kill()

    def _run(self, content: bytes, output: IO[bytes], time_limit_s: float) -> int:
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        with self._lock:
            if self._is_closed:
                return -1
            process = subprocess.Popen(  # noqa: S603  # our own interpreter and module
                self._command,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.DEVNULL,
                env=environment | _ENVIRONMENT,
            )
            self._running.add(process)
        try:
            process.communicate(content, timeout=time_limit_s)
        except subprocess.TimeoutExpired:
            process.kill()
            assert process.stdin is not None
            process.stdin.close()  # which a `communicate` that ran out of time leaves open
            process.wait()
        finally:
            with self._lock:
                self._running.discard(process)
        return process.returncode


def _parse_answer(answer: bytes) -> Payloads | PromptFailure:
    """Read what a process says that may have been taken over by the file it read: sizes must agree."""
    head, _, body = answer.partition(b"\n")
    try:
        said = json.loads(head) if len(head) <= HEADER_BYTES_MAX else None
    except ValueError:
        said = None
    match said:
        case {"failure": str(failure)} if failure in set(PromptFailure):
            return PromptFailure(failure)
        case {"frame_count": int(count)} if 1 <= count <= FRAMES_MAX:
            size = count * FRAME_BYTES
            if len(body) == size * len(CODECS):
                return {
                    profile.payload_type: body[index * size : (index + 1) * size]
                    for index, profile in enumerate(CODECS.values())
                }
    _log.warning("prompt.decoder_unreadable", byte_count=len(answer))
    return PromptFailure.DECODE_FAILED

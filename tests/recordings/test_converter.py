import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.recordings.test_convert import SECOND, a_job, both, speak

from maskline.core.call_record import Side
from maskline.recordings import converter as converter_module
from maskline.recordings.convert import ConversionJob, ConvertedAudio
from maskline.recordings.converter import COMMAND, ConversionFailure, ProcessConverter
from maskline.testing.captures import PCMU, render_capture, render_frame, render_record, write_capture

WAIT_S = 30.0  # for what takes a fraction of a second on an idle machine


def wait_until(is_so: Callable[[], bool]) -> None:
    """Wait at the edge to real processes, bounded."""
    deadline = time.monotonic() + WAIT_S
    while not is_so():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def python(text: str) -> ProcessConverter:
    """A converter whose process runs something else."""
    return ProcessConverter((sys.executable, "-c", text), start_s=2.0)


async def test_converts_in_a_process(tmp_path: Path) -> None:
    """The answer is that of the conversion itself."""
    job = a_job(tmp_path)
    write_capture(job.capture, both())
    made = await ProcessConverter().convert(job)
    assert isinstance(made, ConvertedAudio)
    assert (made.duration_ms, made.packet_count) == (5_000, 450)
    assert job.target.stat().st_size == made.size_bytes
    assert job.target.stat().st_mode & 0o777 == 0o600


async def test_what_is_no_capture_is_said_to_be_none(tmp_path: Path) -> None:
    """An unreadable capture is told from a failure that may pass."""
    job = a_job(tmp_path)
    job.capture.write_bytes(b"x" * 100)
    assert await ProcessConverter().convert(job) is ConversionFailure.UNREADABLE


async def test_file_that_cannot_be_made_is_a_failure_of_the_system(tmp_path: Path) -> None:
    """A missing capture, or a target that is there, may be better next time."""
    assert await ProcessConverter().convert(a_job(tmp_path)) is ConversionFailure.SYSTEM


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
async def test_full_disk_is_told(tmp_path: Path) -> None:
    """No room is a failure of its own: the work is not at fault."""
    full = tmp_path / "full"
    code = (
        "import maskline.recordings.convert as c, os;"
        "c._create = lambda path: open('/dev/full', 'r+b', buffering=0);"
        "from maskline.recordings.convert_process import main; main()"
    )
    job = replace(a_job(tmp_path), target=full)
    write_capture(job.capture, speak(Side.A, PCMU, 440, 1.0))
    assert await ProcessConverter((sys.executable, "-c", code)).convert(job) is ConversionFailure.NO_ROOM


@pytest.mark.parametrize(
    "code",
    ["import os; os.abort()", "print('not json')", 'print(\'{"error": "else"}\')', "print('{\"a\": 1}')", ""],
)
async def test_a_process_that_dies_or_babbles_has_crashed(tmp_path: Path, code: str) -> None:
    """A decoder that crashes costs this conversion and nothing else."""
    assert await python(code).convert(a_job(tmp_path)) is ConversionFailure.CRASHED


async def test_a_process_that_takes_too_long_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gets its time and no more, also when it does not heed its closed input."""
    monkeypatch.setattr(converter_module, "_EXIT_S", 0.2)
    pid_path = tmp_path / "pid"
    code = f"import os, time; open({str(pid_path)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    slow = ProcessConverter((sys.executable, "-c", code), start_s=1.0)
    job = replace(a_job(tmp_path), ended_at=a_job(tmp_path).started_at)
    assert await slow.convert(job) is ConversionFailure.OVERRAN
    assert not is_running(int(pid_path.read_text()))


async def test_cancelling_ends_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that stops leaves no conversion behind."""
    monkeypatch.setattr(converter_module, "_EXIT_S", 0.2)
    pid_path = tmp_path / "pid"
    code = f"import os, time; open({str(pid_path)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    task = asyncio.ensure_future(ProcessConverter((sys.executable, "-c", code)).convert(a_job(tmp_path)))  # noqa: TID251
    await asyncio.to_thread(wait_until, lambda: pid_path.exists() and bool(pid_path.read_text()))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not is_running(int(pid_path.read_text()))


async def test_memory_is_bounded(tmp_path: Path) -> None:
    """A conversion that grows without end fails, and the machine does not."""
    code = (
        "import maskline.recordings.convert_process as p;p.convert = lambda job: bytearray(2 ** 30);p.main()"
    )
    assert (
        await ProcessConverter((sys.executable, "-c", code)).convert(a_job(tmp_path))
        is ConversionFailure.MEMORY
    )


async def test_settings_and_credentials_stay_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process that decodes strangers' packets is not told our secrets."""
    monkeypatch.setenv("MASKLINE_DATABASE_URL", "postgresql://x:secret@h/d")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    out = tmp_path / "environment"
    await python(f"import os; open({str(out)!r}, 'w').write(repr(dict(os.environ)))").convert(a_job(tmp_path))
    assert "secret" not in out.read_text()
    assert "OPENBLAS_NUM_THREADS" in out.read_text()


def started(job: ConversionJob) -> subprocess.Popen[bytes]:
    """A conversion at its work, with the least priority."""
    process = subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(f"{job.to_json()}\n".encode())
    process.stdin.flush()
    wait_until(lambda: os.getpriority(os.PRIO_PROCESS, process.pid) == 19)
    return process


def test_process_is_nice_and_ends_with_its_parent(tmp_path: Path) -> None:
    """It gives way to calls; when its parent is killed at any moment, it goes as well."""
    job = a_job(tmp_path)
    os.mkfifo(job.capture)  # reading it waits until somebody writes: the conversion hangs in its middle
    with started(job) as process:
        assert process.stdin is not None
        process.stdin.close()  # as the kernel does for a parent that was killed
        assert process.wait(WAIT_S) == 1


def test_killed_conversion_leaves_a_file_nobody_takes_for_whole(tmp_path: Path) -> None:
    """Killed in its middle, it has answered nothing."""
    job = a_job(tmp_path)
    os.mkfifo(job.capture)
    with started(job) as process:
        process.send_signal(signal.SIGKILL)
        assert process.wait(WAIT_S) == -signal.SIGKILL
        assert process.stdout is not None
        assert process.stdout.read() == b""


def test_a_long_call_needs_little_memory(tmp_path: Path) -> None:
    """Memory does not grow with the call: half an hour takes what a minute takes."""
    peaks = []
    for duration_s in (60, 1_800):
        job = replace(a_job(tmp_path), ended_at=a_job(tmp_path).started_at + duration_s * SECOND)
        minute = speak(Side.A, PCMU, 440, 60.0)
        with job.capture.open("wb") as file:
            file.write(render_capture([]))
            for start_s in range(0, duration_s, 60):
                for index, it in enumerate(minute):
                    packet = replace(
                        it.packet,
                        sequence=(start_s * 50 + index) & 0xFFFF,
                        timestamp=(start_s * 50 + index) * 160,
                    )
                    moved = replace(it, packet=packet)
                    file.write(render_record(it.arrived_at + start_s * SECOND, render_frame(moved)))
        job.target.unlink(missing_ok=True)
        code = (
            "import sys; from maskline.recordings.convert import *;"
            "convert(ConversionJob.from_json(sys.stdin.readline()));"
            "print(next(it for it in open('/proc/self/status') if it.startswith('VmHWM')).split()[1])"
        )
        done = subprocess.run(
            (sys.executable, "-c", code), input=job.to_json(), capture_output=True, text=True, check=True
        )
        peaks.append(int(done.stdout) / 1024)
    assert peaks[1] - peaks[0] < 10
    assert peaks[1] < 96  # libraries take 45 of it


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True

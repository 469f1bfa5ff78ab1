import asyncio
import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.recordings.test_convert import a_job, both, speak

from maskline.core.call_record import Side
from maskline.recordings import converter as converter_module
from maskline.recordings.conversion import ConvertedAudio
from maskline.recordings.converter import ConversionFailure, ProcessConverter
from maskline.testing.captures import PCMU, write_capture

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
    await asyncio.to_thread(wait_until, lambda: not is_running(int(pid_path.read_text())))


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


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True

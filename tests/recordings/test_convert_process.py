import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from tests.recordings.test_convert import SECOND, a_job, speak
from tests.recordings.test_converter import WAIT_S, wait_until

from maskline.core.call_record import Side
from maskline.recordings.conversion import ConversionJob
from maskline.recordings.converter import COMMAND
from maskline.testing.captures import PCMU, render_capture, render_frame, render_record


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

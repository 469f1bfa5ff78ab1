import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.recordings.audio import level, part, read_audio
from tests.recordings.test_convert import AT, PRESENT, both
from tests.world import SECOND, World, peek, poke

from maskline.core.masking import RecordFormat
from maskline.core.recording import NewRecording
from maskline.store import recordings as rows
from maskline.store.engine import Store
from maskline.testing.captures import PCMU, note, write_capture
from maskline.workflows import recordings as work

CALL_COUNT = 6
KILL_COUNT = 8
WAIT_S = 60.0


def capture_calls(world: World, directory: Path) -> None:
    """Calls of five seconds that are over, with their captures."""
    for index in range(CALL_COUNT):
        session = world.create(2 * index + 1, 2 * index + 2)
        world.claim(session, f"call-{index}")
        new = NewRecording(
            id=f"{index:032x}",
            account_id=world.account.id,
            session_id=session.id,
            call_id=f"call-{index}",
            format=list(RecordFormat)[index % 2],
            legs=note(0, PCMU).legs,
            started_at=AT,
        )
        assert world.store.run(work.start_recording, new, AT)
        assert world.store.run(rows.mark_captured, new.id, AT + 5 * SECOND)
        write_capture(directory / "spool" / "done" / f"{new.id}.pcap", both())


def start(store: Store, key_path: Path, directory: Path) -> "subprocess.Popen[bytes]":
    command = (sys.executable, "-m", "tests.recordings.worker_process")
    url = store.url.render_as_string(hide_password=False)
    return subprocess.Popen((*command, url, str(key_path), str(directory)), stdout=subprocess.DEVNULL)


def count(store: Store, state: str) -> int:
    found: int = peek(store, "SELECT count(*) FROM recording WHERE state = ?", state)[0][0]
    return found


@pytest.mark.timeout(180)
def test_killed_again_and_again_it_loses_nothing(world: World, key_path: Path, tmp_path: Path) -> None:
    """Killed at any moment, conversions included, every call has one whole recording, told once."""
    (tmp_path / "spool" / "done").mkdir(parents=True)
    capture_calls(world, tmp_path)
    chance = random.Random(11)
    for _ in range(KILL_COUNT):
        with start(world.store, key_path, tmp_path) as process:
            deadline = time.monotonic() + chance.uniform(0.3, 2.0)
            while time.monotonic() < deadline and count(world.store, "completed") < CALL_COUNT:
                time.sleep(0.01)
            process.kill()
        # Its lease would lapse within a minute; the test does not wait for it.
        poke(world.store, "UPDATE recording SET lease_until = NULL WHERE state = 'captured'")
    with start(world.store, key_path, tmp_path) as process:
        deadline = time.monotonic() + WAIT_S
        done = tmp_path / "spool" / "done"
        while count(world.store, "completed") < CALL_COUNT or any(done.iterdir()):
            assert time.monotonic() < deadline, "not all were converted"
            time.sleep(0.02)
        process.kill()
    told = [row[0] for row in peek(world.store, "SELECT kind FROM outbox")]
    assert told.count("recording.completed") == CALL_COUNT
    assert "recording.failed" not in told
    for key, size in peek(world.store, "SELECT storage_key, size_bytes FROM recording"):
        path = tmp_path / "recordings" / key
        assert path.stat().st_size == size
        audio = read_audio(path)
        assert audio.shape == (2, 40_000)
        assert level(part(audio[0], 0.5, 4.5), 440) > PRESENT * 0.9
    kept = [path for path in (tmp_path / "recordings").rglob("*") if path.is_file()]
    assert len([path for path in kept if "incoming" not in path.parts]) == CALL_COUNT

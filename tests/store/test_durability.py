"""What was acknowledged is there after kill -9 (I6)."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import pytest
from tests.workflows.history import broken_sequences, double_bookings, double_calls
from tests.world import World, peek

from maskline.store.setup import open_store

KILL_COUNT: Final = 6
WRITER: Final = Path(__file__).parent.parent / "durable_writer.py"
TIMEOUT_S: Final = 60


def _acknowledged_until_killed(
    url: str, key_path: Path, acknowledged: int, seed: int
) -> list[dict[str, str]]:
    """Run a writer, kill it after so many acknowledgements and a moment more; return all it acknowledged."""
    with subprocess.Popen(
        [sys.executable, str(WRITER), url, str(key_path), str(seed)],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(WRITER.parent.parent)},
        text=True,
    ) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(acknowledged)]
        time.sleep(random.Random(seed).random() / 50)  # somewhere in the middle of a commit
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.readlines()
    assert all(line for line in lines[:acknowledged]), "the writer died by itself"
    # A line cut by the kill was not acknowledged.
    return [json.loads(line) for line in lines if line.endswith("\n")]


def test_acknowledged_is_there_after_kill(database_url: str, key_path: Path) -> None:
    """A process killed again and again loses nothing it had answered, and leaves nothing half done."""
    store = open_store(database_url, key_path)
    World(store, number_count=40)
    for turn in range(KILL_COUNT):
        lines = _acknowledged_until_killed(database_url, key_path, 20 + turn * 7, turn)
        sessions = {id_ for (id_,) in peek(store, "SELECT id FROM masking_session")}
        records = {id_ for (id_,) in peek(store, "SELECT call_id FROM call_record")}
        lost = [it for it in lines if it["session"] not in sessions or it["call"] not in records | {""}]
        assert lost == []
        assert double_bookings(store) == []
        assert double_calls(store) == []
        assert broken_sequences(store) == []
        assert peek(
            store,
            "SELECT count(*) FROM masking_session s WHERE (SELECT count(*) FROM binding b "
            "WHERE b.session_id = s.id) <> 2",
        ) == [(0,)]
        assert peek(
            store,
            "SELECT count(*) FROM call_record r WHERE NOT EXISTS "
            "(SELECT 1 FROM interaction i WHERE i.call_id = r.call_id)",
        ) == [(0,)]
    store.close()


@pytest.mark.parametrize("count", [200])
def test_sqlite_file_is_sound_after_kill(sqlite_url: str, key_path: Path, count: int) -> None:
    """SQLite's own check of the file finds nothing wrong."""
    store = open_store(sqlite_url, key_path)
    World(store, number_count=40)
    _acknowledged_until_killed(sqlite_url, key_path, count, 1)
    assert peek(store, "PRAGMA integrity_check") == [("ok",)]
    assert peek(store, "PRAGMA foreign_key_check") == []
    store.close()

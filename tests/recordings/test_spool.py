import os
from pathlib import Path

import pytest

from maskline.recordings import spool as spool_module
from maskline.recordings.spool import Spool

ID = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    made = Spool(tmp_path / "spool", free_bytes_min=1)
    made.prepare()
    return made


def test_captures_are_found_where_they_are(spool: Spool, tmp_path: Path) -> None:
    """While a call runs, when it is over, and not at all."""
    assert spool.find_live(ID) is None
    assert spool.find_done(ID) is None
    live = tmp_path / "spool" / "live" / f"{ID}.pcap"
    live.touch()
    assert spool.find_live(ID) == live
    done = tmp_path / "spool" / "done" / f"{ID}.pcap"
    live.rename(done)
    assert (spool.find_live(ID), spool.find_done(ID)) == (None, done)
    spool.remove(ID)
    spool.remove(ID)
    assert not done.exists()


def test_preparing_removes_work_of_the_dead(spool: Spool, tmp_path: Path) -> None:
    """Half-made audio goes, captures stay."""
    spool.make_target("x.mp3").write_bytes(b"half")
    done = tmp_path / "spool" / "done" / f"{ID}.pcap"
    done.touch()
    spool.prepare()
    assert list((tmp_path / "spool" / "work").iterdir()) == []
    assert done.exists()


def test_targets_are_free(spool: Spool) -> None:
    """What an earlier try left under the name is gone."""
    spool.make_target("x.mp3").write_bytes(b"half")
    assert not spool.make_target("x.mp3").exists()


def test_room_is_what_the_disk_says(tmp_path: Path) -> None:
    """Below the setting no capture begins; a disk that cannot be asked has no room."""
    stat = os.statvfs(tmp_path)
    free = stat.f_bavail * stat.f_frsize
    for wanted, has_room in ((0, True), (free // 2, True), (free * 2, False)):
        spool = Spool(tmp_path / "spool", free_bytes_min=wanted)
        spool.prepare()
        assert spool.has_room() == has_room
    assert not Spool(tmp_path / "none", free_bytes_min=0).has_room()


def test_finished_files_are_listed(spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With their recordings, if their names are ours, and not without bound."""
    done = tmp_path / "spool" / "done"
    for name in (f"{ID}.pcap", "strange.pcap", f"{ID}.tmp", ID):
        (done / name).touch()
        os.utime(done / name, (1000, 1000))
    found = spool.list_done()
    assert {(it.path.name, it.recording_id) for it in found} == {
        (f"{ID}.pcap", ID), ("strange.pcap", None), (f"{ID}.tmp", None), (ID, None),
    }  # fmt: skip
    assert {it.written_s for it in found} == {1000}
    monkeypatch.setattr(spool_module, "DONE_COUNT_MAX", 2)
    assert len(spool.list_done()) == 2

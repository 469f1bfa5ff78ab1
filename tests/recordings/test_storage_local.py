import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.recordings.test_storage import DATA, KEY, put, read

from maskline.recordings import storage_local
from maskline.recordings.storage import StorageError
from maskline.recordings.storage_local import LocalStorage


async def test_only_the_service_reads_the_files(tmp_path: Path) -> None:
    """Files are 0600 and directories 0700, whatever the umask."""
    async with LocalStorage(tmp_path / "kept") as storage:
        await put(storage, tmp_path)
    found = [tmp_path / "kept", *(tmp_path / "kept").rglob("*")]
    assert tmp_path / "kept" / KEY in found
    for path in found:
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path


async def test_file_from_another_disk_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where renaming cannot do it, the file arrives all the same."""
    rename = Path.rename

    def refuse(self: Path, target: Path) -> Path:
        if "incoming" in str(target):
            raise OSError(errno.EXDEV, "cross-device link")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    async with LocalStorage(tmp_path / "kept") as storage:
        await put(storage, tmp_path)
        assert await read(storage) == DATA
    assert (tmp_path / "kept" / KEY).stat().st_mode & 0o777 == 0o600


async def test_what_a_crash_left_half_copied_is_removed(tmp_path: Path) -> None:
    """At the next start; finished files stay."""
    async with LocalStorage(tmp_path / "kept") as storage:
        await put(storage, tmp_path)
    (tmp_path / "kept" / "incoming" / "half").write_bytes(b"x")
    async with LocalStorage(tmp_path / "kept") as storage:
        assert list((tmp_path / "kept" / "incoming").iterdir()) == []
        assert await read(storage) == DATA


async def test_failure_leaves_nothing_and_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of a file or nothing: when the disk fails, what was there is still there."""
    async with LocalStorage(tmp_path / "kept") as storage:
        await put(storage, tmp_path)

        def fail(_path: Path) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(storage_local, "_sync", fail)
        with pytest.raises(StorageError, match="No space left"):
            await put(storage, tmp_path, b"new")
        monkeypatch.undo()
        assert await read(storage) == DATA
        assert list((tmp_path / "kept" / "incoming").iterdir()) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 256 KB."""
    directory = tmp_path / "small"
    directory.mkdir()
    done = subprocess.run(
        ("mount", "-t", "tmpfs", "-o", "size=256k,mode=700", "tmpfs", str(directory)),
        check=False,
        capture_output=True,
    )
    if done.returncode != 0:
        pytest.skip("mounting needs root")
    yield directory
    subprocess.run(("umount", str(directory)), check=True)


async def test_full_disk(tmp_path: Path, small_disk: Path) -> None:
    """What does not fit is refused, leaves nothing, and fits when there is room."""
    async with LocalStorage(small_disk) as storage:
        with pytest.raises(StorageError, match="No space left"):
            await put(storage, tmp_path, bytes(300_000))
        await put(storage, tmp_path, bytes(100_000))
        with pytest.raises(StorageError, match="No space left"):
            await put(storage, tmp_path, bytes(200_000), "ab/ce/other.mp3")
        assert await read(storage, 0, 100_000) == bytes(100_000)
        await storage.delete(KEY)
        await put(storage, tmp_path, bytes(200_000), "ab/ce/other.mp3")


async def test_unusable_directory_is_said_at_start(tmp_path: Path) -> None:
    """A file where the directory should be."""
    (tmp_path / "kept").touch()
    with pytest.raises(StorageError):
        async with LocalStorage(tmp_path / "kept"):
            pass


async def test_unreadable_file_is_a_failure_of_the_storage(tmp_path: Path) -> None:
    """A directory in the place of a file can be neither read nor removed."""
    async with LocalStorage(tmp_path / "kept") as storage:
        (tmp_path / "kept" / KEY).mkdir(parents=True)
        with pytest.raises(StorageError):
            await read(storage)
        with pytest.raises(StorageError):
            await storage.delete(KEY)


async def test_listener_who_leaves_lets_go_of_the_file(tmp_path: Path) -> None:
    """A file read in part is closed with its iterator."""
    async with LocalStorage(tmp_path / "kept") as storage:
        await put(storage, tmp_path)
        before = len(os.listdir("/proc/self/fd"))
        chunks = storage.read(KEY, 0, len(DATA))
        await anext(chunks)
        assert len(os.listdir("/proc/self/fd")) == before + 1
        await chunks.aclose()
        assert len(os.listdir("/proc/self/fd")) == before

"""The relay's captures on this machine's disk: `live` while a call runs, `done` afterwards."""

import os
from pathlib import Path
from typing import Final, NamedTuple

from maskline.core.recording import parse_recording_id

SUFFIX: Final = ".pcap"
DONE_COUNT_MAX: Final = 10_000
"""Files looked at in one round of tidying; the rest in the next one."""


class SpooledFile(NamedTuple):
    """A file in `done`. `recording_id` is None when its name is none of ours; `written_s` in Unix time."""

    path: Path
    recording_id: str | None
    written_s: float


class Spool:
    """The directory of captures, and of work in progress beside them on the same disk."""

    def __init__(self, directory: Path, *, free_bytes_min: int) -> None:
        self._root = directory
        self._live = directory / "live"
        self._done = directory / "done"
        self._work = directory / "work"
        self._free_bytes_min = free_bytes_min

    def prepare(self) -> None:
        """Make the directories, and remove the work of conversions that were killed. Raises OSError."""
        for directory in (self._live, self._done, self._work):
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        for left in self._work.iterdir():
            left.unlink(missing_ok=True)

    def has_room(self) -> bool:
        """Say whether another capture may begin; a disk that cannot be asked has no room."""
        try:
            found = os.statvfs(self._root)
        except OSError:
            return False
        return found.f_bavail * found.f_frsize >= self._free_bytes_min

    def find_done(self, recording_id: str) -> Path | None:
        """Find a capture that is finished."""
        path = self._done / f"{recording_id}{SUFFIX}"
        return path if path.is_file() else None

    def find_live(self, recording_id: str) -> Path | None:
        """Find a capture that the relay still writes, or left behind."""
        path = self._live / f"{recording_id}{SUFFIX}"
        return path if path.is_file() else None

    def make_target(self, name: str) -> Path:
        """Name a file to convert into; what an earlier try left there is removed. Raises OSError."""
        path = self._work / name
        path.unlink(missing_ok=True)
        return path

    def remove(self, recording_id: str) -> None:
        """Remove a capture wherever it is. Raises OSError."""
        for directory in (self._done, self._live):
            (directory / f"{recording_id}{SUFFIX}").unlink(missing_ok=True)

    def list_done(self) -> list[SpooledFile]:
        """List what lies in `done`, some ten thousand files at most. Raises OSError."""
        found: list[SpooledFile] = []
        with os.scandir(self._done) as entries:
            for entry in entries:
                stem, dot, suffix = entry.name.rpartition(".")
                is_ours = f"{dot}{suffix}" == SUFFIX
                try:
                    written_s = entry.stat(follow_symlinks=False).st_mtime
                except FileNotFoundError:
                    continue  # taken away meanwhile
                found.append(
                    SpooledFile(Path(entry.path), parse_recording_id(stem) if is_ours else None, written_s)
                )
                if len(found) >= DONE_COUNT_MAX:
                    break
        return found

"""Recordings in a directory of this machine."""

import asyncio
import contextlib
import errno
import os
import secrets
import shutil
from collections.abc import AsyncGenerator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self

from maskline.recordings.storage import CHUNK_BYTES, StorageError, StorageMissingError

_INCOMING: Final = "incoming"
"""Directory of files that are still being copied; what is there at start was left by a crash."""


class LocalStorage:
    """Files of mode 0600 under `directory`, in directories of mode 0700 by the first digits of their names."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    async def __aenter__(self) -> Self:
        """Make the directory, and remove what a crash left half copied."""
        await asyncio.to_thread(self._prepare)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Do nothing: no file stays open."""

    async def put(self, key: str, source: Path) -> None:
        """Move or copy the file here, sync it, and give it its name in one step."""
        await asyncio.to_thread(self._put, key, source)

    async def read(self, key: str, first: int, byte_count: int) -> AsyncGenerator[bytes]:
        """Iterate over some bytes of a file; those that were deleted meanwhile are read to the end."""
        file = await asyncio.to_thread(self._open, key, first)
        try:
            left = byte_count
            while left > 0 and (chunk := await asyncio.to_thread(file.read, min(CHUNK_BYTES, left))):
                left -= len(chunk)
                yield chunk
        finally:
            file.close()

    async def delete(self, key: str) -> None:
        """Remove the file."""
        await asyncio.to_thread(self._delete, key)

    # --- in a thread --------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        try:
            incoming = self._make_incoming()
            for left in incoming.iterdir():
                left.unlink(missing_ok=True)
        except OSError as error:
            raise _failed(error) from error

    def _put(self, key: str, source: Path) -> None:
        target = self._directory / key
        incoming = self._directory / _INCOMING / secrets.token_hex(16)
        try:
            self._make_incoming()
            try:
                source.rename(incoming)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                _copy(source, incoming)
            incoming.chmod(0o600)  # a renamed file keeps the mode it was made with
            _sync(incoming)
            _make_directories(self._directory, target.parent)
            incoming.rename(target)
            _sync(target.parent)
        except OSError as error:
            with contextlib.suppress(OSError):
                incoming.unlink(missing_ok=True)
            raise _failed(error) from error

    def _make_incoming(self) -> Path:
        # One by one: a mode given with `parents` holds for the last directory alone.
        incoming = self._directory / _INCOMING
        self._directory.parent.mkdir(parents=True, exist_ok=True)
        self._directory.mkdir(exist_ok=True, mode=0o700)
        incoming.mkdir(exist_ok=True, mode=0o700)
        return incoming

    def _open(self, key: str, first: int) -> BinaryIO:
        try:
            file = (self._directory / key).open("rb")
            file.seek(first)
        except FileNotFoundError as error:
            raise StorageMissingError from error
        except OSError as error:
            raise _failed(error) from error
        return file

    def _delete(self, key: str) -> None:
        path = self._directory / key
        try:
            path.unlink(missing_ok=True)
            if path.parent.is_dir():
                _sync(path.parent)
        except OSError as error:
            raise _failed(error) from error


def _failed(error: OSError) -> StorageError:
    """An error without the file's name, which is as good as a key to it."""
    return StorageError(f"the storage of recordings failed: {error.strerror or type(error).__name__}")


def _copy(source: Path, target: Path) -> None:
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as written, source.open("rb") as file:
        shutil.copyfileobj(file, written, CHUNK_BYTES)


def _make_directories(root: Path, directory: Path) -> None:
    """Make what is missing below `root`, each directory known to its parent on the disk."""
    missing = [directory, *directory.parents]
    for path in reversed(missing[: missing.index(root)]):
        if not path.is_dir():
            path.mkdir(exist_ok=True, mode=0o700)
            _sync(path.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

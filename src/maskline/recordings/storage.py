"""Where finished recordings are kept: what the service needs of such a place, and which one the settings name."""

import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self

from maskline.errors import AppError, ConfigError

CHUNK_BYTES: Final = 65_536
"""Read at once: what a connection takes in one go, and little enough for thousands of listeners."""
_S3_URL: Final = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/([A-Za-z0-9!_.*'()/-]*))?", re.ASCII)


class StorageError(AppError):
    """The storage of recordings cannot be reached or refuses to work."""

    code = "recordings.storage_failed"
    is_retryable = True


class StorageMissingError(StorageError):
    """The storage has no such file."""

    code = "recordings.audio_missing"
    is_retryable = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalPlace:
    """A directory of this machine."""

    directory: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Place:
    """A bucket of an S3-compatible service; `prefix` is "" or ends with a slash, `endpoint_url` "" means Amazon's."""

    bucket: str
    prefix: str
    endpoint_url: str
    region: str


class RecordingStorage(Protocol):
    """Keeps files by key. Keys are of our making: path-like, without anything a file system might mistake."""

    async def __aenter__(self) -> Self:
        """Get ready. Raises StorageError, ConfigError."""
        ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of connections."""
        ...

    async def put(self, key: str, source: Path) -> None:
        """Store a file of this machine under a key, all of it or nothing, in place of what was there.

        It is durable when this returns. `source` may be gone then. Raises StorageError.
        """
        ...

    def read(self, key: str, first: int, byte_count: int) -> AsyncGenerator[bytes]:
        """Iterate over bytes `first` and following in chunks. Raises StorageMissingError, StorageError."""
        ...

    async def delete(self, key: str) -> None:
        """Remove a file; one that is not there is removed already. Raises StorageError."""
        ...


def parse_place(text: str, *, directory: Path, endpoint_url: str, region: str) -> LocalPlace | S3Place:
    """Read the setting: `local`, or `s3://bucket` with an optional prefix. Raises ConfigError."""
    if text == "local":
        return LocalPlace(directory=directory)
    found = _S3_URL.fullmatch(text)
    if found is None:
        raise ConfigError("recording_storage: expected local or s3://BUCKET/PREFIX")
    prefix = (found.group(2) or "").strip("/")
    return S3Place(
        bucket=found.group(1),
        prefix=f"{prefix}/" if prefix else "",
        endpoint_url=endpoint_url,
        region=region,
    )


def open_storage(place: LocalPlace | S3Place) -> RecordingStorage:
    """Make the storage at a place; enter it before use. Raises ConfigError when its library is not installed."""
    match place:
        case LocalPlace():
            from maskline.recordings.storage_local import LocalStorage  # noqa: PLC0415  # the other is optional

            return LocalStorage(place.directory)
        case S3Place():
            from maskline.recordings.storage_s3 import S3Storage  # noqa: PLC0415  # needs an optional library

            return S3Storage(place)

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.recordings.s3_server import BUCKET, REGION, S3Server
from tests.recordings.test_storage import DATA, KEY, put, read, use_credentials

from maskline.errors import ConfigError
from maskline.recordings import storage_s3
from maskline.recordings.storage import S3Place, StorageError, StorageMissingError, open_storage
from maskline.recordings.storage_s3 import PART_BYTES, S3Storage

OBJECT = f"calls/{KEY}"


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[S3Server]:
    use_credentials(monkeypatch)
    async with S3Server().running() as running:
        yield running


def place(server: S3Server, bucket: str = BUCKET) -> S3Place:
    return S3Place(bucket=bucket, prefix="calls/", endpoint_url=server.url, region=REGION)


async def test_objects_lie_under_the_prefix_with_their_kind(server: S3Server, tmp_path: Path) -> None:
    """What the bucket holds is the file, under prefix and key."""
    async with S3Storage(place(server)) as storage:
        await put(storage, tmp_path)
        await put(storage, tmp_path, b"RIFF", "ab/cd/x.wav")
    assert server.objects == {OBJECT: DATA, "calls/ab/cd/x.wav": b"RIFF"}
    assert list(server.kinds.values()) == ["audio/mpeg", "audio/wav"]


@pytest.mark.parametrize("size", [PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 2 * PART_BYTES + 17])
async def test_large_files_go_in_parts(server: S3Server, tmp_path: Path, size: int) -> None:
    """Sizes around the parts' arrive whole, and no upload is left open."""
    data = (b"0123456789abcdef" * (size // 16 + 1))[:size]
    async with S3Storage(place(server)) as storage:
        await put(storage, tmp_path, data)
        assert await read(storage, size - 100, 100) == data[-100:]
    assert server.objects[OBJECT] == data
    assert server.uploads == {}


async def test_failed_upload_is_taken_back(server: S3Server, tmp_path: Path) -> None:
    """Parts that nobody completes are paid for: they are aborted, and nothing appears."""
    async with S3Storage(place(server)) as storage:
        original = storage._client.upload_part

        async def fail(**given: object) -> object:
            server.failures = [403]
            return await original(**given)

        storage._client.upload_part = fail
        with pytest.raises(StorageError):
            await put(storage, tmp_path, bytes(PART_BYTES + 1))
    assert (server.objects, server.uploads) == ({}, {})


async def test_passing_failures_are_tried_again(server: S3Server, tmp_path: Path) -> None:
    """A service that is busy once is asked once more."""
    server.failures = [503]
    async with S3Storage(place(server)) as storage:
        await put(storage, tmp_path)
    assert server.objects == {OBJECT: DATA}


async def test_lasting_failures_are_told_without_names(server: S3Server, tmp_path: Path) -> None:
    """After a few tries; the message has neither bucket nor key."""
    server.failures = [500] * 20
    async with S3Storage(place(server)) as storage:
        with pytest.raises(StorageError, match="InternalError") as caught:
            await put(storage, tmp_path)
    assert len(server.requests) <= 3
    assert KEY not in str(caught.value)
    assert BUCKET not in str(caught.value)


async def test_wrong_credentials_are_refused(
    server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server of these tests does look at signatures."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    async with S3Storage(place(server)) as storage:
        with pytest.raises(StorageError, match="SignatureDoesNotMatch"):
            await put(storage, tmp_path)
    assert server.objects == {}


async def test_missing_bucket_is_no_missing_recording(server: S3Server) -> None:
    """A wrong setting is not taken for a deleted file."""
    async with S3Storage(place(server, "elsewhere")) as storage:
        with pytest.raises(StorageError) as caught:
            await read(storage)
        assert not isinstance(caught.value, StorageMissingError)


async def test_service_that_is_away(server: S3Server, tmp_path: Path) -> None:
    """Nobody listens: the storage failed, and may work later."""
    dead = S3Place(bucket=BUCKET, prefix="", endpoint_url="http://127.0.0.1:1", region=REGION)
    async with S3Storage(dead) as storage:
        with pytest.raises(StorageError, match="cannot be reached") as caught:
            await put(storage, tmp_path)
        assert caught.value.is_retryable
        with pytest.raises(StorageError):
            await storage.put(KEY, tmp_path / "no such file")


async def test_settings_that_cannot_be_used_are_said_at_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """An endpoint that is no URL."""
    use_credentials(monkeypatch)
    with pytest.raises(ConfigError):
        async with S3Storage(S3Place(bucket=BUCKET, prefix="", endpoint_url="nonsense", region=REGION)):
            pass


def test_missing_library_is_said_with_its_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    """S3 is an optional part of the installation."""
    monkeypatch.setitem(sys.modules, "aiobotocore.session", None)
    monkeypatch.delitem(sys.modules, storage_s3.__name__)
    with pytest.raises(ConfigError, match="maskline\\[s3\\]"):
        open_storage(S3Place(bucket=BUCKET, prefix="", endpoint_url="", region=""))

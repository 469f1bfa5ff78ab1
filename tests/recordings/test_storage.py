"""What every storage of recordings does alike, whatever it is made of."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.recordings.s3_server import ACCESS_KEY, BUCKET, REGION, SECRET_KEY, S3Server

from maskline.errors import ConfigError
from maskline.recordings.storage import (
    CHUNK_BYTES,
    LocalPlace,
    RecordingStorage,
    S3Place,
    StorageMissingError,
    open_storage,
    parse_place,
)

KEY = "ab/cd/abcdef0123456789abcdef0123456789.mp3"
DATA = bytes(range(256)) * 1_000  # four chunks


def use_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the server, from where the AWS tools look first, and from nowhere else."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(params=["local", "s3"])
async def storage(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[RecordingStorage]:
    """A storage of each kind in turn."""
    if request.param == "local":
        async with open_storage(LocalPlace(directory=tmp_path / "kept")) as opened:
            yield opened
        return
    use_credentials(monkeypatch)
    async with S3Server().running() as server:
        place = S3Place(bucket=BUCKET, prefix="calls/", endpoint_url=server.url, region=REGION)
        async with open_storage(place) as opened:
            yield opened


async def put(storage: RecordingStorage, tmp_path: Path, data: bytes = DATA, key: str = KEY) -> None:
    source = tmp_path / "source"
    source.write_bytes(data)
    await storage.put(key, source)


async def read(storage: RecordingStorage, first: int = 0, count: int = len(DATA)) -> bytes:
    return b"".join([chunk async for chunk in storage.read(KEY, first, count)])


async def test_what_is_put_is_read(storage: RecordingStorage, tmp_path: Path) -> None:
    """Whole, and in chunks of bounded size."""
    await put(storage, tmp_path)
    chunks = [chunk async for chunk in storage.read(KEY, 0, len(DATA))]
    assert b"".join(chunks) == DATA
    assert max(map(len, chunks)) <= CHUNK_BYTES


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=st.integers(0, len(DATA)), count=st.integers(0, len(DATA)))
def test_parts_are_slices(tmp_path_factory: pytest.TempPathFactory, first: int, count: int) -> None:
    """Any part of a local file is what slicing gives."""

    async def check() -> None:
        directory = tmp_path_factory.mktemp("kept")
        async with open_storage(LocalPlace(directory=directory / "kept")) as storage:
            await put(storage, directory)
            assert await read(storage, first, count) == DATA[first : first + count]

    asyncio.run(check())


@pytest.mark.parametrize(("first", "count"), [(0, 1), (5, 10), (70_000, 100_000), (255_999, 1), (7, 0)])
async def test_parts_are_read(storage: RecordingStorage, tmp_path: Path, first: int, count: int) -> None:
    """As many bytes as asked for, from where they were asked for."""
    await put(storage, tmp_path)
    assert await read(storage, first, count) == DATA[first : first + count]


async def test_putting_again_replaces(storage: RecordingStorage, tmp_path: Path) -> None:
    """A conversion that is done again leaves one file, the later one."""
    await put(storage, tmp_path, b"first")
    await put(storage, tmp_path, b"second")
    assert await read(storage, 0, 6) == b"second"


async def test_nothing_is_stored_of_nothing(storage: RecordingStorage, tmp_path: Path) -> None:
    """An empty file is a file."""
    await put(storage, tmp_path, b"")
    assert await read(storage, 0, 0) == b""


async def test_what_is_deleted_is_missing(storage: RecordingStorage, tmp_path: Path) -> None:
    """Deleting twice is deleting; reading says that nothing is there."""
    await put(storage, tmp_path)
    await storage.delete(KEY)
    await storage.delete(KEY)
    with pytest.raises(StorageMissingError):
        await read(storage)


async def test_errors_do_not_tell_the_key(storage: RecordingStorage) -> None:
    """A log line is no way to a recording."""
    with pytest.raises(StorageMissingError) as caught:
        await read(storage)
    assert "abcdef" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "bucket", "prefix"),
    [
        ("s3://calls", "calls", ""),
        ("s3://calls/", "calls", ""),
        ("s3://calls/a/b", "calls", "a/b/"),
        ("s3://my.calls-1/a/", "my.calls-1", "a/"),
    ],
)
def test_places_in_s3_are_read(tmp_path: Path, text: str, bucket: str, prefix: str) -> None:
    """Bucket and prefix, with a slash between."""
    place = parse_place(text, directory=tmp_path, endpoint_url="http://h", region="r")
    assert place == S3Place(bucket=bucket, prefix=prefix, endpoint_url="http://h", region="r")


def test_local_place_is_the_directory(tmp_path: Path) -> None:
    """The default."""
    assert parse_place("local", directory=tmp_path, endpoint_url="", region="") == LocalPlace(
        directory=tmp_path
    )


@pytest.mark.parametrize("text", ["", "s3://", "s3://A_B", "s3:/x", "gs://calls", "/var/x", "s3://calls/a b"])
def test_other_places_are_refused(tmp_path: Path, text: str) -> None:
    """The operator hears what is expected."""
    with pytest.raises(ConfigError, match="recording_storage"):
        parse_place(text, directory=tmp_path, endpoint_url="", region="")

"""Recordings in a bucket of Amazon S3 or of a service that speaks its protocol.

Credentials come from where the AWS tools look for them: environment, shared files, instance roles.

Source: Amazon S3 API Reference, 2006-03-01: PutObject, CreateMultipartUpload, UploadPart, GetObject, DeleteObject.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, Self, TypeVar

from maskline.errors import ConfigError
from maskline.recordings.storage import CHUNK_BYTES, S3Place, StorageError, StorageMissingError

PART_BYTES: Final = 5 * 1024 * 1024
"""The least S3 takes as a part of an upload: with 10,000 parts 50 GB, and never more than this in memory."""
CONNECT_TIMEOUT_S: Final = 5
READ_TIMEOUT_S: Final = 30
ATTEMPT_COUNT_MAX: Final = 3  # of one request; the worker comes back later anyway
_MISSING: Final = frozenset({"NoSuchKey", "404", "NotFound"})

T = TypeVar("T")

try:
    from aiobotocore.config import AioConfig
    from aiobotocore.session import get_session
    from aiohttp import ClientError as HTTPClientError
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError as _error:
    raise ConfigError("recording_storage in S3 needs aiobotocore: pip install 'maskline[s3]'") from _error


class S3Storage:
    """Objects under a prefix of one bucket."""

    def __init__(self, place: S3Place) -> None:
        self._place = place
        self._stack = AsyncExitStack()
        self._client: Any = None

    async def __aenter__(self) -> Self:
        """Make the client; nothing is sent yet."""
        place = self._place
        config = AioConfig(
            connect_timeout=CONNECT_TIMEOUT_S,
            read_timeout=READ_TIMEOUT_S,
            retries={"total_max_attempts": ATTEMPT_COUNT_MAX, "mode": "standard"},
            # Services other than Amazon's know neither the newer checksums nor buckets as host names.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            s3={"addressing_style": "path" if place.endpoint_url else "auto"},
        )
        try:
            self._client = await self._stack.enter_async_context(
                get_session().create_client(
                    "s3",
                    region_name=place.region or None,
                    endpoint_url=place.endpoint_url or None,
                    config=config,
                )
            )
        except (BotoCoreError, ValueError) as error:
            raise ConfigError(f"recording_storage in S3 cannot be used: {error}") from error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        await self._stack.aclose()

    async def put(self, key: str, source: Path) -> None:
        """Upload the file; it appears when all of it is there."""
        try:
            file = await asyncio.to_thread(source.open, "rb")
        except OSError as error:
            raise StorageError(f"the storage of recordings failed: {error.strerror}") from error
        try:
            part = await asyncio.to_thread(file.read, PART_BYTES)
            if len(part) < PART_BYTES:
                await _ask(self._client.put_object(**self._object(key), Body=part, ContentType=_kind(key)))
            else:
                await self._put_in_parts(key, part, file)
        finally:
            file.close()

    async def read(self, key: str, first: int, byte_count: int) -> AsyncGenerator[bytes]:
        """Iterate over some bytes of an object."""
        if byte_count <= 0:
            return
        wanted = f"bytes={first}-{first + byte_count - 1}"
        answer = await _ask(self._client.get_object(**self._object(key), Range=wanted))
        async with answer["Body"] as body:
            while chunk := await _ask(body.read(CHUNK_BYTES)):
                yield chunk

    async def delete(self, key: str) -> None:
        """Delete the object."""
        with contextlib.suppress(StorageMissingError):
            await _ask(self._client.delete_object(**self._object(key)))

    def _object(self, key: str) -> dict[str, str]:
        return {"Bucket": self._place.bucket, "Key": f"{self._place.prefix}{key}"}

    async def _put_in_parts(self, key: str, part: bytes, file: BinaryIO) -> None:
        named = self._object(key)
        upload = await _ask(self._client.create_multipart_upload(**named, ContentType=_kind(key)))
        named_upload = {**named, "UploadId": upload["UploadId"]}
        try:
            parts: list[dict[str, Any]] = []
            while part:
                number = len(parts) + 1
                done = await _ask(self._client.upload_part(**named_upload, PartNumber=number, Body=part))
                parts.append({"PartNumber": number, "ETag": done["ETag"]})
                part = await asyncio.to_thread(file.read, PART_BYTES)
            await _ask(
                self._client.complete_multipart_upload(**named_upload, MultipartUpload={"Parts": parts})
            )
        except BaseException:
            # Parts of an upload that never ends are kept, and paid for, by the service.
            with contextlib.suppress(StorageError):
                await _ask(self._client.abort_multipart_upload(**named_upload))
            raise


def _kind(key: str) -> str:
    return "audio/mpeg" if key.endswith(".mp3") else "audio/wav"


async def _ask(request: Awaitable[T]) -> T:
    """Wait for an answer; failures are told without bucket and key. Raises StorageMissingError, StorageError."""
    try:
        return await request
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code in _MISSING:
            raise StorageMissingError from error
        raise StorageError(f"the storage of recordings answered {code or 'an error'}") from error
    except (BotoCoreError, HTTPClientError, OSError, TimeoutError) as error:
        raise StorageError(f"the storage of recordings cannot be reached: {type(error).__name__}") from error

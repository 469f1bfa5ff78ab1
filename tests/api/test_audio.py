import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from maskline.api.audio import send_audio
from maskline.core.masking import RecordFormat
from maskline.core.recording import Recording, RecordingState

AUDIO = bytes(range(200))
RECORDING = Recording(
    id="0" * 32,
    account_id=1,
    session_id="s",
    call_id="c",
    switch_id="",
    format=RecordFormat.WAV,
    state=RecordingState.COMPLETED,
    notes=(),
    started_at=0,
    ended_at=1,
    is_interrupted=False,
    storage_key="key",
    duration_ms=1,
    size_bytes=len(AUDIO),
    failure=None,
    completed_at=2,
    expires_at=None,
    deleted_at=None,
    attempt_count=0,
)


@dataclass
class Storage:
    """Reads ten bytes at a time, and knows what is still open."""

    opened: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        return

    async def put(self, key: str, source: Path) -> None:
        raise NotImplementedError

    async def delete(self, key: str) -> None:
        raise NotImplementedError

    async def read(self, key: str, first: int, byte_count: int) -> AsyncGenerator[bytes]:
        self.opened.append(key)
        try:
            for start in range(first, first + byte_count, 10):
                yield AUDIO[start : min(start + 10, first + byte_count)]
        finally:
            self.closed.append(key)


def _send(storage: Storage, method: str = "GET", **headers: str) -> tuple[Response, bytes]:
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]

    async def run() -> tuple[Response, bytes]:
        request = Request({"type": "http", "method": method, "headers": raw})
        answer = await send_audio(request, RECORDING, storage)
        if not isinstance(answer, StreamingResponse):
            return answer, bytes(answer.body)
        return answer, b"".join([bytes(it) async for it in answer.body_iterator])  # type: ignore[arg-type]

    return asyncio.run(run())


def test_the_whole_file_and_parts() -> None:
    """What is asked for comes, with its length, and the file is let go of."""
    storage = Storage()
    answer, body = _send(storage)
    assert (answer.status_code, body, answer.headers["content-length"]) == (200, AUDIO, "200")
    answer, body = _send(storage, Range="bytes=5-24")
    assert (answer.status_code, body) == (206, AUDIO[5:25])
    assert answer.headers["content-range"] == "bytes 5-24/200"
    assert storage.closed == storage.opened == ["key", "key"]


def test_nothing_is_read_for_a_head_or_a_range_beyond() -> None:
    """Headers alone, and 416 with the size."""
    storage = Storage()
    answer, body = _send(storage, "HEAD")
    assert (answer.status_code, body, answer.headers["content-type"]) == (200, b"", "audio/wav")
    answer, body = _send(storage, Range="bytes=200-")
    assert (answer.status_code, body, answer.headers["content-range"]) == (416, b"", "bytes */200")
    assert storage.opened == []

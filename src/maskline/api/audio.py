"""Sends a recording's audio, whole or in part; shared by the dialects.

It is read from the storage while it is sent, and never kept on the way.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from maskline.api.ranges import Part, Unsatisfiable, Whole, choose_range
from maskline.core.masking import RecordFormat
from maskline.core.recording import Recording, render_recording_uuid
from maskline.recordings.storage import RecordingStorage

MEDIA_TYPES: Final = {RecordFormat.MP3: "audio/mpeg", RecordFormat.WAV: "audio/wav"}


async def send_audio(request: Request, recording: Recording, storage: RecordingStorage) -> Response:
    """The file, or the part of it that was asked for; it begins to be read before anything is answered.

    The recording is a completed one. Raises what the storage raises.
    """
    assert recording.size_bytes is not None, "known of all that are completed"
    size = recording.size_bytes
    etag = f'"{recording.id}-{size}"'
    headers = {
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-store",
        "Content-Disposition": f'inline; filename="{render_recording_uuid(recording.id)}.{recording.format.value}"',
        "ETag": etag,
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
    wanted = choose_range(request.headers.get("range"), request.headers.get("if-range"), etag=etag, size=size)
    match wanted:
        case Unsatisfiable():
            unsent = {**headers, "Content-Range": f"bytes */{size}"}
            return Response(status_code=416, headers=unsent)
        case Whole():
            status, first, count = 200, 0, size
        case Part(first=first, byte_count=count):
            status = 206
            headers["Content-Range"] = f"bytes {first}-{first + count - 1}/{size}"
    headers["Content-Length"] = str(count)
    media_type = MEDIA_TYPES[recording.format]
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers, media_type=media_type)
    chunks = storage.read(recording.storage_key, first, count)
    head = await anext(chunks, b"")
    return StreamingResponse(_chain(head, chunks), status, headers, media_type)


async def _chain(head: bytes, rest: AsyncGenerator[bytes]) -> AsyncIterator[bytes]:
    """All chunks; the file is let go of also when the listener leaves."""
    async with aclosing(rest):
        yield head
        async for chunk in rest:
            yield chunk

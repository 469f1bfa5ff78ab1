"""Request bodies, bounded in size and time."""

import asyncio

from fastapi import Request

BODY_READ_TIMEOUT_S = 20.0  # the slowest official client gives up after 10 s
DRAIN_BYTES_MAX = 1_048_576  # read and thrown away, so that a client still sending sees our answer


class BodyTooLargeError(Exception):
    """The body is larger than the caller allows; up to `DRAIN_BYTES_MAX` of it were read."""


class BodyTooSlowError(Exception):
    """The body was not complete within `BODY_READ_TIMEOUT_S`."""


async def read_body(request: Request, bytes_max: int) -> bytes:
    """Read the whole body. Raises BodyTooLargeError, BodyTooSlowError, or starlette's ClientDisconnect."""
    body = bytearray()
    is_too_large = _declared_length(request) > bytes_max
    drained = 0
    try:
        async with asyncio.timeout(BODY_READ_TIMEOUT_S):
            async for chunk in request.stream():
                if not is_too_large and len(body) + len(chunk) <= bytes_max:
                    body += chunk
                    continue
                is_too_large = True
                drained += len(chunk)
                if drained > DRAIN_BYTES_MAX:
                    break
    except TimeoutError:
        raise BodyTooSlowError from None
    if is_too_large:
        raise BodyTooLargeError
    return bytes(body)


def _declared_length(request: Request) -> int:
    text = request.headers.get("content-length", "0")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else 0

"""Sends events as they happen: one response that lasts.

Source: HTML Living Standard section 9.2, Server-sent events.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from maskline.tasks import spawn


class EventStreamResponse(Response):
    """Sends what `chunks` yields until it ends, the client leaves, or the client does not read.

    `close` is called when the response is over, however that came.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        chunks: AsyncGenerator[bytes],
        close: Callable[[], None],
        *,
        send_timeout_s: float,
    ) -> None:
        """A reader that makes no room for `send_timeout_s` is cut; it may resume where it was."""
        super().__init__(
            headers={
                "Cache-Control": "no-store",
                "Connection": "close",
                "X-Accel-Buffering": "no",  # nginx keeps a response back until it is over, if not told
            }
        )
        del self.headers["content-length"]
        self._chunks = chunks
        self._close = close
        self._send_timeout_s = send_timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response."""
        sending = spawn(self._send_all(scope, send), name="events.send")
        leaving = spawn(_wait_for_leave(receive), name="events.leave")
        try:
            await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, leaving):
                task.cancel()
            await asyncio.wait((sending, leaving))
            self._close()

    async def _send_all(self, scope: Scope, send: Send) -> None:
        try:
            await send(
                {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
            )
            async with aclosing(self._chunks) as chunks:
                async for chunk in chunks:
                    async with asyncio.timeout(self._send_timeout_s):
                        await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except TimeoutError:
            abort = scope.get("extensions", {}).get("maskline.abort")
            if abort is not None:  # what is still buffered would wait for this reader for ever
                abort["call"]()


async def _wait_for_leave(receive: Receive) -> None:
    with suppress(OSError):
        while (await receive())["type"] != "http.disconnect":
            pass


def render_event(cursor: str, kind: str, body: str) -> bytes:
    """One event; the body is JSON in one line."""
    return f"id: {cursor}\nevent: {kind}\ndata: {body}\n\n".encode()


def render_place(cursor: str) -> bytes:
    """Where the stream is, when nothing was told of late: clients keep it to resume from."""
    return f"id: {cursor}\n\n".encode()


HEARTBEAT: Final = b": heartbeat\n\n"
"""Keeps proxies from thinking that nobody is there."""

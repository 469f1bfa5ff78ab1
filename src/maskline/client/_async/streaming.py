"""The stream of an account's events, taken up again where it broke off."""

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from types import TracebackType
from typing import Any, Final, Self

import httpx

from maskline.client._async.transport import AsyncTransport
from maskline.client.errors import AnswerUnreadableError, ConnectionFailedError, TimedOutError
from maskline.client.event_lines import EventReader, EventTooLargeError
from maskline.client.live_event import LiveEvent
from maskline.client.wire import Query

SILENCE_S: Final = 45.0  # three heartbeats of the service
EMPTY_MAX: Final = 10
"""Connections in a row that bring no event; connecting itself is tried as often as any request."""


class AsyncEventStream:
    """Events as they happen: `async for` waits for the next one and ends only with an error.

    Use it as a context manager, so that leaving it ends the connection. `cursor` is the id of the last event that
    was given out, from where another stream can go on.
    """

    def __init__(self, transport: AsyncTransport, query: Query, after: str | None) -> None:
        self._transport = transport
        self._query = query
        self._events = self._walk()
        self.cursor = after

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._events.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> LiveEvent:
        """Raises ClientError; ConnectionFailedError only when connecting again has not helped."""
        return await anext(self._events)

    async def _walk(self) -> AsyncGenerator[LiveEvent, None]:
        empty_count = 0
        while empty_count < EMPTY_MAX:
            empty_count += 1
            try:
                async with aclosing(self._connect()) as events:
                    async for event in events:
                        empty_count = 0
                        self.cursor = event.id
                        yield event
            except ConnectionFailedError:
                if empty_count >= EMPTY_MAX:
                    raise
            await self._transport.pause(max(1, empty_count))
        raise ConnectionFailedError("the stream ended again and again without an event")

    async def _connect(self) -> AsyncGenerator[LiveEvent, None]:
        """The events of one connection. Raises ClientError."""
        headers = {"Accept": "text/event-stream"}
        if self.cursor is not None:
            headers["Last-Event-ID"] = self.cursor
        reader = EventReader()
        async with self._transport.stream(
            "GET", "/events", query=self._query, headers=headers, timeout_s=SILENCE_S
        ) as response:
            try:
                async for line in response.aiter_lines():
                    sent = reader.feed(line)
                    if sent is not None:
                        yield LiveEvent(id=sent.id, kind=sent.kind, data=_read(sent.data, response))
            except EventTooLargeError:
                raise AnswerUnreadableError(response.status_code) from None
            except httpx.TimeoutException:
                raise TimedOutError("the stream fell silent") from None
            except httpx.HTTPError:
                raise ConnectionFailedError("the connection to the service was lost") from None


def _read(text: str, response: httpx.Response) -> Mapping[str, Any]:
    try:
        members: Any = json.loads(text)
    except ValueError:
        members = None
    if not isinstance(members, dict):
        raise AnswerUnreadableError(response.status_code)
    return members

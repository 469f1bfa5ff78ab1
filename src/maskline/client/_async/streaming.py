"""The stream of an account's events, taken up again where it broke off."""

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from types import TracebackType
from typing import Final, Self

import httpx

from maskline.api.native.models.events import EventView
from maskline.client._async.transport import AsyncTransport
from maskline.client.errors import AnswerUnreadableError, ConnectionFailedError, TimedOutError
from maskline.client.event_lines import EventReader, EventTooLargeError, SentEvent
from maskline.client.wire import Query

SILENCE_S: Final = 45.0  # three heartbeats of the service
EMPTY_MAX: Final = 10
"""Connections in a row that bring nothing; connecting itself is tried as often as any request."""


class AsyncEventStream:
    """Events as they happen: `async for` waits for the next one and ends only with an error.

    Use it as a context manager, so that leaving it ends the connection. `cursor` is how far it has come: another
    stream can go on from there.
    """

    def __init__(self, transport: AsyncTransport, query: Query, after: str | None) -> None:
        self._transport = transport
        self._query = query
        self._signs = self._walk()
        self._ahead: EventView | None = None
        self._empty_count = 0
        self.cursor = after

    async def __aenter__(self) -> Self:
        """Connect: from now on nothing that happens is missed. Raises ClientError."""
        self._ahead = await anext(self._signs)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._signs.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> EventView:
        """Raises ClientError; ConnectionFailedError only when connecting again has not helped."""
        sign, self._ahead = self._ahead, None
        while sign is None:
            sign = await anext(self._signs)
        return sign

    async def _walk(self) -> AsyncGenerator[EventView | None, None]:
        """Every sign of life: an event, or None."""
        while self._empty_count < EMPTY_MAX:
            self._empty_count += 1
            try:
                async with aclosing(self._connect()) as signs:
                    async for sign in signs:
                        self._empty_count = 0
                        yield sign
            except ConnectionFailedError:
                if self._empty_count >= EMPTY_MAX:
                    raise
            await self._transport.pause(max(1, self._empty_count))
        raise ConnectionFailedError("the stream ended again and again without a sign of life")

    async def _connect(self) -> AsyncGenerator[EventView | None, None]:
        """The signs of life of one connection. Raises ClientError."""
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
                    if not line and reader.last_id:  # which comes with the head, and when nothing happens
                        self.cursor = reader.last_id
                        yield None if sent is None else _read(sent, response)
            except EventTooLargeError:
                raise AnswerUnreadableError(response.status_code) from None
            except httpx.TimeoutException:
                raise TimedOutError("the stream fell silent") from None
            except httpx.HTTPError:
                raise ConnectionFailedError("the connection to the service was lost") from None


def _read(sent: SentEvent, response: httpx.Response) -> EventView:
    try:
        return EventView.model_validate({**json.loads(sent.data), "id": sent.id})
    except (ValueError, TypeError):
        raise AnswerUnreadableError(response.status_code) from None

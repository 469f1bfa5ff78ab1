# Made by tools/make-client; change the asynchronous one instead.
"""The stream of an account's events, taken up again where it broke off."""

import json
from collections.abc import Generator
from contextlib import closing
from types import TracebackType
from typing import Final, Self

import httpx

from maskline.api.native.models.events import EventView
from maskline.client._sync.transport import Transport
from maskline.client.errors import AnswerUnreadableError, ConnectionFailedError, TimedOutError
from maskline.client.event_lines import EventReader, EventTooLargeError, SentEvent
from maskline.client.wire import Query

SILENCE_S: Final = 45.0  # three heartbeats of the service
EMPTY_MAX: Final = 10
"""Connections in a row that bring nothing; connecting itself is tried as often as any request."""


class EventStream:
    """Events as they happen: `for` waits for the next one and ends only with an error.

    Use it as a context manager, so that leaving it ends the connection. `cursor` is how far it has come: another
    stream can go on from there.
    """

    def __init__(self, transport: Transport, query: Query, after: str | None) -> None:
        self._transport = transport
        self._query = query
        self._signs = self._walk()
        self._ahead: EventView | None = None
        self._empty_count = 0
        self.cursor = after

    def __enter__(self) -> Self:
        """Connect: from now on nothing that happens is missed. Raises ClientError."""
        self._ahead = next(self._signs)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._signs.close()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> EventView:
        """Raises ClientError; ConnectionFailedError only when connecting again has not helped."""
        sign, self._ahead = self._ahead, None
        while sign is None:
            sign = next(self._signs)
        return sign

    def _walk(self) -> Generator[EventView | None, None]:
        """Every sign of life: an event, or None."""
        while self._empty_count < EMPTY_MAX:
            self._empty_count += 1
            try:
                with closing(self._connect()) as signs:
                    for sign in signs:
                        self._empty_count = 0
                        yield sign
            except ConnectionFailedError:
                if self._empty_count >= EMPTY_MAX:
                    raise
            self._transport.pause(max(1, self._empty_count))
        raise ConnectionFailedError("the stream ended again and again without a sign of life")

    def _connect(self) -> Generator[EventView | None, None]:
        """The signs of life of one connection. Raises ClientError."""
        headers = {"Accept": "text/event-stream"}
        if self.cursor is not None:
            headers["Last-Event-ID"] = self.cursor
        reader = EventReader()
        with self._transport.stream(
            "GET", "/events", query=self._query, headers=headers, timeout_s=SILENCE_S
        ) as response:
            try:
                for line in response.iter_lines():
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

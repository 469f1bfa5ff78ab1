"""Live events over the native interface: a stream to follow, or a list to read."""

import json
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from typing import Final

import structlog
from starlette.responses import Response

from maskline.api.native.errors import NativeError
from maskline.api.native.event_hub import EventHub, EventStream, TooManyStreamsError
from maskline.api.native.event_stream import HEARTBEAT, EventStreamResponse, render_event, render_place
from maskline.api.native.kernel import NativeKernel, reply
from maskline.api.native.models.common import CURSOR_LENGTH_MAX, ListOf
from maskline.api.native.models.events import EventQuery, EventView
from maskline.api.native.paging import make_cursor, read_cursor
from maskline.api.native.routes import Asked, Route
from maskline.core.access import Caller, Permission, Reach, is_granted
from maskline.core.event_stream import EventFilter, EventPage, PublishedEvent
from maskline.errors import AppError
from maskline.webhooks.native import build_body
from maskline.workflows.events import read_events, read_last_position

_log = structlog.get_logger(__name__)

_LIST: Final = "events"
_STREAM: Final = "text/event-stream"
RETRY_AFTER_S: Final = 10  # asked of whoever has too many streams


class EventsAPI:
    """Reading of events; a sub-account's credentials see those of its sessions."""

    def __init__(
        self,
        kernel: NativeKernel,
        hub: EventHub,
        *,
        mono_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._kernel = kernel
        self._hub = hub
        self._pace = hub.pace
        self._mono_s = mono_s

    async def read_events(self, asked: Asked) -> Response:
        """Follow events as they happen (`Accept: text/event-stream`), or list them, oldest first.

        A stream begins behind `Last-Event-ID` or `after`, else with what happens from now on; a list without `after`
        with the oldest event that is kept. `limit` is of lists.
        """
        query = asked.query(EventQuery)
        if query.include_numbers and not is_granted(asked.caller.permissions, Permission.CALLS_READ):
            raise NativeError("not-permitted", "People's numbers take calls:read.")
        own = asked.account.subaccount
        wanted = EventFilter(
            account_id=asked.account.id,
            subaccount_id=None if own is None else own.id,
            kinds=query.wanted_kinds,
            limit=query.limit,
            has_numbers=query.include_numbers,
        )
        if _STREAM in asked.request.headers.get("accept", "").lower():
            return await self._stream(asked, replace(wanted, limit=100), query.after)
        after = _position(query.after)
        page = await self._kernel.store.read(read_events, replace(wanted, after=after or 0))
        return reply(200, _render_page(page))

    async def _stream(self, asked: Asked, wanted: EventFilter, after: str | None) -> Response:
        last_seen = asked.request.headers.get("last-event-id")
        position = _position(last_seen or after)
        if position is None:
            position = await self._kernel.store.read(read_last_position)
        try:
            stream = self._hub.open(asked.account.id)
        except TooManyStreamsError:
            headers = {"Retry-After": str(RETRY_AFTER_S)}
            raise NativeError("too-many-streams", headers=headers) from None
        chunks = self._follow(asked, stream, replace(wanted, after=position))
        return EventStreamResponse(
            chunks, lambda: self._hub.close(stream), send_timeout_s=self._pace.send_timeout_s
        )

    async def _follow(self, asked: Asked, stream: EventStream, wanted: EventFilter) -> AsyncGenerator[bytes]:
        """What a stream sends, until it is drained or its reader may no longer see it."""
        yield render_place(_cursor(wanted.after))  # the head is sent with it, and a place to resume from
        checked_mono_s = told_mono_s = self._mono_s()
        told_position = wanted.after
        while True:
            stream.begin_look()
            if stream.is_draining:
                return
            if self._mono_s() - checked_mono_s >= self._pace.recheck_s:
                if not await self._may_go_on(asked):
                    return
                checked_mono_s = self._mono_s()
            try:
                page = await self._kernel.store.read(read_events, wanted)
            except AppError as error:  # its reader comes again, and misses nothing
                _log.warning("events.stream_ended", code=error.code)
                return
            for event in page.events:
                yield _render_live(event)
            if page.events:
                told_position, told_mono_s = page.events[-1].position, self._mono_s()
            wanted = replace(wanted, after=page.position)
            if page.has_more:
                continue
            rest_s = self._pace.heartbeat_s - (self._mono_s() - told_mono_s)
            if rest_s <= 0:
                yield HEARTBEAT if told_position == page.position else render_place(_cursor(page.position))
                told_position, told_mono_s = page.position, self._mono_s()
                rest_s = self._pace.heartbeat_s
            next_check_s = self._pace.recheck_s - (self._mono_s() - checked_mono_s)
            await stream.wait(max(0.0, min(rest_s, next_check_s)))

    async def _may_go_on(self, asked: Asked) -> bool:
        """Ask again who it is: keys are revoked and expire while streams last."""
        try:
            caller = await self._kernel.authenticate(asked.request, self.route)
        except NativeError:
            return False
        except AppError:  # nothing can be read now either
            return True
        return _whose(caller) == _whose(asked.caller) and caller.permissions >= asked.caller.permissions

    @property
    def route(self) -> Route:
        """The row of the table."""
        return Route(
            path="/events",
            method="GET",
            name="read_events",
            operation=self.read_events,
            permission=Permission.EVENTS_READ,
            reach=Reach.SUBACCOUNT,
            query=EventQuery,
            response=ListOf[EventView],
            streams=True,
            problems=("too-many-streams",),
        )


def _whose(caller: Caller) -> tuple[int | None, int | None]:
    account = caller.account
    subaccount = None if account is None else account.subaccount
    return None if account is None else account.id, None if subaccount is None else subaccount.id


def _cursor(position: int) -> str:
    return make_cursor(_LIST, (position,))


def _position(cursor: str | None) -> int | None:
    """The place that a cursor stands for; None without one. Raises NativeError."""
    if cursor is not None and len(cursor) > CURSOR_LENGTH_MAX:
        raise NativeError("cursor-invalid")
    key = read_cursor(_LIST, cursor, int)
    if key is None:
        return None
    [position] = key
    assert isinstance(position, int), "checked by `read_cursor`"
    return position


def _render_live(event: PublishedEvent) -> bytes:
    return render_event(_cursor(event.position), event.event.kind.value, build_body(event.event, event))


def _render_page(page: EventPage) -> ListOf[EventView]:
    last = page.events[-1] if page.has_more else None
    return ListOf[EventView](
        data=[render_view(it) for it in page.events],
        next=None if last is None else _cursor(last.position),
        has_more=page.has_more,
    )


def render_view(event: PublishedEvent) -> EventView:
    """An event as a list tells it: with the body that webhooks and streams have."""
    body = json.loads(build_body(event.event, event))
    return EventView(id=_cursor(event.position), **body)


def event_routes(api: EventsAPI) -> tuple[Route, ...]:
    """The rows of the table."""
    return (api.route,)

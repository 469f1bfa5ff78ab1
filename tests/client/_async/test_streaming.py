import httpx
import pytest
from tests.client.conftest import StreamingSite

from maskline.client import E164, AnswerUnreadableError, AsyncClient, ConnectionFailedError, EventKind
from maskline.client._async.streaming import EMPTY_MAX, AsyncEventStream
from maskline.client._async.transport import AsyncTransport
from maskline.client.options import Options
from maskline.client.retries import NO_RETRIES

FIRST, SECOND = E164("+912025550000"), E164("+912025551111")
BODY = '{"type":"call.finished","timestamp":"2026-11-22T00:00:00.000000Z","data":{"call_id":"c1"}}'


async def test_events_come_as_they_happen(streaming_site: StreamingSite) -> None:
    """From the moment the context is entered; of the kinds that were named, and again from any cursor."""
    async with AsyncClient(streaming_site.server, api_key=streaming_site.key) as client:
        async with client.events.stream(kinds=[EventKind.SESSION_UPDATED]) as events:
            before = events.cursor
            session = await client.sessions.create(first=FIRST, second=SECOND)
            await client.sessions.update(session.id, expires_in_s=600)
            event = await anext(events)
        assert (event.type, event.data["session_id"]) == (EventKind.SESSION_UPDATED, session.id)
        assert event.id == events.cursor
        async with client.events.stream(kinds=[EventKind.SESSION_UPDATED], after=before) as events:
            assert await anext(events) == event
        listed = [it async for it in client.events.list(kinds=[EventKind.SESSION_UPDATED])]
        assert listed[-1] == event


class Wire:
    """Answers each connection with its next script, and remembers where they began."""

    def __init__(self, *answers: str | httpx.HTTPError) -> None:
        self._answers = list(answers)
        self.places: list[str | None] = []
        self.waits: list[float] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.places.append(request.headers.get("last-event-id"))
        answer = self._answers.pop(0) if self._answers else httpx.ConnectError("gone")
        if isinstance(answer, httpx.HTTPError):
            raise answer
        return httpx.Response(200, text=answer, headers={"content-type": "text/event-stream"})

    async def sleep(self, wait_s: float) -> None:
        self.waits.append(wait_s)

    def stream(self) -> AsyncEventStream:
        http = httpx.AsyncClient(transport=httpx.MockTransport(self))
        transport = AsyncTransport(
            http, "https://x.test", Options(retries=NO_RETRIES), sleep=self.sleep, chance=lambda: 1.0
        )
        return AsyncEventStream(transport, {}, None)


async def test_a_lost_stream_is_taken_up_where_it_was() -> None:
    """Behind the last complete event, never behind one that was cut off."""
    wire = Wire("id: 1\n\n", f"id: 2\ndata: {BODY}\n\nid: 3\ndata: {{", f"id: 3\ndata: {BODY}\n\n")
    async with wire.stream() as events:
        assert [(await anext(events)).id, (await anext(events)).id] == ["2", "3"]
    assert wire.places == [None, "1", "2"]
    assert wire.waits == [0.25, 0.25]


async def test_connecting_again_is_bounded() -> None:
    """And waits longer each time."""
    wire = Wire("id: 1\n\n")
    async with wire.stream() as events:
        with pytest.raises(ConnectionFailedError):
            await anext(events)
    assert len(wire.places) == 1 + EMPTY_MAX
    assert wire.waits[-1] == 8.0


@pytest.mark.parametrize("data", ["{", "[]", '{"type":"call.finished"}', "x" * 2_000_000])
async def test_what_is_no_event_is_said_so(data: str) -> None:
    """Rather than passed over."""
    wire = Wire(f"id: 1\n\nid: 2\ndata: {data}\n\n")
    async with wire.stream() as events:
        with pytest.raises(AnswerUnreadableError):
            await anext(events)

"""What an account's people have: sessions, calls, recordings, and how its numbers are used.

Every method raises ClientError.
"""

from typing import BinaryIO

import httpx

from maskline.api.native.models.calls import Call, CallQuery
from maskline.api.native.models.common import ListOf
from maskline.api.native.models.recordings import (
    NewRecordingLink,
    RecordingLinkView,
    RecordingQuery,
    RecordingView,
    RetentionChange,
    RetentionView,
)
from maskline.api.native.models.sessions import NewSession, Session, SessionQuery, SessionUpdate
from maskline.api.native.models.usage import UsageHistoryQuery, UsageSampleView, UsageView
from maskline.client._async.paging import AsyncPages
from maskline.client._async.transport import AsyncResource
from maskline.client.errors import ConnectionFailedError
from maskline.client.takes import takes, takes_of_one
from maskline.client.wire import build_path, read_answer


class AsyncSessions(AsyncResource):
    """Masking sessions."""

    @takes(SessionQuery)
    def list(self, query: SessionQuery) -> AsyncPages[Session]:
        """Sessions, newest first."""
        return AsyncPages(self._transport, "/sessions", ListOf[Session], query)

    @takes(NewSession)
    async def create(self, new: NewSession) -> Session:
        """Create a session, or update the live one of the same pair, as `on_repeat` says."""
        return await self._transport.post("/sessions", Session, body=new)

    async def get(self, id_: str) -> Session:
        """One session."""
        return await self._transport.get(build_path("sessions", id_), Session)

    @takes_of_one(SessionUpdate)
    async def update(self, id_: str, changes: SessionUpdate) -> Session:
        """Change a live session; what is not given stays."""
        return await self._transport.patch(build_path("sessions", id_), Session, body=changes)

    async def end(self, id_: str) -> Session:
        """End a session now; calls of it that are not joined yet are cancelled."""
        response = await self._transport.delete(build_path("sessions", id_))
        return read_answer(response, Session)


class AsyncCalls(AsyncResource):
    """Calls, live and finished."""

    @takes(CallQuery)
    def list(self, query: CallQuery) -> AsyncPages[Call]:
        """Calls, newest first: finished ones unless `status` says otherwise."""
        return AsyncPages(self._transport, "/calls", ListOf[Call], query)

    async def get(self, id_: str) -> Call:
        """One call."""
        return await self._transport.get(build_path("calls", id_), Call)


class AsyncRecordings(AsyncResource):
    """Recordings that can be heard."""

    @takes(RecordingQuery)
    def list(self, query: RecordingQuery) -> AsyncPages[RecordingView]:
        """Recordings, newest first."""
        return AsyncPages(self._transport, "/recordings", ListOf[RecordingView], query)

    async def get(self, id_: str) -> RecordingView:
        """One recording."""
        return await self._transport.get(build_path("recordings", id_), RecordingView)

    async def save(self, id_: str, file: BinaryIO) -> int:
        """Write a recording's audio to `file`; return its bytes. What was written stays when the connection is lost."""
        path, count = build_path("recordings", id_, "audio"), 0
        async with self._transport.stream("GET", path, headers={"Accept": "*/*"}) as response:
            try:
                async for chunk in response.aiter_bytes():
                    count += file.write(chunk)
            except httpx.HTTPError:
                raise ConnectionFailedError("the connection to the service was lost") from None
        return count

    @takes_of_one(NewRecordingLink)
    async def link(self, id_: str, link: NewRecordingLink) -> RecordingLinkView:
        """Make a URL with which anybody hears a recording for a while."""
        return await self._transport.post(build_path("recordings", id_, "link"), RecordingLinkView, body=link)

    async def delete(self, id_: str) -> None:
        """Delete a recording and its audio."""
        await self._transport.delete(build_path("recordings", id_))

    async def retention(self) -> RetentionView:
        """For how many days the account's recordings are kept."""
        return await self._transport.get("/recording-retention", RetentionView)

    @takes(RetentionChange)
    async def keep(self, change: RetentionChange) -> RetentionView:
        """Keep the account's recordings for so many days, those that are there included; None: for good."""
        return await self._transport.patch("/recording-retention", RetentionView, body=change)


class AsyncUsage(AsyncResource):
    """How the account's numbers are used, and until when they last."""

    def list(self) -> AsyncPages[UsageView]:
        """Usage now, by sub-account and pool, with its forecast."""
        return AsyncPages(self._transport, "/usage", ListOf[UsageView])

    @takes(UsageHistoryQuery)
    def history(self, query: UsageHistoryQuery) -> AsyncPages[UsageSampleView]:
        """Usage by the hour."""
        return AsyncPages(self._transport, "/usage/history", ListOf[UsageSampleView], query)

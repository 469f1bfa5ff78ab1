"""Recordings over the native interface: lists, audio, links, deletion."""

from typing import Final

from starlette.responses import Response

from maskline.api.audio import send_audio
from maskline.api.native.errors import NativeError
from maskline.api.native.kernel import NativeKernel, refuse, reply
from maskline.api.native.models.common import ListOf, instant, optional_instant
from maskline.api.native.models.recordings import (
    NewRecordingLink,
    RecordingLinkView,
    RecordingQuery,
    RecordingView,
    RetentionChange,
    RetentionView,
)
from maskline.api.native.paging import make_cursor, read_cursor
from maskline.api.native.queries import open_span
from maskline.api.native.routes import Asked, Route
from maskline.core.access import Permission, Reach
from maskline.core.inventory import Account
from maskline.core.listing import PageKey, RecordingListFilter
from maskline.core.masking import MICROSECONDS
from maskline.core.recording import Recording, RecordingLink, RecordingNotFound, parse_recording_id
from maskline.recordings.links import build_linked_path
from maskline.recordings.storage import RecordingStorage
from maskline.store.engine import Tx
from maskline.workflows.own_recordings import link_recording, list_own_recordings
from maskline.workflows.recordings import (
    delete_recording,
    load_recording,
    load_recording_retention,
    set_recording_retention,
)

_LIST: Final = "recordings"
_PATH: Final = "/maskline/v1/recordings"


class RecordingsAPI:
    """Operations on recordings; a sub-account's credentials hear those of its sessions."""

    def __init__(self, kernel: NativeKernel, storage: RecordingStorage | None) -> None:
        """Without storage no audio is sent."""
        self._kernel = kernel
        self._storage = storage

    async def list_recordings(self, asked: Asked) -> Response:
        """List recordings that can be heard, newest first."""
        query = asked.query(RecordingQuery)
        key = read_cursor(_LIST, query.after, int, str)
        wanted = RecordingListFilter(
            account_id=asked.account.id,
            session_id=query.session_id,
            call_id=query.call_id,
            completed_at=open_span(query.completed_after, query.completed_before),
            before=None if key is None else PageKey(*key),  # type: ignore[arg-type]  # checked by `read_cursor`
            limit=query.limit,
        )
        page = await self._kernel.store.read(
            list_own_recordings, asked.account, wanted, self._kernel.clock.now()
        )
        last = page.recordings[-1] if page.has_more else None
        return reply(
            200,
            ListOf[RecordingView](
                data=[self._render(it) for it in page.recordings],
                next=None if last is None else make_cursor(_LIST, (last.completed_at or 0, last.id)),
                has_more=page.has_more,
            ),
        )

    async def get_recording(self, asked: Asked) -> Response:
        """Show a recording."""
        return reply(200, self._render(await self._load(asked)))

    async def get_recording_audio(self, asked: Asked) -> Response:
        """Send the audio, or the part of it that `Range` asks for."""
        if self._storage is None:
            raise NativeError("not-found")
        return await send_audio(asked.request, await self._load(asked), self._storage)

    async def delete_recording(self, asked: Asked) -> Response:
        """Delete a recording: it is gone at once, its audio within seconds."""
        id_, now = _id(asked), self._kernel.clock.now()
        if not await self._kernel.store.write(delete_recording, asked.account, id_, now):
            raise NativeError("not-found")
        return reply(204)

    async def link_recording(self, asked: Asked) -> Response:
        """Make a link with which anybody hears the recording, without credentials, for a while."""
        wanted = asked.read(NewRecordingLink)

        def render(outcome: RecordingLink | RecordingNotFound) -> Response:
            if isinstance(outcome, RecordingNotFound):
                return refuse(NativeError("not-found"))
            view = RecordingLinkView(
                recording_id=outcome.recording_id,
                url=self._kernel.public_url + build_linked_path(outcome),
                expires_at=instant(outcome.expires_s * MICROSECONDS),
            )
            return reply(201, view)

        now = self._kernel.clock.now()
        return await self._kernel.write(
            asked, link_recording, render, asked.account, _id(asked), wanted.expires_in_s, now
        )

    async def get_retention(self, asked: Asked) -> Response:
        """Show for how many days the account's recordings are kept."""
        return reply(
            200, RetentionView(days=await self._kernel.store.read(load_recording_retention, asked.account))
        )

    async def change_retention(self, asked: Asked) -> Response:
        """Keep the account's recordings for so many days, those that are there included."""
        wanted = asked.read(RetentionChange)
        return reply(
            200, RetentionView(days=await self._kernel.store.write(_retain, asked.account, wanted.days))
        )

    async def _load(self, asked: Asked) -> Recording:
        found = await self._kernel.store.read(
            load_recording, asked.account, _id(asked), self._kernel.clock.now()
        )
        if isinstance(found, RecordingNotFound):
            raise NativeError("not-found")
        return found

    def _render(self, recording: Recording) -> RecordingView:
        """A recording as it is told; who can be heard is the call's to say."""
        assert recording.ended_at is not None, "known of all that are completed"
        assert recording.duration_ms is not None, "known of all that are completed"
        assert recording.size_bytes is not None, "known of all that are completed"
        assert recording.completed_at is not None, "known of all that are completed"
        return RecordingView(
            id=recording.id,
            session_id=recording.session_id,
            call_id=recording.call_id,
            format=recording.format,
            started_at=instant(recording.started_at),
            ended_at=instant(recording.ended_at),
            duration_ms=recording.duration_ms,
            size_bytes=recording.size_bytes,
            interrupted=recording.is_interrupted,
            completed_at=instant(recording.completed_at),
            expires_at=optional_instant(recording.expires_at),
            audio_url=f"{self._kernel.public_url}{_PATH}/{recording.id}/audio",
        )


def _retain(tx: Tx, account: Account, days: int | None) -> int | None:
    set_recording_retention(tx, account, days)
    return load_recording_retention(tx, account)


def _id(asked: Asked) -> str:
    id_ = parse_recording_id(asked.path())
    if id_ is None:
        raise NativeError("not-found")
    return id_


def recording_routes(api: RecordingsAPI) -> tuple[Route, ...]:
    """The rows of the table."""
    return (
        Route(
            path="/recordings",
            method="GET",
            name="list_recordings",
            operation=api.list_recordings,
            permission=Permission.RECORDINGS_READ,
            reach=Reach.SUBACCOUNT,
            query=RecordingQuery,
            response=ListOf[RecordingView],
        ),
        Route(
            path="/recordings/{id}",
            method="GET",
            name="get_recording",
            operation=api.get_recording,
            permission=Permission.RECORDINGS_READ,
            reach=Reach.SUBACCOUNT,
            response=RecordingView,
        ),
        Route(
            path="/recordings/{id}",
            method="DELETE",
            name="delete_recording",
            operation=api.delete_recording,
            permission=Permission.RECORDINGS_WRITE,
            reach=Reach.SUBACCOUNT,
            status=204,
        ),
        Route(
            path="/recordings/{id}/audio",
            method="GET",
            name="get_recording_audio",
            operation=api.get_recording_audio,
            permission=Permission.RECORDINGS_READ,
            reach=Reach.SUBACCOUNT,
            media_type="audio/*",
        ),
        Route(
            path="/recordings/{id}/link",
            method="POST",
            name="link_recording",
            operation=api.link_recording,
            permission=Permission.RECORDINGS_READ,
            reach=Reach.SUBACCOUNT,
            request=NewRecordingLink,
            response=RecordingLinkView,
            status=201,
        ),
        Route(
            path="/recording-retention",
            method="GET",
            name="get_recording_retention",
            operation=api.get_retention,
            permission=Permission.RECORDINGS_READ,
            response=RetentionView,
        ),
        Route(
            path="/recording-retention",
            method="PATCH",
            name="change_recording_retention",
            operation=api.change_retention,
            permission=Permission.RECORDINGS_WRITE,
            request=RetentionChange,
            response=RetentionView,
        ),
    )

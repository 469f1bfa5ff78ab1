"""Recordings over HTTP: lists, single ones, their audio, and their deletion.

Audio is sent to whoever has the account's credentials or a signed link, whole or in part, and never kept on the
way. A recording of somebody else's is answered exactly as one that never was.
Source: Plivo voice API, recording pages (2024); fields and types of the official clients.
"""

import re
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from maskline.api.audio import send_audio
from maskline.api.auth import AUTH_ID
from maskline.api.plivo import errors, listing
from maskline.api.plivo.kernel import PREFIX, PlivoAPI, PlivoRoute
from maskline.api.plivo.recording_query import parse_query, storage_days
from maskline.clock import to_datetime
from maskline.core.call_record import Side, leg_id
from maskline.core.inventory import Account
from maskline.core.masking import RecordFormat
from maskline.core.recording import (
    LinkRefused,
    Recording,
    RecordingFilter,
    RecordingLink,
    RecordingNotFound,
    RecordingPage,
    parse_recording_id,
    render_recording_uuid,
)
from maskline.recordings.links import build_audio_path, build_resource_path
from maskline.recordings.storage import RecordingStorage
from maskline.workflows import recordings as work

_FORMATS: Final = frozenset(format_.value for format_ in RecordFormat)
_EXPIRES: Final = re.compile(r"[0-9]{1,12}", re.ASCII)
_SIGNATURE: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


class RecordingAPI:
    """The operations on recordings, beside those of `PlivoAPI`, whose credentials and answers they share."""

    def __init__(self, api: PlivoAPI, storage: RecordingStorage) -> None:
        self._api = api
        self._store = api.store
        self._clock = api.clock
        self._storage = storage
        self._public_url = api.settings.public_url

    def routes(self) -> tuple[PlivoRoute, ...]:
        """What is served where."""
        one = "Recording/{recording}"
        return (
            PlivoRoute("Recording", ("GET",), "recording_list", self.list),
            PlivoRoute(one, ("GET", "HEAD"), "recording_get", self.get),
            PlivoRoute(one, ("DELETE",), "recording_delete", self.delete),
        )

    async def list(self, request: Request) -> Response:
        """GET Recording/."""
        account = await self._api.authenticate(request)
        now = self._clock.now()
        query = parse_query(request.scope["query_string"], country=account.country, now=now)
        wanted = RecordingFilter(
            account_id=account.id,
            subaccount_id=await self._api.find_subaccount(account, query.subaccount),
            call=query.call,
            from_number=query.from_number,
            to_number=query.to_number,
            completed_at=query.completed_at,
            limit=query.limit,
            offset=query.offset,
        )
        page = RecordingPage(recordings=(), total_count=0)
        if not query.is_of_conference:
            page = await self._store.read(work.list_recordings, account, wanted, now)
        auth_id = request.path_params["auth_id"]
        path = f"{PREFIX}/Account/{auth_id}/Recording/"
        meta = listing.render_page_meta(path, query.kept, query.limit, query.offset, page.total_count)
        return self._api.reply(
            200, {"meta": meta, "objects": [self._render(it, auth_id, now) for it in page.recordings]}
        )

    async def get(self, request: Request) -> Response:
        """GET Recording/{id}/ and its audio, Recording/{id}.mp3 or .wav."""
        name: str = request.path_params["recording"]
        stem, dot, suffix = name.rpartition(".")
        if not dot:
            account = await self._api.authenticate(request)
            recording = await self._load(account, name)
            return self._api.reply(
                200, self._render(recording, request.path_params["auth_id"], self._clock.now())
            )
        recording = await self._load_audio(request, stem, suffix)
        return await send_audio(request, recording, self._storage)

    async def delete(self, request: Request) -> Response:
        """DELETE Recording/{id}/."""
        account = await self._api.authenticate(request)
        id_ = parse_recording_id(request.path_params["recording"])
        if id_ is None or not await self._store.write(work.delete_recording, account, id_, self._clock.now()):
            raise errors.PlivoError(404, errors.NOT_FOUND)
        return Response(status_code=204)

    async def _load(self, account: Account, text: str) -> Recording:
        id_ = parse_recording_id(text)
        found = (
            RecordingNotFound()
            if id_ is None
            else await self._store.read(work.load_recording, account, id_, self._clock.now())
        )
        if isinstance(found, RecordingNotFound):
            raise errors.PlivoError(404, errors.NOT_FOUND)
        return found

    async def _load_audio(self, request: Request, stem: str, suffix: str) -> Recording:
        """The recording whose audio may be sent: by a signed link, or by credentials."""
        is_linked = "signature" in request.query_params and "authorization" not in request.headers
        if is_linked:
            found = await self._load_linked(request, stem, suffix)
        else:
            account = await self._api.authenticate(request)
            found = await self._load(account, stem)
        if found.format.value != suffix:
            raise errors.PlivoError(404, errors.NOT_FOUND)
        return found

    async def _load_linked(self, request: Request, stem: str, suffix: str) -> Recording:
        link = _parse_link(request, stem, suffix)
        found = (
            LinkRefused()
            if link is None
            else await self._store.read(work.load_linked_recording, link, self._clock.now())
        )
        match found:
            case Recording():
                return found
            case RecordingNotFound():
                raise errors.PlivoError(404, errors.NOT_FOUND)
            case LinkRefused():
                raise errors.PlivoError(401, errors.NOT_AUTHENTICATED)

    def _render(self, recording: Recording, auth_id: str, now: int) -> dict[str, object]:
        """The recording object, its keys in the vendor's order; numbers are not told: the session has them."""
        assert recording.duration_ms is not None, "known of all that are completed"
        assert recording.ended_at is not None, "known of all that are completed"
        assert recording.completed_at is not None, "known of all that are completed"
        return {
            "add_time": _render_time(recording.completed_at),
            "call_uuid": leg_id(recording.call_id, Side.A),
            "conference_name": None,
            "from_number": "",
            "monthly_recording_storage_amount": 0,
            "recording_duration_ms": f"{recording.duration_ms}.00000",
            "recording_end_ms": _render_ms(recording.ended_at),
            "recording_format": recording.format.value,
            "recording_id": render_recording_uuid(recording.id),
            "recording_start_ms": _render_ms(recording.started_at),
            "recording_storage_duration": storage_days(recording.completed_at, now),
            "recording_storage_rate": 0,
            "recording_type": "normal",
            "recording_url": self._public_url + build_audio_path(auth_id, recording.id, recording.format),
            "resource_uri": build_resource_path(auth_id, recording.id),
            "rounded_recording_duration": -(-recording.duration_ms // 60_000) * 60,
            "to_number": "",
        }


def _parse_link(request: Request, stem: str, suffix: str) -> RecordingLink | None:
    """The link that was followed; None when it cannot be one of ours."""
    id_ = parse_recording_id(stem)
    auth_id: str = request.path_params["auth_id"]
    expires = request.query_params.get("expires", "")
    signature = request.query_params.get("signature", "")
    if id_ is None or suffix not in _FORMATS or not AUTH_ID.fullmatch(auth_id):
        return None
    if not _EXPIRES.fullmatch(expires) or not _SIGNATURE.fullmatch(signature):
        return None
    return RecordingLink(
        auth_id=auth_id,
        recording_id=id_,
        format=RecordFormat(suffix),
        expires_s=int(expires),
        signature=signature,
    )


def _render_time(instant: int) -> str:
    return f"{to_datetime(instant):%Y-%m-%d %H:%M:%S.%f}+00:00"


def _render_ms(instant: int) -> str:
    return f"{instant // 1000}.00000"

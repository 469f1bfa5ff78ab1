"""Masks and their calls: an operation whose page could not be read. Its path is the vendor's, the rest is ours."""

from fastapi import Request, Response

from maskline.api.deepcall import errors, values
from maskline.api.deepcall.body import Fields, find_field, read_fields
from maskline.api.deepcall.kernel import DeepCallKernel
from maskline.api.deepcall.masking import render_mask
from maskline.core.deepcall import HeardRecording, MaskFilter, MaskPage
from maskline.core.inventory import Account
from maskline.core.masking import (
    LIST_LIMIT_MAX,
    Interaction,
    MaskingSession,
    SessionFilter,
    SessionStatus,
    Span,
)
from maskline.recordings.links import build_offered_path
from maskline.webhooks.deepcall_words import CALL_STATUSES, count_seconds, name_call_type, render_time
from maskline.workflows.deepcall_masklist import list_masks

LIST_MESSAGE = "Mask list"
PAGE_MAX = 1_000_000  # some 20 million masks in; both databases skip rows one by one


class MasklistAPI:
    """The operation."""

    def __init__(self, kernel: DeepCallKernel) -> None:
        self._kernel = kernel

    async def list(self, request: Request) -> Response:
        """POST callreport/masklist: masks, newest first, with their calls."""
        fields = await read_fields(request)
        account = await self._kernel.authenticate(fields, may_change=False)
        limit = _read_count(fields, "limit", LIST_LIMIT_MAX, LIST_LIMIT_MAX)
        page_number = _read_count(fields, "page", 1, PAGE_MAX)
        wanted = _read_filter(fields, account, limit=limit, offset=(page_number - 1) * limit)
        settings = self._kernel.settings
        now = self._kernel.clock.now()
        page = await self._kernel.store.read(
            list_masks, account, wanted, recording_links_s=settings.recording_links_s, now=now
        )
        data = {
            "total": page.total_count,
            "page": page_number,
            "limit": limit,
            "masks": [
                _render_listed(it, page, account, public_url=settings.public_url, now=now)
                for it in page.sessions
            ],
        }
        return self._kernel.reply(request, LIST_MESSAGE, {"data": data})


def _render_listed(
    session: MaskingSession, page: MaskPage, account: Account, *, public_url: str, now: int
) -> dict[str, object]:
    return {
        **render_mask(session, account),
        "created_time": render_time(session.created_at, account.timezone),
        "status": session.status(now).value,
        "calls": [
            _render_call(it, page.recordings.get(it.recording_id or ""), account, public_url)
            for it in session.interactions
        ],
    }


def _render_call(
    call: Interaction, heard: HeardRecording | None, account: Account, public_url: str
) -> dict[str, object]:
    """A call, its fields named as in push reports."""
    legs_s = [it for it in (call.first_leg_s, call.second_leg_s) if it is not None]
    return {
        "callId": call.call_id,
        "cType": name_call_type(is_service_initiated=call.is_service_initiated),
        "callStatus": CALL_STATUSES[len(legs_s)],
        "caller": "m1" if call.is_caller_first else "m2",
        "ivrSTime": render_time(call.started_at, account.timezone),
        "ivrETime": render_time(call.ended_at, account.timezone),
        "ivrDuration": count_seconds(call.started_at, call.ended_at),
        "talkDuration": min(legs_s) if len(legs_s) == 2 else 0,
        "m1Duration": call.first_leg_s or 0,
        "m2Duration": call.second_leg_s or 0,
        "recordingUrl": "" if heard is None else public_url + _audio_path(heard, account),
    }


def _audio_path(heard: HeardRecording, account: Account) -> str:
    return build_offered_path(account.auth_id, heard.recording.id, heard.recording.format, heard.link)


def _read_filter(fields: Fields, account: Account, *, limit: int, offset: int) -> MaskFilter:
    """Which masks are asked for. Raises DeepCallError 1000."""
    sessions = SessionFilter(
        first=values.read_phone(fields, "m1", account.country),
        second=values.read_phone(fields, "m2", account.country),
        reference=values.read_event_id(fields),
        status=_read_status(fields),
        created_at=Span(
            from_=_read_instant(fields, "start_time", account),
            until=_read_instant(fields, "end_time", account),
        ),
        limit=limit,
        offset=offset,
    )
    return MaskFilter(sessions=sessions, masks=values.read_mask(fields, account.country))


def _read_count(fields: Fields, name: str, default: int, count_max: int) -> int:
    value = find_field(fields, name)
    if value is None:
        return default
    count = values.parse_integer(value)
    if count is None or not 1 <= count <= count_max:
        raise errors.invalid(f"{name} is not from 1 to {count_max}")
    return count


def _read_status(fields: Fields) -> SessionStatus | None:
    text = values.read_text(fields, "status")
    if text is None:
        return None
    known = {it.value: it for it in (SessionStatus.ACTIVE, SessionStatus.EXPIRED)}
    if text.lower() not in known:
        raise errors.invalid(f"status is not {' or '.join(known)}")
    return known[text.lower()]


def _read_instant(fields: Fields, name: str, account: Account) -> int | None:
    value = find_field(fields, name)
    if value is None:
        return None
    instant = values.parse_time(value, account.timezone)
    if instant is None:
        raise errors.invalid(f"{name} is not a time")
    return instant

"""Recordings elsewhere."""

from itertools import islice
from typing import TYPE_CHECKING

from maskline.cli.remote.owners import act_for
from maskline.cli.remote.values import ListedRecording, MadeLink, optional_micros
from maskline.clock import from_datetime

if TYPE_CHECKING:
    from maskline.client import Client


def list_recordings(
    client: "Client", account: str, limit: int, offset: int, now: int
) -> tuple[ListedRecording, ...]:
    """An account's recordings, newest first."""
    found = act_for(client, account).recordings.list()
    return tuple(
        ListedRecording(
            id=it.id,
            session_id=it.session_id,
            call_id=it.call_id,
            format=it.format,
            started_at=from_datetime(it.started_at),
            duration_ms=it.duration_ms,
            size_bytes=it.size_bytes,
            expires_at=optional_micros(it.expires_at),
        )
        for it in islice(found, offset, offset + limit)
    )


def link_recording(
    client: "Client", account: str, recording_id: str, *, public_url: str, expires_in_s: int, now: int
) -> MadeLink | None:
    """A link to one recording; None when there is none of this id."""
    from maskline.client import NotFoundError  # noqa: PLC0415  # slow to load; most commands are local

    try:
        made = act_for(client, account).recordings.link(recording_id, expires_in_s=expires_in_s)
    except NotFoundError:
        return None
    return MadeLink(url=made.url, expires_at=from_datetime(made.expires_at))


def retain_recordings(client: "Client", account: str, days: int | None, *, is_changed: bool) -> int | None:
    """Say for how many days recordings are kept, None: for good; set it first where it is changed."""
    recordings = act_for(client, account).recordings
    return (recordings.keep(days=days) if is_changed else recordings.retention()).days


def delete_recording(client: "Client", account: str, recording_id: str, now: int) -> bool:
    """Delete a recording; False when there is none of this id."""
    from maskline.client import NotFoundError  # noqa: PLC0415  # as above

    try:
        act_for(client, account).recordings.delete(recording_id)
    except NotFoundError:
        return False
    return True

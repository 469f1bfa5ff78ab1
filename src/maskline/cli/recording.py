"""`maskline recording ...`."""

from typing import Annotated

from cyclopts import App, Parameter

from maskline.cli.context import Context, found
from maskline.cli.number import find_account
from maskline.cli.remote import recordings as remote
from maskline.cli.remote.values import ListedRecording, MadeLink
from maskline.clock import to_datetime
from maskline.config import RECORDING_LINKS_S_MAX
from maskline.core.masking import MICROSECONDS
from maskline.core.recording import (
    RECORDING_LIST_LIMIT_MAX,
    RETENTION_DAYS_MAX,
    RecordingFilter,
    RecordingNotFound,
    parse_recording_id,
    render_recording_uuid,
)
from maskline.errors import InputError
from maskline.recordings.links import build_linked_path
from maskline.store.engine import Tx
from maskline.workflows import recordings as work

LISTED_COUNT_MAX = 1_000  # lines that somebody reads, or a script takes by the page
_HOUR_S = 3_600


def add_commands(app: App, context: Context) -> None:
    """Register the group."""
    group = App(
        name="recording", help="Recordings of calls: lists, links, deletion and how long they are kept."
    )
    app.command(group)
    _add_reading(group, context)
    _add_changing(group, context)


def _add_reading(group: App, context: Context) -> None:
    @group.command(name="list")
    def list_some(account: str, /, *, limit: int = RECORDING_LIST_LIMIT_MAX, offset: int = 0) -> None:
        """List an account's recordings, newest first.

        Args:
            account: Name or auth id of the account.
            limit: How many at most.
            offset: How many newer ones to leave out.
        """
        if not 1 <= limit <= LISTED_COUNT_MAX or offset < 0:
            raise InputError(f"--limit: 1 to {LISTED_COUNT_MAX}; --offset: 0 or more")
        listed = context.perform(_list, remote.list_recordings, account, limit, offset, context.clock.now())
        rows = [_describe(recording) for recording in listed]
        columns = ("recording", "started_at", "duration_ms", "format", "session", "expires_at")
        context.answer_table(rows, columns, "There are no recordings.")

    @group.command(name="link")
    def link(account: str, recording: str, /, *, hours: int = 24) -> None:
        """Print a link with which anybody hears a recording, without credentials, for some hours.

        Args:
            account: Name or auth id of the account.
            recording: Id of the recording.
            hours: How long the link works; 720 at most.
        """
        if not 1 <= hours * _HOUR_S <= RECORDING_LINKS_S_MAX:
            raise InputError(f"--hours: 1 to {RECORDING_LINKS_S_MAX // _HOUR_S}")
        made = context.perform(
            _link,
            remote.link_recording,
            account,
            _check_id(recording),
            public_url="" if context.remote else context.settings.effective_public_url,
            expires_in_s=hours * _HOUR_S,
            now=context.clock.now(),
        )
        made = found(made, "recording", recording)
        expires_at = to_datetime(made.expires_at).isoformat()
        context.answer({"url": made.url, "expires_at": expires_at}, made.url)


def _add_changing(group: App, context: Context) -> None:
    @group.command(name="delete")
    def delete(account: str, recording: str, /) -> None:
        """Delete a recording; the running service removes its audio within a minute.

        Args:
            account: Name or auth id of the account.
            recording: Id of the recording.
        """
        is_deleted = context.perform(
            _delete, remote.delete_recording, account, _check_id(recording), context.clock.now()
        )
        found(is_deleted or None, "recording", recording)
        context.answer({"recording": recording, "is_deleted": True}, f"recording {recording} deleted")

    @group.command(name="retention")
    def retention(
        account: str,
        /,
        *,
        days: int | None = None,
        forever: Annotated[bool, Parameter(negative="")] = False,
    ) -> None:
        """Show or set for how many days an account's recordings are kept; those there are are included.

        Args:
            account: Name or auth id of the account.
            days: Delete each recording so many days after its call.
            forever: Keep recordings until somebody deletes them, as is the default.
        """
        if days is not None and (forever or not 1 <= days <= RETENTION_DAYS_MAX):
            raise InputError(f"--days: 1 to {RETENTION_DAYS_MAX}, and not together with --forever")
        kept = context.perform(
            _retain, remote.retain_recordings, account, days, is_changed=forever or days is not None
        )
        context.answer(
            {"account": account, "days": kept},
            "recordings are kept until they are deleted"
            if kept is None
            else f"recordings are kept for {kept} days",
        )


def _check_id(recording: str) -> str:
    """The id as it is stored. Raises InputError."""
    id_ = parse_recording_id(recording)
    if id_ is None:
        raise InputError("a recording's id has 32 hexadecimal digits, with or without hyphens")
    return id_


def _list(tx: Tx, account: str, limit: int, offset: int, now: int) -> tuple[ListedRecording, ...]:
    owner = find_account(tx, account)
    wanted = RecordingFilter(account_id=owner.id, limit=limit, offset=offset)
    return tuple(
        ListedRecording(
            id=it.id,
            session_id=it.session_id,
            call_id=it.call_id,
            format=it.format,
            started_at=it.started_at,
            duration_ms=it.duration_ms,
            size_bytes=it.size_bytes,
            expires_at=it.expires_at,
        )
        for it in work.list_recordings(tx, owner, wanted, now).recordings
    )


def _link(
    tx: Tx, account: str, recording_id: str, *, public_url: str, expires_in_s: int, now: int
) -> MadeLink | None:
    owner = find_account(tx, account)
    recording = work.load_recording(tx, owner, recording_id, now)
    if isinstance(recording, RecordingNotFound):
        return None
    expires_s = now // MICROSECONDS + expires_in_s
    made = work.sign_recording_link(tx, owner.auth_id, recording_id, recording.format, expires_s)
    return MadeLink(url=public_url + build_linked_path(made), expires_at=expires_s * MICROSECONDS)


def _delete(tx: Tx, account: str, recording_id: str, now: int) -> bool:
    return work.delete_recording(tx, find_account(tx, account), recording_id, now)


def _retain(tx: Tx, account: str, days: int | None, *, is_changed: bool) -> int | None:
    owner = find_account(tx, account)
    if is_changed:
        work.set_recording_retention(tx, owner, days)
    return work.load_recording_retention(tx, owner)


def _describe(recording: ListedRecording) -> dict[str, object]:
    expires_at = recording.expires_at
    return {
        "recording": render_recording_uuid(recording.id),
        "session": recording.session_id,
        "call": recording.call_id,
        "format": recording.format.value,
        "started_at": to_datetime(recording.started_at).isoformat(timespec="seconds"),
        "duration_ms": recording.duration_ms,
        "size_bytes": recording.size_bytes,
        "expires_at": None if expires_at is None else to_datetime(expires_at).isoformat(timespec="seconds"),
    }

"""`maskline recording ...`."""

from collections.abc import Callable
from typing import Annotated, TypeVar

from cyclopts import App, Parameter

from maskline.cli.context import Context, found
from maskline.cli.number import find_account
from maskline.clock import to_datetime
from maskline.config import RECORDING_LINKS_S_MAX
from maskline.core.masking import MICROSECONDS
from maskline.core.recording import (
    RECORDING_LIST_LIMIT_MAX,
    Recording,
    RecordingFilter,
    RecordingLink,
    RecordingNotFound,
    RecordingPage,
    parse_recording_id,
    render_recording_uuid,
)
from maskline.errors import InputError
from maskline.recordings.links import build_linked_path
from maskline.store.engine import Tx
from maskline.workflows import recordings as work

T = TypeVar("T")

LISTED_COUNT_MAX = 1_000  # lines that somebody reads, or a script takes by the page
RETENTION_DAYS_MAX = 36_500  # a hundred years
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
        page = context.run(_list, account, limit, offset, context.clock.now())
        rows = [_describe(recording) for recording in page.recordings]
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
        now = context.clock.now()
        expires_s = now // MICROSECONDS + hours * _HOUR_S
        made = found(
            _of_one(context, _link, account, recording, expires_s=expires_s, now=now), "recording", recording
        )
        url = context.settings.effective_public_url + build_linked_path(made)
        expires_at = to_datetime(expires_s * MICROSECONDS).isoformat()
        context.answer({"url": url, "expires_at": expires_at}, url)


def _add_changing(group: App, context: Context) -> None:
    @group.command(name="delete")
    def delete(account: str, recording: str, /) -> None:
        """Delete a recording; the running service removes its audio within a minute.

        Args:
            account: Name or auth id of the account.
            recording: Id of the recording.
        """
        is_deleted = _of_one(context, _delete, account, recording, now=context.clock.now())
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
        kept = context.run(_retain, account, days, is_changed=forever or days is not None)
        context.answer(
            {"account": account, "days": kept},
            "recordings are kept until they are deleted"
            if kept is None
            else f"recordings are kept for {kept} days",
        )


def _of_one(context: Context, work_: Callable[..., T], account: str, recording: str, **given: int) -> T:
    """Run a workflow on one recording of an account. Raises InputError for what is no id."""
    id_ = parse_recording_id(recording)
    if id_ is None:
        raise InputError("a recording's id has 32 hexadecimal digits, with or without hyphens")
    return context.run(work_, account, id_, **given)


def _list(tx: Tx, account: str, limit: int, offset: int, now: int) -> RecordingPage:
    owner = find_account(tx, account)
    return work.list_recordings(
        tx, owner, RecordingFilter(account_id=owner.id, limit=limit, offset=offset), now
    )


def _link(tx: Tx, account: str, recording_id: str, expires_s: int, now: int) -> RecordingLink | None:
    owner = find_account(tx, account)
    recording = work.load_recording(tx, owner, recording_id, now)
    if isinstance(recording, RecordingNotFound):
        return None
    return work.sign_recording_link(tx, owner.auth_id, recording_id, recording.format, expires_s)


def _delete(tx: Tx, account: str, recording_id: str, now: int) -> bool:
    return work.delete_recording(tx, find_account(tx, account), recording_id, now)


def _retain(tx: Tx, account: str, days: int | None, *, is_changed: bool) -> int | None:
    owner = find_account(tx, account)
    if is_changed:
        work.set_recording_retention(tx, owner, days)
    return work.load_recording_retention(tx, owner)


def _describe(recording: Recording) -> dict[str, object]:
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

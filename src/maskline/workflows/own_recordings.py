"""Recordings as whoever asks may hear them, and links to them."""

from dataclasses import replace

from maskline.core.inventory import Account
from maskline.core.listing import ListedRecordings, RecordingListFilter
from maskline.core.masking import MICROSECONDS
from maskline.core.recording import RecordingLink, RecordingNotFound
from maskline.store import recording_pages
from maskline.store.engine import Tx
from maskline.workflows.recordings import load_recording, sign_recording_link


def list_own_recordings(tx: Tx, account: Account, wanted: RecordingListFilter, now: int) -> ListedRecordings:
    """List one page of the recordings that can be heard at `now`, newest first."""
    own = account.subaccount
    if own is not None:
        wanted = replace(wanted, subaccount_id=own.id)
    return recording_pages.load_listed_recordings(tx, replace(wanted, account_id=account.id), now)


def link_recording(
    tx: Tx, account: Account, recording_id: str, expires_in_s: int, now: int
) -> RecordingLink | RecordingNotFound:
    """Make a link that opens a recording to anybody for so many seconds; it is as much worth as its maker's account."""
    found = load_recording(tx, account, recording_id, now)
    if isinstance(found, RecordingNotFound):
        return found
    auth_id = account.auth_id if account.subaccount is None else account.subaccount.auth_id
    return sign_recording_link(tx, auth_id, found.id, found.format, now // MICROSECONDS + expires_in_s)

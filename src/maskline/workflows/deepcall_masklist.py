"""List masks and their calls for a client of the DeepCall dialect."""

from dataclasses import replace

from maskline.core.deepcall import HeardRecording, MaskFilter, MaskPage
from maskline.core.inventory import Account
from maskline.core.masking import MICROSECONDS, SessionPage
from maskline.store import recording_lists, session_lists
from maskline.store.engine import Tx
from maskline.workflows.recordings import sign_recording_link


def list_masks(tx: Tx, account: Account, wanted: MaskFilter, *, recording_links_s: int, now: int) -> MaskPage:
    """List one page of the account's masks, newest first; links to recordings work `recording_links_s` longer."""
    page = _load_page(tx, account, wanted, now)
    ids = {
        it.recording_id
        for session in page.sessions
        for it in session.interactions
        if it.recording_id is not None
    }
    expires_s = now // MICROSECONDS + recording_links_s
    heard = {
        id_: HeardRecording(
            recording=recording,
            link=sign_recording_link(tx, account.auth_id, id_, recording.format, expires_s)
            if recording_links_s
            else None,
        )
        for id_, recording in recording_lists.load_several(tx, account.id, ids, now).items()
    }
    return MaskPage(sessions=page.sessions, total_count=page.total_count, recordings=heard)


def _load_page(tx: Tx, account: Account, wanted: MaskFilter, now: int) -> SessionPage:
    """Load the page of the first reading of the number that has any masks."""
    page = SessionPage(sessions=(), total_count=0)
    for mask in wanted.masks or (None,):
        sessions = replace(wanted.sessions, virtual_number=mask)
        page = session_lists.load_session_page(tx, account.id, sessions, now)
        if page.total_count:
            break
    return page

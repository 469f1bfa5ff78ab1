"""Look at many masking sessions."""

from maskline.core.inventory import Account
from maskline.core.masking import SessionFilter, SessionPage
from maskline.store import session_lists
from maskline.store.engine import Tx


def list_masking_sessions(tx: Tx, account: Account, wanted: SessionFilter, now: int) -> SessionPage:
    """List one page of the account's sessions, newest first."""
    return session_lists.load_session_page(tx, account.id, wanted, now)

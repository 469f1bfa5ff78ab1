"""Look at masking sessions."""

from maskline.core.inventory import Account
from maskline.core.masking import MaskingSession, SessionFilter, SessionNotFound, SessionPage
from maskline.store import sessions
from maskline.store.engine import Tx


def load_masking_session(tx: Tx, account: Account, session_id: str) -> MaskingSession | SessionNotFound:
    """Load one session of the account, live or over, with its interactions."""
    return sessions.load_session(tx, account.id, session_id) or SessionNotFound()


def list_masking_sessions(tx: Tx, account: Account, wanted: SessionFilter, now: int) -> SessionPage:
    """List one page of the account's sessions, newest first."""
    return sessions.load_session_page(tx, account.id, wanted, now)

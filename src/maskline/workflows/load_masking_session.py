"""Look at one masking session."""

from maskline.core.inventory import Account
from maskline.core.masking import MaskingSession, SessionNotFound
from maskline.store import sessions
from maskline.store.engine import Tx


def load_masking_session(tx: Tx, account: Account, session_id: str) -> MaskingSession | SessionNotFound:
    """Load one session of the account, live or over, with its interactions."""
    return sessions.load_session(tx, account.id, session_id) or SessionNotFound()

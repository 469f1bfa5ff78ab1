"""End a masking session before its time."""

from maskline.core.events import EventKind
from maskline.core.inventory import Account
from maskline.core.masking import MaskingSession, SessionAlreadyExpired, SessionEndCause, SessionNotFound
from maskline.store import outbox, session_writes, sessions
from maskline.store.engine import Tx
from maskline.store.sessions import LockedSession


def end_masking_session(
    tx: Tx, account: Account, session_id: str, now: int
) -> MaskingSession | SessionNotFound | SessionAlreadyExpired:
    """End a live session of the account at `now`; its numbers cool off from then."""
    found = sessions.lock_session(tx, account.id, session_id, now)
    if found is None:
        return SessionNotFound()
    locked, is_open = found
    if not is_open:
        return SessionAlreadyExpired()
    end_session(tx, locked, SessionEndCause.DELETED, now)
    session = sessions.load_session(tx, account.id, session_id)
    assert session is not None, "the row is locked"
    return session


def end_session(tx: Tx, locked: LockedSession, cause: SessionEndCause, now: int) -> None:
    """End a locked live session and write its event.

    Another machine's clock may be ahead of ours: a session never ends before it began.
    """
    at = max(now, locked.start_at)
    sequence = session_writes.update_ended(tx, locked.id, cooloff_s=locked.cooloff_s, cause=cause, now=at)
    outbox.insert_event(
        tx,
        EventKind.SESSION_ENDED,
        account_id=locked.account_id,
        session_id=locked.id,
        sequence=sequence,
        occurred_at=at,
        facts={"cause": cause.value},
    )

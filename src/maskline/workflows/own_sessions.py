"""Sessions as whoever asks may see them: a sub-account sees its own, and others' are not there."""

from dataclasses import dataclass, replace

from maskline.core.inventory import Account
from maskline.core.listing import ListedSessions, SessionListFilter
from maskline.core.masking import (
    MaskingSession,
    PartyIsVirtual,
    PartyOccupied,
    Role,
    SessionAlreadyExpired,
    SessionChanges,
    SessionNotFound,
)
from maskline.core.numbers import E164
from maskline.store import session_pages, sessions
from maskline.store.engine import Tx
from maskline.workflows.end_masking_session import end_masking_session
from maskline.workflows.update_masking_session import update_masking_session


@dataclass(frozen=True, slots=True, kw_only=True)
class PartyFixed:
    """Refused: this session's parties do not change; it was not made for a single one. Nothing was changed."""

    role: Role


def load_own_session(tx: Tx, account: Account, session_id: str) -> MaskingSession | SessionNotFound:
    """Load a session of the account, or of its sub-account."""
    session = sessions.load_session(tx, account.id, session_id)
    own = account.subaccount
    if session is None or (own is not None and session.subaccount_id != own.id):
        return SessionNotFound()
    return session


def list_own_sessions(tx: Tx, account: Account, wanted: SessionListFilter, now: int) -> ListedSessions:
    """List one page of the sessions, newest first; a sub-account's are its own whatever it asks for."""
    own = account.subaccount
    if own is not None:
        wanted = replace(wanted, subaccount_id=own.id)
    return session_pages.load_listed_sessions(tx, replace(wanted, account_id=account.id), now)


def change_own_session(
    tx: Tx, account: Account, session_id: str, changes: SessionChanges, now: int
) -> MaskingSession | SessionNotFound | SessionAlreadyExpired | PartyIsVirtual | PartyOccupied | PartyFixed:
    """Change a live session; a party that cannot be changed is refused rather than passed over."""
    session = load_own_session(tx, account, session_id)
    if isinstance(session, SessionNotFound):
        return session
    if session.ended_at is not None or now >= session.ends_at:
        return SessionAlreadyExpired()
    if not session.is_single_party:
        for role, given, present in (
            (Role.FIRST, changes.first, session.first),
            (Role.SECOND, changes.second, session.second),
        ):
            if _differs(given, present):
                return PartyFixed(role=role)
    return update_masking_session(tx, account, session_id, changes, now)


def end_own_session(
    tx: Tx, account: Account, session_id: str, now: int
) -> MaskingSession | SessionNotFound | SessionAlreadyExpired:
    """End a live session at `now`."""
    if isinstance(load_own_session(tx, account, session_id), SessionNotFound):
        return SessionNotFound()
    return end_masking_session(tx, account, session_id, now)


def _differs(given: E164 | None, present: E164 | None) -> bool:
    return given is not None and given != present

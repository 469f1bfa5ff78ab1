"""Sessions as whoever asks may see them: a sub-account sees its own, and others' are not there."""

from dataclasses import dataclass, replace
from typing import Final

from maskline.core.allocation import PoolExhausted
from maskline.core.inventory import Account
from maskline.core.listing import ListedSessions, SessionListFilter
from maskline.core.masking import (
    MICROSECONDS,
    SESSION_EXPIRY_S_MIN,
    MaskingSession,
    NewMaskingSession,
    PairIsLive,
    PartyIsVirtual,
    PartyOccupied,
    Role,
    SessionAlreadyExpired,
    SessionChanges,
    SessionCreated,
    SessionNotFound,
)
from maskline.core.numbers import E164
from maskline.core.pin import PinLimits
from maskline.store import pools, session_pages, sessions
from maskline.store.engine import Tx
from maskline.workflows.accounts import load_subaccount
from maskline.workflows.create_masking_session import create_masking_session
from maskline.workflows.end_masking_session import end_masking_session
from maskline.workflows.update_masking_session import update_masking_session

SESSION_S_MAX: Final = 365 * 86_400
"""How far ahead an end may be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndOutOfRange:
    """Refused: the end is too near, past, or too far away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolUnknown:
    """Refused: the account has no pool of that name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubaccountUnknown:
    """Refused: no sub-account of the account, or not the one that asks, has that auth id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartyFixed:
    """Refused: this session's parties do not change; it was not made for a single one. Nothing was changed."""

    role: Role


CreationRefused = (
    PairIsLive | PoolExhausted | PartyIsVirtual | EndOutOfRange | PoolUnknown | SubaccountUnknown
)
ChangeRefused = (
    SessionNotFound | SessionAlreadyExpired | PartyIsVirtual | PartyOccupied | PartyFixed | EndOutOfRange
)


def create_own_session(
    tx: Tx,
    account: Account,
    new: NewMaskingSession,
    now: int,
    limits: PinLimits,
    *,
    pool: str | None = None,
    subaccount: str | None = None,
) -> SessionCreated | CreationRefused:
    """Make a session, or do with the pair's live one what is wanted; pool and sub-account by their names."""
    if new.ends_at is not None and not _is_in_range(new.ends_at, now, SESSION_EXPIRY_S_MIN):
        return EndOutOfRange()
    own = account.subaccount
    if subaccount is not None and own is None:
        own = load_subaccount(tx, account, subaccount)
    if subaccount is not None and (own is None or own.auth_id != subaccount):
        return SubaccountUnknown()
    pool_id = None if pool is None else pools.load_pool_id(tx, account.id, pool)
    if pool is not None and pool_id is None:
        return PoolUnknown()
    wanted = replace(
        new,
        subaccount_id=None if own is None else own.id,
        pool_id=pool_id,
    )
    return create_masking_session(tx, account, wanted, now, limits)


def _is_in_range(ends_at: int, now: int, s_min: int) -> bool:
    return now + s_min * MICROSECONDS <= ends_at <= now + SESSION_S_MAX * MICROSECONDS


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
) -> MaskingSession | ChangeRefused:
    """Change a live session; a party that cannot be changed is refused rather than passed over."""
    session = load_own_session(tx, account, session_id)
    if isinstance(session, SessionNotFound):
        return session
    if session.ended_at is not None or now >= session.ends_at:
        return SessionAlreadyExpired()
    if changes.ends_at is not None and not _is_in_range(changes.ends_at, now, 0):
        return EndOutOfRange()
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

"""Tell the world of sessions whose time is up. Routing and allocation need no telling: they read the clock."""

from maskline.core.events import EventKind
from maskline.store import bindings, outbox, session_writes
from maskline.store.engine import Tx


def expire_masking_sessions(tx: Tx, now: int) -> tuple[str, ...]:
    """Mark up to 500 sessions as ended by their clock, each with its event; return their ids.

    Run again while it returns 500, and at `load_next_session_end`.
    """
    expired = session_writes.update_expired(tx, now)
    for it in expired:
        outbox.insert_event(
            tx,
            EventKind.SESSION_EXPIRED,
            account_id=it.account_id,
            session_id=it.id,
            sequence=it.event_count,
            occurred_at=it.end_at,
            facts={},
        )
    return tuple(it.id for it in expired)


def load_next_session_end(tx: Tx) -> int | None:
    """Say when the next session ends by its clock (µs UTC); None when none is live."""
    return session_writes.load_next_end(tx)


def release_lapsed_bindings(tx: Tx, now: int) -> int:
    """Tidy up to 500 bindings whose cool-off has passed; return how many."""
    return bindings.release_batch(tx, now)

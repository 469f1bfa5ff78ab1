"""Say which sessions are over, by their clock or by request."""

from maskline.store import calls
from maskline.store.engine import Tx


def load_ended_sessions(tx: Tx, session_ids: tuple[str, ...], now: int) -> tuple[str, ...]:
    """Return those of the given sessions whose window is closed at `now` (µs UTC).

    A switch asks before each bridge.
    """
    return calls.load_ended(tx, session_ids, now)

"""Say until when sessions stand, by their clock or by request."""

from maskline.store import calls
from maskline.store.engine import Tx


def load_session_windows(tx: Tx, session_ids: tuple[str, ...], now: int) -> dict[str, int | None]:
    """Return until when each of the given sessions stands (µs UTC), None for one that is over at `now`.

    A switch asks every second for the calls it has not bridged yet.
    """
    return calls.load_windows(tx, session_ids, now)

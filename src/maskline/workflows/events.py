"""Follow the events of an account."""

from collections.abc import Iterable

from maskline.core.event_stream import EventFilter, EventPage
from maskline.store import events, outbox
from maskline.store.engine import Tx


def read_events(tx: Tx, wanted: EventFilter) -> EventPage:
    """Read the next events behind a place, oldest first; only those that were published."""
    return events.load_events(tx, wanted)


def read_last_position(tx: Tx) -> int:
    """Say which place was given last: behind it is what has yet to come."""
    return outbox.load_last_position(tx)


def read_newest_positions(tx: Tx, account_ids: Iterable[int]) -> dict[int, int]:
    """Say how far the events of some accounts have come."""
    return events.load_newest_positions(tx, account_ids)

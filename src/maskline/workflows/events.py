"""Follow the events of an account."""

from collections.abc import Iterable
from typing import Final

from maskline.core.event_stream import EventFilter, EventPage
from maskline.core.masking import MICROSECONDS
from maskline.store import events, outbox
from maskline.store.engine import Tx

FOLLOWED_S: Final = 60
"""How long an account counts as followed after its streams were last seen: three renewals may fail."""


def read_events(tx: Tx, wanted: EventFilter) -> EventPage:
    """Read the next events behind a place, oldest first; only those that were published."""
    return events.load_events(tx, wanted)


def read_last_position(tx: Tx) -> int:
    """Say which place was given last: behind it is what has yet to come."""
    return outbox.load_last_position(tx)


def read_newest_positions(tx: Tx, account_ids: Iterable[int]) -> dict[int, int]:
    """Say how far the events of some accounts have come."""
    return events.load_newest_positions(tx, account_ids)


def follow_accounts(tx: Tx, account_ids: Iterable[int], now: int) -> None:
    """Say that streams of some accounts are open: the steps of their calls are written from now on, for a while."""
    events.mark_followed(tx, account_ids, now + FOLLOWED_S * MICROSECONDS)


def forget_followers(tx: Tx, now: int) -> int:
    """Say of accounts whose streams were not seen for long that they have none; return how many."""
    return events.forget_followed(tx, now)

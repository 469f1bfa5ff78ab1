"""Tell of one step of a call."""

from maskline.core.events import NewEvent
from maskline.store import outbox
from maskline.store.engine import Tx


def report_event(tx: Tx, event: NewEvent, now: int) -> None:
    """Write an event of a call at the next place of its session, and say by reference between whom the call is.

    The references are those of the call while it lives, then of its record; facts given win. An instant that has
    not come yet, by the clock of this machine, is now.
    """
    parties = None if event.call_id is None else outbox.load_call_parties(tx, event.call_id)
    outbox.insert_event(
        tx,
        event.kind,
        account_id=event.account_id,
        session_id=event.session_id,
        call_id=event.call_id,
        sequence=outbox.take_sequence(tx, event.session_id),
        occurred_at=min(event.occurred_at, now),
        facts={**(parties or {}), **event.facts},
    )

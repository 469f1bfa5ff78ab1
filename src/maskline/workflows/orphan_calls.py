"""Find the calls that a switch left behind."""

from typing import Final

from maskline.core.call_record import OrphanCall
from maskline.store import calls
from maskline.store.engine import Tx

LOST_AFTER_US: Final = 60_000_000
"""How long after its lease a call counts as lost. A switch that is back within a minute ends its own."""


def load_orphan_calls(tx: Tx, switch_id: str, now: int) -> tuple[OrphanCall, ...]:  # noqa: ARG001 - workflows end with now
    """Load the unfinished calls of an earlier life of this switch; meant for before it takes new ones."""
    return calls.load_orphans(tx, switch_id)


def load_lost_calls(tx: Tx, now: int) -> tuple[OrphanCall, ...]:
    """Load the unfinished calls of switches that did not come back within a minute of the lease."""
    return calls.load_lapsed(tx, now - LOST_AFTER_US)

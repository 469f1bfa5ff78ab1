"""Keep what a successor needs to end a call."""

from maskline.store import calls
from maskline.store.engine import Tx


def save_dialogs(tx: Tx, call_id: str, a: str | None, b: str | None, now: int) -> None:  # noqa: ARG001 - workflows end with now
    """Keep the dialog snapshots (JSON) of a live call's legs that stand, sealed; nothing for a finished call."""
    calls.update_dialogs(tx, call_id, a, b)

"""End masks, or move their end, as a client of the DeepCall dialect names them."""

from maskline.core.deepcall import UNSET_COUNT_MAX, MaskChoice, MasksUnset, NoSuchMask, TooManyMasks
from maskline.core.inventory import Account
from maskline.core.masking import MaskingSession, SessionChanges
from maskline.store import deepcall_masks as rows
from maskline.store.engine import Tx
from maskline.workflows.end_masking_session import end_masking_session
from maskline.workflows.update_masking_session import update_masking_session


def unset_masks(
    tx: Tx, account: Account, choice: MaskChoice, *, ends_at: int | None, count_max: int, now: int
) -> MasksUnset | NoSuchMask | TooManyMasks:
    """End the live masks that are meant, or let them end at `ends_at` (µs UTC) where that is in the future.

    A choice that does not name both parties may mean more masks than its maker thinks of: beyond `count_max` none
    is touched.
    """
    limit = UNSET_COUNT_MAX if choice.is_pair else count_max
    ids = rows.lock_chosen(tx, account.id, choice, count_max=limit + 1, now=now)
    if not ids:
        return NoSuchMask()
    if len(ids) > limit:
        return TooManyMasks()
    is_moved = ends_at is not None and ends_at > now
    changes = SessionChanges(ends_at=ends_at)
    outcomes = [
        update_masking_session(tx, account, id_, changes, now)
        if is_moved
        else end_masking_session(tx, account, id_, now)
        for id_ in ids
    ]
    sessions = tuple(it for it in outcomes if isinstance(it, MaskingSession))
    assert len(sessions) == len(ids), "they are live and locked"
    return MasksUnset(sessions=sessions, is_moved=is_moved)

"""Order a call of two people under the session they have, or under a new one."""

from maskline.core.allocation import PoolExhausted
from maskline.core.click_to_call import CallOrdered, NumberNotLeased, OtherNumberShown
from maskline.core.inventory import Account
from maskline.core.masking import (
    NewMaskingSession,
    PairIsLive,
    PartyIsVirtual,
    RepeatRule,
    Role,
    SessionCreated,
)
from maskline.core.numbers import DID
from maskline.store import call_orders, numbers
from maskline.store.engine import Tx

from .create_masking_session import create_masking_session


def click_to_call(
    tx: Tx, account: Account, new: NewMaskingSession, now: int
) -> CallOrdered | NumberNotLeased | OtherNumberShown | PoolExhausted | PartyIsVirtual:
    """Order a call of the two parties of `new`, the first called first, who both see its virtual number if it has one.

    A live session of the two is used as it stands: the repeat rule of `new` is REUSE.
    """
    assert new.repeat_rule is RepeatRule.REUSE
    shown = new.virtual_number
    if shown is not None and not _is_leased(tx, account, shown):
        return NumberNotLeased()
    outcome = create_masking_session(tx, account, new, now)
    match outcome:
        case SessionCreated(session=session):
            if shown not in (None, session.virtual_number):
                return OtherNumberShown()
            # A session of the two that was made the other way round has them turned.
            role = Role.FIRST if session.first == new.first else Role.SECOND
            call_id = call_orders.insert_order(tx, session.id, role, now)
            return CallOrdered(call_id=call_id, session=session)
        case PairIsLive():
            raise AssertionError("a live session is reused")
        case PoolExhausted() | PartyIsVirtual():
            return outcome


def _is_leased(tx: Tx, account: Account, number: DID) -> bool:
    found = numbers.load_number(tx, number)
    return found is not None and found.account_id == account.id

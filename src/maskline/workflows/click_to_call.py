"""Order a call of two people under the session they have, or under a new one."""

from maskline.core.allocation import PoolExhausted
from maskline.core.click_to_call import CallOrdered, NewClick, NumberNotLeased, OtherNumberShown
from maskline.core.inventory import Account
from maskline.core.masking import (
    MaskingSession,
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
    tx: Tx, account: Account, click: NewClick, now: int
) -> CallOrdered | NumberNotLeased | OtherNumberShown | PoolExhausted | PartyIsVirtual:
    """Order the call; a live session of the two, whoever is its first, is used as it stands."""
    if click.shown is not None and not _is_leased(tx, account, click.shown):
        return NumberNotLeased()
    outcome = create_masking_session(tx, account, _new_session(click), now)
    match outcome:
        case SessionCreated(session=session):
            if click.shown not in (None, session.virtual_number):
                return OtherNumberShown()
            call_id = call_orders.insert_order(tx, session.id, _role_of(click, session), now)
            return CallOrdered(call_id=call_id, session=session)
        case PairIsLive():
            raise AssertionError("a live session is reused")
        case PoolExhausted() | PartyIsVirtual():
            return outcome


def _new_session(click: NewClick) -> NewMaskingSession:
    return NewMaskingSession(
        first=click.first,
        second=click.second,
        ends_at=click.ends_at,
        ring_timeout_s=click.ring_timeout_s,
        reference=click.reference,
        virtual_number=click.shown,
        is_geomatched=False,
        is_pair_ordered=False,
        repeat_rule=RepeatRule.REUSE,
    )


def _role_of(click: NewClick, session: MaskingSession) -> Role:
    """Say who of the session is called first: one made the other way round has them turned."""
    return Role.FIRST if session.first == click.first else Role.SECOND


def _is_leased(tx: Tx, account: Account, number: DID) -> bool:
    found = numbers.load_number(tx, number)
    return found is not None and found.account_id == account.id

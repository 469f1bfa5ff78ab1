"""What an account can see of its calls, leg by leg; a sub-account sees those of its own sessions."""

from dataclasses import replace
from typing import Final

from maskline.core.call_leg import CallLeg, LegFilter, LegNotFound, LegPage, LiveLeg
from maskline.core.call_record import split_leg_id
from maskline.core.inventory import Account
from maskline.store import call_legs
from maskline.store.engine import Tx

_ALL_LEGS: Final = LegFilter()


def load_call_leg(tx: Tx, account: Account, leg: str) -> CallLeg | LegNotFound:
    """Load a leg of a finished call by the id under which it is reported, a UUID in small letters."""
    found = call_legs.load_leg(tx, account.id, *split_leg_id(leg))
    if found is None or not _is_seen(account, found[1]):
        return LegNotFound()
    return found[0]


def list_call_legs(tx: Tx, account: Account, wanted: LegFilter) -> LegPage:
    """List the legs of finished calls, newest call first, leg A before its leg B."""
    if account.subaccount is not None:
        wanted = replace(wanted, subaccount_id=account.subaccount.id)
    legs, total_count = call_legs.load_page(tx, account.id, wanted)
    return LegPage(legs=legs, total_count=total_count)


def list_live_legs(tx: Tx, account: Account, now: int, wanted: LegFilter = _ALL_LEGS) -> tuple[LiveLeg, ...]:
    """List the legs of running calls, newest call first."""
    return tuple(
        leg
        for leg, subaccount_id in call_legs.load_live(tx, account.id, now)
        if _is_seen(account, subaccount_id)
        and wanted.subaccount_id in (None, subaccount_id)
        and wanted.fits(leg)
    )


def load_live_leg(tx: Tx, account: Account, leg: str, now: int) -> LiveLeg | LegNotFound:
    """Load a leg of a running call by the id under which it is reported."""
    for found, subaccount_id in call_legs.load_live(tx, account.id, now, leg):
        if _is_seen(account, subaccount_id):
            return found
    return LegNotFound()


def _is_seen(account: Account, subaccount_id: int | None) -> bool:
    return account.subaccount is None or account.subaccount.id == subaccount_id

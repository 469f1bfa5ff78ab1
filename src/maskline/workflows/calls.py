"""Calls as their account sees them."""

from dataclasses import replace

from maskline.core.call_record import CallRecord
from maskline.core.inventory import Account
from maskline.core.listing import CallListFilter, CallNotFound, ListedCalls, LiveCall
from maskline.store import call_pages
from maskline.store.engine import Tx


def list_calls(tx: Tx, account: Account, wanted: CallListFilter, now: int) -> ListedCalls:
    """List one page of the account's calls, newest first; a sub-account sees those of its sessions."""
    own = account.subaccount
    if own is not None:
        wanted = replace(wanted, subaccount_id=own.id)
    return call_pages.load_listed_calls(tx, replace(wanted, account_id=account.id), now)


def show_call(tx: Tx, account: Account, call_id: str, now: int) -> LiveCall | CallRecord | CallNotFound:
    """Show a call of the account, running or finished; a sub-account's are those of its sessions."""
    own = account.subaccount
    found = call_pages.load_call(tx, account.id, None if own is None else own.id, call_id, now)
    return CallNotFound() if found is None else found

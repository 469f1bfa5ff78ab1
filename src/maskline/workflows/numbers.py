"""Add, list, drain and remove virtual numbers."""

from dataclasses import dataclass

from maskline.core.inventory import NewNumbers, VirtualNumber
from maskline.core.masking import SessionEndCause
from maskline.core.numbers import DID, E164
from maskline.store import numbers as rows
from maskline.store import sessions
from maskline.store.engine import Tx

from .end_masking_session import end_session


@dataclass(frozen=True, slots=True, kw_only=True)
class NumbersAdded:
    """All numbers are in the inventory and leased."""

    numbers: tuple[DID, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NumbersTaken:
    """Nothing was added, because these are in the inventory already."""

    numbers: tuple[DID, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberNotFound:
    """The number is not in the inventory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberDraining:
    """The number gets no new session; `live_session_count` old ones still run."""

    live_session_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberRemoved:
    """The number is out of the inventory; `ended_session_count` sessions were ended for it."""

    ended_session_count: int


def add_numbers(tx: Tx, new: NewNumbers, now: int) -> NumbersAdded | NumbersTaken:
    """Add numbers in the order given, which is the order of first fit, and lease them; all or none."""
    taken = []
    with tx.savepoint() as savepoint:
        for number in new.numbers:
            id_ = rows.upsert_number(
                tx,
                number=number,
                country=E164(number).region,
                area=new.area,
                trunk_id=new.trunk_id,
                now=now,
            )
            if id_ is None:
                taken.append(number)
                continue
            rows.insert_lease(
                tx,
                virtual_number_id=id_,
                account_id=new.account_id,
                subaccount_id=new.subaccount_id,
                now=now,
            )
        if taken:
            savepoint.undo()
    return NumbersTaken(numbers=tuple(taken)) if taken else NumbersAdded(numbers=new.numbers)


def list_numbers(tx: Tx, account_id: int | None = None) -> tuple[VirtualNumber, ...]:
    """List the inventory, or what one account leases, in inventory order."""
    return rows.load_numbers(tx, account_id)


def load_number(tx: Tx, number: DID) -> VirtualNumber | None:
    """Load one number of the inventory."""
    return rows.load_number(tx, number)


def drain_number(tx: Tx, number: DID, now: int) -> NumberDraining | NumberNotFound:
    """Give the number to no new session; those it has run on to their end."""
    id_ = rows.lock_number(tx, number)
    if id_ is None:
        return NumberNotFound()
    rows.update_draining(tx, id_, now)
    return NumberDraining(live_session_count=rows.count_live_sessions(tx, id_, now))


def remove_number(
    tx: Tx, number: DID, *, is_forced: bool, now: int
) -> NumberRemoved | NumberDraining | NumberNotFound:
    """Take the number out of the inventory once no session lives on it; forced, end them first.

    With live sessions and without force the number is left draining.
    """
    id_ = rows.lock_number(tx, number)
    if id_ is None:
        return NumberNotFound()
    rows.update_draining(tx, id_, now)
    live_count = rows.count_live_sessions(tx, id_, now)
    if live_count and not is_forced:
        return NumberDraining(live_session_count=live_count)
    for live in sessions.lock_live_sessions_on(tx, id_, now):
        end_session(tx, live, SessionEndCause.NUMBER_REMOVED, now)
    rows.update_removed(tx, id_, now)
    return NumberRemoved(ended_session_count=live_count)

"""Add, list, drain and remove virtual numbers."""

from dataclasses import dataclass, field, replace

from maskline.core.inventory import NewNumbers, NumberFilter, NumberHealth, VirtualNumber
from maskline.core.masking import SessionEndCause
from maskline.core.numbers import DID, E164
from maskline.store import bindings, sessions
from maskline.store import numbers as rows
from maskline.store.engine import Tx

from .end_masking_session import end_session
from .pools import PoolNotFound, hold_pool


@dataclass(frozen=True, slots=True, kw_only=True)
class NumbersAdded:
    """All numbers are in the inventory and leased."""

    numbers: tuple[DID, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NumbersTaken:
    """Nothing was added, because these are in the inventory already."""

    numbers: tuple[DID, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NumbersAreParties:
    """Nothing was added, because these are parties of live sessions, of whatever account; they are people's."""

    numbers: tuple[DID, ...] = field(repr=False)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberChanges:
    """What is to be changed of a number: `is_moved` to the pool `pool_name`, or out of all without one."""

    is_moved: bool = False
    pool_name: str | None = None
    health: NumberHealth | None = None


def add_numbers(tx: Tx, new: NewNumbers, now: int) -> NumbersAdded | NumbersTaken | NumbersAreParties:
    """Add numbers in the order given, which is the order of first fit, and lease them; all or none.

    Sessions are looked at behind the inserts: what is made later finds the numbers in the inventory. On PostgreSQL
    that leaves a session whose transaction runs at the same moment as this one; routing refuses its calls.
    """
    taken: list[DID] = []
    parties: list[DID] = []
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
                pool_id=new.pool_id,
                now=now,
            )
        if not taken:
            parties = [it for it in new.numbers if bindings.is_live_party(tx, tx.keys.ref(E164(it)), now)]
        if taken or parties:
            savepoint.undo()
    if taken:
        return NumbersTaken(numbers=tuple(taken))
    return NumbersAreParties(numbers=tuple(parties)) if parties else NumbersAdded(numbers=new.numbers)


def ensure_numbers(tx: Tx, new: NewNumbers, now: int) -> NumbersAdded | NumbersTaken | NumbersAreParties:
    """As `add_numbers`, where a number that the same account has on the same trunk already is left as it is."""
    missing, taken = [], []
    for number in new.numbers:
        known = rows.load_number(tx, number)
        if known is None:
            missing.append(number)
        elif (known.account_id, known.trunk_id) != (new.account_id, new.trunk_id):
            taken.append(number)
    if taken:
        return NumbersTaken(numbers=tuple(taken))
    added = add_numbers(tx, replace(new, numbers=tuple(missing)), now)
    return NumbersAdded(numbers=new.numbers) if isinstance(added, NumbersAdded) else added


def list_number_page(
    tx: Tx, wanted: NumberFilter, *, after_id: int = 0, limit: int
) -> tuple[VirtualNumber, ...]:
    """List a part of the inventory in inventory order, behind the number with this id."""
    return rows.load_number_page(tx, wanted, after_id=after_id, limit=limit)


def change_number(
    tx: Tx, number: DID, account_id: int | None, changes: NumberChanges
) -> VirtualNumber | NumberNotFound | PoolNotFound:
    """Move a number, of one account if one is given, to a pool of its account, or say how healthy it is."""
    if rows.lock_number(tx, number) is None:
        return NumberNotFound()
    known = rows.load_number(tx, number)
    if known is None or known.account_id is None or account_id not in (None, known.account_id):
        return NumberNotFound()
    if changes.is_moved:
        name = changes.pool_name
        pool_id = None if name is None else hold_pool(tx, known.account_id, name)
        if isinstance(pool_id, PoolNotFound):
            return pool_id
        rows.update_pool(tx, known.id, pool_id)
    if changes.health is not None:
        rows.update_health(tx, known.id, changes.health)
    changed = rows.load_number(tx, number)
    assert changed is not None, "the row is locked"
    return changed


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

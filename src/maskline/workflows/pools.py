"""Make, find, change and delete an account's pools; numbers join one by `workflows.numbers.change_number`."""

from dataclasses import dataclass

from maskline.core.inventory import AllocationPolicy, Pool
from maskline.store import pools as rows
from maskline.store.engine import Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolExists:
    """The account has a pool of this name already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolNotFound:
    """The account has no pool of this name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolInUse:
    """Numbers are in the pool; nothing was changed."""

    number_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolDeleted:
    """The pool is gone."""


def create_pool(tx: Tx, account_id: int, name: str, policy: AllocationPolicy, now: int) -> Pool | PoolExists:
    """Make a pool without numbers."""
    if not rows.insert_pool(tx, account_id=account_id, name=name, policy=policy, now=now):
        return PoolExists()
    made = rows.load_pool(tx, account_id, name)
    assert made is not None, "written in this transaction"
    return made


def load_pool(tx: Tx, account_id: int, name: str) -> Pool | PoolNotFound:
    """Load an account's pool by name."""
    return rows.load_pool(tx, account_id, name) or PoolNotFound()


def hold_pool(tx: Tx, account_id: int, name: str) -> int | PoolNotFound:
    """Find an account's pool that numbers are to join, and keep it until the transaction ends; return its id."""
    id_ = rows.load_pool_id(tx, account_id, name)
    return PoolNotFound() if id_ is None or not rows.lock_pool(tx, id_) else id_


def list_pools(tx: Tx, account_id: int, *, before: int | None = None, limit: int) -> tuple[Pool, ...]:
    """List an account's pools, newest first, beginning below the internal id `before`."""
    return rows.load_pool_page(tx, account_id, before, limit)


def change_pool(tx: Tx, account_id: int, name: str, policy: AllocationPolicy) -> Pool | PoolNotFound:
    """Let a pool choose its next number otherwise; it holds for the next session."""
    found = load_pool(tx, account_id, name)
    if isinstance(found, PoolNotFound):
        return found
    rows.update_policy(tx, found.id, policy)
    return load_pool(tx, account_id, name)


def delete_pool(tx: Tx, account_id: int, name: str) -> PoolDeleted | PoolNotFound | PoolInUse:
    """Delete a pool that no number is in; sessions that were made from it stay as they are."""
    found = load_pool(tx, account_id, name)
    if isinstance(found, PoolNotFound):
        return found
    rows.lock_pool(tx, found.id)
    found = load_pool(tx, account_id, name)
    if isinstance(found, PoolNotFound):
        return found
    if found.number_count:
        return PoolInUse(number_count=found.number_count)
    rows.delete_pool(tx, found.id)
    return PoolDeleted()

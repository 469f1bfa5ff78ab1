"""Rows of pools."""

from typing import Final

from sqlalchemy import and_, bindparam, func, select, update
from sqlalchemy import delete as delete_from

from maskline.core.inventory import AllocationPolicy, Pool

from .accounts import ID_MAX
from .engine import Row, Tx
from .schema import number_lease, pool
from .statement import Statement, insert_row

_p: Final = pool.c
_is_in = and_(
    number_lease.c.account_id == _p.account_id,  # says nothing more, but has an index
    number_lease.c.pool_id == _p.id,
    number_lease.c.ended_at.is_(None),
)
_COUNT: Final = select(func.count()).select_from(number_lease).where(_is_in).correlate(pool).scalar_subquery()
_POOL: Final = select(_p.id, _p.account_id, _p.name, _p.policy, _p.created_at, _COUNT)
_INSERT: Final = Statement(
    insert_row(pool, "account_id", "name", "policy", "created_at").on_conflict_do_nothing().returning(_p.id)
)
SELECT_ONE: Final = Statement(
    _POOL.where(_p.account_id == bindparam("account_id"), _p.name == bindparam("name"))
)
SELECT_PAGE: Final = Statement(
    _POOL.where(_p.account_id == bindparam("account_id"), _p.id < bindparam("before"))
    .order_by(_p.id.desc())
    .limit(bindparam("limit_"))
)
_SELECT_ID: Final = Statement(
    select(_p.id).where(_p.account_id == bindparam("account_id"), _p.name == bindparam("name"))
)
_SELECT_POLICY: Final = Statement(
    select(_p.policy).where(_p.id == bindparam("id"), _p.account_id == bindparam("account_id"))
)
# FOR UPDATE also waits for numbers that join by their foreign key.
_LOCK: Final = Statement(select(_p.id).where(_p.id == bindparam("id")).with_for_update())
_UPDATE: Final = Statement(
    update(pool).where(_p.id == bindparam("id_")).values(policy=bindparam("new_policy"))
)
_FORGET: Final = Statement(
    update(number_lease).where(number_lease.c.pool_id == bindparam("id_")).values(pool_id=None)
)
_DELETE: Final = Statement(delete_from(pool).where(_p.id == bindparam("id_")))


def insert_pool(tx: Tx, *, account_id: int, name: str, policy: AllocationPolicy, now: int) -> bool:
    """Insert a pool; False when the account has one of this name."""
    row = tx.row(_INSERT, account_id=account_id, name=name, policy=policy.value, created_at=now)
    return row is not None


def load_pool(tx: Tx, account_id: int, name: str) -> Pool | None:
    """Load an account's pool by name."""
    row = tx.row(SELECT_ONE, account_id=account_id, name=name)
    return None if row is None else _pool(row)


def load_pool_id(tx: Tx, account_id: int, name: str) -> int | None:
    """Load the internal id of an account's pool; unlike `load_pool` it counts no numbers."""
    row = tx.row(_SELECT_ID, account_id=account_id, name=name)
    return None if row is None else int(row[0])


def load_pool_page(tx: Tx, account_id: int, before: int | None, limit: int) -> tuple[Pool, ...]:
    """Load a page of an account's pools below the internal id `before`, newest first."""
    before = ID_MAX if before is None else before
    rows = tx.rows(SELECT_PAGE, account_id=account_id, before=before, limit_=limit)
    return tuple(_pool(row) for row in rows)


def load_policy(tx: Tx, account_id: int, id_: int) -> AllocationPolicy | None:
    """Load how an account's pool gives out its numbers; None when there is no such pool."""
    row = tx.row(_SELECT_POLICY, id=id_, account_id=account_id)
    return None if row is None else AllocationPolicy(row[0])


def lock_pool(tx: Tx, id_: int) -> bool:
    """Keep numbers from joining, and the pool from going, until the transaction ends; False when it has gone."""
    return tx.row(_LOCK, id=id_) is not None


def update_policy(tx: Tx, id_: int, policy: AllocationPolicy) -> None:
    """Let a pool give out its numbers otherwise."""
    tx.run(_UPDATE, id_=id_, new_policy=policy.value)


def delete_pool(tx: Tx, id_: int) -> None:
    """Delete a pool that no number is in; leases that have ended forget it."""
    tx.run(_FORGET, id_=id_)
    tx.run(_DELETE, id_=id_)


def _pool(row: Row) -> Pool:
    id_, account_id, name, policy, created_at, number_count = row
    return Pool(
        id=id_,
        account_id=account_id,
        name=name,
        policy=AllocationPolicy(policy),
        created_at=created_at,
        number_count=number_count,
    )

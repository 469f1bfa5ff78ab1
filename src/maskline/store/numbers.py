"""Rows of virtual numbers and their leases."""

from functools import lru_cache
from typing import Any, Final

from sqlalchemy import and_, bindparam, func, null, select, update

from maskline.core.inventory import NumberFilter, NumberHealth, VirtualNumber
from maskline.core.numbers import DID, E164, PartyRef

from .accounts import LISTED_ROW_COUNT_MAX
from .engine import Row, Tx
from .schema import account, masking_session, number_lease, pool, subaccount, trunk, virtual_number
from .statement import Statement, insert_row

_NUMBER: Final = (
    select(
        virtual_number.c.id,
        virtual_number.c.number,
        virtual_number.c.country,
        virtual_number.c.area,
        virtual_number.c.trunk_id,
        trunk.c.name,
        virtual_number.c.health,
        virtual_number.c.created_at,
        virtual_number.c.draining_at,
        number_lease.c.account_id,
        account.c.name,
        subaccount.c.auth_id,
        account.c.auth_id,
        pool.c.name,
    )
    .join_from(virtual_number, trunk, trunk.c.id == virtual_number.c.trunk_id)
    .outerjoin(
        number_lease,
        and_(number_lease.c.virtual_number_id == virtual_number.c.id, number_lease.c.ended_at.is_(None)),
    )
    .outerjoin(account, account.c.id == number_lease.c.account_id)
    .outerjoin(subaccount, subaccount.c.id == number_lease.c.subaccount_id)
    .outerjoin(pool, pool.c.id == number_lease.c.pool_id)
    .where(virtual_number.c.removed_at.is_(None))
)
_SELECT_ONE: Final = Statement(_NUMBER.where(virtual_number.c.number == bindparam("number")))
_SELECT_ALL: Final = Statement(_NUMBER.order_by(virtual_number.c.id).limit(LISTED_ROW_COUNT_MAX))
_SELECT_OF_ACCOUNT: Final = Statement(
    _NUMBER.where(number_lease.c.account_id == bindparam("account_id"))
    .order_by(virtual_number.c.id)
    .limit(LISTED_ROW_COUNT_MAX)
)
_insert = insert_row(
    virtual_number, "number", "ref", "country", "area", "trunk_id", "capabilities", "health", "created_at"
)
# A number that was removed comes back into its old row, to which records of old calls refer.
_UPSERT: Final = Statement(
    _insert.on_conflict_do_update(
        index_elements=[virtual_number.c.ref],  # one subscriber, however written
        set_={
            **{
                name: _insert.excluded[name]
                for name in ("number", "country", "area", "trunk_id", "capabilities", "health", "created_at")
            },
            "draining_at": null(),
            "removed_at": null(),
        },
        where=virtual_number.c.removed_at.is_not(None),
    ).returning(virtual_number.c.id)
)
_INSERT_LEASE: Final = Statement(
    insert_row(number_lease, "virtual_number_id", "account_id", "subaccount_id", "pool_id", "started_at")
)
# FOR UPDATE also waits for creations that hold the row by their foreign key; see `is_allocatable`.
_LOCK: Final = Statement(
    select(virtual_number.c.id)
    .where(virtual_number.c.number == bindparam("number"), virtual_number.c.removed_at.is_(None))
    .with_for_update()
)
_DRAIN: Final = Statement(
    update(virtual_number)
    .where(virtual_number.c.id == bindparam("id"), virtual_number.c.draining_at.is_(None))
    .values(draining_at=bindparam("now"))
)
_REMOVE: Final = Statement(
    update(virtual_number)
    .where(virtual_number.c.id == bindparam("id"))
    .values(
        removed_at=bindparam("now"), draining_at=func.coalesce(virtual_number.c.draining_at, bindparam("now"))
    )
)
_END_LEASE: Final = Statement(
    update(number_lease)
    .where(number_lease.c.virtual_number_id == bindparam("id"), number_lease.c.ended_at.is_(None))
    .values(ended_at=bindparam("now"))
)
_COUNT_LIVE_SESSIONS: Final = Statement(
    select(func.count())
    .select_from(masking_session)
    .where(
        masking_session.c.virtual_number_id == bindparam("id"),
        masking_session.c.ended_at.is_(None),
        masking_session.c.end_at > bindparam("now"),
    )
)
_MOVE: Final = Statement(
    update(number_lease)
    .where(number_lease.c.virtual_number_id == bindparam("id_"), number_lease.c.ended_at.is_(None))
    .values(pool_id=bindparam("new_pool_id"))
)
_SET_HEALTH: Final = Statement(
    update(virtual_number)
    .where(virtual_number.c.id == bindparam("id_"))
    .values(health=bindparam("new_health"))
)
_SELECT_REFS: Final = Statement(
    select(virtual_number.c.ref).where(
        virtual_number.c.ref.in_([bindparam("first_ref"), bindparam("second_ref")]),
        virtual_number.c.removed_at.is_(None),
    )
)


def upsert_number(
    tx: Tx, *, number: DID, country: str, area: str | None, trunk_id: int, now: int
) -> int | None:
    """Insert a virtual number or bring a removed one back; None when it is in the inventory."""
    row = tx.row(
        _UPSERT,
        number=number,
        ref=tx.keys.ref(E164(number)),
        country=country,
        area=area,
        trunk_id=trunk_id,
        capabilities="voice",
        health=NumberHealth.HEALTHY.value,
        created_at=now,
    )
    return None if row is None else int(row[0])


def insert_lease(
    tx: Tx,
    *,
    virtual_number_id: int,
    account_id: int,
    subaccount_id: int | None,
    now: int,
    pool_id: int | None = None,
) -> None:
    """Lease a number that has no open lease."""
    tx.run(
        _INSERT_LEASE,
        virtual_number_id=virtual_number_id,
        account_id=account_id,
        subaccount_id=subaccount_id,
        pool_id=pool_id,
        started_at=now,
    )


def load_number(tx: Tx, number: DID) -> VirtualNumber | None:
    """Load a number of the inventory."""
    row = tx.row(_SELECT_ONE, number=number)
    return None if row is None else _number(row)


def load_numbers(tx: Tx, account_id: int | None = None) -> tuple[VirtualNumber, ...]:
    """Load the inventory, or the part leased to one account, in inventory order."""
    found = tx.rows(_SELECT_ALL) if account_id is None else tx.rows(_SELECT_OF_ACCOUNT, account_id=account_id)
    return tuple(_number(row) for row in found)


def lock_number(tx: Tx, number: DID) -> int | None:
    """Lock a number against allocation until the transaction ends; None when it is not in the inventory."""
    row = tx.row(_LOCK, number=number)
    return None if row is None else int(row[0])


def update_draining(tx: Tx, id_: int, now: int) -> None:
    """Give the number to no new session from now on."""
    tx.run(_DRAIN, id=id_, now=now)


def update_removed(tx: Tx, id_: int, now: int) -> None:
    """Take the number out of the inventory and end its lease."""
    tx.run(_REMOVE, id=id_, now=now)
    tx.run(_END_LEASE, id=id_, now=now)


def update_pool(tx: Tx, id_: int, pool_id: int | None) -> None:
    """Move a number into a pool, or out of all; sessions on it stay as they are."""
    tx.run(_MOVE, id_=id_, new_pool_id=pool_id)


def update_health(tx: Tx, id_: int, health: NumberHealth) -> None:
    """Say whether new sessions may have the number."""
    tx.run(_SET_HEALTH, id_=id_, new_health=health.value)


def load_number_page(tx: Tx, wanted: NumberFilter, *, after_id: int, limit: int) -> tuple[VirtualNumber, ...]:
    """Load a page of the inventory behind the number with this id, in inventory order."""
    given = {
        "account_id": wanted.account_id,
        "trunk_name": wanted.trunk_name,
        "pool_name": wanted.pool_name,
        "country": wanted.country,
        "health": None if wanted.health is None else wanted.health.value,
    }
    params = {name: value for name, value in given.items() if value is not None}
    statement = _page(frozenset(params), is_draining=wanted.is_draining)
    return tuple(_number(row) for row in tx.rows(statement, **params, after_id=after_id, limit_=limit))


@lru_cache(maxsize=96)  # combinations of filters: five and whether it drains, in three ways
def _page(names: frozenset[str], *, is_draining: bool | None) -> Statement:
    columns = {
        "account_id": number_lease.c.account_id,
        "trunk_name": trunk.c.name,
        "pool_name": pool.c.name,
        "country": virtual_number.c.country,
        "health": virtual_number.c.health,
    }
    conditions: list[Any] = [columns[name] == bindparam(name) for name in sorted(names)]
    if is_draining is not None:
        drains = virtual_number.c.draining_at
        conditions.append(drains.is_not(None) if is_draining else drains.is_(None))
    behind = virtual_number.c.id > bindparam("after_id")
    ordered = _NUMBER.where(behind, *conditions).order_by(virtual_number.c.id)
    return Statement(ordered.limit(bindparam("limit_")))


def count_live_sessions(tx: Tx, id_: int, now: int) -> int:
    """Count the sessions of a number whose end is still to come."""
    row = tx.row(_COUNT_LIVE_SESSIONS, id=id_, now=now)
    assert row is not None
    return int(row[0])


def load_virtual_refs(tx: Tx, first_ref: PartyRef | None, second_ref: PartyRef | None) -> frozenset[str]:
    """Load which of two references are those of our own numbers."""
    return frozenset(row[0] for row in tx.rows(_SELECT_REFS, first_ref=first_ref, second_ref=second_ref))


def _number(row: Row) -> VirtualNumber:
    names: tuple[Any, ...] = row
    id_, number, country, area, trunk_id, trunk_name, health, created_at, draining_at, *lease = names
    account_id, account_name, subaccount_auth_id, account_auth_id, pool_name = lease
    return VirtualNumber(
        id=id_,
        number=DID(number),
        country=country,
        area=area,
        trunk_id=trunk_id,
        trunk_name=trunk_name,
        health=NumberHealth(health),
        created_at=created_at,
        draining_at=draining_at,
        account_id=account_id,
        account_name=account_name,
        subaccount_auth_id=subaccount_auth_id,
        account_auth_id=account_auth_id,
        pool_name=pool_name,
    )

"""Rows of calls the service owes."""

from typing import Final, NamedTuple

from sqlalchemy import and_, bindparam, case, select, update

from maskline.core.masking import Role
from maskline.core.numbers import DID, E164
from maskline.core.routing import SessionFacts

from .engine import Tx
from .routes import SESSION_COLUMNS, build_session, read_party
from .schema import account, masking_session, number_lease, party, virtual_number
from .schema_call_flow import call_order
from .statement import Statement, insert_row

ORDER_BATCH_SIZE: Final = 50
"""Orders one switch takes at once at most: what it can place within a second or two."""

_CALL_ID_BYTES: Final = 16  # as many as any call's id is made of
_o: Final = call_order.c
_s: Final = masking_session.c
_n: Final = virtual_number.c
_caller: Final = party.alias("caller")
_callee: Final = party.alias("callee")
_INSERT: Final = Statement(insert_row(call_order, "session_id", "role", "created_at", "call_id"))
_HAS_OPEN: Final = Statement(select(_o.id).where(_o.taken_at.is_(None)).limit(1))
_TAKE: Final = Statement(
    update(call_order)
    .where(
        _o.id.in_(
            select(_o.id)
            .where(_o.taken_at.is_(None))
            .order_by(_o.created_at)
            .limit(bindparam("count_max"))
            .with_for_update(skip_locked=True)
            .scalar_subquery()
        )
    )
    .values(taken_at=bindparam("now"), switch_id=bindparam("by"))
    .returning(_o.id, _o.session_id, _o.role, _o.created_at, _o.call_id)
)
_is_first = bindparam("role") == Role.FIRST.value
_caller_ref = case((_is_first, _s.first_ref), else_=_s.second_ref)
_callee_ref = case((_is_first, _s.second_ref), else_=_s.first_ref)
_SELECT_SESSION: Final = Statement(
    select(
        _n.number,
        _n.trunk_id,
        _n.removed_at,
        number_lease.c.account_id,
        _caller_ref,
        _caller.c.sealed,
        _callee_ref,
        _callee.c.sealed,
        *SESSION_COLUMNS,
    )
    .select_from(masking_session)
    .join(account, account.c.id == _s.account_id)
    .join(virtual_number, _n.id == _s.virtual_number_id)
    .outerjoin(
        number_lease, and_(number_lease.c.virtual_number_id == _n.id, number_lease.c.ended_at.is_(None))
    )
    .outerjoin(_caller, and_(_caller.c.account_id == _s.account_id, _caller.c.ref == _caller_ref))
    .outerjoin(_callee, and_(_callee.c.account_id == _s.account_id, _callee.c.ref == _callee_ref))
    .where(_s.id == bindparam("session_id"))
)


class TakenOrder(NamedTuple):
    """An order that is this switch's now. µs UTC."""

    id: int
    session_id: str
    role: Role
    """Who is called first."""
    created_at: int
    call_id: str
    """Of the call it becomes."""


class OrderedSession(NamedTuple):
    """What an order is about: the session with its first called party as the caller."""

    facts: SessionFacts
    caller: E164 | None
    number: DID
    trunk_id: int
    is_leased: bool
    """Whether the number is still the account's."""


def insert_order(tx: Tx, session_id: str, role: Role, now: int) -> str:
    """Order a call of a session, to be placed as soon as a switch takes it; return the id the call will have."""
    call_id = _draw_call_id(tx)
    tx.run(_INSERT, session_id=session_id, role=role.value, created_at=now, call_id=call_id)
    return call_id


def has_open_order(tx: Tx) -> bool:
    """Say whether any order waits to be taken."""
    return tx.row(_HAS_OPEN) is not None


def take_orders(
    tx: Tx, switch_id: str, now: int, count_max: int = ORDER_BATCH_SIZE
) -> tuple[TakenOrder, ...]:
    """Take the oldest open orders for a switch, each once, ever; oldest first, no more than `count_max`."""
    rows = tx.rows(_TAKE, by=switch_id, now=now, count_max=min(count_max, ORDER_BATCH_SIZE))
    taken = [
        TakenOrder(id_, session_id, Role(role), created_at, call_id or _draw_call_id(tx))
        for id_, session_id, role, created_at, call_id in rows
    ]
    return tuple(sorted(taken))


def load_ordered_session(tx: Tx, order: TakenOrder) -> OrderedSession:
    """Load the session of an order as it stands."""
    row = tx.row(_SELECT_SESSION, session_id=order.session_id, role=order.role.value)
    assert row is not None, "a session with an order is never deleted"
    number, trunk_id, removed_at, lease_account_id, caller_ref, caller_sealed, callee_ref, callee_sealed = (
        row[:8]
    )
    columns = row[8:]
    account_id = columns[1]
    return OrderedSession(
        facts=build_session(columns, order.role, read_party(tx, account_id, callee_ref, callee_sealed)),
        caller=read_party(tx, account_id, caller_ref, caller_sealed),
        number=DID(number),
        trunk_id=trunk_id,
        is_leased=removed_at is None and lease_account_id == account_id,
    )


def _draw_call_id(tx: Tx) -> str:
    return tx.random_bytes(_CALL_ID_BYTES).hex()

"""Rows of PIN tries, and the session that a PIN opens."""

from typing import Final, NamedTuple

from sqlalchemy import Table, and_, bindparam, delete, select, tuple_, update

from maskline.core.masking import Role
from maskline.core.numbers import DID
from maskline.core.pin import PartyTries, TryWindow
from maskline.core.routing import SessionFacts

from .engine import Tx
from .routes import SESSION_COLUMNS, build_session, load_counterpart, read_party
from .schema import account, binding, masking_session, number_lease, party, virtual_number
from .schema_call_flow import party_pin_try, pin_try
from .statement import Statement, insert_row

FORGET_BATCH_SIZE: Final = 500
"""Closed windows deleted in one transaction; keeps the writer free for calls in between."""

_s: Final = masking_session.c
_b: Final = binding.c
_n: Final = virtual_number.c
_first: Final = party.alias("first_party")
_second: Final = party.alias("second_party")
_SELECT_NUMBER: Final = Statement(
    select(_n.id, _n.trunk_id, number_lease.c.account_id)
    .join_from(
        virtual_number,
        number_lease,
        and_(number_lease.c.virtual_number_id == _n.id, number_lease.c.ended_at.is_(None)),
    )
    .where(_n.number == bindparam("number"), _n.removed_at.is_(None))
)
FIND: Final = Statement(
    select(_b.role, _s.first_ref, _first.c.sealed, _s.second_ref, _second.c.sealed, *SESSION_COLUMNS)
    .select_from(binding)
    .join(masking_session, _s.id == _b.session_id)
    .join(account, account.c.id == _s.account_id)
    .outerjoin(_first, and_(_first.c.account_id == _s.account_id, _first.c.ref == _s.first_ref))
    .outerjoin(_second, and_(_second.c.account_id == _s.account_id, _second.c.ref == _s.second_ref))
    .where(
        _b.virtual_number_id == bindparam("virtual_number_id"),
        _b.pin_hash == bindparam("pin_hash"),
        _b.pin_hash.is_not(None),  # for the index, as is the next; what is live is said by the clock
        _b.released_at.is_(None),
        _b.start_at <= bindparam("now"),
        _b.end_at > bindparam("now"),
        _s.account_id == bindparam("account_id"),
    )
)


def _lock(table: Table, key: tuple[str, str], *counts: str) -> Statement:
    """Build the statement that makes a row of counts unless it is there, locks it and returns it."""
    insert = insert_row(table, *key, *counts)
    return Statement(
        insert.on_conflict_do_update(
            index_elements=[table.c[name] for name in key],
            set_={"wrong_count": table.c.wrong_count},  # nothing changes, but the row is ours until the end
        ).returning(*(table.c[name] for name in counts))
    )


_LOCK: Final = _lock(pin_try, ("virtual_number_id", "subject"), "opened_at", "wrong_count")
_UPDATE: Final = Statement(
    update(pin_try)
    .where(pin_try.c.virtual_number_id == bindparam("id_"), pin_try.c.subject == bindparam("subject_"))
    .values(opened_at=bindparam("opened_at"), wrong_count=bindparam("wrong_count"))
)
_LOCK_PARTY: Final = _lock(party_pin_try, ("session_id", "role"), "wrong_count", "wrong_at")
_UPDATE_PARTY: Final = Statement(
    update(party_pin_try)
    .where(party_pin_try.c.session_id == bindparam("id_"), party_pin_try.c.role == bindparam("role_"))
    .values(wrong_count=bindparam("wrong_count"), wrong_at=bindparam("wrong_at"))
)
_FORGET: Final = Statement(
    delete(pin_try).where(
        tuple_(pin_try.c.virtual_number_id, pin_try.c.subject).in_(
            select(pin_try.c.virtual_number_id, pin_try.c.subject)
            .where(pin_try.c.opened_at <= bindparam("opened_by"))
            .limit(FORGET_BATCH_SIZE)
            .with_for_update(skip_locked=True)
        )
    )
)
_FORGET_PARTY: Final = Statement(
    delete(party_pin_try).where(
        tuple_(party_pin_try.c.session_id, party_pin_try.c.role).in_(
            select(party_pin_try.c.session_id, party_pin_try.c.role)
            .join(masking_session, _s.id == party_pin_try.c.session_id)
            .where(_s.end_at <= bindparam("now"))
            .limit(FORGET_BATCH_SIZE)
        )
    )
)


class PinNumber(NamedTuple):
    """A number on which a PIN is tried: `account_id` leases it."""

    id: int
    trunk_id: int
    account_id: int


def load_number(tx: Tx, number: DID) -> PinNumber | None:
    """Load a leased number."""
    row = tx.row(_SELECT_NUMBER, number=number)
    return None if row is None else PinNumber(*row)


def find_session(
    tx: Tx, on: PinNumber, digits: str, now: int, *, forced: tuple[str, Role] | None
) -> SessionFacts | None:
    """Find the live session a PIN opens; `forced` (its id and the caller's role) lets only that one count.

    Who enters a party's PIN stands for that party; in a one-party session it is a stranger with either PIN. A caller
    whose role is known keeps it, so that nobody is connected to itself.
    """
    row = tx.row(
        FIND, virtual_number_id=on.id, pin_hash=tx.keys.pin_hash(digits), account_id=on.account_id, now=now
    )
    if row is None:
        return None
    pin_role, first_ref, first_sealed, second_ref, second_sealed, *columns = row
    session_id = columns[0]
    is_pair = first_ref is not None and second_ref is not None
    first = read_party(tx, on.account_id, first_ref, first_sealed)
    second = read_party(tx, on.account_id, second_ref, second_sealed)
    if forced is not None:
        if forced[0] != session_id:
            return None
        role = forced[1]
    else:
        role = Role(pin_role) if is_pair else Role.ANYONE
    if role is Role.ANYONE:
        callee = first if second_ref is None else second
    elif is_pair:
        callee = second if role is Role.FIRST else first
    else:
        _, callee = load_counterpart(tx, on.account_id, session_id)
    return build_session(tuple(columns), role, callee)


def lock_tries(tx: Tx, on: PinNumber, subject: str, now: int) -> TryWindow | None:
    """Load the tries of a subject on a number, and keep others from counting until the transaction ends."""
    row = tx.row(_LOCK, virtual_number_id=on.id, subject=subject, opened_at=now, wrong_count=0)
    assert row is not None
    return TryWindow(*row) if row[1] else None


def update_tries(tx: Tx, on: PinNumber, subject: str, window: TryWindow) -> None:
    """Write the tries of a subject whose row is locked."""
    tx.run(_UPDATE, id_=on.id, subject_=subject, opened_at=window.opened_at, wrong_count=window.wrong_count)


def lock_party_tries(tx: Tx, session_id: str, role: Role, now: int) -> PartyTries | None:
    """Load a party's tries, and keep others from counting until the transaction ends."""
    row = tx.row(_LOCK_PARTY, session_id=session_id, role=role.value, wrong_count=0, wrong_at=now)
    assert row is not None
    return PartyTries(*row) if row[0] else None


def update_party_tries(tx: Tx, session_id: str, role: Role, tries: PartyTries) -> None:
    """Write the tries of a party whose row is locked."""
    tx.run(
        _UPDATE_PARTY,
        id_=session_id,
        role_=role.value,
        wrong_count=tries.wrong_count,
        wrong_at=tries.wrong_at,
    )


def forget_tries(tx: Tx, opened_by: int) -> int:
    """Delete the next batch of windows that were opened by then (µs UTC); return how many."""
    return tx.run(_FORGET, opened_by=opened_by)


def forget_party_tries(tx: Tx, now: int) -> int:
    """Delete the next batch of parties' tries whose session is over; return how many."""
    return tx.run(_FORGET_PARTY, now=now)

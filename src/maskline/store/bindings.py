"""Rows of bindings: find free numbers, occupy them, let them go."""

from functools import lru_cache
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    Select,
    TextClause,
    and_,
    bindparam,
    case,
    delete,
    func,
    null,
    or_,
    select,
    text,
    true,
    update,
)

from maskline.core.allocation import Candidate, PoolFacts
from maskline.core.inventory import NumberHealth
from maskline.core.masking import PIN_LENGTH_MAX, PIN_LENGTH_MIN
from maskline.core.numbers import ANYONE, PartyRef
from maskline.core.pin import pin_weight

from .engine import Tx
from .schema import binding, masking_session, number_lease, virtual_number
from .statement import Database, Statement, insert_row

RELEASE_BATCH_SIZE: Final = 500
"""Bindings the sweeper releases in one transaction; keeps the writer free for calls in between."""

ANSWERS_STRANGERS: Final = text("binding.answers_strangers")
"""As the index over such bindings has it: `answers_strangers = 1`, which SQLAlchemy writes for SQLite, would not do."""

_b: Final = binding.c
_n: Final = virtual_number.c
_INSERT_COLUMNS: Final = (
    "virtual_number_id",
    "party_ref",
    "session_id",
    "role",
    "can_call",
    "start_at",
    "end_at",
    "free_at",
    "pin_hash",
    "answers_strangers",
    "pin_length",
)
_INSERT: Final = Statement(insert_row(binding, *_INSERT_COLUMNS).on_conflict_do_nothing())


def _release(*conditions: ColumnElement[bool], batch: int | None = None) -> Statement:
    """Build the UPDATE that releases lapsed bindings, locking them in one order."""
    lapsed = (
        select(_b.id)
        .where(_b.released_at.is_(None), _b.free_at <= bindparam("now"), *conditions)
        .order_by(_b.id if batch is None else _b.free_at)
        .limit(batch)
        .with_for_update(skip_locked=batch is not None)
    )
    return Statement(
        update(binding).where(_b.id.in_(lapsed.scalar_subquery())).values(released_at=bindparam("now"))
    )


_RELEASE_PARTIES: Final = _release(_b.party_ref.in_([bindparam("first_ref"), bindparam("second_ref")]))
_RELEASE_PINS: Final = _release(
    _b.virtual_number_id == bindparam("virtual_number_id"),
    _b.pin_hash.in_([bindparam("first_pin_hash"), bindparam("second_pin_hash")]),
)
_RELEASE_BATCH: Final = _release(batch=RELEASE_BATCH_SIZE)

_of_session: Final = (
    _b.session_id == bindparam("session_id_"),
    _b.released_at.is_(None),
    _b.end_at == bindparam("session_end_at"),
)
_SELECT_OF_SESSION: Final = Statement(
    select(_b.role, _b.pin_hash, _b.pin_length, _b.answers_strangers).where(*_of_session)
)
_RETIRE: Final = Statement(
    update(binding)
    .where(*_of_session, _b.role == bindparam("role_"))
    .values(
        end_at=bindparam("end_at"),
        free_at=bindparam("free_at"),
        released_at=bindparam("released_at"),
        can_call=False,
        pin_hash=None,
        answers_strangers=False,
    )
)
_FORGET_RETIRED: Final = Statement(
    delete(binding).where(
        _b.session_id == bindparam("session_id_"),
        _b.released_at.is_(None),
        _b.end_at != bindparam("session_end_at"),
        _b.party_ref == bindparam("party_ref"),
    )
)
_UPDATE_STRANGERS: Final = Statement(
    update(binding).where(*_of_session).values(answers_strangers=bindparam("answers_strangers_"))
)
_SELECT_LIVE: Final = Statement(
    select(_b.id)
    .where(_b.party_ref == bindparam("party_ref"), _b.released_at.is_(None), _b.end_at > bindparam("now"))
    .limit(1)
)

# KEY SHARE waits for a removal in progress and then sees the number gone; creations do not wait for
# each other. Sessions that answer strangers exclude one another, since their rule spans rows; so do those
# that want a number alone, but they need not wait for one: there are others.
_usable = select(_n.id).where(_n.id == bindparam("id"), _n.draining_at.is_(None), _n.removed_at.is_(None))
_HOLD: Final = Statement(_usable.with_for_update(read=True, key_share=True))
_HOLD_ALONE: Final = Statement(_usable.with_for_update(key_share=True))
_HOLD_IF_NOBODY_DOES: Final = Statement(_usable.with_for_update(key_share=True, skip_locked=True))


class Rules(NamedTuple):
    """What a session asks of the other sessions on its number."""

    is_open: bool
    """Any stranger is put through: a one-party session without PIN."""
    answers_strangers: bool
    """Strangers are asked for a PIN or hear something."""
    is_cooloff_for_all: bool
    is_strict: bool = False
    """It has PINs, and those of its number must stay hard to guess."""
    is_alone: bool = False
    """No other session is live on its number."""


class Place(NamedTuple):
    """What a binding has besides its party."""

    pin_hash: str | None
    pin_length: int | None
    answers_strangers: bool


class Wish(NamedTuple):
    """What a session asks of its number."""

    account_id: int
    subaccount_id: int | None
    country: str | None
    first_ref: str
    second_ref: str
    pair_key: str
    rules: Rules
    pin_weight: int = 0
    """As `core.pin.pin_weight`, of its PINs together."""
    pin_weight_max: int = 0
    """As `core.pin.pin_weight_max`; asked for where PINs are strict."""
    pool_id: int | None = None
    """The pool whose numbers alone may be chosen; None for all of the account's."""


def load_candidates(
    tx: Tx, wish: Wish, *, after_id: int, count_max: int, now: int, has_history: bool
) -> tuple[Candidate, ...]:
    """Load free numbers after `after_id` in inventory order; with what the policies other than first fit ask."""
    statement = _candidates(wish.rules, has_history=has_history)
    params = _wish_params(wish) | {"after_id": after_id, "count_max": count_max, "now": now}
    if has_history:
        params["pair_key"] = wish.pair_key
    return tuple(
        Candidate(number_id=id_, position=id_, pair_used_at=pair_at, party_used_at=party_at)
        for id_, pair_at, party_at in tx.rows(statement, **params)
    )


def count_pool(tx: Tx, wish: Wish, *, had_pin_clash: bool, now: int) -> PoolFacts:
    """Count what is left of the pool condition by condition."""
    statement = _pool_counts(wish.rules)
    row = tx.row(statement, **_wish_params(wish), now=now)
    assert row is not None
    usable, matching, unoccupied, compatible, unguessable = (int(count or 0) for count in row)
    return PoolFacts(
        usable_count=usable,
        matching_count=matching,
        unoccupied_count=unoccupied,
        compatible_count=compatible,
        unguessable_count=unguessable,
        had_pin_clash=had_pin_clash,
    )


def hold_number(tx: Tx, wish: Wish, id_: int, *, now: int) -> bool:
    """Keep a number from being removed until the transaction ends; False when it is no longer a candidate.

    A session that answers strangers, or puts them through, also keeps others of these kinds off, and one that is
    to be alone keeps off all these and its like; they look again whether the number suits them. On SQLite the write
    lock does all this.
    """
    if tx.database is Database.SQLITE:
        return True
    rules = wish.rules
    if not (rules.is_open or rules.answers_strangers or rules.is_alone):
        return tx.row(_HOLD, id=id_) is not None
    if tx.row(_HOLD_IF_NOBODY_DOES if rules.is_alone else _HOLD_ALONE, id=id_) is None:
        return False
    again = load_candidates(tx, wish, after_id=id_ - 1, count_max=1, now=now, has_history=False)
    return bool(again) and again[0].number_id == id_


def insert_binding(tx: Tx, **columns: Any) -> bool:
    """Insert a binding; False when the party, PIN or code is taken on the number."""
    return tx.run(_INSERT, **columns) == 1


def release_parties(tx: Tx, first_ref: str, second_ref: str, now: int) -> None:
    """Let lapsed bindings of two parties go, so that their places can be taken."""
    tx.run(_RELEASE_PARTIES, first_ref=first_ref, second_ref=second_ref, now=now)


def release_pins(tx: Tx, id_: int, hashes: tuple[str | None, str | None], now: int) -> None:
    """Let lapsed bindings with one of two PINs on a number go."""
    tx.run(
        _RELEASE_PINS,
        virtual_number_id=id_,
        first_pin_hash=hashes[0],
        second_pin_hash=hashes[1],
        now=now,
    )


def is_live_party(tx: Tx, ref: PartyRef, now: int) -> bool:
    """Say whether somebody is a party of a live session, of whatever account."""
    return tx.row(_SELECT_LIVE, party_ref=ref, now=now) is not None


def load_places(tx: Tx, session_id: str, session_end_at: int) -> dict[str, Place]:
    """Load what the live bindings of a session have besides their party, by role."""
    rows = tx.rows(_SELECT_OF_SESSION, session_id_=session_id, session_end_at=session_end_at)
    return {role: Place(*rest) for role, *rest in rows}


def retire_binding(tx: Tx, session_id: str, session_end_at: int, role: str, *, at: int, free_at: int) -> None:
    """End the binding of one role of a live session, whose PIN goes to whoever comes; it cools off like any other."""
    tx.run(
        _RETIRE,
        session_id_=session_id,
        session_end_at=session_end_at,
        role_=role,
        end_at=at,
        free_at=free_at,
        released_at=at if free_at == at else None,
    )


def forget_retired(tx: Tx, session_id: str, session_end_at: int, party_ref: str) -> None:
    """Delete what still cools off of a party that comes back to its session."""
    tx.run(_FORGET_RETIRED, session_id_=session_id, session_end_at=session_end_at, party_ref=party_ref)


def update_strangers(tx: Tx, session_id: str, session_end_at: int, *, answers_strangers: bool) -> None:
    """Write on a session's live bindings whether strangers are asked for a PIN or hear something."""
    tx.run(
        _UPDATE_STRANGERS,
        session_id_=session_id,
        session_end_at=session_end_at,
        answers_strangers_=answers_strangers,
    )


def release_batch(tx: Tx, now: int) -> int:
    """Let the next batch of lapsed bindings go; return how many."""
    return tx.run(_RELEASE_BATCH, now=now)


def _wish_params(wish: Wish) -> dict[str, Any]:
    strict = (
        {"pin_weight": wish.pin_weight, "pin_weight_max": wish.pin_weight_max} if wish.rules.is_strict else {}
    )
    return strict | {
        "account_id": wish.account_id,
        "subaccount_id": wish.subaccount_id or 0,
        "pool_id": wish.pool_id or 0,
        "country": wish.country or "",
        "first_ref": wish.first_ref,
        "second_ref": wish.second_ref,
    }


def _leased() -> Select[Any]:
    """Select from the numbers that serve the account, or its sub-account alone; of one pool if one is wished."""
    pool_id: BindParameter[int] = bindparam("pool_id", type_=number_lease.c.pool_id.type)
    return (
        select()
        .select_from(number_lease)
        .join(virtual_number, _n.id == number_lease.c.virtual_number_id)
        .where(
            number_lease.c.ended_at.is_(None),
            number_lease.c.account_id == bindparam("account_id"),
            func.coalesce(number_lease.c.subaccount_id, 0) == bindparam("subaccount_id"),
            or_(pool_id == 0, number_lease.c.pool_id == pool_id),
            _n.health == NumberHealth.HEALTHY.value,
            _n.draining_at.is_(None),
            _n.removed_at.is_(None),
        )
    )


def _is_in_country() -> ColumnElement[bool]:
    wanted = bindparam("country", type_=_n.country.type)
    return (wanted == "") | (_n.country == wanted)


def _is_on_number(*conditions: ColumnElement[bool] | TextClause) -> ColumnElement[bool]:
    """Say whether an unreleased binding with these conditions is on the number."""
    return (
        select(_b.id)
        .where(_b.virtual_number_id == _n.id, _b.released_at.is_(None), *conditions)
        .correlate(virtual_number)
        .exists()
    )


def _is_unoccupied() -> ColumnElement[bool]:
    # Asked from the parties' side: they have a few bindings, a number has thousands, and a database that has not
    # gathered statistics yet does not know that.
    parties: list[BindParameter[str]] = [bindparam("first_ref"), bindparam("second_ref")]
    taken = select(_b.virtual_number_id).where(_b.released_at.is_(None), _b.party_ref.in_(parties))
    return _n.id.not_in(taken.scalar_subquery())


def _has_nobody(now: BindParameter[int]) -> ColumnElement[bool]:
    # One probe for each number. As NOT EXISTS it would be a join for PostgreSQL, which may read every binding for it;
    # and without an order it hopes to meet one soon and reads every binding once for each number.
    somebody = select(_b.id).where(_b.virtual_number_id == _n.id, _b.released_at.is_(None), _b.end_at > now)
    first = somebody.correlate(virtual_number).order_by(_b.party_ref).limit(1)
    return first.scalar_subquery().is_(None)


def _is_compatible(rules: Rules) -> ColumnElement[bool]:
    now = bindparam("now", type_=_b.end_at.type)
    conditions: list[ColumnElement[bool]] = [true()]
    if rules.is_open:
        conditions.append(~_is_on_number(ANSWERS_STRANGERS, _b.end_at > now))
    if rules.answers_strangers:
        conditions.append(~_is_on_number(_b.party_ref == ANYONE, _b.end_at > now))
    if rules.is_cooloff_for_all:
        conditions.append(~_is_on_number(_b.end_at <= now, _b.free_at > now))
    if rules.is_alone:
        conditions.append(_has_nobody(now))
    return and_(*conditions)


def _is_unguessable(rules: Rules) -> ColumnElement[bool]:
    if not rules.is_strict:
        return true()
    # A PIN whose length is not known weighs as much as the shortest.
    weight = case(
        {length: pin_weight(length) for length in range(PIN_LENGTH_MIN, PIN_LENGTH_MAX + 1)},
        value=_b.pin_length,
        else_=pin_weight(PIN_LENGTH_MIN),
    )
    taken = (
        select(func.coalesce(func.sum(weight), 0))
        .where(
            _b.virtual_number_id == _n.id,
            _b.released_at.is_(None),
            _b.pin_hash.is_not(None),
            _b.end_at > bindparam("now"),
        )
        .correlate(virtual_number)
        .scalar_subquery()
    )
    weighs = taken + bindparam("pin_weight", type_=BigInteger)
    return weighs <= bindparam("pin_weight_max", type_=BigInteger)


@lru_cache(maxsize=64)  # six flags
def _candidates(rules: Rules, *, has_history: bool) -> Statement:
    pair_used_at: Any = null()
    party_used_at: Any = null()
    if has_history:
        pair_used_at = (
            # By way of a party's bindings on the number: an index of all pairs ever would serve nothing else.
            select(func.max(masking_session.c.created_at))
            .join_from(binding, masking_session, masking_session.c.id == _b.session_id)
            .where(
                _b.virtual_number_id == _n.id,
                _b.party_ref == bindparam("second_ref"),
                masking_session.c.pair_key == bindparam("pair_key"),
            )
            .correlate(virtual_number)
            .scalar_subquery()
        )
        party_used_at = (
            select(func.max(_b.start_at))
            .where(
                _b.virtual_number_id == _n.id,
                _b.party_ref.in_([bindparam("first_ref"), bindparam("second_ref")]),
            )
            .correlate(virtual_number)
            .scalar_subquery()
        )
    compatible = _is_compatible(rules)
    return Statement(
        _leased()
        .add_columns(_n.id, pair_used_at, party_used_at)
        .where(
            number_lease.c.virtual_number_id > bindparam("after_id"),
            _is_in_country(),
            _is_unoccupied(),
            compatible,
            _is_unguessable(rules),
        )
        .order_by(number_lease.c.virtual_number_id)
        .limit(bindparam("count_max"))
    )


@lru_cache(maxsize=32)  # five flags
def _pool_counts(rules: Rules) -> Statement:
    in_country = _is_in_country()
    unoccupied = and_(in_country, _is_unoccupied())
    compatible = and_(unoccupied, _is_compatible(rules))

    def count(condition: ColumnElement[bool]) -> ColumnElement[int]:
        return func.sum(case((condition, 1), else_=0))

    return Statement(
        _leased().add_columns(
            func.count(),
            count(in_country),
            count(unoccupied),
            count(compatible),
            count(and_(compatible, _is_unguessable(rules))),
        )
    )

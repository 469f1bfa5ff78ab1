"""Read the legs of an account's calls, finished and running."""

from functools import lru_cache
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    Subquery,
    and_,
    bindparam,
    func,
    literal,
    not_,
    or_,
    select,
    union_all,
)

from maskline.core.call_leg import LIVE_LEG_COUNT_MAX, CallLeg, LegFilter, LiveLeg
from maskline.core.call_record import Side, leg_id
from maskline.core.masking import MICROSECONDS
from maskline.core.numbers import DID
from maskline.core.termination import Reason, Result, Termination

from .engine import Row, Tx
from .routes import read_party
from .schema import call_record, interaction, live_call, masking_session, party, virtual_number
from .statement import Statement

CALL_US_MAX: Final = 2 * 86_400 * MICROSECONDS
"""No call lasts longer, ringing and a time limit of a day included: the index is by the start of calls."""
_SECONDS_MAX: Final = 10**12
"""Seconds that a filter may name; the databases' integers end near there, in microseconds."""

_c: Final = call_record.c
_n: Final = virtual_number.c
_REASONS: Final = tuple(Reason)
_REASON_KEYS: Final = tuple(f"reason_{index}" for index in range(len(_REASONS)))
_SUBACCOUNT: Final = (
    select(masking_session.c.subaccount_id).where(masking_session.c.id == _c.session_id).scalar_subquery()
)
# What the service owed and did not place has a record, and no leg.
_was_placed: Final = or_(
    not_(_c.is_service_initiated),
    select(interaction.c.call_id).where(interaction.c.call_id == _c.call_id).exists(),
)


class _Side(NamedTuple):
    """What one leg is in a row of calls."""

    side: Side
    party_ref: ColumnElement[Any]
    answered_at: ColumnElement[Any]
    is_there: ColumnElement[bool]
    is_inbound: ColumnElement[bool]


_A: Final = _Side(Side.A, _c.caller_ref, _c.answered_at, _was_placed, not_(_c.is_service_initiated))
_B: Final = _Side(
    Side.B, _c.callee_ref, _c.callee_answered_at, _c.is_callee_dialled.is_(True), literal(1) == 0
)


def _select_side(it: _Side) -> Select[Any]:
    return (
        select(
            _c.call_id.label("call_id"),
            literal(it.side.value).label("side"),
            _n.number.label("number"),
            it.party_ref.label("party_ref"),
            party.c.sealed.label("sealed"),
            _c.is_service_initiated.label("is_service_initiated"),
            _c.started_at.label("started_at"),
            it.answered_at.label("answered_at"),
            _c.ended_at.label("ended_at"),
            _c.result.label("result"),
            _c.reason.label("reason"),
            _c.q850.label("q850"),
            _c.sip_status.label("sip_status"),
            _SUBACCOUNT.label("subaccount_id"),
        )
        .join_from(call_record, virtual_number, _n.id == _c.virtual_number_id)
        .outerjoin(party, and_(party.c.account_id == _c.account_id, party.c.ref == it.party_ref))
        .where(_c.account_id == bindparam("account_id"), it.is_there)
    )


_SELECT_ONE: Final = {
    it.side: Statement(_select_side(it).where(_c.leg_a_id == bindparam("leg_a_id"))) for it in (_A, _B)
}
_SELECT_LIVE: Final = Statement(
    select(
        live_call.c.call_id,
        _n.number,
        live_call.c.caller_ref,
        select(party.c.sealed)
        .where(party.c.account_id == live_call.c.account_id, party.c.ref == live_call.c.caller_ref)
        .scalar_subquery(),
        live_call.c.callee_ref,
        select(party.c.sealed)
        .where(party.c.account_id == live_call.c.account_id, party.c.ref == live_call.c.callee_ref)
        .scalar_subquery(),
        live_call.c.is_service_initiated,
        live_call.c.started_at,
        live_call.c.dialog_a_sealed.is_not(None),
        live_call.c.dialog_b_sealed.is_not(None),
        select(masking_session.c.subaccount_id)
        .where(masking_session.c.id == live_call.c.session_id)
        .scalar_subquery(),
    )
    .join_from(live_call, virtual_number, _n.id == live_call.c.virtual_number_id)
    .where(live_call.c.account_id == bindparam("account_id"), live_call.c.lease_until > bindparam("now"))
    .order_by(live_call.c.started_at.desc(), live_call.c.call_id)
    .limit(LIVE_LEG_COUNT_MAX)
)


def load_leg(tx: Tx, account_id: int, leg_a_id: str, side: Side) -> tuple[CallLeg, int | None] | None:
    """Load a leg of a finished call of an account, with the sub-account of its session."""
    row = tx.row(_SELECT_ONE[side], leg_a_id=leg_a_id, account_id=account_id)
    return None if row is None else (_leg(tx, account_id, row), row[-1])


def load_page(tx: Tx, account_id: int, wanted: LegFilter) -> tuple[tuple[CallLeg, ...], int]:
    """Load a page of the legs of an account's finished calls, newest call first, and the count over all pages."""
    params = _filter_params(tx, wanted)
    names = frozenset(params)
    if wanted.reasons is not None:
        names |= {"reasons"}
        padded = (*(it.value for it in sorted(wanted.reasons)), *(None,) * len(_REASONS))
        params |= dict(zip(_REASON_KEYS, padded, strict=False))
    if wanted.is_inbound is not None:
        names |= {"inbound" if wanted.is_inbound else "outbound"}
    page, count = _list_statements(names)
    params["account_id"] = account_id
    last = wanted.offset + wanted.limit
    rows = tx.rows(page, **params, limit_=wanted.limit, offset_=wanted.offset, last_=last)
    counted = tx.row(count, **params)
    assert counted is not None
    return tuple(_leg(tx, account_id, row) for row in rows), int(counted[0])


def load_live(
    tx: Tx, account_id: int, now: int, leg: str | None = None
) -> tuple[tuple[LiveLeg, int | None], ...]:
    """Load the legs of an account's running calls, newest first, each with the sub-account of its session.

    Of `leg` alone when its id is given: no other number is unsealed.
    """
    found: list[tuple[LiveLeg, int | None]] = []
    for row in tx.rows(_SELECT_LIVE, account_id=account_id, now=now):
        call_id, number, caller_ref, caller_sealed, callee_ref, callee_sealed, *rest = row
        is_service_initiated, started_at, is_a_answered, is_b_answered, subaccount_id = rest
        legs = [(Side.A, caller_ref, caller_sealed, is_a_answered)]
        if is_b_answered:
            legs.append((Side.B, callee_ref, callee_sealed, is_b_answered))
        for side, ref, sealed, is_answered in legs:
            if leg is not None and leg != leg_id(call_id, side):
                continue
            live = LiveLeg(
                call_id=call_id,
                side=side,
                number=DID(number),
                party=read_party(tx, account_id, ref, sealed),
                is_service_initiated=bool(is_service_initiated),
                started_at=started_at,
                is_answered=bool(is_answered),
            )
            found.append((live, subaccount_id))
    return tuple(found)


def _conditions(it: _Side) -> dict[str, ColumnElement[bool]]:
    is_of_party = {which: it.party_ref == bindparam(f"{which}_ref") for which in ("from", "to")}
    is_of_number = {which: _n.number == bindparam(f"{which}_number") for which in ("from", "to")}
    spoken = _c.ended_at - func.coalesce(it.answered_at, _c.ended_at)  # a started second counts whole
    return {
        "subaccount_id": bindparam("subaccount_id", type_=Integer) == _SUBACCOUNT,
        "from_ref": or_(
            and_(it.is_inbound, is_of_party["from"]), and_(not_(it.is_inbound), is_of_number["from"])
        ),
        "to_ref": or_(and_(it.is_inbound, is_of_number["to"]), and_(not_(it.is_inbound), is_of_party["to"])),
        "parent_leg": and_(literal(it.side.value) == Side.B.value, _c.leg_a_id == bindparam("parent_leg")),
        "ended_from": and_(
            _c.ended_at >= bindparam("ended_from"), _c.started_at >= bindparam("ended_from") - CALL_US_MAX
        ),
        "ended_until": and_(_c.ended_at < bindparam("ended_until"), _c.started_at < bindparam("ended_until")),
        "spoken_over": spoken > bindparam("spoken_over"),
        "spoken_up_to": spoken <= bindparam("spoken_up_to"),
        "inbound": it.is_inbound,
        "outbound": not_(it.is_inbound),
        "reasons": _c.reason.in_([bindparam(key) for key in _REASON_KEYS]),
        # With their references.
        "from_number": literal(1) == 1,
        "to_number": literal(1) == 1,
    }


@lru_cache(maxsize=128)  # combinations of filters in use
def _list_statements(names: frozenset[str]) -> tuple[Statement, Statement]:
    sides: list[Select[Any]] = []
    for it in (_A, _B):
        conditions = _conditions(it)
        sides.append(_select_side(it).where(*(conditions[name] for name in sorted(names))))
    # Each side alone goes by the index; neither can have more of the page than its own first ones.
    firsts: list[Subquery] = [
        side.order_by(_c.started_at.desc(), _c.call_id).limit(bindparam("last_")).subquery() for side in sides
    ]
    both = union_all(*(select(first) for first in firsts)).subquery()
    page = (
        select(both)
        .order_by(both.c.started_at.desc(), both.c.call_id, both.c.side)
        .limit(bindparam("limit_"))
        .offset(bindparam("offset_"))
    )
    counts = [side.with_only_columns(func.count()).scalar_subquery() for side in sides]
    return Statement(page), Statement(select(counts[0] + counts[1]))


def _filter_params(tx: Tx, wanted: LegFilter) -> dict[str, Any]:
    def over(seconds: int | None) -> int | None:
        return None if seconds is None else (max(-1, min(seconds, _SECONDS_MAX)) - 1) * MICROSECONDS

    def both(which: str) -> dict[str, Any]:
        number = wanted.from_number if which == "from" else wanted.to_number
        if number is None:
            return {}
        return {f"{which}_ref": tx.keys.ref(number), f"{which}_number": number.reveal()}

    given = {
        "subaccount_id": wanted.subaccount_id,
        "parent_leg": wanted.parent_leg,
        "ended_from": wanted.ended_at.from_,
        "ended_until": wanted.ended_at.until,
        "spoken_over": over(wanted.duration_s.from_),
        "spoken_up_to": over(wanted.duration_s.until),
    }
    return {name: value for name, value in given.items() if value is not None} | both("from") | both("to")


def _leg(tx: Tx, account_id: int, row: Row) -> CallLeg:
    call_id, side, number, party_ref, sealed, is_service_initiated, started_at, answered_at, *rest = row
    ended_at, result, reason, q850, sip_status = rest[:5]
    return CallLeg(
        call_id=call_id,
        side=Side(side),
        number=DID(number),
        party=read_party(tx, account_id, party_ref, sealed),
        is_service_initiated=bool(is_service_initiated),
        started_at=started_at,
        answered_at=answered_at,
        ended_at=ended_at,
        termination=Termination(
            result=Result(result), reason=Reason(reason), q850=q850, sip_status=sip_status
        ),
    )

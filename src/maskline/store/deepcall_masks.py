"""Live masking sessions as an unset of the DeepCall dialect names them."""

from functools import lru_cache
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, bindparam, or_, select

from maskline.core.deepcall import MaskChoice

from .engine import Tx
from .schema import masking_session, virtual_number
from .statement import Statement

_s: Final = masking_session.c
_m1: Final[Any] = bindparam("m1_ref")
_m2: Final[Any] = bindparam("m2_ref")
_CONDITIONS: Final[dict[str, ColumnElement[bool]]] = {
    "m1": _s.first_ref == _m1,
    "m2": _s.second_ref == _m2,
    "both": or_(
        and_(_s.first_ref == _m1, _s.second_ref == _m2), and_(_s.first_ref == _m2, _s.second_ref == _m1)
    ),
    "mask": virtual_number.c.number.in_((bindparam("mask"), bindparam("other_mask"))),
}


def lock_chosen(tx: Tx, account_id: int, choice: MaskChoice, *, count_max: int, now: int) -> tuple[str, ...]:
    """Lock the live sessions that are meant and return their ids, newest first, at most `count_max`."""
    params: dict[str, object] = {}
    names = set()
    if choice.m1 is not None:
        params["m1_ref"] = tx.keys.ref(choice.m1)
        names.add("m1")
    if choice.m2 is not None:
        params["m2_ref"] = tx.keys.ref(choice.m2)
        names.add("m2")
    if names == {"m1", "m2"}:
        names = {"both"}
    if choice.masks:
        params |= {"mask": choice.masks[0], "other_mask": choice.masks[-1]}
        names.add("mask")
    statement = _lock_statement(frozenset(names))
    rows = tx.rows(statement, account_id=account_id, now=now, count_max=count_max, **params)
    return tuple(row[0] for row in rows)


@lru_cache(maxsize=8)  # as many as there are choices
def _lock_statement(names: frozenset[str]) -> Statement:
    return Statement(
        select(_s.id)
        .join_from(masking_session, virtual_number, virtual_number.c.id == _s.virtual_number_id)
        .where(
            _s.account_id == bindparam("account_id"),
            _s.ended_at.is_(None),
            _s.end_at > bindparam("now"),
            *(_CONDITIONS[name] for name in sorted(names)),
        )
        .order_by(_s.created_at.desc(), _s.id.desc())
        .limit(bindparam("count_max"))
        .with_for_update(of=masking_session)
    )

"""Live masking sessions as an unset of the DeepCall dialect names them."""

from functools import lru_cache
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, bindparam, or_, select

from maskline.core.deepcall import MaskChoice

from .engine import Tx
from .schema import binding, masking_session, virtual_number
from .statement import Statement

_s: Final = masking_session.c
_b: Final = binding.c
_n: Final = virtual_number.c
_m1: Final[Any] = bindparam("m1_ref")
_m2: Final[Any] = bindparam("m2_ref")
_SIDES: Final[dict[str, ColumnElement[bool]]] = {
    "m1": _s.first_ref == _m1,
    "m2": _s.second_ref == _m2,
    "both": or_(
        and_(_s.first_ref == _m1, _s.second_ref == _m2), and_(_s.first_ref == _m2, _s.second_ref == _m1)
    ),
}


def lock_chosen(tx: Tx, account_id: int, choice: MaskChoice, *, count_max: int, now: int) -> tuple[str, ...]:
    """Lock the live sessions that are meant and return their ids, newest first, at most `count_max`.

    Where masks alone are given and more are meant than that, they are any of these.
    """
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
    # By the ids of what is live now: a person or a number may have any number of past sessions, and an account of
    # live ones. The zeros keep databases off the indexes that would lead through those.
    return Statement(
        select(_s.id)
        .where(
            _s.id.in_(_live_ids(names)),
            _s.account_id + 0 == bindparam("account_id"),
            _s.end_at + 0 > bindparam("now"),
            _s.ended_at.is_(None),
            *(_SIDES[name] for name in sorted(names - {"mask"})),
        )
        .order_by(_s.created_at.desc(), _s.id.desc())
        .limit(bindparam("count_max"))
        .with_for_update(of=masking_session)
    )


def _live_ids(names: frozenset[str]) -> Select[Any]:
    """Select the sessions of live bindings: of a person if one is given, on a number if that is."""
    live = select(_b.session_id).where(_b.released_at.is_(None), _b.end_at > bindparam("now"))
    if "mask" in names:
        numbers = select(_n.id).where(_n.number.in_((bindparam("mask"), bindparam("other_mask"))))
        live = live.where(_b.virtual_number_id.in_(numbers))
    if names == {"mask"}:
        # Thousands may share a number; who wants so many at most need not know of more, nor which they are.
        return live.distinct().limit(bindparam("count_max"))
    return live.where(_b.party_ref == (_m2 if "m2" in names else _m1))

"""Rows of calls: the claim of a session, records and interactions.

These statements run for every call, so each does as much as it can in one go.
"""

from typing import Any, Final, NamedTuple

from sqlalchemy import Integer, and_, bindparam, case, delete, literal_column, or_, select, update
from sqlalchemy.dialects import postgresql

from maskline.core.call_record import CallRecord, NewCall, OrphanCall, RefusedCall, Side, leg_id
from maskline.core.masking import InteractionKind, Role
from maskline.core.numbers import DID, PartyRef
from maskline.core.termination import Termination

from .engine import Row, Tx
from .routes import read_party
from .schema import (
    call_record,
    interaction,
    live_call,
    masking_session,
    party,
    refused_call_count,
    virtual_number,
)
from .statement import Statement, insert_row

ORPHAN_COUNT_MAX: Final = 10_000
"""Calls one switch can have had: far above the admission cap of any machine."""
LOST_BATCH_SIZE: Final = 100
"""Lost calls ended in one transaction; keeps the writer free for calls that live."""
_MINUTE_US: Final = 60_000_000
_SESSIONS_ASKED: Final = 100
_SESSION_KEYS: Final = tuple(f"id_{index}" for index in range(_SESSIONS_ASKED))

_s: Final = masking_session.c
_n: Final = virtual_number.c
_callee: Final = party.alias("callee")
_caller: Final = party.alias("caller")

_CLAIM: Final = Statement(
    postgresql.insert(live_call)
    .from_select(
        [
            "call_id",
            "switch_id",
            "account_id",
            "session_id",
            "busy_session_id",
            "virtual_number_id",
            "caller_ref",
            "callee_ref",
            "role",
            "started_at",
            "lease_until",
            "is_service_initiated",
        ],
        select(
            bindparam("call_id", type_=live_call.c.call_id.type),
            bindparam("switch_id", type_=live_call.c.switch_id.type),
            _s.account_id,
            _s.id,
            _s.id,
            _s.virtual_number_id,
            bindparam("caller_ref", type_=live_call.c.caller_ref.type),
            bindparam("callee_ref", type_=live_call.c.callee_ref.type),
            bindparam("role", type_=live_call.c.role.type),
            bindparam("started_at", type_=live_call.c.started_at.type),
            bindparam("lease_until", type_=live_call.c.lease_until.type),
            bindparam("is_service_initiated", type_=live_call.c.is_service_initiated.type),
        ).where(
            _s.id == bindparam("session_id"),
            _s.ended_at.is_(None),
            _s.start_at <= bindparam("now"),
            _s.end_at > bindparam("now"),
        ),
        include_defaults=False,
    )
    .on_conflict_do_nothing()
)
_SELECT_WINDOW: Final = Statement(
    select(_s.start_at, _s.end_at, _s.ended_at).where(_s.id == bindparam("session_id"))
)
_FREE_DEAD: Final = Statement(
    update(live_call)
    .where(
        live_call.c.busy_session_id == bindparam("session_id"), live_call.c.lease_until <= bindparam("now")
    )
    .values(busy_session_id=None)
)
_OPEN_EVENT: Final = Statement(
    update(masking_session)
    .where(_s.id == bindparam("session_id"), _s.ended_at.is_(None), _s.end_at > bindparam("now"))
    .values(event_count=_s.event_count + 1)
    .returning(_s.event_count, _s.end_at, _s.first_ref, _s.second_ref)
)
_SAVE_DIALOGS: Final = Statement(
    update(live_call)
    .where(live_call.c.call_id == bindparam("call_id_"))
    .values(dialog_a_sealed=bindparam("a"), dialog_b_sealed=bindparam("b"))
)
_RENEW: Final = Statement(
    update(live_call)
    .where(live_call.c.switch_id == bindparam("switch_id_"), live_call.c.lease_until < bindparam("until"))
    .values(lease_until=bindparam("until"))
)
_DELETE_LIVE: Final = Statement(delete(live_call).where(live_call.c.call_id == bindparam("call_id")))
_RECORD_COLUMNS: Final = (
    "call_id",
    "account_id",
    "session_id",
    "caller_ref",
    "callee_ref",
    "role",
    "is_callee_dialled",
    "started_at",
    "ringing_at",
    "answered_at",
    "callee_answered_at",
    "bridged_at",
    "ended_at",
    "result",
    "reason",
    "q850",
    "sip_status",
    "is_service_initiated",
    "leg_a_id",
)
_INSERT_RECORD: Final = Statement(
    postgresql.insert(call_record)
    .values(
        {
            **{name: bindparam(name) for name in _RECORD_COLUMNS},
            "virtual_number_id": select(_n.id).where(_n.number == bindparam("number")).scalar_subquery(),
        }
    )
    .inline()
    .on_conflict_do_nothing(index_elements=[call_record.c.call_id])
)
_INSERT_INTERACTION: Final = Statement(
    insert_row(
        interaction,
        "session_id",
        "kind",
        "call_id",
        "caller_role",
        "started_at",
        "ended_at",
        "leg_count",
        "caller_leg_s",
        "callee_leg_s",
    )
)
_ADD_TOTALS: Final = Statement(
    update(masking_session)
    .where(_s.id == bindparam("session_id"))
    .values(
        total_leg_count=_s.total_leg_count + bindparam("leg_count", type_=Integer),
        total_duration_s=_s.total_duration_s + bindparam("duration_s", type_=Integer),
        total_billed_s=_s.total_billed_s + bindparam("duration_s", type_=Integer),
        last_interaction_at=case(
            (_s.last_interaction_at > bindparam("ended_at"), _s.last_interaction_at),
            else_=bindparam("ended_at", type_=_s.last_interaction_at.type),
        ),
        event_count=_s.event_count + 1,
    )
    .returning(_s.event_count)
)
_COUNT_REFUSED: Final = Statement(
    postgresql.insert(refused_call_count)
    .from_select(
        ["virtual_number_id", "minute_at", "call_count"],
        select(
            _n.id, bindparam("minute_at", type_=refused_call_count.c.minute_at.type), literal_column("1")
        ).where(_n.number == bindparam("number")),
        include_defaults=False,
    )
    .on_conflict_do_update(
        index_elements=[refused_call_count.c.virtual_number_id, refused_call_count.c.minute_at],
        set_={"call_count": refused_call_count.c.call_count + 1},
    )
    .returning(refused_call_count.c.call_count)
)
_orphans = (
    select(
        live_call.c.call_id,
        live_call.c.switch_id,
        live_call.c.session_id,
        live_call.c.account_id,
        _n.number,
        live_call.c.caller_ref,
        _caller.c.sealed,
        live_call.c.callee_ref,
        _callee.c.sealed,
        live_call.c.role,
        live_call.c.started_at,
        live_call.c.lease_until,
        live_call.c.dialog_a_sealed,
        live_call.c.dialog_b_sealed,
        live_call.c.is_service_initiated,
    )
    .join_from(live_call, virtual_number, _n.id == live_call.c.virtual_number_id)
    .outerjoin(
        _caller, and_(_caller.c.account_id == live_call.c.account_id, _caller.c.ref == live_call.c.caller_ref)
    )
    .outerjoin(
        _callee, and_(_callee.c.account_id == live_call.c.account_id, _callee.c.ref == live_call.c.callee_ref)
    )
    .order_by(live_call.c.started_at)
)
_SELECT_ORPHANS: Final = Statement(
    _orphans.where(live_call.c.switch_id == bindparam("switch_id")).limit(ORPHAN_COUNT_MAX)
)
_SELECT_LOST: Final = Statement(
    _orphans.where(live_call.c.lease_until <= bindparam("lapsed_by")).limit(LOST_BATCH_SIZE)
)
_is_over = or_(_s.end_at <= bindparam("now"), _s.ended_at.is_not(None))
_SELECT_ENDED: Final = Statement(
    select(_s.id).where(_s.id.in_([bindparam(key) for key in _SESSION_KEYS]), _is_over)
)
_SELECT_WINDOWS: Final = Statement(
    select(_s.id, _s.end_at, _s.ended_at).where(_s.id.in_([bindparam(key) for key in _SESSION_KEYS]))
)
_SELECT_ENDED_ONE: Final = Statement(select(_s.id).where(_s.id == bindparam("id_"), _is_over))


def insert_live_call(
    tx: Tx, new: NewCall, caller_ref: PartyRef | None, callee_ref: PartyRef, now: int
) -> bool:
    """Claim the session for a call; False when its window is closed or another call holds it."""
    count = tx.run(
        _CLAIM,
        call_id=new.call_id,
        switch_id=new.switch_id,
        caller_ref=caller_ref,
        callee_ref=callee_ref,
        role=new.role.value,
        started_at=new.started_at,
        lease_until=new.lease_until,
        is_service_initiated=new.is_service_initiated,
        session_id=new.session_id,
        now=now,
    )
    return count == 1


class OpenSession(NamedTuple):
    """A live session whose row is locked, with the place just taken in its sequence of events. µs UTC."""

    sequence: int
    end_at: int
    first_ref: str | None
    second_ref: str | None


def take_live_sequence(tx: Tx, session_id: str, now: int) -> OpenSession | None:
    """Take the next place in a live session's events; None when it is over."""
    row = tx.row(_OPEN_EVENT, session_id=session_id, now=now)
    return None if row is None else OpenSession(*row)


def is_session_live(tx: Tx, session_id: str, now: int) -> bool:
    """Say whether a session's window is open at `now`."""
    row = tx.row(_SELECT_WINDOW, session_id=session_id)
    return row is not None and row[2] is None and row[0] <= now < row[1]


def free_dead_call(tx: Tx, session_id: str, now: int) -> bool:
    """Take a session from a call whose lease has run out; its row stays for whoever ends it."""
    return tx.run(_FREE_DEAD, session_id=session_id, now=now) == 1


def update_dialogs(tx: Tx, call_id: str, a: str | None, b: str | None) -> None:
    """Keep the legs' snapshots, sealed: they contain numbers. None for a leg that does not stand."""
    keys = tx.keys
    sealed = {
        side: None if text is None else keys.seal(text, _dialog_place(call_id, side))
        for side, text in (("a", a), ("b", b))
    }
    tx.run(_SAVE_DIALOGS, call_id_=call_id, **sealed)


def update_leases(tx: Tx, switch_id: str, until: int) -> int:
    """Extend the leases of a switch's calls; return how many."""
    return tx.run(_RENEW, switch_id_=switch_id, until=until)


def delete_live_call(tx: Tx, call_id: str) -> None:
    """Free the session a call held."""
    tx.run(_DELETE_LIVE, call_id=call_id)


def insert_record(tx: Tx, record: CallRecord | RefusedCall, columns: dict[str, Any]) -> bool:
    """Insert a call record; False when the call has one."""
    termination: Termination = record.termination
    count = tx.run(
        _INSERT_RECORD,
        call_id=record.call_id,
        account_id=record.account_id,
        session_id=record.session_id,
        number=record.number,
        role=None if record.role is None else record.role.value,
        started_at=record.started_at,
        ended_at=max(record.started_at, record.ended_at),  # the clock may have been set back meanwhile
        result=termination.result.value,
        reason=termination.reason.value,
        q850=termination.q850,
        sip_status=termination.sip_status,
        is_service_initiated=record.is_service_initiated,
        leg_a_id=leg_id(record.call_id, Side.A),
        **columns,
    )
    return count == 1


def insert_interaction(tx: Tx, record: CallRecord) -> int:
    """Add a finished call to its session's interactions and totals; return the event's sequence."""
    assert record.session_id is not None
    assert record.role is not None
    ended_at = max(record.started_at, record.ended_at)
    tx.run(
        _INSERT_INTERACTION,
        session_id=record.session_id,
        kind=InteractionKind.CALL.value,
        call_id=record.call_id,
        caller_role=record.role.value,
        started_at=record.started_at,
        ended_at=ended_at,
        leg_count=record.leg_count,
        caller_leg_s=None if record.answered_at is None else record.caller_leg_s,
        callee_leg_s=None if record.callee_answered_at is None else record.callee_leg_s,
    )
    row = tx.row(
        _ADD_TOTALS,
        session_id=record.session_id,
        leg_count=record.leg_count,
        duration_s=record.caller_leg_s + record.callee_leg_s,
        ended_at=ended_at,
    )
    assert row is not None, "a session with a call is never deleted"
    return int(row[0])


def count_refused(tx: Tx, number: DID, at: int) -> int:
    """Count a refused call in its number's minute; return how many that makes, 0 for a number not ours."""
    row = tx.row(_COUNT_REFUSED, number=number, minute_at=at - at % _MINUTE_US)
    return 0 if row is None else int(row[0])


def load_orphans(tx: Tx, switch_id: str) -> tuple[OrphanCall, ...]:
    """Load the calls a switch has not finished."""
    return tuple(_orphan(tx, row) for row in tx.rows(_SELECT_ORPHANS, switch_id=switch_id))


def load_lapsed(tx: Tx, lapsed_by: int) -> tuple[OrphanCall, ...]:
    """Load the next batch of calls, of any switch, whose lease ran out by an instant."""
    return tuple(_orphan(tx, row) for row in tx.rows(_SELECT_LOST, lapsed_by=lapsed_by))


def load_ended(tx: Tx, session_ids: tuple[str, ...], now: int) -> tuple[str, ...]:
    """Load which of these sessions are over, a hundred a statement; one is asked before every bridge."""
    if len(session_ids) == 1:
        return tuple(row[0] for row in tx.rows(_SELECT_ENDED_ONE, id_=session_ids[0], now=now))
    ended: list[str] = []
    for start in range(0, len(session_ids), _SESSIONS_ASKED):
        asked = session_ids[start : start + _SESSIONS_ASKED]
        padded = (*asked, *(None,) * (_SESSIONS_ASKED - len(asked)))
        ended += (
            row[0] for row in tx.rows(_SELECT_ENDED, **dict(zip(_SESSION_KEYS, padded, strict=True)), now=now)
        )
    return tuple(ended)


def load_windows(tx: Tx, session_ids: tuple[str, ...], now: int) -> dict[str, int | None]:
    """Load until when these sessions stand (µs UTC), a hundred a statement; None for one that is over."""
    windows: dict[str, int | None] = {}
    for start in range(0, len(session_ids), _SESSIONS_ASKED):
        asked = session_ids[start : start + _SESSIONS_ASKED]
        padded = (*asked, *(None,) * (_SESSIONS_ASKED - len(asked)))
        for id_, end_at, ended_at in tx.rows(
            _SELECT_WINDOWS, **dict(zip(_SESSION_KEYS, padded, strict=True))
        ):
            windows[id_] = end_at if ended_at is None and now < end_at else None
    return windows


def _dialog_place(call_id: str, side: str) -> str:
    return f"live_call.dialog_{side}_sealed:{call_id}"


def _orphan(tx: Tx, row: Row) -> OrphanCall:
    call_id, switch_id, session_id, account_id, number, caller_ref, caller_sealed, *rest = row
    callee_ref, callee_sealed, role, started_at, lease_until, dialog_a, dialog_b, is_service_initiated = rest

    def dialog(side: str, sealed: bytes | None) -> str | None:
        return None if sealed is None else tx.keys.unseal(sealed, _dialog_place(call_id, side))

    return OrphanCall(
        call_id=call_id,
        switch_id=switch_id,
        session_id=session_id,
        account_id=account_id,
        number=DID(number),
        caller=read_party(tx, account_id, caller_ref, caller_sealed),
        callee=read_party(tx, account_id, callee_ref, callee_sealed),
        role=Role(role),
        started_at=started_at,
        lease_until=lease_until,
        dialog_a=dialog("a", dialog_a),
        dialog_b=dialog("b", dialog_b),
        is_service_initiated=bool(is_service_initiated),
    )

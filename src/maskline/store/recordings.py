"""Rows of recordings: from the start of a capture to the end of its conversion.

Every change of state names the state it leaves, so that doing it again changes nothing and answers so.
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    and_,
    bindparam,
    case,
    cast,
    exists,
    func,
    literal,
    literal_column,
    or_,
    select,
    update,
)

from maskline.core.call_record import Side, leg_id
from maskline.core.events import EventValue
from maskline.core.recording import (
    ConvertedRecording,
    NewRecording,
    NotedLegs,
    Recording,
    RecordingFailure,
    RecordingState,
)

from .engine import Tx
from .recording_rows import COLUMNS, DAY_US, HAS_ID, parse_notes, read_recording, render_notes
from .schema import call_record, live_call
from .schema_recordings import recording, recording_retention
from .statement import Statement, insert_row

_r: Final = recording.c
# Written out: SQLite uses an index over some rows only where the statement itself says that it asks for those.
_is_capturing: Final = _r.state == literal_column("'capturing'")
_is_captured: Final = _r.state == literal_column("'captured'")
NAMES_ASKED_MAX: Final = 100
_STORAGE_NAME_BYTES: Final = 16  # 128 bits: nobody guesses where the audio lies
_INSERT: Final = Statement(
    insert_row(
        recording,
        "id",
        "account_id",
        "session_id",
        "call_id",
        "leg_a_id",
        "leg_b_id",
        "switch_id",
        "format",
        "state",
        "notes",
        "started_at",
        "ended_at",
        "is_interrupted",
        "storage_key",
        "failure",
        "completed_at",
        "attempt_count",
    ).on_conflict_do_nothing()
)
_SELECT_LIVE: Final = Statement(
    select(live_call.c.switch_id, live_call.c.caller_ref, live_call.c.callee_ref, live_call.c.role).where(
        live_call.c.call_id == bindparam("call_id")
    )
)
_SELECT_RECORD: Final = Statement(
    select(call_record.c.caller_ref, call_record.c.callee_ref, call_record.c.role).where(
        call_record.c.call_id == bindparam("call_id")
    )
)
_SELECT_NOTES: Final = Statement(select(_r.notes).where(HAS_ID, _is_capturing).with_for_update())
_UPDATE_NOTES: Final = Statement(update(recording).where(HAS_ID).values(notes=bindparam("notes_")))


def _to_captured(which: ColumnElement[bool]) -> Statement:
    # The clock may have been set back since the bridge.
    at = case(
        (bindparam("ended_at_", type_=_r.ended_at.type) > _r.started_at, bindparam("ended_at_")),
        else_=_r.started_at,
    )
    return Statement(
        update(recording)
        .where(which, _is_capturing)
        .values(
            state=RecordingState.CAPTURED.value,
            ended_at=at,
            due_at=bindparam("ended_at_"),
            is_interrupted=bindparam("is_interrupted_"),
        )
    )


_MARK: Final = _to_captured(HAS_ID)
_MARK_OF_CALL: Final = _to_captured(_r.call_id == bindparam("call_id_"))
_of_switch: Final = _r.switch_id.in_([bindparam("switch_id_"), ""])
_MARK_LOST: Final = _to_captured(
    and_(
        _of_switch,
        ~exists().where(
            live_call.c.call_id == _r.call_id, live_call.c.lease_until > bindparam("lapsed_before")
        ),
    )
)
_is_free: Final = or_(_r.lease_until.is_(None), _r.lease_until <= bindparam("now"))
_TAKE: Final = Statement(
    update(recording)
    .where(
        _r.id
        == select(_r.id)
        .where(_of_switch, _is_captured, _r.due_at <= bindparam("now"), _is_free)
        .order_by(_r.due_at, _r.id)
        .limit(1)
        .scalar_subquery(),
        _is_captured,
        _is_free,  # asked again: another worker may have taken it between the two looks
    )
    .values(lease_until=bindparam("lease_until_"))
    .returning(*COLUMNS)
)
_SELECT_NEXT_DUE: Final = Statement(select(func.min(_r.due_at)).where(_of_switch, _is_captured))
_RENEW: Final = Statement(
    update(recording).where(HAS_ID, _is_captured).values(lease_until=bindparam("lease_until_"))
)
_PUT_BACK: Final = Statement(
    update(recording)
    .where(HAS_ID, _is_captured)
    .values(
        lease_until=None, due_at=bindparam("due_at_"), attempt_count=_r.attempt_count + bindparam("counted")
    )
)
_retention_days: Final = (
    select(recording_retention.c.days)
    .where(recording_retention.c.account_id == _r.account_id)
    .scalar_subquery()
)
_COMPLETE: Final = Statement(
    update(recording)
    .where(HAS_ID, _is_captured)
    .values(
        state=RecordingState.COMPLETED.value,
        ended_at=bindparam("ended_at_"),
        duration_ms=bindparam("duration_ms_"),
        size_bytes=bindparam("size_bytes_"),
        completed_at=bindparam("now"),
        expires_at=bindparam("ended_at_", type_=BigInteger)
        + cast(_retention_days, BigInteger) * literal(DAY_US, BigInteger),
        due_at=None,
        lease_until=None,
    )
    .returning(*COLUMNS)
)
_FAIL: Final = Statement(
    update(recording)
    .where(
        HAS_ID,
        or_(_is_capturing, _is_captured),
    )
    .values(
        state=RecordingState.FAILED.value,
        ended_at=func.coalesce(
            _r.ended_at,
            case(
                (bindparam("now", type_=_r.ended_at.type) > _r.started_at, bindparam("now")),
                else_=_r.started_at,
            ),
        ),
        failure=bindparam("failure_"),
        completed_at=bindparam("now"),
        due_at=None,
        lease_until=None,
    )
    .returning(*COLUMNS)
)
_SELECT_ONE: Final = Statement(select(*COLUMNS).where(HAS_ID))
_SELECT_UNSETTLED: Final = Statement(
    select(_r.id).where(HAS_ID, or_(_is_capturing, _is_captured)).with_for_update()
)
_NAME_KEYS: Final = tuple(f"name_{index}" for index in range(NAMES_ASKED_MAX))
_SELECT_STATES: Final = Statement(
    select(_r.id, _r.state).where(_r.id.in_([bindparam(key) for key in _NAME_KEYS]))
)
_COUNT_WAITING: Final = Statement(select(func.count()).select_from(recording).where(_is_captured))


@dataclass(frozen=True, slots=True, kw_only=True)
class CallParties:
    """Who spoke, by reference, as events tell it; and whose relay it was, "" when the call is over."""

    switch_id: str
    facts: dict[str, EventValue]
    is_finished: bool
    """Whether the call has its record."""


def load_call_parties(tx: Tx, call_id: str) -> CallParties:
    """Load the references of a call's parties while it runs or from its record; none when neither is there."""
    row = tx.row(_SELECT_LIVE, call_id=call_id)
    if row is None:
        found = tx.row(_SELECT_RECORD, call_id=call_id)
        row = ("", None, None, None) if found is None else ("", *found)
        is_finished = found is not None
    else:
        is_finished = False
    switch_id, caller_ref, callee_ref, role = row
    facts: dict[str, EventValue] = {"caller": caller_ref, "callee": callee_ref, "role": role}
    return CallParties(switch_id=switch_id, facts=facts, is_finished=is_finished)


def insert_recording(
    tx: Tx,
    new: NewRecording,
    switch_id: str,
    *,
    failure: RecordingFailure | None = None,
    now: int | None = None,
) -> bool:
    """Insert a recording that is captured from now on or, with `failure`, never; False when it is there."""
    name = tx.random_bytes(_STORAGE_NAME_BYTES).hex()
    settled_at = None if failure is None else max(new.started_at, now or new.started_at)
    count = tx.run(
        _INSERT,
        id=new.id,
        account_id=new.account_id,
        session_id=new.session_id,
        call_id=new.call_id,
        leg_a_id=leg_id(new.call_id, Side.A),
        leg_b_id=leg_id(new.call_id, Side.B),
        switch_id=switch_id,
        format=new.format.value,
        state=(RecordingState.CAPTURING if failure is None else RecordingState.FAILED).value,
        notes=render_notes((NotedLegs(noted_at=new.started_at, legs=new.legs),)),
        started_at=new.started_at,
        ended_at=settled_at,
        is_interrupted=False,
        storage_key=f"{name[:2]}/{name[2:4]}/{name}.{new.format.value}",
        failure=None if failure is None else failure.value,
        completed_at=settled_at,
        attempt_count=0,
    )
    return count == 1


def append_note(tx: Tx, recording_id: str, note: NotedLegs, count_max: int) -> bool:
    """Add what payload types mean from now on, in place of the last note when there are too many.

    False when nothing is captured under this id.
    """
    row = tx.row(_SELECT_NOTES, id_=recording_id)
    if row is None:
        return False
    notes = (*parse_notes(row[0])[: count_max - 1], note)
    return tx.run(_UPDATE_NOTES, id_=recording_id, notes_=render_notes(notes)) == 1


def mark_captured(tx: Tx, recording_id: str, ended_at: int) -> bool:
    """Say that a recording's call has ended; False when it was not being captured. Repeating changes nothing."""
    return tx.run(_MARK, id_=recording_id, ended_at_=ended_at, is_interrupted_=False) == 1


def mark_captured_of_call(tx: Tx, call_id: str, ended_at: int) -> bool:
    """Say that a call whose switch is gone has ended at some time before `ended_at`; False without recording."""
    return tx.run(_MARK_OF_CALL, call_id_=call_id, ended_at_=ended_at, is_interrupted_=True) == 1


def mark_lost_captured(tx: Tx, switch_id: str, lapsed_before: int, now: int) -> int:
    """Do so for a switch's recordings whose call is gone, or whose claim ran out by then; return how many."""
    return tx.run(
        _MARK_LOST, switch_id_=switch_id, lapsed_before=lapsed_before, ended_at_=now, is_interrupted_=True
    )


def is_unsettled(tx: Tx, recording_id: str) -> bool:
    """Say whether it is still to be told what became of a recording; waits for whoever settles it just now."""
    return tx.row(_SELECT_UNSETTLED, id_=recording_id) is not None


def take_captured(tx: Tx, switch_id: str, now: int, lease_until: int) -> Recording | None:
    """Take the captured recording that is due first for one worker until `lease_until`."""
    row = tx.row(_TAKE, switch_id_=switch_id, now=now, lease_until_=lease_until)
    return None if row is None else read_recording(row)


def load_next_due(tx: Tx, switch_id: str) -> int | None:
    """Say when the next captured recording is due; None when none waits."""
    row = tx.row(_SELECT_NEXT_DUE, switch_id_=switch_id)
    return None if row is None else row[0]


def renew_lease(tx: Tx, recording_id: str, lease_until: int) -> bool:
    """Keep a taken recording longer; False when it is settled or deleted meanwhile."""
    return tx.run(_RENEW, id_=recording_id, lease_until_=lease_until) == 1


def put_back(tx: Tx, recording_id: str, due_at: int, *, is_counted: bool) -> bool:
    """Give a taken recording back to be tried at `due_at`; the attempt counts or not."""
    return tx.run(_PUT_BACK, id_=recording_id, due_at_=due_at, counted=int(is_counted)) == 1


def complete(tx: Tx, converted: ConvertedRecording, now: int) -> Recording | None:
    """Settle a captured recording whose audio is stored; None when it was settled before."""
    row = tx.row(
        _COMPLETE,
        id_=converted.recording_id,
        ended_at_=converted.ended_at,
        duration_ms_=converted.duration_ms,
        size_bytes_=converted.size_bytes,
        now=now,
    )
    return None if row is None else read_recording(row)


def fail(tx: Tx, recording_id: str, failure: RecordingFailure, now: int) -> Recording | None:
    """Settle a recording without audio; None when it was settled before."""
    row = tx.row(_FAIL, id_=recording_id, failure_=failure.value, now=now)
    return None if row is None else read_recording(row)


def load_recording(tx: Tx, recording_id: str) -> Recording | None:
    """Load a recording in whatever state, for the service itself."""
    row = tx.row(_SELECT_ONE, id_=recording_id)
    return None if row is None else read_recording(row)


def load_states(tx: Tx, recording_ids: tuple[str, ...]) -> dict[str, RecordingState]:
    """Load the states of those of these recordings that exist, a hundred a statement."""
    states: dict[str, RecordingState] = {}
    for start in range(0, len(recording_ids), NAMES_ASKED_MAX):
        asked = recording_ids[start : start + NAMES_ASKED_MAX]
        padded = (*asked, *(None,) * (NAMES_ASKED_MAX - len(asked)))
        rows = tx.rows(_SELECT_STATES, **dict(zip(_NAME_KEYS, padded, strict=True)))
        states |= {row[0]: RecordingState(row[1]) for row in rows}
    return states


def count_waiting(tx: Tx) -> int:
    """Count captures that are not converted yet."""
    row = tx.row(_COUNT_WAITING)
    return 0 if row is None else int(row[0])

"""Read masking sessions and lock them."""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from sqlalchemy import Select, and_, bindparam, func, select

from maskline.core.call_record import leg_status
from maskline.core.masking import (
    LIST_LIMIT_MAX,
    CallbackMethod,
    Interaction,
    InteractionKind,
    LegStatus,
    MaskingSession,
    PinSettings,
    RecordFormat,
    Role,
    SessionEndCause,
)
from maskline.core.numbers import DID, E164
from maskline.core.secret import Secret
from maskline.core.termination import Reason, Result, Termination

from .engine import Row, Tx
from .schema import (
    binding,
    call_record,
    interaction,
    masking_session,
    party,
    subaccount,
    virtual_number,
)
from .schema_recordings import recording
from .statement import Statement

INTERACTION_COUNT_MAX: Final = 1000
"""Most interactions loaded for one answer; a session's further ones are in its call records."""

_first = party.alias("first_party")
_second = party.alias("second_party")
_s: Final = masking_session.c
_OWN: Final = (
    "id",
    "account_id",
    "subaccount_id",
    "created_at",
    "modified_at",
    "end_at",
    "ended_at",
    "end_cause",
    "call_time_limit_s",
    "ring_timeout_s",
    "is_recorded",
    "record_format",
    "recording_callback_url",
    "recording_callback_method",
    "callback_url",
    "callback_method",
    "first_play_url",
    "second_play_url",
    "unknown_caller_url",
    "calls_first",
    "is_geomatched",
    "is_single_party",
    "cooloff_s",
    "has_pin",
    "first_pin_sealed",
    "second_pin_sealed",
    "pin_is_generated",
    "pin_length",
    "pin_prompt_url",
    "pin_retry_count",
    "pin_retry_wait_s",
    "incorrect_pin_url",
    "is_pin_forced",
    "last_interaction_at",
    "total_leg_count",
    "total_duration_s",
    "total_billed_s",
    "first_ref",
    "second_ref",
    "reference",
)
_COLUMNS: Final = (*_OWN, "number", "subaccount_auth_id", "first_sealed", "second_sealed")
SELECT_SESSIONS: Final[Select[Any]] = (
    select(
        *(_s[name] for name in _OWN),
        virtual_number.c.number,
        subaccount.c.auth_id,
        _first.c.sealed,
        _second.c.sealed,
    )
    .join_from(masking_session, virtual_number, virtual_number.c.id == _s.virtual_number_id)
    .outerjoin(subaccount, subaccount.c.id == _s.subaccount_id)
    .outerjoin(_first, and_(_first.c.account_id == _s.account_id, _first.c.ref == _s.first_ref))
    .outerjoin(_second, and_(_second.c.account_id == _s.account_id, _second.c.ref == _s.second_ref))
)
_SELECT_ONE: Final = Statement(
    SELECT_SESSIONS.where(_s.id == bindparam("id"), _s.account_id == bindparam("account_id"))
)
_PAGE_KEYS: Final = tuple(f"id_{index}" for index in range(LIST_LIMIT_MAX))
_SELECT_INTERACTIONS: Final = Statement(
    select(
        interaction.c.session_id,
        interaction.c.kind,
        interaction.c.call_id,
        interaction.c.started_at,
        interaction.c.ended_at,
        interaction.c.caller_role,
        interaction.c.leg_count,
        interaction.c.caller_leg_s,
        interaction.c.callee_leg_s,
        call_record.c.answered_at,
        call_record.c.callee_answered_at,
        call_record.c.result,
        call_record.c.reason,
        call_record.c.q850,
        call_record.c.sip_status,
        call_record.c.is_service_initiated,
        recording.c.id,
        call_record.c.callee_ref,
    )
    .join_from(interaction, call_record, call_record.c.call_id == interaction.c.call_id)
    .outerjoin(
        recording,
        and_(
            recording.c.call_id == interaction.c.call_id,
            recording.c.deleted_at.is_(None),
            recording.c.state != "failed",
        ),
    )
    .where(interaction.c.session_id.in_([bindparam(key) for key in _PAGE_KEYS]))
    .order_by(interaction.c.session_id, interaction.c.id)
    .limit(INTERACTION_COUNT_MAX)
)
# Since when all its bindings are there: a party may have joined later, and nothing ends before it began.
FLOOR_AT: Final = func.coalesce(
    select(func.max(binding.c.start_at))
    .where(binding.c.session_id == _s.id, binding.c.released_at.is_(None))
    .correlate(masking_session)
    .scalar_subquery(),
    _s.start_at,
)
_live = (
    select(_s.id, _s.account_id, FLOOR_AT, _s.cooloff_s)
    .where(_s.ended_at.is_(None), _s.end_at > bindparam("now"))
    .with_for_update(of=masking_session)
)
_LOCK_LIVE_ON_NUMBER: Final = Statement(
    _live.where(_s.virtual_number_id == bindparam("virtual_number_id")).order_by(_s.id)
)
_LOCK_ONE: Final = Statement(
    select(_s.id, _s.account_id, FLOOR_AT, _s.cooloff_s, _s.end_at, _s.ended_at)
    .where(_s.id == bindparam("id"), _s.account_id == bindparam("account_id"))
    .with_for_update(of=masking_session)
)


class LockedSession(NamedTuple):
    """What ending a session needs to know of it; its row is locked. µs UTC."""

    id: str
    account_id: int
    start_at: int
    """Since when all its bindings are there."""
    cooloff_s: int


def load_session(tx: Tx, account_id: int, id_: str) -> MaskingSession | None:
    """Load a session of an account with its interactions."""
    row = tx.row(_SELECT_ONE, id=id_, account_id=account_id)
    return None if row is None else read_sessions(tx, [row])[0]


def lock_session(tx: Tx, account_id: int, id_: str, now: int) -> tuple[LockedSession, bool] | None:
    """Lock a session of an account; the flag says whether its window is still open at `now`.

    One that was ended stays so, also by a clock that was set back.
    """
    row = tx.row(_LOCK_ONE, id=id_, account_id=account_id)
    return None if row is None else (LockedSession(*row[:4]), now < row[4] and row[5] is None)


def lock_live_sessions_on(tx: Tx, virtual_number_id: int, now: int) -> tuple[LockedSession, ...]:
    """Lock every live session of a number."""
    found = tx.rows(_LOCK_LIVE_ON_NUMBER, virtual_number_id=virtual_number_id, now=now)
    return tuple(LockedSession(*row) for row in found)


def read_sessions(tx: Tx, rows: Iterable[Row]) -> tuple[MaskingSession, ...]:
    """Make sessions of rows of `SELECT_SESSIONS`, loading their interactions; at most LIST_LIMIT_MAX rows."""
    named: list[dict[str, Any]] = [dict(zip(_COLUMNS, row, strict=True)) for row in rows]
    interactions: dict[str, list[Interaction]] = {it["id"]: [] for it in named}
    parties = {it["id"]: (it["first_ref"], it["second_ref"]) for it in named}
    if any(it["last_interaction_at"] is not None for it in named):
        ids = [*interactions, *[None] * (LIST_LIMIT_MAX - len(interactions))]
        for row in tx.rows(_SELECT_INTERACTIONS, **dict(zip(_PAGE_KEYS, ids, strict=True))):
            interactions[row[0]].append(_interaction(row, parties[row[0]]))
    return tuple(_session(tx, it, tuple(interactions[it["id"]])) for it in named)


def read_plain_sessions(tx: Tx, rows: Iterable[Row]) -> tuple[MaskingSession, ...]:
    """Make sessions of rows of `SELECT_SESSIONS`, without their interactions."""
    return tuple(_session(tx, dict(zip(_COLUMNS, row, strict=True)), ()) for row in rows)


def _session(tx: Tx, it: dict[str, Any], interactions: tuple[Interaction, ...]) -> MaskingSession:
    cause = it["end_cause"]
    single = it["is_single_party"]
    return MaskingSession(
        id=it["id"],
        account_id=it["account_id"],
        subaccount_id=it["subaccount_id"],
        subaccount_auth_id=it["subaccount_auth_id"],
        virtual_number=DID(it["number"]),
        first=_party(tx, it, "first"),
        second=_party(tx, it, "second"),
        created_at=it["created_at"],
        modified_at=it["modified_at"],
        ends_at=it["end_at"],
        ended_at=it["ended_at"],
        end_cause=None if cause is None else SessionEndCause(cause),
        call_time_limit_s=it["call_time_limit_s"],
        ring_timeout_s=it["ring_timeout_s"],
        is_recorded=bool(it["is_recorded"]),
        record_format=RecordFormat(it["record_format"]),
        recording_callback_url=it["recording_callback_url"],
        recording_callback_method=CallbackMethod(it["recording_callback_method"]),
        callback_url=it["callback_url"],
        callback_method=CallbackMethod(it["callback_method"]),
        first_play_url=it["first_play_url"],
        second_play_url=it["second_play_url"],
        unknown_caller_url=it["unknown_caller_url"],
        calls_first=bool(it["calls_first"]),
        pin=_pin(tx, it) if it["has_pin"] else None,
        is_geomatched=bool(it["is_geomatched"]),
        is_single_party=None if single is None else bool(single),
        cooloff_s=it["cooloff_s"],
        last_interaction_at=it["last_interaction_at"],
        total_leg_count=it["total_leg_count"],
        total_duration_s=it["total_duration_s"],
        total_billed_s=it["total_billed_s"],
        interactions=interactions,
        reference=it["reference"],
    )


def _party(tx: Tx, it: dict[str, Any], which: str) -> E164 | None:
    sealed = it[f"{which}_sealed"]
    return None if sealed is None else tx.keys.unseal_party(it["account_id"], it[f"{which}_ref"], sealed)


def _pin(tx: Tx, it: dict[str, Any]) -> PinSettings:
    def secret(which: str) -> Secret | None:
        sealed = it[f"{which}_pin_sealed"]
        return None if sealed is None else Secret(tx.keys.unseal(sealed, pin_place(it["id"], which)))

    return PinSettings(
        first=secret("first"),
        second=secret("second"),
        is_generated=bool(it["pin_is_generated"]),
        length=it["pin_length"],
        prompt_url=it["pin_prompt_url"],
        retry_count=it["pin_retry_count"],
        retry_wait_s=it["pin_retry_wait_s"],
        incorrect_url=it["incorrect_pin_url"],
        is_forced=bool(it["is_pin_forced"]),
    )


def pin_place(session_id: str, which: str) -> str:
    """Name the place of a sealed PIN, as `Keys.seal` wants it."""
    return f"masking_session.{which}_pin_sealed:{session_id}"


def _interaction(row: Row, parties: tuple[str | None, str | None]) -> Interaction:
    first_ref, second_ref = parties
    _, kind, call_id, started_at, ended_at, role, leg_count, caller_leg_s, callee_leg_s, *ending = row
    answered_at, callee_answered_at, result, reason, q850, sip_status, is_service_initiated = ending[:7]
    recording_id, callee_ref = ending[7:]
    termination = Termination(result=Result(result), reason=Reason(reason), q850=q850, sip_status=sip_status)
    caller = _Leg(caller_leg_s, leg_status(termination.reason, is_answered=answered_at is not None))
    callee = _Leg(None, None)
    if leg_count == 2:
        status = leg_status(termination.reason, is_answered=callee_answered_at is not None)
        callee = _Leg(callee_leg_s, status)
    # The stranger of a one-party session stands where the session has no party, or had none until one joined.
    stood_for_first = first_ref is None or (callee_ref is not None and callee_ref == second_ref)
    is_caller_first = role == Role.FIRST or (role == Role.ANYONE and stood_for_first)
    first, second = (caller, callee) if is_caller_first else (callee, caller)
    return Interaction(
        kind=InteractionKind(kind),
        call_id=call_id,
        started_at=started_at,
        ended_at=ended_at,
        caller_role=Role(role),
        leg_count=leg_count,
        first_leg_s=first.answered_s,
        second_leg_s=second.answered_s,
        first_status=first.status,
        second_status=second.status,
        termination=termination,
        is_caller_first=is_caller_first,
        is_service_initiated=bool(is_service_initiated),
        recording_id=recording_id,
    )


class _Leg(NamedTuple):
    answered_s: int | None
    status: LegStatus | None
    """None: it was not placed."""

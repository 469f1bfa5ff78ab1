"""Look up what a dialled number means to a caller.

The first statement runs for every call and answers those of registered parties; one further statement is asked for
strangers, or for what a party meets before it is put through.
"""

from typing import Any, Final

from sqlalchemy import and_, bindparam, case, func, literal_column, or_, select

from maskline.core.masking import RecordFormat, Role
from maskline.core.numbers import ANYONE, DID, E164
from maskline.core.pin import TryWindow
from maskline.core.routing import PinDialogue, RouteFacts, SessionFacts, StrangerFacts

from .bindings import ANSWERS_STRANGERS
from .engine import Row, Tx
from .schema import (
    account,
    binding,
    call_record,
    interaction,
    masking_session,
    number_lease,
    party,
    virtual_number,
)
from .schema_call_flow import pin_try
from .statement import Statement

WITHHELD: Final = "withheld"
"""Stands for a caller that withholds its number; no reference has this form, so no binding matches it."""

_s: Final = masking_session.c
_n: Final = virtual_number.c
_b: Final = binding.c
_callee: Final = party.alias("callee")
_caller_number: Final = virtual_number.alias("caller_number")

# The other party: of the first the second; of the second, and of a stranger where second is empty, the first.
CALLEE_REF: Final = case(
    (_b.role == Role.FIRST.value, _s.second_ref),
    (_b.role == Role.SECOND.value, _s.first_ref),
    else_=func.coalesce(_s.first_ref, _s.second_ref),
)
IS_REPORTED: Final = or_(
    _s.callback_url != "",
    _s.recording_callback_url != "",
    account.c.has_webhooks,
    account.c.has_streams,
)
SESSION_COLUMNS: Final = (
    _s.id,
    _s.account_id,
    _s.start_at,
    _s.end_at,
    _s.ring_timeout_s,
    _s.call_time_limit_s,
    _s.is_recorded,
    _s.record_format,
    _s.first_ref.is_not(None),
    _s.first_play_url,
    _s.second_play_url,
    IS_REPORTED,
    _s.has_pin,
)
"""What `build_session` reads, in its order, of a session joined with its account."""
ROUTE: Final = Statement(
    select(
        _n.number,
        _n.trunk_id,
        number_lease.c.account_id,
        account.c.refusal_prompt_url,
        select(literal_column("1"))
        .where(_caller_number.c.ref == bindparam("caller_ref"), _caller_number.c.removed_at.is_(None))
        .scalar_subquery(),
        _n.id,
        _b.role,
        _s.is_pin_forced,
        CALLEE_REF,
        _callee.c.sealed,
        *SESSION_COLUMNS,
    )
    .select_from(virtual_number)
    .outerjoin(
        number_lease, and_(number_lease.c.virtual_number_id == _n.id, number_lease.c.ended_at.is_(None))
    )
    .outerjoin(account, account.c.id == number_lease.c.account_id)
    .outerjoin(
        binding,
        and_(
            _b.virtual_number_id == _n.id,
            _b.party_ref.in_([bindparam("caller_ref"), bindparam("anyone")]),
            _b.end_at > bindparam("now"),
            _b.start_at <= bindparam("now"),
            _b.can_call,
        ),
    )
    .outerjoin(masking_session, _s.id == _b.session_id)
    .outerjoin(_callee, and_(_callee.c.account_id == _s.account_id, _callee.c.ref == CALLEE_REF))
    .where(_n.number == bindparam("dialled"), _n.removed_at.is_(None))
    .limit(2)
)
"""All that routing asks, for a dialled number and a caller: at most the caller's own binding and `anyone`'s."""


def _newest(*conditions: Any) -> Any:
    """Select the session of the newest live binding on a number."""
    return (
        select(_b.session_id)
        .where(
            _b.virtual_number_id == bindparam("virtual_number_id"),
            _b.released_at.is_(None),  # only for the index; what is live is said by the clock
            _b.start_at <= bindparam("now"),
            _b.end_at > bindparam("now"),
            *conditions,
        )
        .order_by(_b.start_at.desc(), _b.id.desc())
        .limit(1)
        .scalar_subquery()
    )


_of_caller: Final = pin_try.alias("of_caller")
_of_number: Final = pin_try.alias("of_number")
STRANGERS: Final = Statement(
    select(
        _s.id,
        _s.account_id,
        _s.start_at,
        _s.end_at,
        _s.has_pin,
        _s.unknown_caller_url,
        IS_REPORTED,
        _s.pin_prompt_url,
        _s.incorrect_pin_url,
        _s.pin_retry_count,
        _s.pin_retry_wait_s,
        _of_caller.c.opened_at,
        _of_caller.c.wrong_count,
        _of_number.c.opened_at,
        _of_number.c.wrong_count,
    )
    .select_from(masking_session)
    .join(account, account.c.id == _s.account_id)
    .outerjoin(
        _of_caller,
        and_(
            _of_caller.c.virtual_number_id == _s.virtual_number_id,
            _of_caller.c.subject == bindparam("subject"),
        ),
    )
    .outerjoin(
        _of_number,
        and_(
            _of_number.c.virtual_number_id == _s.virtual_number_id,
            _of_number.c.subject == bindparam("anyone"),
        ),
    )
    .where(
        _s.id == func.coalesce(_newest(_b.pin_hash.is_not(None)), _newest(ANSWERS_STRANGERS)),
    )
)
"""What a number has for strangers: its newest live session with PIN, else the newest that plays something."""

_last_contact: Final = (
    select(interaction.c.call_id)
    .where(interaction.c.session_id == _s.id, interaction.c.caller_role == Role.ANYONE.value)
    .order_by(interaction.c.session_id.desc(), interaction.c.id.desc())
    .limit(1)
    .scalar_subquery()
)
COUNTERPART: Final = Statement(
    select(
        _s.pin_prompt_url,
        _s.incorrect_pin_url,
        _s.pin_retry_count,
        _s.pin_retry_wait_s,
        call_record.c.caller_ref,
        party.c.sealed,
    )
    .select_from(masking_session)
    .outerjoin(call_record, call_record.c.call_id == _last_contact)
    .outerjoin(party, and_(party.c.account_id == _s.account_id, party.c.ref == call_record.c.caller_ref))
    .where(_s.id == bindparam("session_id"))
)
"""What a registered party meets: the PIN dialogue of its session, and who called it last as a stranger."""

_ROLES: Final = {role.value: role for role in Role}  # a call's look-up counts microseconds
_RECORD_FORMATS: Final = {format_.value: format_ for format_ in RecordFormat}
_NOT_OURS: Final = RouteFacts(
    number=None, trunk_id=None, account_id=None, is_caller_virtual=False, session=None
)


def load_route(tx: Tx, dialled: str, caller: E164 | None, now: int) -> RouteFacts:
    """Load what is known of a dialled number and a caller, by index: one statement, or two."""
    caller_ref = WITHHELD if caller is None else tx.keys.ref(caller)
    rows = tx.rows(ROUTE, dialled=dialled, caller_ref=caller_ref, anyone=ANYONE, now=now)
    if not rows:
        return _NOT_OURS
    row = rows[0]
    if len(rows) == 2 and row[6] == Role.ANYONE:  # the caller's own binding goes before the strangers'
        row = rows[1]
    number, trunk_id, account_id, refusal_prompt_url, own_caller, number_id, role = row[:7]
    session, strangers = None, None
    if role is not None:
        session = _registered(tx, row, _ROLES[role])
    elif account_id is not None and own_caller is None:
        strangers = _load_strangers(tx, number_id, caller_ref, now)
    return RouteFacts(
        number=DID(number),
        trunk_id=trunk_id,
        account_id=account_id,
        is_caller_virtual=own_caller is not None,
        session=session,
        refusal_prompt_url=refusal_prompt_url or "",
        strangers=strangers,
    )


def build_session(
    columns: Row, role: Role, callee: E164 | None, dialogue: PinDialogue | None = None
) -> SessionFacts:
    """Build the facts of a session from SESSION_COLUMNS."""
    return SessionFacts(
        session_id=columns[0],
        account_id=columns[1],
        role=role,
        callee=callee,
        starts_at=columns[2],
        ends_at=columns[3],
        ring_timeout_s=columns[4],
        call_time_limit_s=columns[5],
        is_recorded=columns[6] != 0,  # SQLite has numbers for both
        record_format=_RECORD_FORMATS[columns[7]],
        has_first=columns[8] != 0,
        first_play_url=columns[9],
        second_play_url=columns[10],
        is_reported=columns[11] != 0,
        has_pin=columns[12] != 0,
        dialogue=dialogue,
    )


def load_counterpart(tx: Tx, account_id: int, session_id: str) -> tuple[Row, E164 | None]:
    """Load a session's dialogue columns, and who called as a stranger last: nobody, if its number was withheld."""
    row = tx.row(COUNTERPART, session_id=session_id)
    assert row is not None, "a session with a binding is never deleted"
    return row[:4], read_party(tx, account_id, *row[4:])


def read_party(tx: Tx, account_id: int, ref: str | None, sealed: bytes | None) -> E164 | None:
    """Read a number; None for nobody and for a party that was erased."""
    return None if ref is None or sealed is None else tx.keys.unseal_party(account_id, ref, sealed)


def _registered(tx: Tx, row: Row, role: Role) -> SessionFacts:
    is_forced, callee_ref, sealed = row[7:10]
    columns = row[10:]
    session_id, account_id = columns[:2]
    callee = read_party(tx, account_id, callee_ref, sealed)
    if role is Role.ANYONE or not (callee_ref is None or is_forced):
        return build_session(columns, role, callee)
    texts, last_caller = load_counterpart(tx, account_id, session_id)
    is_reported, has_pin = columns[11:]
    dialogue = _dialogue(session_id, account_id, is_reported, texts, role) if has_pin and is_forced else None
    return build_session(columns, role, last_caller if callee_ref is None else callee, dialogue)


def _load_strangers(tx: Tx, number_id: int, subject: str, now: int) -> StrangerFacts | None:
    row = tx.row(STRANGERS, virtual_number_id=number_id, subject=subject, anyone=ANYONE, now=now)
    if row is None:
        return None
    session_id, account_id, start_at, end_at, has_pin, unknown_caller_url, is_reported, *rest = row
    caller_opened_at, caller_wrong_count, number_opened_at, number_wrong_count = rest[4:]
    return StrangerFacts(
        session_id=session_id,
        account_id=account_id,
        starts_at=start_at,
        ends_at=end_at,
        dialogue=_dialogue(session_id, account_id, is_reported, rest[:4], None) if has_pin else None,
        unknown_caller_url=unknown_caller_url,
        caller_tries=None if caller_opened_at is None else TryWindow(caller_opened_at, caller_wrong_count),
        number_tries=None if number_opened_at is None else TryWindow(number_opened_at, number_wrong_count),
    )


def _dialogue(
    session_id: str, account_id: int, is_reported: object, texts: Row | list[Any], forced_role: Role | None
) -> PinDialogue:
    prompt_url, incorrect_url, retry_count, retry_wait_s = texts
    return PinDialogue(
        session_id=session_id,
        account_id=account_id,
        prompt_url=prompt_url,
        incorrect_url=incorrect_url,
        retry_count=retry_count,
        retry_wait_s=retry_wait_s,
        is_reported=bool(is_reported),
        forced_role=forced_role,
    )

"""Change a live masking session: its end, its settings, and the parties of one made for a single party."""

from dataclasses import asdict, replace
from typing import Final, NamedTuple

from maskline.core.events import EventKind
from maskline.core.inventory import Account
from maskline.core.masking import (
    MICROSECONDS,
    MaskingSession,
    PartyIsVirtual,
    PartyOccupied,
    Role,
    SessionAlreadyExpired,
    SessionChanges,
    SessionNotFound,
)
from maskline.core.numbers import ANYONE, E164, PartyRef
from maskline.store import bindings, numbers, outbox, session_writes, sessions
from maskline.store.bindings import Place
from maskline.store.engine import Tx
from maskline.store.session_writes import LivePair, OpenSession

from .create_masking_session import pair_key

_NOTHING: Final = SessionChanges()
_NO_PLACE: Final = Place(None, None, answers_strangers=False)
_OWN_FIELDS: Final = frozenset({"first", "second", "ends_at", "expires_in_s"})
"""Changes that are not columns to be replaced by themselves."""

UpdateOutcome = MaskingSession | SessionNotFound | SessionAlreadyExpired | PartyIsVirtual | PartyOccupied


class _Parties(NamedTuple):
    first: PartyRef | None
    second: PartyRef | None


def update_masking_session(
    tx: Tx, account: Account, session_id: str, changes: SessionChanges, now: int
) -> UpdateOutcome:
    """Replace what is given in a live session; what is not given stays, the end too.

    Where nothing that can be changed is given, the session stands as it was, `modified_at` included. A party that
    joins or replaces another gets the PIN of its role; calls that run or are being set up go on between those who
    began them.

    Source: docs/api/plivo.md, Update.
    """
    held = session_writes.lock_open_session(tx, account.id, session_id)
    if held is None:
        return SessionNotFound()
    if held.ended_at is not None or now >= held.end_at:
        return SessionAlreadyExpired()
    if not held.is_single_party:
        changes = replace(changes, first=None, second=None)
    if changes != _NOTHING:
        refused = _change_parties(tx, account, held, changes, now)
        if refused is not None:
            return refused
        _change_settings(tx, account, held, changes, now)
    session = sessions.load_session(tx, account.id, session_id)
    assert session is not None, "the row is locked"
    return session


def _change_settings(tx: Tx, account: Account, held: OpenSession, changes: SessionChanges, now: int) -> None:
    """Write everything but the parties, and tell of the update."""
    if changes.unknown_caller_url is not None:
        answers_strangers = bool(held.has_pin or changes.unknown_caller_url)
        bindings.update_strangers(tx, held.id, held.end_at, answers_strangers=answers_strangers)
    end_at = _decide_end(held, changes, now)
    live = LivePair(held.id, held.start_at, held.cooloff_s, None)
    given = {name: value for name, value in asdict(changes).items() if name not in _OWN_FIELDS}
    sequence = session_writes.update_session(tx, live, end_at=end_at, now=now, **given)
    parties = _decide_parties(tx, held, changes)
    outbox.insert_event(
        tx,
        EventKind.SESSION_UPDATED,
        account_id=account.id,
        session_id=held.id,
        sequence=sequence,
        occurred_at=now,
        facts={"first": parties.first, "second": parties.second, "ends_at": end_at},
    )


def _decide_end(held: OpenSession, changes: SessionChanges, now: int) -> int:
    """Say when the session ends: never in the past, which is told already."""
    if changes.ends_at is not None:
        return max(changes.ends_at, now, held.start_at)
    if changes.expires_in_s is not None:
        return max(now + changes.expires_in_s * MICROSECONDS, held.start_at)
    return held.end_at


def _decide_parties(tx: Tx, held: OpenSession, changes: SessionChanges) -> _Parties:
    """Say who the parties will be."""

    def ref(given: E164 | None, present: str | None) -> PartyRef | None:
        if given is not None:
            return tx.keys.ref(given)
        return None if present is None else PartyRef(present)

    return _Parties(ref(changes.first, held.first_ref), ref(changes.second, held.second_ref))


def _change_parties(
    tx: Tx, account: Account, held: OpenSession, changes: SessionChanges, now: int
) -> PartyIsVirtual | PartyOccupied | None:
    """Let the given parties join or replace; None when they did, or were there already."""
    before = _Parties(*_decide_parties(tx, held, _NOTHING))
    after = _decide_parties(tx, held, changes)
    if after == before:
        return None
    changed_role = Role.SECOND if after.second != before.second else Role.FIRST
    if after.first == after.second:
        return PartyOccupied(role=changed_role)
    ours = numbers.load_virtual_refs(tx, after.first, after.second)
    if after.first in ours:
        return PartyIsVirtual(role=Role.FIRST)
    if after.second in ours:
        return PartyIsVirtual(role=Role.SECOND)
    key = _decide_pair_key(held, before, after)
    if session_writes.lock_live_pair(tx, account.id, key, now) is not None:
        return PartyOccupied(role=changed_role)
    return _move_in(tx, account, held, changes, _Move(before, after, key, max(now, held.start_at)))


def _decide_pair_key(held: OpenSession, before: _Parties, after: _Parties) -> str:
    """Give the key of the pair to be, ordered or not as it was: the row does not say, but its key does."""
    present = (before.first or ANYONE, before.second or ANYONE)
    is_ordered = held.pair_key == pair_key(held.subaccount_id, *present, is_ordered=True)
    return pair_key(held.subaccount_id, after.first or ANYONE, after.second or ANYONE, is_ordered=is_ordered)


class _Move(NamedTuple):
    before: _Parties
    after: _Parties
    pair_key: str
    at: int


def _move_in(
    tx: Tx, account: Account, held: OpenSession, changes: SessionChanges, move: _Move
) -> PartyOccupied | None:
    """Write the new parties and their bindings, all or nothing (I1)."""
    joining = {
        role: (ref, number)
        for role, ref, number, old in (
            (Role.FIRST, move.after.first, changes.first, move.before.first),
            (Role.SECOND, move.after.second, changes.second, move.before.second),
        )
        if ref is not None and number is not None and ref != old
    }
    for ref, number in sorted(joining.values(), key=lambda it: it[0]):  # as creators do: no deadlocks
        session_writes.insert_party(tx, account.id, ref, number, move.at)
    bindings.release_parties(tx, *_two([ref for ref, _ in joining.values()]), move.at)
    with tx.savepoint() as savepoint:
        refused = _swap_bindings(tx, held, move, {role: ref for role, (ref, _) in joining.items()})
        if refused is not None:
            savepoint.undo()
            return refused
        session_writes.update_parties(
            tx,
            held.id,
            first_ref=move.after.first,
            second_ref=move.after.second,
            pair_key=move.pair_key,
        )
    return None


def _two(refs: list[PartyRef]) -> tuple[PartyRef, PartyRef]:
    return (refs[0], refs[-1])


def _swap_bindings(
    tx: Tx, held: OpenSession, move: _Move, joining: dict[Role, PartyRef]
) -> PartyOccupied | None:
    """End the bindings of those who go, and bind those who come, as far as the number has room for them."""
    places = bindings.load_places(tx, held.id, held.end_at)
    leaving = set(joining)
    if move.after.first is not None and move.after.second is not None:
        leaving.add(Role.ANYONE)  # the session has both parties, and no stranger stands for one
    cooloff_us = held.cooloff_s * MICROSECONDS
    for role in leaving:
        bindings.retire_binding(
            tx, held.id, held.end_at, role.value, at=move.at, free_at=move.at + cooloff_us
        )
    for role, ref in sorted(joining.items(), key=lambda it: it[1]):
        place = places.get(role) or places.get(Role.ANYONE) or _NO_PLACE
        bindings.forget_retired(tx, held.id, held.end_at, ref)
        if not bindings.insert_binding(
            tx,
            virtual_number_id=held.virtual_number_id,
            party_ref=ref,
            session_id=held.id,
            role=role.value,
            can_call=True,
            start_at=move.at,
            end_at=held.end_at,
            free_at=held.end_at + cooloff_us,
            pin_hash=place.pin_hash,
            answers_strangers=place.answers_strangers,
            pin_length=place.pin_length,
        ):
            return PartyOccupied(role=role)
    return None

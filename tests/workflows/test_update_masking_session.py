from dataclasses import replace
from typing import Any

import pytest
from tests.workflows.history import broken_sequences, double_bookings
from tests.world import SECOND, World, peek, person, virtual

from maskline.core.inventory import NewAccount
from maskline.core.masking import (
    CallbackMethod,
    MaskingSession,
    PartyIsVirtual,
    PartyOccupied,
    PinSettings,
    RecordFormat,
    Role,
    SessionAlreadyExpired,
    SessionChanges,
    SessionCreated,
    SessionNotFound,
)
from maskline.core.numbers import E164
from maskline.core.routing import Announce, Connect, Refuse, decide_route
from maskline.core.secret import Secret
from maskline.workflows.end_masking_session import end_masking_session
from maskline.workflows.expire_masking_sessions import expire_masking_sessions
from maskline.workflows.load_masking_session import load_masking_session
from maskline.workflows.route_call import route_call
from maskline.workflows.update_masking_session import UpdateOutcome, update_masking_session

PINS = PinSettings(first=Secret("1111"), second=Secret("2222"))


def _ask(world: World, session: MaskingSession, **given: Any) -> UpdateOutcome:
    return world.store.run(
        update_masking_session, world.account, session.id, SessionChanges(**given), world.now
    )


def _change(world: World, session: MaskingSession, **given: Any) -> MaskingSession:
    changed = _ask(world, session, **given)
    assert isinstance(changed, MaskingSession), changed
    assert world.store.read(load_masking_session, world.account, session.id) == changed
    assert double_bookings(world.store) == []
    assert broken_sequences(world.store) == []
    return changed


def _callee(world: World, caller: int, number: int = 0) -> E164 | None:
    """Whom a caller of a number reaches."""
    facts = world.store.read(route_call, virtual(number), person(caller), world.now)
    decision = decide_route(facts, person(caller), world.now)
    return decision.callee if isinstance(decision, Connect) else None


def test_given_replaces_and_absent_stays(world: World) -> None:
    """Every setting that is given replaces, the others stay; the end moves to now plus the expiry."""
    before = world.create(expires_in_s=600, ring_timeout_s=20, cooloff_s=5)
    world.now += 12 * SECOND
    given: dict[str, Any] = {
        "call_time_limit_s": 100,
        "is_recorded": True,
        "record_format": RecordFormat.WAV,
        "recording_callback_url": "https://a.example/r",
        "recording_callback_method": CallbackMethod.GET,
        "callback_url": "https://a.example/c",
        "callback_method": CallbackMethod.GET,
        "first_play_url": "https://a.example/1.mp3",
        "second_play_url": "https://a.example/2.mp3",
        "unknown_caller_url": "https://a.example/u.mp3",
        "reference": "order 7",
    }
    changed = _change(world, before, expires_in_s=600, **given)
    assert changed == replace(before, modified_at=world.now, ends_at=world.now + 600 * SECOND, **given)
    assert changed.duration_s == 612
    assert peek(world.store, "SELECT DISTINCT end_at, free_at FROM binding") == [
        (changed.ends_at, changed.ends_at + 5 * SECOND)
    ]


def test_without_expiry_the_end_stays(world: World) -> None:
    """An update that gives no expiry changes what it gives, the instant of change, and nothing else."""
    before = world.create()
    world.now += SECOND
    assert _change(world, before, ring_timeout_s=7) == replace(
        before, modified_at=world.now, ring_timeout_s=7
    )


def test_nothing_given_changes_nothing(world: World) -> None:
    """An update without changes leaves even the instant of change alone, and tells nobody."""
    before = world.create()
    world.now += SECOND
    assert _change(world, before) == before
    assert _change(world, before, second=person(7)) == before  # not its to give
    assert peek(world.store, "SELECT count(*) FROM outbox") == [(1,)]


def test_end_wins_over_expiry_and_is_never_in_the_past(world: World) -> None:
    """An instant goes before a duration; one that has passed is now."""
    before = world.create()
    world.now += 10 * SECOND
    assert _change(world, before, ends_at=world.now + 1, expires_in_s=60).ends_at == world.now + 1
    assert _change(world, before, ends_at=world.now - SECOND).ends_at == world.now
    assert world.store.run(expire_masking_sessions, world.now) == (before.id,)
    assert isinstance(_ask(world, before, expires_in_s=60), SessionAlreadyExpired)


@pytest.mark.parametrize(("offset_us", "kind"), [(-1, MaskingSession), (0, SessionAlreadyExpired)])
def test_end_instant_decides(world: World, offset_us: int, kind: type) -> None:
    """A session can be prolonged until the microsecond before its end, marked as expired or not."""
    session = world.create()
    world.now = session.ends_at + offset_us
    assert isinstance(_ask(world, session, expires_in_s=60), kind)


def test_ended_stays_ended(world: World) -> None:
    """A deleted session is not revived, not even by a clock that was set back."""
    session = world.create()
    world.now += 600 * SECOND
    world.store.run(end_masking_session, world.account, session.id, world.now)
    for _ in range(2):
        assert _ask(world, session, expires_in_s=60) == SessionAlreadyExpired()
        world.now -= 300 * SECOND


def test_other_accounts_sessions_are_not_there(world: World) -> None:
    """A session of another account is as unknown as one that never was."""
    other = World(world.store, number_count=0, account=NewAccount(name="Other"))
    session = world.create()
    changes = SessionChanges(expires_in_s=60)
    for account, id_ in ((other.account, session.id), (world.account, "no-such-id")):
        answer = world.store.run(update_masking_session, account, id_, changes, world.now)
        assert answer == SessionNotFound()


def test_event_tells_of_the_update_by_reference(world: World) -> None:
    """One event, next in the session's sequence, names the end and no number."""
    session = world.create(1, None, is_single_party=True)
    changed = _change(world, session, second=person(2), expires_in_s=90)
    [(kind, sequence, facts)] = peek(
        world.store, "SELECT kind, sequence, facts FROM outbox WHERE sequence > 1"
    )
    assert (kind, sequence) == ("session.updated", 2)
    assert str(changed.ends_at) in facts
    assert "98000000" not in facts


def test_parties_of_a_pair_are_not_changed(world: World) -> None:
    """Where the creator did not ask for one party, parties are passed over and the rest is done."""
    before = world.create()
    world.now += SECOND
    changed = _change(world, before, first=person(8), second=person(9), ring_timeout_s=9)
    assert changed == replace(before, modified_at=world.now, ring_timeout_s=9)


@pytest.mark.parametrize("missing", [Role.FIRST, Role.SECOND])
def test_missing_party_joins(world: World, missing: Role) -> None:
    """The party that was missing reaches the other and is reached; strangers are strangers again."""
    given = (None, 1) if missing is Role.FIRST else (1, None)
    session = world.create(*given, is_single_party=True)
    assert _callee(world, 50) == person(1)
    world.now += SECOND
    joined = _change(world, session, **{missing.value: person(2)})
    assert {joined.first, joined.second} == {person(1), person(2)}
    assert (getattr(joined, missing.value), joined.is_single_party) == (person(2), True)
    assert (_callee(world, 1), _callee(world, 2), _callee(world, 50)) == (person(2), person(1), None)
    assert peek(world.store, "SELECT kind FROM masking_session") == [("pair",)]


def test_joined_pair_is_repeated_like_any_other(world: World) -> None:
    """A creation of the pair that came about finds the session; one for the single party makes another."""
    session = world.create(1, None, is_single_party=True)
    _change(world, session, second=person(2))
    again = world.ask(1, 2)
    assert isinstance(again, SessionCreated)
    assert (again.session.id, again.is_new) == (session.id, False)
    assert world.create(1, None, is_single_party=True).id != session.id


def test_unordered_pair_stays_unordered(world: World) -> None:
    """A session whose pair has no order keeps that when a party joins."""
    session = world.create(5, None, is_single_party=True, is_pair_ordered=False)
    _change(world, session, second=person(2))
    reversed_ = world.ask(2, 5, is_pair_ordered=False)
    assert isinstance(reversed_, SessionCreated)
    assert (reversed_.session.id, reversed_.is_new) == (session.id, False)


def test_party_is_replaced(world: World) -> None:
    """Another first party takes the place of the one that was there, which is a stranger from then on."""
    session = world.create(1, 2, is_single_party=True, cooloff_s=30)
    world.now += SECOND
    changed = _change(world, session, first=person(3))
    assert (changed.first, changed.second) == (person(3), person(2))
    assert (_callee(world, 3), _callee(world, 2), _callee(world, 1)) == (person(2), person(3), None)
    # Who left cools off on the number like after any end, and a later end does not move that.
    world.now += 30 * SECOND - 1
    _change(world, session, expires_in_s=3600)
    assert world.create(1, 9).virtual_number == virtual(1)
    world.now += 1
    assert world.create(1, 8).virtual_number == virtual(0)


def test_parties_swap_and_come_back(world: World) -> None:
    """Two parties may change places, and one that left may come back while it still cools off."""
    session = world.create(1, 2, is_single_party=True, cooloff_s=30)
    swapped = _change(world, session, first=person(2), second=person(1))
    assert (swapped.first, swapped.second) == (person(2), person(1))
    _change(world, session, first=person(3))
    back = _change(world, session, first=person(2))
    assert (back.first, _callee(world, 2)) == (person(2), person(1))


def test_ending_after_a_replacement_ends_all(world: World) -> None:
    """A deletion after parties changed leaves nobody on the number, and each cools off from its own end."""
    session = world.create(1, None, is_single_party=True, cooloff_s=30)
    world.now += 10 * SECOND
    _change(world, session, first=person(3), second=person(2))
    world.now += 10 * SECOND
    world.store.run(end_masking_session, world.account, session.id, world.now)
    assert [_callee(world, index) for index in (1, 2, 3, 50)] == [None] * 4
    rows = peek(world.store, "SELECT role, end_at, free_at - end_at FROM binding ORDER BY end_at, role")
    left, gone = world.now - 10 * SECOND, world.now
    assert rows == [
        ("anyone", left, 30 * SECOND),
        ("first", left, 30 * SECOND),
        ("first", gone, 30 * SECOND),
        ("second", gone, 30 * SECOND),
    ]


def test_occupied_party_is_refused(world: World) -> None:
    """A party that has the number in another session cannot join, and nothing at all is changed."""
    session = world.create(1, None, is_single_party=True)
    world.create(2, 3)
    world.now += SECOND
    assert _ask(world, session, second=person(2), ring_timeout_s=9) == PartyOccupied(role=Role.SECOND)
    assert world.store.read(load_masking_session, world.account, session.id) == session
    assert _callee(world, 50) == person(1)


def test_pair_with_another_session_is_refused(world: World) -> None:
    """A party cannot join where the pair has a session already, on whatever number; once that is over it can."""
    other = world.create(1, 2, expires_in_s=60)
    session = world.create(1, None, is_single_party=True)
    assert session.virtual_number != other.virtual_number
    assert _ask(world, session, second=person(2)) == PartyOccupied(role=Role.SECOND)
    world.now = other.ends_at
    assert _change(world, session, second=person(2)).second == person(2)


@pytest.mark.parametrize("given", [{"second": person(1)}, {"first": person(2), "second": person(2)}])
def test_party_cannot_be_both(world: World, given: dict[str, Any]) -> None:
    """Nobody is masked from oneself."""
    session = world.create(1, None, is_single_party=True)
    assert _ask(world, session, **given) == PartyOccupied(role=Role.SECOND)


@pytest.mark.parametrize("role", [Role.FIRST, Role.SECOND])
def test_party_is_no_virtual_number(world: World, role: Role) -> None:
    """One of our own numbers joins nothing."""
    session = world.create(1, None, is_single_party=True)
    assert _ask(world, session, **{role.value: E164(virtual(2))}) == PartyIsVirtual(role=role)


def test_who_joins_gets_the_pin_that_was_kept(world: World) -> None:
    """The PINs of the session stay: the one that was nobody's is now that of the party that joined."""
    session = world.create(1, None, is_single_party=True, pin=PINS)
    joined = _change(world, session, second=person(2))
    assert joined.pin == session.pin
    assert peek(world.store, "SELECT count(*) FROM binding WHERE pin_hash IS NOT NULL") == [(2,)]
    assert world.create(5, 6, pin=PINS).virtual_number == virtual(1)


def test_what_strangers_hear_changes_with_the_session(world: World) -> None:
    """A prompt for unknown callers that is given is heard, and one that is taken away is not."""
    session = world.create()

    def meet() -> type:
        facts = world.store.read(route_call, virtual(0), person(50), world.now)
        return type(decide_route(facts, person(50), world.now))

    assert meet() is Refuse
    _change(world, session, unknown_caller_url="https://a.example/u.mp3")
    assert meet() is Announce
    _change(world, session, unknown_caller_url="")
    assert meet() is Refuse


def test_earlier_interactions_stay_with_their_persons(world: World) -> None:
    """When the missing first party joins, an earlier stranger's call still shows the stranger in its place."""
    session = world.create(None, 1, is_single_party=True)
    world.be_called(session, person(50))
    before = world.store.read(load_masking_session, world.account, session.id)
    assert isinstance(before, MaskingSession)
    assert [it.is_caller_first for it in before.interactions] == [True]
    world.now += 60 * SECOND
    joined = _change(world, session, first=person(2))
    assert joined.interactions == before.interactions


def test_lagging_clock_ends_nothing_before_it_began(world: World) -> None:
    """A machine whose clock is behind that of the one where a party joined can change and end the session."""
    session = world.create(1, None, is_single_party=True)
    world.now += 10 * SECOND
    _change(world, session, second=person(2))
    joined_at, world.now = world.now, world.now - SECOND
    _change(world, session, second=person(3))
    assert _change(world, session, ends_at=world.now + 1).ends_at == joined_at
    world.now -= SECOND
    assert isinstance(
        world.store.run(end_masking_session, world.account, session.id, world.now), MaskingSession
    )

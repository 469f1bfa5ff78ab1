"""Ending masks as DeepCall clients name them, on both databases."""

from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.workflows.history import broken_sequences, double_bookings
from tests.world import NOW, SECOND, World, peek, person, virtual

from maskline.core.deepcall import MaskChoice, MasksUnset, NoSuchMask, TooManyMasks
from maskline.core.inventory import Account, NewAccount
from maskline.core.masking import MaskingSession, SessionCreated, SessionEndCause
from maskline.workflows.accounts import create_account
from maskline.workflows.deepcall_unset import unset_masks
from maskline.workflows.load_masking_session import load_masking_session

HOUR = 3600 * SECOND


def unset(
    world: World, *, ends_at: int | None = None, count_max: int = 1, **choice: Any
) -> MasksUnset | NoSuchMask | TooManyMasks:
    return world.store.run(
        unset_masks, world.account, MaskChoice(**choice), ends_at=ends_at, count_max=count_max, now=world.now
    )


def load(world: World, session: MaskingSession) -> MaskingSession:
    found = world.store.read(load_masking_session, world.account, session.id)
    assert isinstance(found, MaskingSession)
    return found


def test_ending_is_a_deletion_with_its_event(world: World) -> None:
    """As in every dialect."""
    session = world.create(is_pair_ordered=False)
    done = unset(world, m1=person(1), m2=person(2))
    assert isinstance(done, MasksUnset)
    assert [it.id for it in done.sessions] == [session.id]
    assert load(world, session).end_cause is SessionEndCause.DELETED
    kinds = peek(world.store, "SELECT kind FROM outbox ORDER BY sequence")
    assert [kind for (kind,) in kinds] == ["session.created", "session.ended"]


def test_moving_the_end_is_an_update_with_its_event(world: World) -> None:
    """The mask stays the pair's."""
    session = world.create(is_pair_ordered=False)
    done = unset(world, masks=(session.virtual_number,), ends_at=NOW + HOUR)
    assert isinstance(done, MasksUnset)
    assert done.is_moved
    assert load(world, session).ends_at == NOW + HOUR
    assert peek(world.store, "SELECT end_at FROM binding") == [(NOW + HOUR,)] * 2
    kinds = peek(world.store, "SELECT kind FROM outbox ORDER BY sequence")
    assert [kind for (kind,) in kinds] == ["session.created", "session.updated"]


@pytest.mark.parametrize("ends_at", [NOW, NOW - 1, 0, -1])
def test_an_end_that_has_come_ends_now(world: World, ends_at: int) -> None:
    """Not when it says."""
    session = world.create(is_pair_ordered=False)
    done = unset(world, m1=person(1), ends_at=ends_at)
    assert isinstance(done, MasksUnset)
    assert not done.is_moved
    assert load(world, session).ended_at == NOW


def test_only_live_masks_are_meant(world: World) -> None:
    """Neither those that have expired and were not swept, nor those that were ended."""
    world.create(expires_in_s=60)
    world.now += 60 * SECOND
    assert unset(world, m1=person(1)) == NoSuchMask()
    world.create(1, 3)
    assert isinstance(unset(world, m1=person(1)), MasksUnset)
    assert unset(world, m1=person(1)) == NoSuchMask()


def test_masks_of_others_are_not_meant(world: World) -> None:
    """Though the persons may be the same."""
    other = world.store.run(create_account, NewAccount(name="Other"), NOW)
    assert isinstance(other, Account)
    world.add_numbers(virtual(50), account=other)
    assert isinstance(world.ask(account=other), SessionCreated)
    assert unset(world, m1=person(1), m2=person(2)) == NoSuchMask()
    assert unset(world, masks=(virtual(50),)) == NoSuchMask()


def test_a_pair_is_meant_however_many_masks_it_has(world: World) -> None:
    """Other dialects make one for each direction."""
    sessions = {world.create(1, 2).id, world.create(2, 1).id, world.create(1, 2, is_pair_ordered=False).id}
    done = unset(world, m1=person(2), m2=person(1))
    assert isinstance(done, MasksUnset)
    assert {it.id for it in done.sessions} == sessions


PEOPLE = st.integers(1, 4)


class Case(NamedTuple):
    """Masks that are there, and an unset. People and numbers by index."""

    pairs: list[tuple[int, int]]
    m1: int | None
    m2: int | None
    number: int | None
    count_max: int
    is_moved: bool

    @property
    def choice(self) -> dict[str, Any]:
        return {
            "m1": None if self.m1 is None else person(self.m1),
            "m2": None if self.m2 is None else person(self.m2),
            "masks": () if self.number is None else (virtual(self.number),),
        }

    @property
    def is_pair(self) -> bool:
        return self.m1 is not None and self.m2 is not None

    def means(self, first: int, second: int, session: MaskingSession) -> bool:
        if self.number is not None and session.virtual_number != virtual(self.number):
            return False
        if self.is_pair:
            return {first, second} == {self.m1, self.m2}
        return self.m1 in (None, first) and self.m2 in (None, second)


CASES = st.builds(
    Case,
    pairs=st.lists(st.tuples(PEOPLE, PEOPLE).filter(lambda it: it[0] != it[1]), max_size=5),
    m1=st.none() | PEOPLE,
    m2=st.none() | PEOPLE,
    number=st.none() | st.integers(0, 2),
    count_max=st.integers(1, 3),
    is_moved=st.booleans(),
).filter(lambda it: it.m1 is not None or it.m2 is not None or it.number is not None)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(case=CASES)
def test_exactly_what_is_meant_is_changed(world: World, case: Case) -> None:
    """All that meet the choice, or none where they are too many; every other mask stays as it was."""
    world.now += HOUR  # what earlier examples left has expired
    live: dict[str, MaskingSession] = {}
    meant: set[str] = set()
    for first, second in case.pairs:
        created = world.ask(first, second, is_pair_ordered=False)
        if isinstance(created, SessionCreated) and created.is_new:
            live[created.session.id] = created.session
            if case.means(first, second, created.session):
                meant.add(created.session.id)
    moved_to = world.now + 60 * SECOND
    done = unset(world, ends_at=moved_to if case.is_moved else None, count_max=case.count_max, **case.choice)
    if not meant:
        assert done == NoSuchMask()
    elif len(meant) > case.count_max and not case.is_pair:
        assert done == TooManyMasks()
        meant = set()
    else:
        assert isinstance(done, MasksUnset)
        assert {it.id for it in done.sessions} == meant
    changed_to = moved_to if case.is_moved else world.now
    for id_, session in live.items():
        assert load(world, session).ends_at == (changed_to if id_ in meant else session.ends_at)
    assert double_bookings(world.store) == []
    assert broken_sequences(world.store) == []

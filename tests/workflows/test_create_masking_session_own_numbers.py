"""Sessions that want a number of their own: as long as there is one, nobody else is on it."""

from collections.abc import Iterable
from itertools import count
from typing import Final, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.world import SECOND, World, virtual

from maskline.core.allocation import ExhaustionReason, PoolExhausted
from maskline.core.inventory import AllocationPolicy, CooloffScope, NewAccount
from maskline.core.masking import MaskingSession
from maskline.store.engine import Store
from maskline.workflows.end_masking_session import end_masking_session

NUMBER_COUNT: Final = 4
_serial = count(1)


class Set(NamedTuple):
    """Two people, by index, who get a session for so many seconds."""

    first: int
    second: int
    expires_in_s: int


class End(NamedTuple):
    """One of the live sessions is ended."""

    place: int


class Wait(NamedTuple):
    """So many seconds pass."""

    seconds: int


PEOPLE = st.integers(1, 6)
STEPS = st.one_of(
    st.builds(Set, PEOPLE, PEOPLE, st.integers(60, 300)).filter(lambda it: it.first != it.second),
    st.builds(End, st.integers(0, NUMBER_COUNT - 1)),
    st.builds(Wait, st.integers(1, 200)),
)


def _fresh(
    store: Store,
    number_count: int,
    policy: AllocationPolicy = AllocationPolicy.FIRST_FIT,
    cooloff_scope: CooloffScope = CooloffScope.PARTY,
) -> World:
    """An account of its own with numbers of its own, in a database that may have others."""
    serial = next(_serial)
    account = NewAccount(name=f"Acme {serial}", policy=policy, cooloff_scope=cooloff_scope)
    world = World(store, number_count=0, account=account)
    world.add_numbers(*(virtual(serial * 100 + index) for index in range(number_count)))
    return world


def _numbers(sessions: Iterable[MaskingSession]) -> list[str]:
    return [str(it.virtual_number) for it in sessions]


@pytest.mark.parametrize("policy", AllocationPolicy)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, min_size=4, max_size=25))
def test_no_number_is_shared_while_there_are_enough(
    store: Store, policy: AllocationPolicy, steps: list[Set | End | Wait]
) -> None:
    """With n numbers and at most n live sessions no two are on one number, whatever came and went."""
    world = _fresh(store, NUMBER_COUNT, policy)
    live: list[MaskingSession] = []
    for step in steps:
        live = [it for it in live if it.ends_at > world.now]
        match step:
            case Set(first=first, second=second, expires_in_s=expires_in_s):
                made = world.ask(
                    first,
                    second,
                    expires_in_s=expires_in_s,
                    is_pair_ordered=False,
                    is_geomatched=False,
                    prefers_own_number=True,
                )
                assert not isinstance(made, PoolExhausted) or len(live) >= NUMBER_COUNT
                session = getattr(made, "session", None)
                if session is not None and session.id not in {it.id for it in live}:
                    had_room = len(live) < NUMBER_COUNT
                    assert not had_room or str(session.virtual_number) not in _numbers(live)
                    live.append(session)
                elif session is not None:
                    live = [session if it.id == session.id else it for it in live]
            case End(place=place) if place < len(live):
                store.run(end_masking_session, world.account, live.pop(place).id, world.now)
            case End():
                pass
            case Wait(seconds=seconds):
                world.now += seconds * SECOND


def test_numbers_are_shared_when_none_is_left(store: Store) -> None:
    """Rather than refused; and whoever does not ask for it takes the first that both lack."""
    world = _fresh(store, 2)
    own = [world.create(first, first + 1, prefers_own_number=True) for first in (1, 3)]
    assert len(set(_numbers(own))) == 2
    shared = world.create(5, 6, prefers_own_number=True)
    assert _numbers([shared]) == _numbers(own[:1])
    assert _numbers([world.create(7, 8)]) == _numbers(own[:1])


def test_numbers_of_other_sessions_are_left_alone(store: Store) -> None:
    """Not only those of sessions that prefer a number of their own."""
    world = _fresh(store, 2)
    others = world.create(1, 2)
    assert _numbers([world.create(3, 4, prefers_own_number=True)]) != _numbers([others])


@pytest.mark.parametrize(("scope", "is_used"), [(CooloffScope.PARTY, True), (CooloffScope.NUMBER, False)])
def test_cooling_numbers_are_nobodys(store: Store, scope: CooloffScope, is_used: bool) -> None:
    """What cools off is over: only the account's own rule about it keeps anybody off the number."""
    world = _fresh(store, 3, cooloff_scope=scope)
    cooling = world.create(1, 2, expires_in_s=60, cooloff_s=600)
    world.now += 60 * SECOND
    made = world.create(3, 4, prefers_own_number=True)
    assert (_numbers([made]) == _numbers([cooling])) is is_used
    assert _numbers([world.create(1, 5, prefers_own_number=True)]) != _numbers([cooling])


def test_an_exhausted_pool_is_explained_as_ever(store: Store) -> None:
    """The reason is why no number at all would do, not why none was empty."""
    world = _fresh(store, 1)
    world.create(1, 2, prefers_own_number=True)
    refused = world.ask(1, 3, prefers_own_number=True)
    assert refused == PoolExhausted(reason=ExhaustionReason.PARTIES_BUSY, needed=2)
    assert refused == world.ask(1, 3)

"""Many at once: what is promised of one transaction holds for sixty-four of them."""

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.workflows.history import broken_sequences, double_bookings, double_calls
from tests.world import World, peek, person, poke, virtual

from maskline.core.allocation import PoolExhausted
from maskline.core.call_record import CallClaimed, SessionBusy
from maskline.core.masking import (
    MaskingSession,
    PartyOccupied,
    PinSettings,
    SessionChanges,
    SessionCreated,
)
from maskline.core.pin import CALLER_LIMIT, NUMBER_LIMIT
from maskline.core.routing import AskPin, PinAccepted, PinLocked, PinWrong, decide_route
from maskline.core.secret import Secret
from maskline.store.engine import Store, StoreConflictError
from maskline.store.setup import open_store
from maskline.store.statement import Database
from maskline.workflows.check_pin import check_pin
from maskline.workflows.claim_call import claim_call
from maskline.workflows.route_call import route_call
from maskline.workflows.take_call_orders import take_call_orders
from maskline.workflows.update_masking_session import update_masking_session

PINS = PinSettings(first=Secret("1234"), second=Secret("5678"))
CREATOR_COUNT = 64
ROUNDS = 4
TIMEOUT_S = 100


def _all_at_once(count: int, work: Callable[[int], object]) -> list[object]:
    """Run `work(index)` in so many threads that start together; return the results in order."""
    barrier = threading.Barrier(count)
    results: list[object] = [None] * count

    def run(index: int) -> None:
        barrier.wait(TIMEOUT_S)
        try:
            results[index] = work(index)
        except StoreConflictError as error:  # told to retry: an answer, not a double booking
            results[index] = error

    threads = [threading.Thread(target=run, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT_S)
    return results


@pytest.fixture
def crowded(store: Store) -> World:
    """A pool of eight numbers for many sessions of few people."""
    world = World(store, number_count=0)
    world.add_numbers(*(virtual(index) for index in range(8)))
    return world


def test_creators_that_want_numbers_of_their_own_get_them(store: Store) -> None:
    """64 creators at one moment look at the same empty numbers, and none takes one that another has just taken."""
    world = World(store, number_count=0)
    world.add_numbers(*(virtual(index) for index in range(2 * CREATOR_COUNT)))

    def create(index: int) -> object:
        return world.ask(2 * index, 2 * index + 1, is_geomatched=False, prefers_own_number=True)

    answers = _all_at_once(CREATOR_COUNT, create)
    made = [it.session.virtual_number for it in answers if isinstance(it, SessionCreated)]
    assert len(made) == len(set(made)) == CREATOR_COUNT


def test_creators_never_double_book(crowded: World) -> None:
    """64 creators that want the same people's sessions on the same numbers share them out without overlap."""

    def create(index: int) -> object:
        # One person with everybody, and everybody with a few: the same place is wanted by many.
        return [crowded.ask(1 if index % 2 else 2, 10 + (index * 7 + turn) % 40) for turn in range(ROUNDS)]

    results = _all_at_once(CREATOR_COUNT, create)
    answers = [answer for result in results if isinstance(result, list) for answer in result]
    assert Counter(type(answer) for answer in answers).keys() <= {SessionCreated, PoolExhausted}
    assert double_bookings(crowded.store) == []
    assert broken_sequences(crowded.store) == []
    # Each of the two has a session on every number: not one place was wasted.
    live = peek(crowded.store, "SELECT count(*) FROM masking_session WHERE ended_at IS NULL")
    assert live == [(16,)]


def test_updates_and_creations_of_one_pair_leave_one_session(crowded: World) -> None:
    """32 sessions want the same second party while 32 creators ask for those pairs: each pair has one session."""
    count = CREATOR_COUNT // 2
    singles = [crowded.create(index, None, is_single_party=True) for index in range(100, 108)]
    changes = SessionChanges(second=person(1))

    def work(index: int) -> object:
        session = singles[index % len(singles)]
        if index < count:
            return crowded.store.run(
                update_masking_session, crowded.account, session.id, changes, crowded.now
            )
        return crowded.ask(100 + index % len(singles), 1)

    results = _all_at_once(CREATOR_COUNT, work)
    kinds = {MaskingSession, PartyOccupied, SessionCreated, PoolExhausted}
    assert {type(result) for result in results} <= kinds
    assert double_bookings(crowded.store) == []
    assert broken_sequences(crowded.store) == []
    pairs = peek(
        crowded.store,
        "SELECT count(*), count(DISTINCT pair_key) FROM masking_session WHERE second_ref IS NOT NULL",
    )
    assert pairs[0][0] == pairs[0][1] > 0


def test_creators_of_the_same_pair_make_one_session(crowded: World) -> None:
    """64 simultaneous creates of one pair are one new session and 63 updates of it."""
    results = _all_at_once(CREATOR_COUNT, lambda _: crowded.ask(1, 2))
    created = [result for result in results if isinstance(result, SessionCreated)]
    assert len(created) == CREATOR_COUNT
    assert sum(result.is_new for result in created) == 1
    assert len({result.session.id for result in created}) == 1
    assert peek(crowded.store, "SELECT count(*) FROM outbox") == [(CREATOR_COUNT,)]
    assert broken_sequences(crowded.store) == []


def test_callers_of_one_session_are_one_call(crowded: World) -> None:
    """Of 32 simultaneous calls of a session one claims it."""
    session = crowded.create(1, 2)
    results = _all_at_once(
        32, lambda index: crowded.store.run(claim_call, crowded.new_call(session, f"c{index}"), crowded.now)
    )
    assert Counter(type(result) for result in results) == {CallClaimed: 1, SessionBusy: 31}
    assert double_calls(crowded.store) == []
    assert broken_sequences(crowded.store) == []


def test_without_the_index_there_are_double_bookings(postgresql_url: str, key_path: object) -> None:
    """The index is what prevents them, and the checker sees them: dropped, the same crowd overlaps."""
    store = open_store(postgresql_url, key_path)  # type: ignore[arg-type]
    try:
        world = World(store, number_count=0)
        world.add_numbers(*(virtual(index) for index in range(8)))
        poke(store, "DROP INDEX uq_binding_party")
        for turn in range(20):  # a race is a chance; that twenty crowds all miss it is none
            _all_at_once(CREATOR_COUNT // 2, lambda index, turn=turn: world.ask(1, 100 + turn * 100 + index))  # type: ignore[misc]
            if double_bookings(store):
                break
        assert double_bookings(store)
    finally:
        store.close()


def test_checker_sees_a_double_booking_on_both_databases(crowded: World) -> None:
    """SQLite's one writer leaves no race to lose: there a second booking is planted for the checker to find."""
    crowded.create(1, 2)
    crowded.create(1, 3)
    assert double_bookings(crowded.store) == []
    poke(crowded.store, "DROP INDEX uq_binding_party")
    poke(crowded.store, "UPDATE binding SET virtual_number_id = (SELECT min(id) FROM virtual_number)")
    ref = crowded.store.read(lambda tx: tx.keys.ref(person(1)))
    assert [party for _, party in double_bookings(crowded.store)] == [ref]


def test_stranger_rule_holds_in_a_crowd(store: Store) -> None:
    """Open sessions and sessions that answer strangers never end up on one number, whoever is first."""
    world = World(store, number_count=0)
    world.add_numbers(*(virtual(index) for index in range(6)))

    def create(index: int) -> object:
        if index % 2:
            return world.ask(100 + index, None)
        return world.ask(200 + index, 300 + index, unknown_caller_url="https://a.example/u.mp3")

    _all_at_once(24, create)
    mixed = peek(
        store,
        "SELECT virtual_number_id FROM binding GROUP BY virtual_number_id HAVING "
        "max(CASE WHEN answers_strangers THEN 1 ELSE 0 END) = 1 "
        "AND max(CASE WHEN party_ref = 'anyone' THEN 1 ELSE 0 END) = 1",
    )
    assert mixed == []
    assert store.database in Database
    assert double_bookings(store) == []


def test_orders_are_taken_once_by_many_switches(crowded: World) -> None:
    """32 switches that ask at once share out what there is; no call is placed twice, none is forgotten."""
    for index in range(40):
        crowded.create(1000 + index, 2000 + index, calls_first=True)
    results = _all_at_once(
        32, lambda index: crowded.store.run(take_call_orders, f"switch-{index}", crowded.now)
    )
    taken = [order.id for result in results if isinstance(result, tuple) for order in result]
    taken += [order.id for order in crowded.store.run(take_call_orders, "late", crowded.now)]
    assert sorted(taken) == list(range(1, 41))


PIN_TRY_COUNT = 64


def _try_pins(world: World, callers: Callable[[int], int], digits: str) -> Counter[type]:
    """What becomes of so many PINs entered at the same moment."""
    asking = world.store.read(route_call, virtual(0), person(callers(0)), world.now)
    decision = decide_route(asking, person(callers(0)), world.now)
    assert isinstance(decision, AskPin)

    def enter(index: int) -> object:
        while True:
            try:
                return world.store.run(
                    check_pin,
                    number=virtual(0),
                    caller=person(callers(index)),
                    digits=Secret(digits),
                    dialogue=decision.dialogue,
                    now=world.now,
                )
            except StoreConflictError:  # what a switch would tell its caller to repeat
                continue

    return Counter(type(result) for result in _all_at_once(PIN_TRY_COUNT, enter))


@pytest.mark.parametrize("caller_count", [1, 4])
def test_no_caller_has_more_tries_than_its_limit(crowded: World, caller_count: int) -> None:
    """Of 64 wrong PINs at once, three of each caller are looked at."""
    crowded.create(pin=PINS)
    looked_at = CALLER_LIMIT.wrong_count_max * caller_count
    found = _try_pins(crowded, lambda index: 500 + index % caller_count, "0000")
    assert found == {PinWrong: looked_at, PinLocked: PIN_TRY_COUNT - looked_at}


def test_no_number_has_more_tries_than_its_limit(crowded: World) -> None:
    """Of 64 wrong PINs of 64 callers, sixty are looked at, and the alarm is raised once."""
    crowded.create(pin=PINS)
    found = _try_pins(crowded, lambda index: 500 + index, "0000")
    assert found == {
        PinWrong: NUMBER_LIMIT.wrong_count_max,
        PinLocked: PIN_TRY_COUNT - NUMBER_LIMIT.wrong_count_max,
    }
    assert peek(crowded.store, "SELECT count(*) FROM outbox WHERE kind = 'number.pin_alarm'") == [(1,)]
    assert broken_sequences(crowded.store) == []


def test_right_pins_at_once_are_all_right(crowded: World) -> None:
    """Who knows the PIN is let in, however many there are; which of them has the session, its claim decides."""
    crowded.create(pin=PINS)
    assert _try_pins(crowded, lambda index: 500 + index % 2, "1234") == {PinAccepted: PIN_TRY_COUNT}
    assert peek(crowded.store, "SELECT max(wrong_count) FROM pin_try") == [(0,)]


def test_forced_party_has_no_more_tries_than_one_dialogue(crowded: World) -> None:
    """Somebody who fakes a party's number in many calls at once gets no more tries by it."""
    session = crowded.create(1, 2, pin=replace(PINS, is_forced=True))
    assert session.pin is not None
    looked_at = session.pin.retry_count + 1
    assert _try_pins(crowded, lambda _: 1, "0000") == {
        PinWrong: looked_at,
        PinLocked: PIN_TRY_COUNT - looked_at,
    }

import pytest
from tests.world import SECOND, World, peek, person, poke, virtual

from maskline.core.masking import PinSettings, Role
from maskline.core.routing import CallOrder, Connect, PinStanding
from maskline.store import call_orders
from maskline.workflows.end_masking_session import end_masking_session
from maskline.workflows.take_call_orders import ORDER_PATIENCE_S, are_call_orders_open, take_call_orders


def _take(world: World, switch_id: str = "switch-1") -> tuple[CallOrder, ...]:
    return world.store.run(take_call_orders, switch_id, world.now)


def _records(world: World) -> list[tuple[object, ...]]:
    return peek(world.store, "SELECT reason, started_at, ended_at, is_service_initiated FROM call_record")


def test_order_calls_first_then_second(world: World) -> None:
    """The first party is called and hears its prompt; then the second, shown the same virtual number."""
    session = world.create(
        calls_first=True,
        first_play_url="https://a.test/1",
        second_play_url="https://a.test/2",
        callback_url="https://a.test/events",
        ring_timeout_s=20,
        call_time_limit_s=100,
        is_recorded=True,
    )
    assert world.store.read(are_call_orders_open, world.now)
    [order] = _take(world)
    assert order.first == person(1)
    assert order.connect == Connect(
        session_id=session.id,
        account_id=world.account.id,
        caller_role=Role.FIRST,
        callee_role=Role.SECOND,
        callee=person(2),
        presented=virtual(0),
        trunk_id=world.trunk.id,
        ends_at=session.ends_at,
        ring_timeout_s=20,
        call_time_limit_s=100,
        is_recorded=True,
        caller_play_url="https://a.test/1",
        callee_play_url="https://a.test/2",
        is_reported=True,
    )
    assert not world.store.read(are_call_orders_open, world.now)
    assert peek(world.store, "SELECT id, taken_at, switch_id FROM call_order") == [
        (order.id, world.now, "switch-1")
    ]


def test_order_is_taken_once(world: World) -> None:
    """Whichever switch asks first has it; the others, and itself again, get nothing."""
    world.create(calls_first=True)
    assert len(_take(world, "switch-2")) == 1
    assert _take(world) == _take(world, "switch-2") == ()


def test_nobody_called_in_so_there_is_no_pin(world: World) -> None:
    """The service calls the numbers of the session: what a PIN proves is known, even where it is forced."""
    world.create(calls_first=True, pin=PinSettings(is_generated=True, is_forced=True))
    [order] = _take(world)
    assert order.connect.pin is PinStanding.OFF


def test_second_may_be_called_first(world: World) -> None:
    """An order says whom to call first; prompts go with the person."""
    session = world.create(first_play_url="https://a.test/1")
    world.store.run(call_orders.insert_order, session.id, Role.SECOND, world.now)
    [order] = _take(world)
    assert (order.first, order.connect.callee) == (person(2), person(1))
    assert order.connect.caller_role is Role.SECOND
    assert (order.connect.caller_play_url, order.connect.callee_play_url) == ("", "https://a.test/1")


def test_oldest_come_first_and_not_too_many_at_once(world: World) -> None:
    """A switch that was away is not flooded by what waited."""
    count = call_orders.ORDER_BATCH_SIZE + 1
    for index in range(count):
        world.create(10 + index, 200 + index, calls_first=True)
        world.now += 1000
    first, second = _take(world), _take(world)
    assert (len(first), len(second)) == (call_orders.ORDER_BATCH_SIZE, 1)
    assert [order.first for order in (*first, *second)] == [person(10 + index) for index in range(count)]


@pytest.mark.parametrize(("after_us", "is_dropped"), [(0, False), (1, True)])
def test_old_orders_are_dropped_with_a_record(world: World, after_us: int, is_dropped: bool) -> None:
    """After a minute nobody waits for the call any more."""
    created_at = world.now
    world.create(calls_first=True)
    world.now += ORDER_PATIENCE_S * SECOND + after_us
    assert (_take(world) == ()) is is_dropped
    assert _records(world) == ([("order-expired", created_at, world.now, 1)] if is_dropped else [])


def test_orders_of_ended_sessions_are_dropped(world: World) -> None:
    """Ended by request or by the clock, the session is called no more; one record each."""
    deleted, expired = (
        world.create(1, 2, calls_first=True),
        world.create(3, 4, calls_first=True, expires_in_s=60),
    )
    world.now += 1
    world.store.run(end_masking_session, world.account, deleted.id, world.now)
    assert [order.first for order in _take(world)] == [person(3)]
    poke(
        world.store,
        "UPDATE call_order SET taken_at = NULL, switch_id = NULL WHERE session_id = ?",
        expired.id,
    )
    world.now = expired.ends_at
    assert _take(world) == ()
    assert [reason for reason, *_ in _records(world)] == ["session-ended"] * 2
    assert peek(world.store, "SELECT count(*) FROM interaction") == [(0,)]


def test_number_that_went_to_another_account_is_not_shown(world: World) -> None:
    """What is presented is leased to the account (I7)."""
    world.create(calls_first=True)
    poke(world.store, "UPDATE number_lease SET ended_at = started_at")
    assert _take(world) == ()
    assert [reason for reason, *_ in _records(world)] == ["not-leased"]


def test_erased_party_is_not_called(world: World) -> None:
    """There is no number to call."""
    world.create(calls_first=True)
    poke(world.store, "UPDATE party SET sealed = NULL")
    assert _take(world) == ()
    assert [reason for reason, *_ in _records(world)] == ["no-counterpart"]


@pytest.mark.parametrize(("first", "second"), [(1, None), (None, 2)])
def test_one_party_cannot_be_joined_with_anybody(world: World, first: int | None, second: int | None) -> None:
    """Without a second person nothing is ordered."""
    session = world.create(first, second, calls_first=True)
    assert session.calls_first
    assert _take(world) == ()
    assert _records(world) == []


def test_repeated_creates_order_again_only_after_a_pause(world: World) -> None:
    """A client that repeats its request at once wanted one call."""
    orders = []
    for pause_s in (0, 10, 19, 1, 0):
        world.now += pause_s * SECOND
        world.create(calls_first=True)
        orders.append(len(_take(world)))
    assert orders == [1, 0, 0, 1, 0]


def test_order_goes_with_its_session_or_not_at_all(world: World) -> None:
    """A creation that is undone leaves no order behind."""

    class UndoneError(Exception):
        pass

    def create_and_fail() -> None:
        with world.store.transaction() as tx:
            world.ask_in(tx, calls_first=True)
            raise UndoneError

    with pytest.raises(UndoneError):
        create_and_fail()
    assert not world.store.read(are_call_orders_open, world.now)

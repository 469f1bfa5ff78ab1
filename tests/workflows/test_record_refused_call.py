from tests.world import NOW, SECOND, World, peek, person, virtual

from maskline.core.call_record import REFUSED_CALLS_STORED_MAX
from maskline.core.numbers import DID
from maskline.core.termination import Reason, terminate
from maskline.workflows.record_refused_call import record_refused_call


def test_leaves_a_record_without_session(world: World) -> None:
    """A refused call is in the records, its caller sealed, with no interaction and no event."""
    assert world.store.run(record_refused_call, world.refused("c1"), world.now)
    assert peek(world.store, "SELECT call_id, session_id, reason, sip_status FROM call_record") == [
        ("c1", None, "no-session", 480)
    ]
    assert peek(world.store, "SELECT count(*) FROM party") == [(1,)]
    assert peek(world.store, "SELECT count(*) FROM outbox") == [(0,)]


def test_ten_a_minute_and_number_are_stored_the_rest_counted(world: World) -> None:
    """A flood on one number is counted; the next minute and other numbers start anew."""
    minute = NOW - NOW % (60 * SECOND)
    stored = [
        world.store.run(record_refused_call, world.refused(f"c{index}"), minute + index)
        for index in range(25)
    ]
    assert stored == [True] * REFUSED_CALLS_STORED_MAX + [False] * 15
    assert peek(world.store, "SELECT call_count FROM refused_call_count") == [(25,)]
    assert world.store.run(record_refused_call, world.refused("o", number=virtual(1)), minute)
    assert not world.store.run(record_refused_call, world.refused("p"), minute + 60 * SECOND - 1)
    assert world.store.run(record_refused_call, world.refused("q"), minute + 60 * SECOND)


def test_busy_session_is_named(world: World) -> None:
    """A call refused because its session has one is recorded with the session, without an interaction."""
    session = world.create()
    refused = world.refused(
        "c2", session_id=session.id, caller=person(1), termination=terminate(Reason.SESSION_BUSY)
    )
    assert world.store.run(record_refused_call, refused, world.now)
    assert peek(world.store, "SELECT session_id, sip_status FROM call_record") == [(session.id, 486)]
    assert peek(world.store, "SELECT count(*) FROM interaction") == [(0,)]


def test_withheld_caller_and_unleased_number(world: World) -> None:
    """Neither a caller nor an account is needed for a record."""
    refused = world.refused("c1", caller=None, account_id=None, termination=terminate(Reason.NOT_LEASED))
    assert world.store.run(record_refused_call, refused, world.now)
    assert peek(world.store, "SELECT account_id, caller_ref FROM call_record") == [(None, None)]


def test_number_that_is_not_ours_leaves_nothing(world: World) -> None:
    """A call to no number of the inventory is not recorded."""
    assert not world.store.run(
        record_refused_call, world.refused("c1", number=DID("+442079460000")), world.now
    )
    assert peek(world.store, "SELECT count(*) FROM call_record") == [(0,)]
    assert peek(world.store, "SELECT count(*) FROM refused_call_count") == [(0,)]

from dataclasses import replace

import pytest
from tests.world import SECOND, World, peek, person

from maskline.core.call_record import CallClaimed, SessionBusy, SessionEnded
from maskline.core.masking import Role
from maskline.workflows.claim_call import claim_call
from maskline.workflows.end_masking_session import end_masking_session
from maskline.workflows.finish_call import finish_call


def test_claims_a_live_session(world: World) -> None:
    """The call holds the session, is told its end, and an event says that it started."""
    session = world.create()
    assert world.claim(session) == CallClaimed(ends_at=session.ends_at)
    assert peek(world.store, "SELECT call_id, busy_session_id FROM live_call") == [("c1", session.id)]
    assert peek(world.store, "SELECT kind, sequence, call_id FROM outbox WHERE sequence = 2") == [
        ("call.started", 2, "c1")
    ]


def test_one_call_at_a_time(world: World) -> None:
    """A second call of the session, from either party, finds it busy and leaves no trace."""
    session = world.create()
    world.claim(session, "c1")
    second = replace(world.new_call(session, "c2"), role=Role.SECOND, caller=session.second, callee=person(1))
    assert world.store.run(claim_call, second, world.now) == SessionBusy()
    assert world.claim(session, "c1") == SessionBusy()
    assert peek(world.store, "SELECT count(*) FROM outbox") == [(2,)]
    assert peek(world.store, "SELECT event_count FROM masking_session") == [(2,)]


def test_other_sessions_are_free(world: World) -> None:
    """A party may be in calls of two sessions."""
    world.claim(world.create(1, 2), "c1")
    assert isinstance(world.claim(world.create(1, 3), "c2"), CallClaimed)


def test_finished_call_frees_the_session(world: World) -> None:
    """The next call can be claimed once the first is accounted for."""
    session = world.create()
    world.claim(session, "c1")
    world.store.run(finish_call, world.record(session, "c1"), world.now)
    assert isinstance(world.claim(session, "c2"), CallClaimed)


@pytest.mark.parametrize(("offset_us", "kind"), [(-1, SessionBusy), (0, CallClaimed), (1, CallClaimed)])
def test_dead_lease_is_taken_over(world: World, offset_us: int, kind: type) -> None:
    """From the end of its lease on, a call whose switch died no longer holds the session."""
    session = world.create()
    world.claim(session, "c1")
    world.now += 30 * SECOND + offset_us
    assert isinstance(world.claim(session, "c2"), kind)
    count = 1 if kind is SessionBusy else 2
    assert peek(world.store, "SELECT count(*) FROM live_call") == [(count,)]
    assert peek(world.store, "SELECT count(*) FROM live_call WHERE busy_session_id IS NOT NULL") == [(1,)]


@pytest.mark.parametrize(("offset_us", "kind"), [(-1, CallClaimed), (0, SessionEnded)])
def test_window_is_read_again(world: World, offset_us: int, kind: type) -> None:
    """A session that ended between look-up and claim is not bridged."""
    session = world.create()
    world.now = session.ends_at + offset_us
    assert isinstance(world.claim(session), kind)


def test_deleted_and_unknown_sessions_have_ended(world: World) -> None:
    """Nothing is claimed of a session that is not live."""
    session = world.create()
    world.store.run(end_masking_session, world.account, session.id, world.now)
    assert world.claim(session) == SessionEnded()
    assert world.claim(replace(session, id="no-such-session")) == SessionEnded()
    assert peek(world.store, "SELECT count(*) FROM live_call") == [(0,)]


def test_stranger_becomes_a_party_of_the_account(world: World) -> None:
    """The caller of a one-party session is kept sealed like any party, so that a record can name it."""
    session = world.create(1, None)
    call = replace(
        world.new_call(replace(session, second=person(1))),
        role=Role.ANYONE,
        caller=person(77),
        callee=person(1),
    )
    assert isinstance(world.store.run(claim_call, call, world.now), CallClaimed)
    assert peek(world.store, "SELECT count(*) FROM party") == [(2,)]


def test_call_id_in_use_claims_nothing_else(world: World) -> None:
    """A call id that already holds one session cannot take a dead call's place in another."""
    one, two = world.create(1, 2), world.create(3, 4)
    world.claim(one, "c1", lease_until=world.now + 3600 * SECOND)
    world.claim(two, "c2")
    world.now += 31 * SECOND
    assert world.claim(two, "c1") == SessionBusy()

import pytest
from tests.world import NOW, SECOND, World, peek

from maskline.store.session_writes import EXPIRY_BATCH_SIZE
from maskline.workflows.end_masking_session import end_masking_session
from maskline.workflows.expire_masking_sessions import (
    expire_masking_sessions,
    load_next_session_end,
    release_lapsed_bindings,
)


@pytest.mark.parametrize(("offset_us", "is_expired"), [(-1, False), (0, True), (1, True)])
def test_takes_effect_at_the_end_instant(world: World, offset_us: int, is_expired: bool) -> None:
    """A session is marked from its end on, with that end as its time, and not a microsecond before."""
    session = world.create(expires_in_s=60)
    expired = world.store.run(expire_masking_sessions, session.ends_at + offset_us)
    assert expired == ((session.id,) if is_expired else ())
    events = peek(world.store, "SELECT kind, occurred_at, sequence FROM outbox WHERE sequence = 2")
    assert events == ([("session.expired", session.ends_at, 2)] if is_expired else [])


def test_each_session_expires_once(world: World) -> None:
    """Running again marks nothing and writes no event; a deleted session never expires."""
    session, deleted = world.create(1, 2), world.create(3, 4)
    world.store.run(end_masking_session, world.account, deleted.id, world.now)
    later = session.ends_at + SECOND
    assert world.store.run(expire_masking_sessions, later) == (session.id,)
    assert world.store.run(expire_masking_sessions, later) == ()
    assert peek(world.store, "SELECT count(*) FROM outbox WHERE kind = 'session.expired'") == [(1,)]


def test_modification_time_stays(world: World) -> None:
    """Running out is no modification."""
    session = world.create()
    world.store.run(expire_masking_sessions, session.ends_at)
    assert peek(world.store, "SELECT modified_at, ended_at, end_cause FROM masking_session") == [
        (NOW, session.ends_at, "expired")
    ]


def test_batches_are_bounded(world: World) -> None:
    """More sessions than one batch are marked in several, the earliest first."""
    with world.store.transaction() as tx:
        for index in range(EXPIRY_BATCH_SIZE + 3):
            world.ask_in(tx, 1000 + index, 9000 + index, expires_in_s=60)
    assert len(world.store.run(expire_masking_sessions, NOW + 61 * SECOND)) == EXPIRY_BATCH_SIZE
    assert len(world.store.run(expire_masking_sessions, NOW + 61 * SECOND)) == 3


def test_next_end(world: World) -> None:
    """The timer is told the earliest end still to be marked."""
    assert world.store.read(load_next_session_end) is None
    late, early = world.create(1, 2, expires_in_s=100), world.create(3, 4, expires_in_s=70)
    assert world.store.read(load_next_session_end) == early.ends_at
    world.store.run(expire_masking_sessions, early.ends_at)
    assert world.store.read(load_next_session_end) == late.ends_at


def test_lapsed_bindings_are_tidied_after_their_cooloff(world: World) -> None:
    """The sweeper releases both bindings of a session at the end of its cool-off, not before."""
    session = world.create(cooloff_s=5, expires_in_s=60)
    free_at = session.ends_at + 5 * SECOND
    assert world.store.run(release_lapsed_bindings, free_at - 1) == 0
    assert world.store.run(release_lapsed_bindings, free_at) == 2
    assert world.store.run(release_lapsed_bindings, free_at) == 0

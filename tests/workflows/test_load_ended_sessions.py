from tests.world import World, peek

from maskline.workflows.end_masking_session import end_masking_session
from maskline.workflows.load_ended_sessions import load_ended_sessions


def test_says_which_are_over(world: World) -> None:
    """Deleted and expired sessions are over, live ones and unknown ids are not."""
    live, deleted, short = world.create(1, 2), world.create(3, 4), world.create(5, 6, expires_in_s=60)
    world.store.run(end_masking_session, world.account, deleted.id, world.now)
    ids = (live.id, deleted.id, short.id, "unknown")
    assert set(world.store.read(load_ended_sessions, ids, world.now)) == {deleted.id}
    assert set(world.store.read(load_ended_sessions, ids, short.ends_at - 1)) == {deleted.id}
    assert set(world.store.read(load_ended_sessions, ids, short.ends_at)) == {deleted.id, short.id}


def test_many_are_asked_in_parts(world: World) -> None:
    """More ids than one statement holds are all looked at."""
    with world.store.transaction() as tx:
        for index in range(230):
            world.ask_in(tx, 1000 + index, 5000 + index, expires_in_s=60)
    ids = tuple(str(id_) for (id_,) in peek(world.store, "SELECT id FROM masking_session"))
    assert len(ids) == 230
    assert set(world.store.read(load_ended_sessions, ids, world.now + 60_000_000)) == set(ids)
    assert world.store.read(load_ended_sessions, (), world.now) == ()


def test_one_is_asked_by_itself(world: World) -> None:
    """Before a bridge one session is asked for, to the microsecond of its end."""
    session = world.create()
    answers = [
        world.store.read(load_ended_sessions, (session.id,), session.ends_at + offset) for offset in (-1, 0)
    ]
    assert answers == [(), (session.id,)]

from tests.world import SECOND, World

from maskline.core.masking import SessionChanges
from maskline.workflows.end_masking_session import end_masking_session
from maskline.workflows.load_session_windows import load_session_windows
from maskline.workflows.update_masking_session import update_masking_session


def test_windows_follow_updates_and_ends(world: World) -> None:
    """A session stands until its end as it is now, one that is over does not, and unknown ones are left out."""
    kept, moved, ended, short = (
        world.create(1, 2),
        world.create(3, 4),
        world.create(5, 6),
        world.create(7, 8, expires_in_s=60),
    )
    world.now += 60 * SECOND
    world.store.run(
        update_masking_session, world.account, moved.id, SessionChanges(expires_in_s=90), world.now
    )
    world.store.run(end_masking_session, world.account, ended.id, world.now)
    ids = (kept.id, moved.id, ended.id, short.id, "unknown")
    assert world.store.read(load_session_windows, ids, world.now) == {
        kept.id: kept.ends_at,
        moved.id: world.now + 90 * SECOND,
        ended.id: None,
        short.id: None,
    }
    assert world.store.read(load_session_windows, (), world.now) == {}


def test_more_than_one_statement_asks_for(world: World) -> None:
    """Any number of sessions may be asked for at once."""
    session = world.create()
    ids = (*(f"unknown {index}" for index in range(250)), session.id)
    assert world.store.read(load_session_windows, ids, world.now) == {session.id: session.ends_at}

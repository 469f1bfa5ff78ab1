from tests.world import World

from maskline.store import sessions


def test_lock_says_whether_the_window_is_open(world: World) -> None:
    """A session over by its clock is locked all the same and known as over; a foreign one is not found."""
    session = world.create()
    for at, is_open in ((session.ends_at - 1, True), (session.ends_at, False)):
        locked = world.store.run(sessions.lock_session, world.account.id, session.id, at)
        assert locked is not None
        assert locked[0].id == session.id
        assert locked[1] is is_open
    assert world.store.run(sessions.lock_session, world.account.id + 1, session.id, world.now) is None


def test_sessions_on_a_number_are_the_live_ones(world: World) -> None:
    """Of a number's sessions those over by the clock are left out."""
    short, long = world.create(1, 2, expires_in_s=60), world.create(3, 4)
    [(number_id,)] = world.store.read(
        lambda tx: tx._raw.execute("SELECT DISTINCT virtual_number_id FROM binding").fetchall()
    )
    live = world.store.run(sessions.lock_live_sessions_on, number_id, short.ends_at)
    assert [it.id for it in live] == [long.id]

from tests.world import SECOND, World, peek, person

from maskline.core.masking import SessionEndCause
from maskline.store import session_writes


def test_party_is_written_once(world: World) -> None:
    """The first sealed value of a party stays; another account has a row of its own."""
    ref = world.store.read(lambda tx: tx.keys.ref(person(1)))
    for _ in range(2):
        world.store.run(session_writes.insert_party, world.account.id, ref, person(1), world.now)
    [(sealed, created_at)] = peek(world.store, "SELECT sealed, created_at FROM party")
    opened = world.store.read(lambda tx: tx.keys.unseal_party(world.account.id, ref, bytes(sealed)))
    assert (opened, created_at) == (person(1), world.now)


def test_release_of_a_pair_asks_the_clock(world: World) -> None:
    """A pair's place is freed only when its session is over."""
    session = world.create()
    [(pair_key,)] = peek(world.store, "SELECT pair_key FROM masking_session")
    for at, is_released in ((session.ends_at - 1, False), (session.ends_at, True)):
        live = world.store.run(session_writes.lock_live_pair, world.account.id, pair_key, at)
        assert (None if live is None else live.id) == (None if is_released else session.id)
        [(released_at,)] = peek(world.store, "SELECT released_at FROM masking_session")
        assert (released_at is not None) is is_released


def test_ending_without_cooloff_frees_at_once(world: World) -> None:
    """With no cool-off the bindings are released with the end, with one they are not."""
    plain, cooling = world.create(1, 2), world.create(3, 4)
    for session, cooloff_s in ((plain, 0), (cooling, 9)):
        world.store.run(
            session_writes.update_ended,
            session.id,
            cooloff_s=cooloff_s,
            cause=SessionEndCause.DELETED,
            now=world.now,
        )
    rows = peek(world.store, "SELECT session_id, free_at, released_at FROM binding")
    assert set(rows) == {
        (plain.id, world.now, world.now),
        (cooling.id, world.now + 9 * SECOND, None),
    }

from tests.world import World, poke

from maskline.core.inventory import NewAccount
from maskline.core.masking import SessionNotFound
from maskline.workflows.load_masking_session import load_masking_session


def test_foreign_and_missing_are_the_same(world: World) -> None:
    """Another account's session is answered like one that never was."""
    other = World(world.store, number_count=0, account=NewAccount(name="Other"))
    session = world.create()
    assert world.store.read(load_masking_session, world.account, session.id) == session
    assert world.store.read(load_masking_session, other.account, session.id) == SessionNotFound()
    assert world.store.read(load_masking_session, world.account, "missing") == SessionNotFound()


def test_erased_party_reads_as_nobody(world: World) -> None:
    """A session whose party was erased is still there, without the number."""
    session = world.create()
    poke(world.store, "UPDATE party SET sealed = NULL")
    found = world.store.read(load_masking_session, world.account, session.id)
    assert not isinstance(found, SessionNotFound)
    assert (found.first, found.second) == (None, None)

from tests.world import NOW, World, person, virtual

from maskline.core.numbers import E164
from maskline.store import numbers


def test_our_own_numbers_are_known_by_reference(world: World) -> None:
    """Of two references those of numbers in the inventory are returned; removed ones are nobody's."""
    ours = world.store.read(lambda tx: tx.keys.ref(E164(virtual(0))))
    other = world.store.read(lambda tx: tx.keys.ref(person(1)))
    assert world.store.read(numbers.load_virtual_refs, other, ours) == {ours}
    assert world.store.read(numbers.load_virtual_refs, None, other) == set()
    id_ = world.store.run(numbers.lock_number, virtual(0))
    assert id_ is not None
    world.store.run(numbers.update_removed, id_, NOW)
    assert world.store.read(numbers.load_virtual_refs, ours, None) == set()
    assert world.store.run(numbers.lock_number, virtual(0)) is None


def test_counts_live_sessions_by_the_clock(world: World) -> None:
    """A session that has run out does not count, marked or not."""
    session = world.create()
    id_ = world.store.run(numbers.lock_number, session.virtual_number)
    assert id_ is not None
    counts = [
        world.store.read(numbers.count_live_sessions, id_, at)
        for at in (session.ends_at - 1, session.ends_at)
    ]
    assert counts == [1, 0]

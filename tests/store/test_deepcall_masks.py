"""Live masks are found as an unset names them, newest first and no more than asked for."""

from tests.world import SECOND, World, person

from maskline.core.deepcall import MaskChoice
from maskline.store.deepcall_masks import lock_chosen


def test_newest_first_and_bounded(world: World) -> None:
    """So that one too many can be told from all."""
    ids = []
    for index in range(3):
        ids.append(world.create(1, 10 + index).id)
        world.now += SECOND
    for count_max in (1, 2, 3, 4):
        found = world.store.run(
            lock_chosen,
            world.account.id,
            MaskChoice(m1=person(1)),
            count_max=count_max,
            now=world.now,
        )
        assert found == tuple(reversed(ids))[:count_max]


def test_everything_given_has_to_be_met(world: World) -> None:
    """A number beside a person narrows the choice."""
    mask = world.create(1, 2)
    other = world.create(1, 3)
    assert mask.virtual_number != other.virtual_number
    choice = MaskChoice(m1=person(1), masks=(other.virtual_number,))
    found = world.store.run(lock_chosen, world.account.id, choice, count_max=9, now=world.now)
    assert found == (other.id,)

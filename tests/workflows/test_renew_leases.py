from tests.world import SECOND, World

from maskline.core.call_record import CallClaimed, SessionBusy
from maskline.workflows.claim_call import claim_call
from maskline.workflows.renew_leases import renew_leases


def test_living_switch_keeps_its_sessions(world: World) -> None:
    """A renewed lease holds past its first end; another switch's lease is untouched."""
    mine, other = world.create(1, 2), world.create(3, 4)
    world.claim(mine, "c1")
    world.store.run(claim_call, world.new_call(other, "c2", switch_id="switch-2"), world.now)
    world.now += 20 * SECOND
    assert world.store.run(renew_leases, "switch-1", world.now + 30 * SECOND, world.now) == 1
    world.now += 20 * SECOND
    assert world.claim(mine, "c3") == SessionBusy()
    assert isinstance(world.claim(other, "c4"), CallClaimed)


def test_lease_never_shrinks(world: World) -> None:
    """A renewal to an earlier instant changes nothing."""
    world.claim(world.create())
    assert world.store.run(renew_leases, "switch-1", world.now + SECOND, world.now) == 0

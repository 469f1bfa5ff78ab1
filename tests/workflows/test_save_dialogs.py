from tests.world import World, peek

from maskline.workflows.finish_call import finish_call
from maskline.workflows.save_dialogs import save_dialogs


def test_snapshots_are_sealed_in_their_row(world: World) -> None:
    """The database holds no readable byte of a snapshot."""
    world.claim(world.create())
    world.store.run(save_dialogs, "c1", "sip:+919800000001@a", "sip:+919800000002@b", world.now)
    [(a, b)] = peek(world.store, "SELECT dialog_a_sealed, dialog_b_sealed FROM live_call")
    assert b"sip:" not in bytes(a) + bytes(b)
    assert bytes(a) != bytes(b)


def test_finished_call_is_left_alone(world: World) -> None:
    """A snapshot that comes after the end is dropped."""
    session = world.create()
    world.claim(session)
    world.store.run(finish_call, world.record(session), world.now)
    world.store.run(save_dialogs, "c1", "a", "b", world.now)
    assert peek(world.store, "SELECT count(*) FROM live_call") == [(0,)]

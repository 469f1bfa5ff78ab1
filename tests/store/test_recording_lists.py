import pytest
from tests.store.test_recordings import ID, insert
from tests.world import SECOND, World

from maskline.core.recording import ConvertedRecording
from maskline.store import recording_lists, recordings

DAY = 86_400 * SECOND


def complete(world: World) -> None:
    insert(world)
    world.store.run(recordings.mark_captured, ID, world.now + SECOND)
    converted = ConvertedRecording(
        recording_id=ID, ended_at=world.now + SECOND, duration_ms=1_000, size_bytes=7
    )
    assert world.store.run(recordings.complete, converted, world.now + 2 * SECOND) is not None


def test_what_is_deleted_is_erased_once(world: World) -> None:
    """From deletion until somebody says that its audio is gone."""
    complete(world)
    assert world.store.read(recording_lists.load_erasable) == ()
    assert world.store.run(recording_lists.mark_deleted, world.account.id, ID, world.now)
    [(id_, key)] = world.store.read(recording_lists.load_erasable)
    assert (id_, key.endswith(".mp3")) == (ID, True)
    world.store.run(recording_lists.mark_erased, ID, world.now)
    assert world.store.read(recording_lists.load_erasable) == ()


def test_what_is_not_deleted_cannot_be_erased(world: World) -> None:
    """A slip of the worker does not lose the row's audio."""
    complete(world)
    world.store.run(recording_lists.mark_erased, ID, world.now)
    assert world.store.read(recording_lists.load_completed, world.account.id, ID, world.now) is not None


@pytest.mark.parametrize(("wait_us", "is_there"), [(-1, True), (0, False), (1, False)])
def test_retention_ends_at_its_microsecond(world: World, wait_us: int, is_there: bool) -> None:
    """Heard before, not at and not after."""
    complete(world)
    world.store.run(recording_lists.set_retention, world.account.id, 3)
    at = world.now + SECOND + 3 * DAY + wait_us
    found = world.store.read(recording_lists.load_completed, world.account.id, ID, at)
    assert (found is not None) == is_there
    assert world.store.run(recording_lists.mark_expired_deleted, at) == (0 if is_there else 1)


def test_retention_of_another_account_changes_nothing(world: World) -> None:
    """Each account decides for itself."""
    complete(world)
    assert world.store.read(recording_lists.load_retention, world.account.id + 1) is None
    with pytest.raises(Exception, match=r"(?i)foreign key"):
        world.store.run(recording_lists.set_retention, world.account.id + 1, 3)
    found = world.store.read(recording_lists.load_completed, world.account.id, ID, world.now + 400 * DAY)
    assert found is not None


@pytest.mark.parametrize("others", [0, 49, 50, 120])
def test_several_are_loaded_by_their_ids(world: World, others: int) -> None:
    """However many are asked for, those that the account can hear, and only until they are deleted."""
    complete(world)
    ids = {f"{index:032x}" for index in range(others)} | {ID}
    load = recording_lists.load_several
    one = world.store.read(recording_lists.load_completed, world.account.id, ID, world.now)
    assert one is not None
    assert world.store.read(load, world.account.id, ids, world.now) == {ID: one[0]}
    assert world.store.read(load, world.account.id, ids - {ID}, world.now) == {}
    assert world.store.read(load, world.account.id + 1, ids, world.now) == {}
    assert world.store.run(recording_lists.mark_deleted, world.account.id, ID, world.now)
    assert world.store.read(load, world.account.id, ids, world.now) == {}

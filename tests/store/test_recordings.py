import pytest
from tests.world import SECOND, World, peek, poke

from maskline.core.masking import RecordFormat
from maskline.core.recording import NewRecording, RecordingState
from maskline.store import recordings
from maskline.store.engine import Store
from maskline.testing.captures import PCMU, note

ID = "0123456789abcdef0123456789abcdef"


def insert(world: World, call_id: str = "c1", id_: str = ID) -> NewRecording:
    new = NewRecording(
        id=id_,
        account_id=world.account.id,
        session_id=world.create().id,
        call_id=call_id,
        format=RecordFormat.MP3,
        legs=note(0, PCMU).legs,
        started_at=world.now,
    )
    world.store.run(recordings.insert_recording, new, "switch-1")
    return new


@pytest.mark.parametrize(
    "change",
    [
        "state = 'else'",
        "format = 'ogg'",
        "ended_at = started_at",  # while it is captured
        "state = 'captured'",  # without its end
        "state = 'completed', ended_at = started_at, completed_at = started_at",  # without audio
        "state = 'failed', ended_at = started_at, completed_at = started_at",  # without a reason
        "failure = 'no-room'",
        "erased_at = 1",  # and not deleted
        "duration_ms = 1, size_bytes = 1",
    ],
)
def test_states_that_mean_nothing_are_impossible(world: World, change: str) -> None:
    """The table itself refuses a recording that is neither one thing nor the other."""
    insert(world)
    with pytest.raises(Exception, match=r"(?i)check constraint"):
        poke(world.store, f"UPDATE recording SET {change}")


def test_names_in_the_storage_cannot_be_guessed(world: World) -> None:
    """128 random bits, in directories by the first of them, unlike the recording's id."""
    insert(world)
    found = world.store.read(recordings.load_recording, ID)
    assert found is not None
    first, second, name = found.storage_key.split("/")
    assert (first, second, len(name)) == (name[:2], name[2:4], 32 + len(".mp3"))
    assert name.removesuffix(".mp3") != ID


def test_states_of_many_are_asked_in_parts(world: World) -> None:
    """More ids than one statement takes, known and unknown ones."""
    insert(world)
    ids = tuple(f"{number:032x}" for number in range(250))
    assert world.store.read(recordings.load_states, (*ids, ID)) == {ID: RecordingState.CAPTURING}


def test_waiting_captures_are_counted(world: World) -> None:
    """What is over and not converted."""
    insert(world)
    assert world.store.read(recordings.count_waiting) == 0
    world.store.run(recordings.mark_captured, ID, world.now + SECOND)
    assert world.store.read(recordings.count_waiting) == 1


def test_tasks_of_the_worker_use_indexes(world: World) -> None:
    """What is asked every second does not grow with the recordings that are done."""
    store = world.store
    if store.database != "sqlite":
        pytest.skip("PostgreSQL reads small tables whole")
    for statement in (recordings._TAKE, recordings._MARK_LOST):
        plan = _explain(store, statement.compiled(store.database).text)
        assert not [line for line in plan if line.startswith("SCAN recording") and "INDEX" not in line], plan


def _explain(store: Store, text: str) -> list[str]:
    return [row[3] for row in peek(store, f"EXPLAIN QUERY PLAN {text}", *[None] * text.count("?"))]

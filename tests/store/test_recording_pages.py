from dataclasses import replace

from tests.world import SECOND, World

from maskline.core.listing import ListedRecordings, PageKey, RecordingListFilter
from maskline.core.masking import RecordFormat, Span
from maskline.core.recording import ConvertedRecording, NewRecording
from maskline.store import recording_pages
from maskline.store import recordings as rows
from maskline.testing.captures import PCMU, note
from maskline.workflows import recordings as work


def _record(world: World, index: int) -> str:
    session = world.create(2 * index + 1, 2 * index + 2)
    new = NewRecording(
        id=f"{index:032x}",
        account_id=world.account.id,
        session_id=session.id,
        call_id=f"call {index}",
        format=RecordFormat.MP3,
        legs=note(0, PCMU).legs,
        started_at=world.now,
    )
    assert world.store.run(work.start_recording, new, world.now)
    assert world.store.run(rows.mark_captured, new.id, world.now)
    converted = ConvertedRecording(recording_id=new.id, ended_at=world.now, duration_ms=1, size_bytes=2)
    assert world.store.run(work.complete_recording, converted, world.now)
    return new.id


def _list(world: World, **wanted: object) -> ListedRecordings:
    given = replace(RecordingListFilter(account_id=world.account.id), **wanted)  # type: ignore[arg-type]
    return world.store.read(recording_pages.load_listed_recordings, given, world.now)


def test_pages_join_without_gap_or_overlap(world: World) -> None:
    """Newest first, several completed at one instant."""
    ids = []
    for index in range(1, 6):
        ids.append(_record(world, index))
        if index == 2:
            world.now += SECOND
    seen, before = [], None
    while True:
        page = _list(world, limit=2, before=before)
        seen += [it.id for it in page.recordings]
        if not page.has_more:
            break
        last = page.recordings[-1]
        assert last.completed_at is not None
        before = PageKey(last.completed_at, last.id)
    assert seen == ids[::-1]


def test_only_what_can_be_heard_and_was_asked_for(world: World) -> None:
    """By call, session and time; never what was deleted, never somebody else's."""
    first = _record(world, 1)
    world.now += SECOND
    second = _record(world, 2)
    [recording] = _list(world, call_id="call 1").recordings
    assert recording.id == first
    for wanted, expected in (
        ({"session_id": recording.session_id}, [first]),
        ({"completed_at": Span(from_=world.now)}, [second]),
        ({"completed_at": Span(until=world.now)}, [first]),
        ({"subaccount_id": 1}, []),
        ({"account_id": world.account.id + 1}, []),
    ):
        assert [it.id for it in _list(world, **wanted).recordings] == expected, wanted
    assert world.store.run(work.delete_recording, world.account, first, world.now)
    assert [it.id for it in _list(world).recordings] == [second]

import json
from dataclasses import replace
from typing import Any

import pytest
from tests.world import SECOND, World, peek, person, poke, virtual

from maskline.core.call_record import Side, leg_id
from maskline.core.events import EventKind
from maskline.core.inventory import Subaccount
from maskline.core.masking import MaskingSession, RecordFormat, Span
from maskline.core.numbers import E164
from maskline.core.recording import (
    CapturedCodec,
    CapturedLeg,
    ConvertedRecording,
    LinkRefused,
    NewRecording,
    Recording,
    RecordingFailure,
    RecordingFilter,
    RecordingLink,
    RecordingNotFound,
    RecordingState,
)
from maskline.core.secret import Secret
from maskline.store import recordings
from maskline.workflows import recordings as work
from maskline.workflows.accounts import create_subaccount
from maskline.workflows.finish_call import finish_call
from maskline.workflows.load_masking_session import load_masking_session

ID = "0123456789abcdef0123456789abcdef"
DAY = 86_400 * SECOND
PCMU = CapturedCodec(0, "PCMU", 8000)
OPUS = CapturedCodec(111, "opus", 48000)


def legs(*codecs: CapturedCodec) -> tuple[CapturedLeg, ...]:
    return (
        CapturedLeg(side=Side.A, port=20000, codecs=codecs),
        CapturedLeg(side=Side.B, port=20002, codecs=codecs),
    )


def new_recording(world: World, session: MaskingSession, **changed: Any) -> NewRecording:
    new = NewRecording(
        id=ID,
        account_id=world.account.id,
        session_id=session.id,
        call_id="c1",
        format=RecordFormat.WAV,
        legs=legs(PCMU),
        started_at=world.now,
    )
    return replace(new, **changed)


def started(world: World, **changed: Any) -> MaskingSession:
    """A session with a claimed call whose recording has begun."""
    session = world.create()
    world.claim(session)
    assert world.store.run(work.start_recording, new_recording(world, session, **changed), world.now)
    return session


def completed(world: World, index: int = 1, *, seconds: int = 10, **given: Any) -> str:
    """A recording that can be heard, of a session of its own; return its id."""
    session = world.create(2 * index, 2 * index + 1, **given)
    call_id, id_ = f"call-{index}", f"{index:032x}"
    world.claim(session, call_id)
    new = new_recording(world, session, id=id_, call_id=call_id)
    assert world.store.run(work.start_recording, new, world.now)
    ended_at = world.now + seconds * SECOND
    assert world.store.run(recordings.mark_captured, id_, ended_at)
    converted = ConvertedRecording(
        recording_id=id_, ended_at=ended_at, duration_ms=seconds * 1000, size_bytes=99
    )
    assert world.store.run(work.complete_recording, converted, ended_at)
    return id_


def events(world: World) -> list[tuple[EventKind, dict[str, Any]]]:
    kinds = {EventKind.RECORDING_STARTED, EventKind.RECORDING_COMPLETED, EventKind.RECORDING_FAILED}
    found = peek(world.store, "SELECT kind, facts FROM outbox ORDER BY id")
    return [(EventKind(kind), json.loads(facts)) for kind, facts in found if kind in kinds]


def load(world: World, id_: str = ID) -> Recording:
    found = world.store.read(recordings.load_recording, id_)
    assert found is not None
    return found


def test_recording_of_a_call_from_bridge_to_file(world: World) -> None:
    """A recording is captured, taken, completed; its events carry format, instants, length and references."""
    session = started(world)
    call = world.record(session, ended_at=world.now + 90 * SECOND)
    world.store.run(finish_call, call, call.ended_at)
    world.store.run(recordings.mark_captured, ID, call.ended_at)
    taken = world.store.run(
        work.take_captured_recording, "switch-1", call.ended_at, call.ended_at + 60 * SECOND
    )
    assert taken is not None
    assert (taken.id, taken.state, taken.attempt_count) == (ID, RecordingState.CAPTURED, 0)
    converted = ConvertedRecording(
        recording_id=ID, ended_at=call.ended_at, duration_ms=89_600, size_bytes=1234
    )
    assert world.store.run(work.complete_recording, converted, call.ended_at + SECOND)
    assert not world.store.run(work.complete_recording, converted, call.ended_at + SECOND)
    done = load(world)
    assert (done.state, done.duration_ms, done.size_bytes) == (RecordingState.COMPLETED, 89_600, 1234)
    assert done.storage_key.endswith(".wav")
    [(first, begun), (last, told)] = events(world)
    assert (first, last) == (EventKind.RECORDING_STARTED, EventKind.RECORDING_COMPLETED)
    refs = peek(world.store, "SELECT caller_ref, callee_ref FROM call_record")[0]
    for facts in (begun, told):
        assert (facts["caller"], facts["callee"]) == refs
        assert (facts["recording_id"], facts["format"], facts["role"]) == (ID, "wav", "first")
        assert facts["started_at"] == world.now
    assert (told["duration_s"], told["duration_ms"], told["ended_at"]) == (90, 89_600, call.ended_at)


def test_a_call_has_one_recording(world: World) -> None:
    """A second start for a call, under any id, changes nothing and tells nothing."""
    session = started(world)
    again = new_recording(world, session)
    assert not world.store.run(work.start_recording, again, world.now)
    assert not world.store.run(work.start_recording, replace(again, id="f" * 32), world.now)
    assert len(events(world)) == 1


def test_events_of_recordings_take_places_in_the_sequence(world: World) -> None:
    """A session's events count from 1 without a gap, those of recordings among them."""
    started(world)
    world.store.run(work.fail_recording, ID, RecordingFailure.RELAY_REFUSED, world.now)
    sequences = [row[0] for row in peek(world.store, "SELECT sequence FROM outbox ORDER BY id")]
    assert sequences == list(range(1, 5))


def test_recording_that_could_not_start_is_told_once_as_failed(world: World) -> None:
    """Given whole, a recording fails without ever having started."""
    session = world.create()
    world.claim(session)
    new = new_recording(world, session)
    assert world.store.run(work.fail_recording, new, RecordingFailure.NO_ROOM, world.now)
    assert not world.store.run(work.fail_recording, new, RecordingFailure.NO_ROOM, world.now)
    [(kind, facts)] = events(world)
    assert (kind, facts["failure"]) == (EventKind.RECORDING_FAILED, "no-room")
    assert load(world).state is RecordingState.FAILED


def test_recording_that_the_relay_refused_after_its_start_fails(world: World) -> None:
    """A started recording may fail, given whole or by its id, and its call's end changes nothing more."""
    session = started(world)
    new = new_recording(world, session)
    assert world.store.run(work.fail_recording, new, RecordingFailure.RELAY_REFUSED, world.now)
    assert not world.store.run(work.fail_recording, ID, RecordingFailure.NO_ROOM, world.now)
    assert not world.store.run(recordings.mark_captured, ID, world.now + SECOND)
    assert load(world).failure is RecordingFailure.RELAY_REFUSED
    assert [kind for kind, _ in events(world)] == [EventKind.RECORDING_STARTED, EventKind.RECORDING_FAILED]


def test_unknown_recordings_are_nobodys(world: World) -> None:
    """What is not there cannot fail, be noted, captured or completed."""
    assert not world.store.run(work.fail_recording, ID, RecordingFailure.NO_ROOM, world.now)
    assert not world.store.run(work.note_recording_codecs, ID, legs(PCMU), world.now)
    assert not world.store.run(recordings.mark_captured, ID, world.now)
    assert not world.store.run(recordings.mark_captured_of_call, "c1", world.now)
    converted = ConvertedRecording(recording_id=ID, ended_at=1, duration_ms=1, size_bytes=1)
    assert not world.store.run(work.complete_recording, converted, world.now)
    assert events(world) == []


def test_codecs_of_a_re_invite_are_noted_with_their_time(world: World) -> None:
    """Every change keeps what was before; after the call's end nothing is noted any more."""
    started(world)
    assert world.store.run(work.note_recording_codecs, ID, legs(OPUS), world.now + SECOND)
    notes = load(world).notes
    assert [(note.noted_at - world.now, note.legs) for note in notes] == [
        (0, legs(PCMU)),
        (SECOND, legs(OPUS)),
    ]
    world.store.run(recordings.mark_captured, ID, world.now + 2 * SECOND)
    assert not world.store.run(work.note_recording_codecs, ID, legs(PCMU), world.now + 3 * SECOND)


def test_notes_are_bounded(world: World) -> None:
    """A peer that changes codecs without end replaces only the last note."""
    started(world)
    for index in range(work.NOTE_COUNT_MAX + 3):
        world.store.run(work.note_recording_codecs, ID, legs(OPUS), world.now + index)
    notes = load(world).notes
    assert len(notes) == work.NOTE_COUNT_MAX
    assert notes[-1].noted_at == world.now + work.NOTE_COUNT_MAX + 2


def test_a_taken_recording_is_one_workers_until_its_lease_ends(world: World) -> None:
    """Nobody else gets it before, anybody at that instant; a worker that dies does not count as a failure."""
    started(world)
    world.store.run(recordings.mark_captured, ID, world.now)
    until = world.now + 60 * SECOND

    def take(at: int, switch_id: str = "switch-1") -> Recording | None:
        return world.store.run(work.take_captured_recording, switch_id, at, at + 60 * SECOND)

    assert take(world.now, "another") is None
    assert take(world.now) is not None
    assert take(until - 1) is None
    again = take(until)
    assert again is not None
    assert again.attempt_count == 0


@pytest.mark.parametrize(("is_counted", "count"), [(True, 1), (False, 0)])
def test_a_recording_put_back_is_due_again_later(world: World, is_counted: bool, count: int) -> None:
    """It is taken at its new time and not before; the attempt counts or not, as the worker says."""
    started(world)
    world.store.run(recordings.mark_captured, ID, world.now)
    lease = world.now + 60 * SECOND
    world.store.run(work.take_captured_recording, "switch-1", world.now, lease)
    due_at = world.now + 5 * SECOND
    assert world.store.run(work.put_back_recording, ID, due_at, is_counted=is_counted)
    assert world.store.read(recordings.load_next_due, "switch-1") == due_at
    assert world.store.run(work.take_captured_recording, "switch-1", due_at - 1, lease) is None
    again = world.store.run(work.take_captured_recording, "switch-1", due_at, lease)
    assert again is not None
    assert again.attempt_count == count


def test_a_lease_can_be_renewed_until_the_recording_is_settled(world: World) -> None:
    """A long conversion keeps its recording."""
    started(world)
    assert not world.store.run(recordings.renew_lease, ID, world.now)
    world.store.run(recordings.mark_captured, ID, world.now)
    world.store.run(work.take_captured_recording, "switch-1", world.now, world.now + SECOND)
    assert world.store.run(recordings.renew_lease, ID, world.now + 9 * SECOND)
    later = world.now + 8 * SECOND
    assert world.store.run(work.take_captured_recording, "switch-1", later, later) is None
    world.store.run(work.fail_recording, ID, RecordingFailure.CONVERTER_FAILED, later)
    assert not world.store.run(recordings.renew_lease, ID, later)


def test_clock_set_back_during_a_call_makes_an_empty_recording(world: World) -> None:
    """An end before the start counts as the start: the table allows no other."""
    started(world)
    assert world.store.run(recordings.mark_captured, ID, world.now - SECOND)
    assert load(world).ended_at == world.now


def test_what_a_dead_switch_left_is_taken_up(world: World) -> None:
    """A capture whose call is gone, or whose claim ran out before the grace, is captured; others go on."""
    started(world)
    lease_until = world.now + 30 * SECOND

    def take_up(lapsed_before: int, switch_id: str = "switch-1") -> int:
        return world.store.run(work.take_up_lost_recordings, switch_id, lapsed_before, world.now + DAY)

    assert take_up(lease_until - 1) == 0
    assert take_up(lease_until, "another") == 0
    assert take_up(lease_until) == 1
    lost = load(world)
    assert (lost.state, lost.is_interrupted) == (RecordingState.CAPTURED, True)


def test_capture_of_a_call_that_is_gone_is_taken_up_at_once(world: World) -> None:
    """Without a call there is nothing to wait for."""
    started(world)
    poke(world.store, "DELETE FROM live_call")
    assert world.store.run(work.take_up_lost_recordings, "switch-1", 0, world.now) == 1


def test_end_of_an_orphan_call_ends_its_recording_as_interrupted(world: World) -> None:
    """Who ends a dead switch's call knows the call's id, and not when it ended."""
    started(world)
    assert world.store.run(recordings.mark_captured_of_call, "c1", world.now + SECOND)
    assert load(world).is_interrupted
    assert not world.store.run(recordings.mark_captured_of_call, "c1", world.now + 2 * SECOND)


def test_only_its_account_hears_a_recording(world: World) -> None:
    """Another account, and another's sub-account, find nothing."""
    id_ = completed(world)
    own = world.account
    assert isinstance(world.store.read(work.load_recording, own, id_, world.now), Recording)
    for stranger in (replace(own, id=own.id + 1), replace(own, subaccount=_subaccount(own.id))):
        assert isinstance(world.store.read(work.load_recording, stranger, id_, world.now), RecordingNotFound)
        assert (
            world.store.read(
                work.list_recordings, stranger, RecordingFilter(account_id=own.id), world.now
            ).recordings
            == ()
        )
        assert not world.store.run(work.delete_recording, stranger, id_, world.now)
    assert load(world, id_).deleted_at is None


def _subaccount(account_id: int) -> Subaccount:
    return Subaccount(id=77, account_id=account_id, auth_id="SA", name="x", token=Secret("x"), created_at=0)


def test_subaccount_hears_the_recordings_of_its_sessions(world: World) -> None:
    """A sub-account's list has its own sessions only; the account's can be narrowed to them."""
    made = world.store.run(create_subaccount, world.account, "branch", world.now)
    assert isinstance(made, Subaccount)
    world.add_numbers(virtual(9), subaccount_id=made.id)
    mine, theirs = completed(world, 1, subaccount_id=made.id), completed(world, 2)
    sub = replace(world.account, subaccount=made)
    wanted = RecordingFilter(account_id=world.account.id)

    def listed(account: Any, wanted: RecordingFilter) -> set[str]:
        page = world.store.read(work.list_recordings, account, wanted, world.now)
        return {recording.id for recording in page.recordings}

    assert listed(sub, wanted) == {mine}
    assert listed(world.account, wanted) == {mine, theirs}
    assert listed(world.account, replace(wanted, subaccount_id=made.id)) == {mine}
    assert isinstance(world.store.read(work.load_recording, sub, mine, world.now), Recording)
    assert world.store.run(work.delete_recording, sub, mine, world.now)


def test_only_completed_recordings_are_shown(world: World) -> None:
    """What is captured, waits or failed is not in the list and not under its id."""
    started(world)
    wanted = RecordingFilter(account_id=world.account.id)

    def is_shown() -> bool:
        page = world.store.read(work.list_recordings, world.account, wanted, world.now)
        found = world.store.read(work.load_recording, world.account, ID, world.now)
        assert (page.total_count == 1) == isinstance(found, Recording)
        return page.total_count == 1

    assert not is_shown()
    world.store.run(recordings.mark_captured, ID, world.now)
    assert not is_shown()
    world.store.run(work.fail_recording, ID, RecordingFailure.STORAGE_FAILED, world.now)
    assert not is_shown()


def test_list_is_newest_first_in_pages(world: World) -> None:
    """Pages follow one another without gap or overlap; the count is over all of them."""
    ids = []
    for index in range(1, 6):
        ids.append(completed(world, index))
        world.now += SECOND
    wanted = RecordingFilter(account_id=world.account.id, limit=2)
    pages = [
        world.store.read(work.list_recordings, world.account, replace(wanted, offset=offset), world.now)
        for offset in (0, 2, 4, 6)
    ]
    assert [it.id for page in pages for it in page.recordings] == ids[::-1]
    assert {page.total_count for page in pages} == {5}


def test_list_can_be_narrowed(world: World) -> None:
    """To a call, either of its legs, a session, or a time of completion."""
    ids = []
    for index in range(1, 4):
        ids.append(completed(world, index))
        world.now += SECOND
    second = load(world, ids[1])
    assert second.completed_at is not None
    for narrowed in (
        {"call": "call-2"},
        {"call": leg_id("call-2", Side.A)},
        {"call": leg_id("call-2", Side.B)},
        {"session_id": second.session_id},
        {"completed_at": Span(from_=second.completed_at, until=second.completed_at + 1)},
    ):
        wanted = RecordingFilter(account_id=world.account.id, **narrowed)
        page = world.store.read(work.list_recordings, world.account, wanted, world.now)
        assert [it.id for it in page.recordings] == [ids[1]]
        assert page.total_count == 1


def test_list_can_be_narrowed_to_numbers(world: World) -> None:
    """To who calls or is called on either leg: the caller and the virtual number, the virtual number and the other."""
    ids = [completed(world, index) for index in (1, 2)]
    for id_, is_service_initiated in zip(ids, (False, True), strict=True):
        recording = load(world, id_)
        session = world.store.read(load_masking_session, world.account, recording.session_id)
        assert isinstance(session, MaskingSession)
        call = world.record(session, recording.call_id, is_service_initiated=is_service_initiated)
        world.store.run(finish_call, call, call.ended_at)

    def found(**narrowed: Any) -> list[str]:
        wanted = RecordingFilter(account_id=world.account.id, **narrowed)
        page = world.store.read(work.list_recordings, world.account, wanted, world.now + 60 * SECOND)
        assert page.total_count == len(page.recordings)
        return sorted(it.id for it in page.recordings)

    ours = E164(virtual(0))
    assert found(from_number=person(2)) == ids[:1]
    assert found(to_number=person(3)) == ids[:1]
    assert found(to_number=person(2)) == []
    assert found(from_number=person(4)) == []
    assert found(to_number=person(4)) == found(to_number=person(5)) == ids[1:]
    assert found(from_number=ours) == ids
    assert found(to_number=ours) == ids[:1]
    assert found(from_number=ours, to_number=person(5)) == ids[1:]


def test_deleted_recording_is_gone_but_its_row(world: World) -> None:
    """It cannot be heard or deleted again, and waits to be erased until that is done."""
    id_ = completed(world)
    assert world.store.run(work.delete_recording, world.account, id_, world.now)
    assert not world.store.run(work.delete_recording, world.account, id_, world.now)
    assert isinstance(world.store.read(work.load_recording, world.account, id_, world.now), RecordingNotFound)
    key = load(world, id_).storage_key
    assert world.store.read(work.load_erasable_recordings) == ((id_, key),)
    world.store.run(work.mark_recording_erased, id_, world.now)
    assert world.store.read(work.load_erasable_recordings) == ()
    assert load(world, id_).deleted_at == world.now


def test_retention_holds_to_the_microsecond_without_a_sweeper(world: World) -> None:
    """A recording is heard until its days are over, and not at that instant, before anything is swept."""
    world.store.run(work.set_recording_retention, world.account, 30)
    id_ = completed(world)
    over_at = load(world, id_).expires_at
    assert over_at == world.now + 10 * SECOND + 30 * DAY

    def is_heard(at: int) -> bool:
        return isinstance(world.store.read(work.load_recording, world.account, id_, at), Recording)

    assert is_heard(over_at - 1)
    assert not is_heard(over_at)
    assert world.store.run(work.expire_recordings, over_at - 1) == 0
    assert world.store.run(work.expire_recordings, over_at) == 1
    assert world.store.run(work.expire_recordings, over_at) == 0
    assert load(world, id_).deleted_at == over_at


def test_changed_retention_measures_what_is_stored(world: World) -> None:
    """A new period, and none, hold for recordings made before as well; other accounts' stay."""
    id_ = completed(world)
    assert load(world, id_).expires_at is None
    assert world.store.run(work.set_recording_retention, world.account, 7) == 1
    ended_at = load(world, id_).ended_at
    assert ended_at is not None
    assert load(world, id_).expires_at == ended_at + 7 * DAY
    assert world.store.run(work.set_recording_retention, world.account, 1) == 1
    assert load(world, id_).expires_at == ended_at + DAY
    assert world.store.read(work.load_recording_retention, world.account) == 1
    world.store.run(work.set_recording_retention, world.account, None)
    assert load(world, id_).expires_at is None
    assert world.store.read(work.load_recording_retention, world.account) is None


def test_link_is_for_one_file_until_its_time(world: World) -> None:
    """Signed by this database's key file, for an account's own recording, until the second it names."""
    id_ = completed(world)
    own, expires_s = world.account.auth_id, world.now // SECOND + 60

    def follow(link: RecordingLink, at: int) -> object:
        return world.store.read(work.load_linked_recording, link, at)

    link = world.store.run(work.sign_recording_link, own, id_, RecordFormat.WAV, expires_s)
    assert isinstance(follow(link, expires_s * SECOND - 1), Recording)
    assert isinstance(follow(link, expires_s * SECOND), LinkRefused)
    for changed in (
        replace(link, auth_id="MA000000000000000000"),
        replace(link, recording_id="f" * 32),
        replace(link, format=RecordFormat.MP3),
        replace(link, expires_s=expires_s + 1),
        replace(link, signature="0" * 64),
    ):
        assert isinstance(follow(changed, world.now), LinkRefused)
    missing = world.store.run(work.sign_recording_link, own, "f" * 32, RecordFormat.WAV, expires_s)
    assert isinstance(follow(missing, world.now), RecordingNotFound)
    strange = world.store.run(work.sign_recording_link, "MA0", id_, RecordFormat.WAV, expires_s)
    assert isinstance(follow(strange, world.now), LinkRefused)


def test_link_of_a_subaccount(world: World) -> None:
    """It opens what the sub-account hears, and nothing else of its account."""
    made = world.store.run(create_subaccount, world.account, "branch", world.now)
    assert isinstance(made, Subaccount)
    world.add_numbers(virtual(9), subaccount_id=made.id)
    mine, theirs = completed(world, 1, subaccount_id=made.id), completed(world, 2)
    for id_, kind in ((mine, Recording), (theirs, RecordingNotFound)):
        link = world.store.run(
            work.sign_recording_link, made.auth_id, id_, RecordFormat.WAV, world.now // SECOND + 60
        )
        assert isinstance(world.store.read(work.load_linked_recording, link, world.now), kind)

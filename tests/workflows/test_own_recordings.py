from dataclasses import replace

from tests.world import World, virtual

from maskline.core.inventory import Subaccount
from maskline.core.listing import RecordingListFilter
from maskline.core.masking import MICROSECONDS, MaskingSession, RecordFormat
from maskline.core.recording import (
    ConvertedRecording,
    LinkRefused,
    NewRecording,
    Recording,
    RecordingLink,
    RecordingNotFound,
)
from maskline.store import recordings as rows
from maskline.testing.captures import PCMU, note
from maskline.workflows import recordings as work
from maskline.workflows.accounts import create_subaccount
from maskline.workflows.own_recordings import link_recording, list_own_recordings


def _record(world: World, session: MaskingSession, index: int) -> str:
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


def test_a_link_opens_for_as_long_as_was_wanted(world: World) -> None:
    """With nothing but the link, until its second."""
    id_ = _record(world, world.create(1, 2), 1)
    link = world.store.run(link_recording, world.account, id_, 60, world.now)
    assert isinstance(link, RecordingLink)
    opened = world.store.read(work.load_linked_recording, link, world.now + 59 * MICROSECONDS)
    assert isinstance(opened, Recording)
    after = world.store.read(work.load_linked_recording, link, world.now + 61 * MICROSECONDS)
    assert isinstance(after, LinkRefused)
    assert world.store.run(link_recording, world.account, "f" * 32, 60, world.now) == RecordingNotFound()


def test_a_subaccount_has_its_own(world: World) -> None:
    """It lists and links the recordings of its sessions only."""
    made = world.store.run(create_subaccount, world.account, "branch", world.now)
    assert isinstance(made, Subaccount)
    world.add_numbers(virtual(10), subaccount_id=made.id)
    branch = replace(world.account, subaccount=made)
    own = _record(world, world.create(1, 2, subaccount_id=made.id), 1)
    other = _record(world, world.create(3, 4), 2)
    wanted = RecordingListFilter(account_id=0)
    assert [it.id for it in world.store.read(list_own_recordings, branch, wanted, world.now).recordings] == [
        own
    ]
    link = world.store.run(link_recording, branch, own, 60, world.now)
    assert isinstance(link, RecordingLink)
    assert link.auth_id == made.auth_id
    assert world.store.run(link_recording, branch, other, 60, world.now) == RecordingNotFound()

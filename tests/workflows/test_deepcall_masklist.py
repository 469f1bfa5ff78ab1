"""Pages of masks with what can be heard of their calls."""

from dataclasses import replace

from tests.world import NOW, SECOND, World, person, virtual

from maskline.core.deepcall import MaskFilter, MaskPage
from maskline.core.masking import RecordFormat, SessionFilter
from maskline.core.recording import ConvertedRecording, NewRecording
from maskline.store import recordings as rows
from maskline.testing.captures import PCMU, note
from maskline.workflows import recordings as work
from maskline.workflows.deepcall_masklist import list_masks
from maskline.workflows.finish_call import finish_call

ID = "0123456789abcdef0123456789abcdef"


def listed(world: World, wanted: MaskFilter | None = None, links_s: int = 0) -> MaskPage:
    return world.store.read(
        list_masks,
        world.account,
        wanted or MaskFilter(sessions=SessionFilter()),
        recording_links_s=links_s,
        now=world.now,
    )


def test_recordings_are_told_once_they_can_be_heard(world: World) -> None:
    """Not while they are made, nor after they were deleted; with a link where such are made."""
    session = world.create()
    world.claim(session)
    new = NewRecording(
        id=ID,
        account_id=world.account.id,
        session_id=session.id,
        call_id="c1",
        format=RecordFormat.MP3,
        legs=note(0, PCMU).legs,
        started_at=NOW,
    )
    assert world.store.run(work.start_recording, new, NOW)
    world.store.run(finish_call, world.record(session), NOW)
    world.store.run(rows.mark_captured, ID, NOW + SECOND)
    [interaction] = listed(world).sessions[0].interactions
    assert (interaction.recording_id, listed(world).recordings) == (ID, {})
    done = ConvertedRecording(recording_id=ID, ended_at=NOW + SECOND, duration_ms=1000, size_bytes=5)
    assert world.store.run(work.complete_recording, done, NOW)
    assert listed(world).recordings[ID].link is None
    link = listed(world, links_s=60).recordings[ID].link
    assert link is not None
    assert (link.expires_s, link.auth_id) == (NOW // SECOND + 60, world.account.auth_id)
    assert world.store.read(work.load_linked_recording, link, NOW) == listed(world).recordings[ID].recording
    assert world.store.run(work.delete_recording, world.account, ID, NOW)
    assert listed(world).recordings == {}


def test_a_number_is_tried_in_the_order_of_its_readings(world: World) -> None:
    """The first that has masks counts."""
    world.create(1, 2)
    everything = SessionFilter()
    wanted = MaskFilter(sessions=everything, masks=(virtual(77), virtual(0)))
    assert listed(world, wanted).total_count == 1
    assert listed(world, replace(wanted, masks=(virtual(77),))).total_count == 0
    assert listed(world, MaskFilter(sessions=SessionFilter(first=person(2)))).total_count == 0


def test_references_are_sought_exactly(world: World) -> None:
    """Letter for letter, on both databases."""
    for index, reference in enumerate(("order", "Order", "order ", None)):
        world.create(10 + index, 20 + index, reference=reference)
    for reference in ("order", "Order"):
        [session] = listed(world, MaskFilter(sessions=SessionFilter(reference=reference))).sessions
        assert session.reference == reference
    assert listed(world, MaskFilter(sessions=SessionFilter(reference="orde_"))).sessions == ()

import pytest
from tests.world import SECOND, World, peek, person, virtual

from maskline.core.call_record import OrphanCall
from maskline.core.masking import LegStatus, MaskingSession, RecordFormat, Role, SessionCreated
from maskline.core.recording import NewRecording
from maskline.store.calls import LOST_BATCH_SIZE
from maskline.workflows.claim_call import claim_call
from maskline.workflows.finish_call import finish_call
from maskline.workflows.load_masking_session import load_masking_session
from maskline.workflows.orphan_calls import (
    LOST_AFTER_US,
    end_lost_calls,
    finish_orphan_call,
    load_orphan_calls,
)
from maskline.workflows.recordings import start_recording
from maskline.workflows.save_dialogs import save_dialogs


def test_restarted_switch_finds_its_calls_with_what_it_saved(world: World) -> None:
    """Everything needed to end a predecessor's call comes back as it was saved."""
    session = world.create()
    world.claim(session)
    world.store.run(save_dialogs, "c1", '{"to": "+919800000001"}', '{"b": 1}', world.now)
    assert world.store.read(load_orphan_calls, "switch-1", world.now) == (
        OrphanCall(
            call_id="c1",
            switch_id="switch-1",
            session_id=session.id,
            account_id=world.account.id,
            number=virtual(0),
            caller=person(1),
            callee=person(2),
            role=Role.FIRST,
            started_at=world.now,
            lease_until=world.now + 30 * SECOND,
            dialog_a='{"to": "+919800000001"}',
            dialog_b='{"b": 1}',
        ),
    )


def test_only_unfinished_calls_of_this_switch(world: World) -> None:
    """Finished calls and other switches' calls are none of its business."""
    for index in range(3):
        session = world.create(10 + index, 20 + index)
        world.store.run(
            claim_call, world.new_call(session, f"c{index}", switch_id=f"switch-{index % 2}"), world.now
        )
        if index == 0:
            world.store.run(finish_call, world.record(session, "c0"), world.now)
    assert [it.call_id for it in world.store.read(load_orphan_calls, "switch-0", world.now)] == ["c2"]
    assert [it.call_id for it in world.store.read(load_orphan_calls, "switch-1", world.now)] == ["c1"]


def test_call_before_its_answer_has_no_dialogs(world: World) -> None:
    """A call that died while ringing comes back without snapshots."""
    world.claim(world.create())
    [orphan] = world.store.read(load_orphan_calls, "switch-1", world.now)
    assert (orphan.dialog_a, orphan.dialog_b) == (None, None)


def test_call_that_lost_its_session_to_another_is_still_there_to_end(world: World) -> None:
    """A dead lease frees the session, not the call: each of the two calls gets its own record."""
    session = world.create()
    world.claim(session, "c1")
    world.now += 31 * SECOND
    world.claim(session, "c2", switch_id="switch-2")
    [orphan] = world.store.read(load_orphan_calls, "switch-1", world.now)
    assert orphan.call_id == "c1"


def test_lost_calls_are_ended_a_minute_after_their_lease(world: World) -> None:
    """A call of any switch that stayed away gets its one record, and its interaction; once."""
    session = world.create()
    world.claim(session, is_service_initiated=True)
    lapsed_at = world.now + 30 * SECOND + LOST_AFTER_US
    assert world.store.run(end_lost_calls, lapsed_at - 1) == ()
    assert world.store.run(end_lost_calls, lapsed_at) == ("c1",)
    assert world.store.run(end_lost_calls, lapsed_at) == ()
    assert peek(world.store, "SELECT result, reason, ended_at FROM call_record") == [
        ("indeterminate", "switch-lost", lapsed_at)
    ]
    after = world.store.read(load_masking_session, world.account, session.id)
    assert isinstance(after, MaskingSession)
    [interaction] = after.interactions
    assert interaction.first_status is LegStatus.FAILED
    assert interaction.is_service_initiated
    assert peek(world.store, "SELECT count(*) FROM live_call") == [(0,)]


def test_lost_calls_end_in_batches(world: World) -> None:
    """However many a dead switch left, one transaction ends a hundred, the oldest first."""
    with world.store.transaction() as tx:
        for index in range(LOST_BATCH_SIZE + 2):
            created = world.ask_in(tx, 100 + index, 400 + index)
            assert isinstance(created, SessionCreated)
            claim_call(
                tx, world.new_call(created.session, f"c{index}", started_at=world.now + index), world.now
            )
    world.now += 30 * SECOND + LOST_AFTER_US
    ended = [world.store.run(end_lost_calls, world.now) for _ in range(3)]
    assert [len(it) for it in ended] == [LOST_BATCH_SIZE, 2, 0]
    assert ended[1] == (f"c{LOST_BATCH_SIZE}", f"c{LOST_BATCH_SIZE + 1}")


@pytest.mark.parametrize("has_b", [False, True])
def test_orphan_has_one_record_and_its_recording_is_kept(world: World, has_b: bool) -> None:
    """What was captured until the switch died is converted like any other; a leg B that was saved was placed."""
    session = world.create(is_recorded=True)
    world.claim(session)
    if has_b:
        world.store.run(save_dialogs, "c1", "{}", "{}", world.now)
    new = NewRecording(
        id="ab" * 16,
        account_id=session.account_id,
        session_id=session.id,
        call_id="c1",
        format=RecordFormat.WAV,
        legs=(),
        started_at=world.now,
    )
    world.store.run(start_recording, new, world.now)
    [orphan] = world.store.read(load_orphan_calls, "switch-1", world.now)
    world.now += SECOND
    for _ in range(2):
        world.store.run(finish_orphan_call, orphan, world.now)
    assert peek(world.store, "SELECT reason, is_callee_dialled FROM call_record") == [
        ("switch-restarted", has_b)
    ]
    assert peek(world.store, "SELECT state, ended_at FROM recording") == [("captured", world.now)]
    assert peek(world.store, "SELECT count(*) FROM interaction") == [(1,)]

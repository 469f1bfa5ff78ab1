from tests.world import SECOND, World, person, virtual

from maskline.core.call_record import OrphanCall
from maskline.core.masking import Role
from maskline.workflows.claim_call import claim_call
from maskline.workflows.finish_call import finish_call
from maskline.workflows.orphan_calls import LOST_AFTER_US, load_lost_calls, load_orphan_calls
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


def test_lost_calls_are_those_whose_switch_stayed_away(world: World) -> None:
    """A minute after its lease a call of any switch counts as lost."""
    world.claim(world.create())
    lapsed_at = world.now + 30 * SECOND + LOST_AFTER_US
    assert world.store.read(load_lost_calls, lapsed_at - 1) == ()
    assert [it.call_id for it in world.store.read(load_lost_calls, lapsed_at)] == ["c1"]

"""The switch's view of the database, on real store threads."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from maskline.core.call.state import CallPlan
from maskline.core.call_record import CallClaim, CallClaimed, SessionBusy, SessionEnded
from maskline.core.events import EventKind, NewEvent
from maskline.core.masking import MaskingSession, RecordFormat, Role
from maskline.core.recording import NewRecording, RecordingFailure
from maskline.core.routing import Connect
from maskline.engine.switch_store import WorkflowStore
from maskline.store.thread import StoreThreads
from maskline.workflows.end_masking_session import end_masking_session
from tests.world import SECOND, World, peek

LEASE = 30 * SECOND


@pytest.fixture
async def switch_store(world: World) -> AsyncIterator[WorkflowStore]:
    """The store as switch "s1" sees it."""
    threads = StoreThreads(world.store)
    yield WorkflowStore(threads, "s1")
    await threads.close()


def _plan(session: MaskingSession, world: World, call_id: str = "c1") -> CallPlan:
    call = world.new_call(session, call_id)
    connect = Connect(
        session_id=call.session_id,
        account_id=call.account_id,
        caller_role=call.role,
        callee_role=Role.SECOND if call.role is Role.FIRST else Role.FIRST,
        callee=call.callee,
        presented=call.number,
        trunk_id=world.trunk.id,
        ends_at=session.ends_at,
        ring_timeout_s=session.ring_timeout_s,
        call_time_limit_s=session.call_time_limit_s,
        is_recorded=session.is_recorded,
    )
    return CallPlan(
        call_id=call_id,
        account_id=call.account_id,
        number=call.number,
        caller=call.caller,
        started_at=call.started_at,
        recording_id="0" * 32,
        connect=connect,
    )


async def _claim(store: WorkflowStore, plan: CallPlan, lease_until: int, now: int) -> CallClaim:
    assert plan.connect is not None
    return await store.claim(plan, plan.connect, lease_until, now)


async def test_a_session_is_found_by_either_party(world: World, switch_store: WorkflowStore) -> None:
    """The look-up of (dialled number, caller) finds the session and whom to call."""
    session = world.create()
    for caller, callee in ((session.first, session.second), (session.second, session.first)):
        facts = await switch_store.route(session.virtual_number, caller, world.now)
        assert facts.session is not None
        assert (facts.session.session_id, facts.session.callee) == (session.id, callee)
    assert [trunk.id for trunk in await switch_store.load_trunks()] == [world.trunk.id]


async def test_a_session_has_one_call_at_a_time(world: World, switch_store: WorkflowStore) -> None:
    """A second claim is refused until the first call is finished."""
    session = world.create()
    first, second = _plan(session, world), _plan(session, world, "c2")
    assert await _claim(switch_store, first, world.now + LEASE, world.now) == CallClaimed(
        ends_at=session.ends_at
    )
    assert await _claim(switch_store, second, world.now + LEASE, world.now) == SessionBusy()
    await switch_store.finish(world.record(session))
    assert isinstance(await _claim(switch_store, second, world.now + LEASE, world.now), CallClaimed)


async def test_renewed_leases_keep_sessions_taken(world: World, switch_store: WorkflowStore) -> None:
    """A call whose switch renews its lease is never taken for dead; without, it is."""
    session = world.create()
    await _claim(switch_store, _plan(session, world), world.now + LEASE, world.now)
    await switch_store.renew_leases(world.now + 2 * LEASE, world.now + LEASE - 1)
    other = _plan(session, world, "c2")
    assert await _claim(switch_store, other, world.now + 3 * LEASE, world.now + LEASE) == SessionBusy()
    late = world.now + 2 * LEASE
    assert isinstance(await _claim(switch_store, other, late + LEASE, late), CallClaimed)


async def test_a_deletion_is_seen(world: World, switch_store: WorkflowStore) -> None:
    """A deleted session is closed, reported as over and cannot be claimed."""
    session, other = world.create(), world.create(3, 4)
    assert await switch_store.is_session_open(session.id, world.now)
    world.store.run(end_masking_session, world.account, session.id, world.now)
    assert not await switch_store.is_session_open(session.id, world.now)
    windows = await switch_store.windows([session.id, other.id], world.now)
    assert windows == {session.id: None, other.id: other.ends_at}
    assert await _claim(switch_store, _plan(session, world), world.now + LEASE, world.now) == SessionEnded()


async def test_a_predecessor_s_call_is_ended_once(world: World, switch_store: WorkflowStore) -> None:
    """A call left behind comes back with its dialogs, and leaves one record that blames us."""
    session = world.create()
    await _claim(switch_store, _plan(session, world), world.now + LEASE, world.now)
    await switch_store.save_dialogs("c1", '{"a": 1}', '{"b": 2}', world.now)
    [orphan] = await switch_store.orphans(world.now)
    assert (orphan.call_id, orphan.dialog_a, orphan.dialog_b) == ("c1", '{"a": 1}', '{"b": 2}')
    await switch_store.finish_orphan(orphan, world.now + SECOND)
    assert await switch_store.orphans(world.now + SECOND) == ()
    records = peek(world.store, "SELECT call_id, result, reason, is_callee_dialled FROM call_record")
    assert [(call, result, reason, bool(dialled)) for call, result, reason, dialled in records] == [
        ("c1", "us", "switch-restarted", True)
    ]


async def test_refused_calls_are_kept(world: World, switch_store: WorkflowStore) -> None:
    """A refused call leaves a record without a session."""
    await switch_store.record_refusal(replace(world.refused("r1"), ended_at=world.now + 1))
    assert peek(world.store, "SELECT call_id, session_id, reason FROM call_record") == [
        ("r1", None, "no-session")
    ]


async def test_orders_are_taken_once(world: World, switch_store: WorkflowStore) -> None:
    """What the service owes is given out to one switch, and asked for without writing while there is none."""
    assert await switch_store.take_orders(world.now, 10) == ()
    session = world.create(calls_first=True)
    (order,) = await switch_store.take_orders(world.now, 10)
    assert (order.first, order.connect.callee) == (session.first, session.second)
    assert await switch_store.take_orders(world.now, 10) == ()


async def test_lost_calls_are_accounted_for(world: World, switch_store: WorkflowStore) -> None:
    """A call whose switch does not come back ends in a record."""
    session = world.create()
    await _claim(switch_store, _plan(session, world), world.now + LEASE, world.now)
    assert await switch_store.end_lost_calls(world.now + LEASE) == ()
    assert await switch_store.end_lost_calls(world.now + 10 * LEASE) == ("c1",)
    assert peek(world.store, "SELECT reason FROM call_record") == [("switch-lost",)]


async def test_steps_of_a_call_become_events(world: World, switch_store: WorkflowStore) -> None:
    """What a call reports is in the outbox at the next place of its session."""
    session = world.create()
    step = NewEvent(
        kind=EventKind.PARTY_RINGING,
        account_id=session.account_id,
        session_id=session.id,
        call_id=None,
        occurred_at=world.now,
    )
    await switch_store.report(step)
    rows = peek(world.store, "SELECT kind, sequence FROM outbox ORDER BY sequence")
    assert rows == [("session.created", 1), ("call.party_ringing", 2)]


async def test_recordings_follow_their_call(world: World, switch_store: WorkflowStore) -> None:
    """A capture is noted when it starts, and its failure where it does not."""
    session = world.create()
    await _claim(switch_store, _plan(session, world), world.now + LEASE, world.now)
    new = NewRecording(
        id="0" * 32,
        account_id=session.account_id,
        session_id=session.id,
        call_id="c1",
        format=RecordFormat.WAV,
        legs=(),
        started_at=world.now,
    )
    await switch_store.start_recording(new)
    await switch_store.note_codecs(new.id, (), world.now)
    assert peek(world.store, "SELECT id, state FROM recording") == [(new.id, "capturing")]
    await switch_store.fail_recording(new, RecordingFailure.RELAY_REFUSED, world.now)
    assert peek(world.store, "SELECT state FROM recording") == [("failed",)]

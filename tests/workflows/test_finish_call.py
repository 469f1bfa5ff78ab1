from dataclasses import replace

import pytest
from tests.world import NOW, SECOND, World, peek, person, poke

from maskline.core.masking import Interaction, InteractionKind, LegStatus, MaskingSession, RecordFormat, Role
from maskline.core.recording import NewRecording
from maskline.core.termination import Reason, terminate, terminate_first_failure
from maskline.workflows.finish_call import finish_call
from maskline.workflows.load_masking_session import load_masking_session
from maskline.workflows.recordings import start_recording


def _session(world: World, id_: str) -> MaskingSession:
    session = world.store.read(load_masking_session, world.account, id_)
    assert isinstance(session, MaskingSession)
    return session


def test_writes_record_interaction_totals_and_event(world: World) -> None:
    """A finished call is in its record, its session's interactions and totals, and the outbox."""
    before = world.create()
    world.claim(before)
    record = world.record(before, callee_answered_at=NOW + 2 * SECOND)
    world.store.run(finish_call, record, record.ended_at)
    after = _session(world, before.id)
    interaction = Interaction(
        kind=InteractionKind.CALL,
        call_id="c1",
        started_at=NOW,
        ended_at=NOW + 13 * SECOND,
        caller_role=Role.FIRST,
        leg_count=2,
        first_leg_s=10,
        second_leg_s=11,
        first_status=LegStatus.COMPLETED,
        second_status=LegStatus.COMPLETED,
        termination=terminate(Reason.CALLER_HUNG_UP),
    )
    assert after == replace(
        before,
        last_interaction_at=record.ended_at,
        total_leg_count=2,
        total_duration_s=21,
        total_billed_s=21,
        interactions=(interaction,),
    )
    assert peek(world.store, "SELECT count(*) FROM live_call") == [(0,)]
    assert peek(world.store, "SELECT call_id, result, reason, q850, bridged_at FROM call_record") == [
        ("c1", "success", "caller-hung-up", 16, record.bridged_at)
    ]
    assert peek(world.store, "SELECT kind, occurred_at FROM outbox WHERE sequence = 3") == [
        ("call.finished", record.ended_at)
    ]


def test_doing_it_again_changes_nothing(world: World) -> None:
    """One call has one record, however often its end is told."""
    session = world.create()
    for reason in (Reason.CALLER_HUNG_UP, Reason.SWITCH_RESTARTED):
        record = world.record(session, termination=terminate(reason))
        world.store.run(finish_call, record, record.ended_at)
    assert peek(world.store, "SELECT reason FROM call_record") == [("caller-hung-up",)]
    assert len(_session(world, session.id).interactions) == 1
    assert peek(world.store, "SELECT count(*) FROM outbox") == [(2,)]


def test_legs_are_told_by_person_not_by_side(world: World) -> None:
    """When the second party called, its leg is the caller's; a leg not answered has no seconds."""
    session = world.create()
    record = world.record(
        session, role=Role.SECOND, caller=person(2), callee=person(1), callee_answered_at=None
    )
    world.store.run(finish_call, record, record.ended_at)
    [interaction] = _session(world, session.id).interactions
    assert (interaction.first_leg_s, interaction.second_leg_s) == (None, 10)
    assert interaction.duration_s == 10


def test_call_without_second_leg(world: World) -> None:
    """A call that ended before a B-leg was placed counts one leg."""
    session = world.create()
    record = world.record(
        session,
        is_callee_dialled=False,
        answered_at=None,
        callee_answered_at=None,
        bridged_at=None,
        termination=terminate(Reason.CALLER_CANCELLED),
    )
    world.store.run(finish_call, record, record.ended_at)
    after = _session(world, session.id)
    assert after.total_leg_count == 1
    [interaction] = after.interactions
    assert (interaction.first_status, interaction.second_status) == (LegStatus.CANCELLED, None)


def test_service_initiated_call_whose_first_party_never_answered(world: World) -> None:
    """Leg A was placed by the service, rang in vain, and no leg B followed; all of it is told."""
    session = world.create(calls_first=True)
    world.claim(session, is_service_initiated=True)
    termination = terminate_first_failure(480, q850=18)
    record = world.record(
        session,
        is_callee_dialled=False,
        ringing_at=None,
        answered_at=None,
        callee_answered_at=None,
        bridged_at=None,
        termination=termination,
        is_service_initiated=True,
    )
    world.store.run(finish_call, record, record.ended_at)
    [interaction] = _session(world, session.id).interactions
    assert interaction.is_service_initiated
    assert (interaction.first_status, interaction.second_status) == (LegStatus.NO_ANSWER, None)
    assert (interaction.first_leg_s, interaction.duration_s) == (None, 0)
    assert interaction.termination == termination
    assert (termination.plivo_code, termination.q850, termination.sip_status) == (3000, 18, 480)
    assert peek(world.store, "SELECT count(*) FROM live_call") == [(0,)]
    assert peek(world.store, "SELECT facts FROM outbox WHERE kind = 'call.finished'")[0][0].count(
        '"is_service_initiated":true'
    )


@pytest.mark.parametrize(
    ("ending", "recording_id"),
    [("", "ab" * 16), ("state = 'failed', failure = 'x'", None), ("deleted_at = 1", None)],
)
def test_recording_ends_with_its_call(world: World, ending: str, recording_id: str | None) -> None:
    """It is told with the contact unless it failed or was deleted."""
    session = world.create(is_recorded=True)
    world.claim(session)
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
    record = world.record(session, recording_id=new.id)
    world.store.run(finish_call, record, record.ended_at)
    assert peek(world.store, "SELECT state, ended_at FROM recording") == [("captured", record.ended_at)]
    if ending:
        settled = ", due_at = NULL, completed_at = 1" if "failed" in ending else ""
        poke(world.store, f"UPDATE recording SET {ending}{settled}")
    [interaction] = _session(world, session.id).interactions
    assert interaction.recording_id == recording_id


def test_stranger_stands_where_the_session_has_no_party(world: World) -> None:
    """In a one-party session of its second party the stranger is reported as the first."""
    session = world.create(None, 2)
    record = world.record(
        session, role=Role.ANYONE, caller=person(9), callee=person(2), callee_answered_at=None
    )
    world.store.run(finish_call, record, record.ended_at)
    [interaction] = _session(world, session.id).interactions
    assert (interaction.first_leg_s, interaction.second_leg_s) == (10, None)


def test_interactions_are_oldest_first_and_sum_up(world: World) -> None:
    """Totals are sums over the calls; the last interaction is the latest end."""
    session = world.create()
    for index in range(3):
        world.now = NOW + index * 60 * SECOND
        record = world.record(session, f"c{index}")
        world.store.run(finish_call, record, record.ended_at)
    after = _session(world, session.id)
    assert [it.call_id for it in after.interactions] == ["c0", "c1", "c2"]
    assert (after.total_leg_count, after.total_duration_s) == (6, 60)
    assert after.last_interaction_at == world.now + 13 * SECOND


def test_clock_set_back_during_a_call_loses_no_record(world: World) -> None:
    """An end before the start is recorded as no time at all."""
    session = world.create()
    record = world.record(session, ended_at=NOW - 60 * SECOND)
    world.store.run(finish_call, record, NOW)
    assert peek(world.store, "SELECT started_at, ended_at FROM call_record") == [(NOW, NOW)]


def test_finished_after_the_session_has_ended(world: World) -> None:
    """A bridged call runs on past its session's end and is counted in it all the same."""
    session = world.create(expires_in_s=60)
    record = world.record(session, ended_at=session.ends_at + 600 * SECOND)
    world.store.run(finish_call, record, record.ended_at)
    assert _session(world, session.id).last_interaction_at == record.ended_at

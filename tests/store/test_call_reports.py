from dataclasses import replace
from typing import Any

import pytest
from tests.world import NOW, SECOND, World, person, poke

from maskline.core.call_report import CallReport, ReportedLeg, ReportedRecording
from maskline.core.masking import LegStatus, MaskingSession, RecordFormat, Role
from maskline.core.recording import ConvertedRecording, NewRecording
from maskline.core.termination import Reason, terminate
from maskline.store import recordings
from maskline.store.call_reports import load_call_report
from maskline.workflows.deepcall_credentials import ensure_credentials
from maskline.workflows.finish_call import finish_call
from maskline.workflows.recordings import complete_recording, delete_recording, start_recording

RECORDING_ID = "0123456789abcdef0123456789abcdef"


def reported(world: World) -> ReportedRecording | None:
    """The recording that the call's report tells of now."""
    report = world.store.read(load_call_report, "c1")
    assert report is not None
    return report.recording


def hold(world: World, session: MaskingSession, **changed: Any) -> CallReport:
    """Let a call of the session happen, and report it."""
    world.claim(session)
    record = world.record(session, **changed)
    world.store.run(finish_call, record, record.ended_at)
    report = world.store.read(load_call_report, "c1")
    assert report is not None
    return report


def record(world: World, session: MaskingSession) -> NewRecording:
    """Begin the recording of a claimed call."""
    new = NewRecording(
        id=RECORDING_ID,
        account_id=world.account.id,
        session_id=session.id,
        call_id="c1",
        format=RecordFormat.WAV,
        legs=(),
        started_at=NOW + 3 * SECOND,
    )
    assert world.store.run(start_recording, new, new.started_at)
    return new


def test_report_says_all_of_a_call(world: World) -> None:
    """Both legs, the account's zone, the session's own name, and how it ended."""
    session = world.create(reference="order 7")
    assert hold(world, session) == CallReport(
        user_id=world.account.auth_id,
        timezone=world.account.timezone,
        reference="order 7",
        started_at=NOW,
        bridged_at=NOW + 3 * SECOND,
        ended_at=NOW + 13 * SECOND,
        caller=ReportedLeg(started_at=NOW, answered_at=NOW + 3 * SECOND, status=LegStatus.COMPLETED),
        callee=ReportedLeg(started_at=NOW + SECOND, answered_at=NOW + 3 * SECOND, status=LegStatus.COMPLETED),
        is_caller_first=True,
        is_service_initiated=False,
        termination=terminate(Reason.CALLER_HUNG_UP),
        recording=None,
    )


def test_user_of_the_dialect_is_named(world: World) -> None:
    """An account that has a user of the dialect goes by its id."""
    credentials = world.store.run(ensure_credentials, world.account, NOW)
    assert hold(world, world.create()).user_id == credentials.user.user_id


def test_callee_who_never_rang(world: World) -> None:
    """Its leg began with the call as far as anybody knows; one that was not placed is not there."""
    report = hold(
        world,
        world.create(),
        ringing_at=None,
        answered_at=None,
        callee_answered_at=None,
        bridged_at=None,
        termination=terminate(Reason.CALLEE_BUSY),
    )
    assert report.callee == ReportedLeg(started_at=NOW, answered_at=None, status=LegStatus.BUSY)


def test_leg_that_was_not_placed_is_not_reported(world: World) -> None:
    """A call that ended before its second leg has one."""
    report = hold(world, world.create(), is_callee_dialled=False, termination=terminate(Reason.PIN_FAILED))
    assert report.callee is None


@pytest.mark.parametrize(
    ("parties", "role", "is_caller_first"),
    [
        ((1, 2), Role.FIRST, True),
        ((1, 2), Role.SECOND, False),
        ((1, None), Role.ANYONE, False),
        ((None, 2), Role.ANYONE, True),
    ],
)
def test_who_called_is_told_by_person(
    world: World, parties: tuple[int | None, int | None], role: Role, is_caller_first: bool
) -> None:
    """A stranger stands where the session has no party."""
    session = world.create(*parties)
    report = hold(world, session, role=role, caller=person(8), callee=person(9))
    assert report.is_caller_first == is_caller_first


def test_recording_is_told_while_it_can_be_heard(world: World) -> None:
    """Not before it is there, and not after it was deleted."""
    session = world.create()
    world.claim(session)
    new = record(world, session)
    finished = replace(world.record(session), recording_id=RECORDING_ID)
    world.store.run(finish_call, finished, finished.ended_at)
    assert reported(world) is None
    converted = ConvertedRecording(
        recording_id=RECORDING_ID, ended_at=finished.ended_at, duration_ms=10_000, size_bytes=99
    )
    assert world.store.run(complete_recording, converted, finished.ended_at)
    assert reported(world) == ReportedRecording(
        id=RECORDING_ID, format=RecordFormat.WAV, started_at=new.started_at, duration_ms=10_000
    )
    assert world.store.run(delete_recording, world.account, RECORDING_ID, finished.ended_at)
    assert reported(world) is None


def test_unknown_call_has_no_report(world: World) -> None:
    """Nor has one that is still going on."""
    world.claim(world.create())
    assert world.store.read(load_call_report, "c1") is None


def test_unsettled_recording_is_waited_for(world: World) -> None:
    """From its first moment until it is there or given up."""
    assert not world.store.run(recordings.is_unsettled, RECORDING_ID)
    session = world.create()
    world.claim(session)
    record(world, session)
    assert world.store.run(recordings.is_unsettled, RECORDING_ID)
    poke(
        world.store,
        "UPDATE recording SET state = 'failed', failure = 'x', completed_at = 1, ended_at = started_at",
    )
    assert not world.store.run(recordings.is_unsettled, RECORDING_ID)

"""Reports of calls: each once, complete, whatever order its end and its recording's fate come in."""

import threading
from collections.abc import Callable
from dataclasses import replace
from itertools import count

import pytest
from tests.workflows.test_take_deliveries import _plan, _take
from tests.world import NOW, SECOND, World, peek, poke

from maskline.core.delivery import Dialect, EndpointCreated, LeasedDelivery, NewEndpoint
from maskline.core.events import EventKind
from maskline.core.masking import RecordFormat
from maskline.core.recording import ConvertedRecording, NewRecording, RecordingFailure
from maskline.store import recordings
from maskline.workflows.finish_call import finish_call
from maskline.workflows.recordings import complete_recording, fail_recording, start_recording
from maskline.workflows.take_deliveries import publish_events, take_deliveries
from maskline.workflows.webhook_endpoints import create_endpoint

RACE_COUNT = 10
WAIT_S = 20.0  # for what takes milliseconds on an idle machine
_serial = count(1)


def add_receiver(world: World, url: str = "https://panel.example.com/push") -> EndpointCreated:
    """A receiver of reports that has said the word."""
    created = world.store.run(
        create_endpoint, world.account.id, NewEndpoint(url=url, dialect=Dialect.DEEPCALL), NOW
    )
    assert isinstance(created, EndpointCreated)
    return created


class Call:
    """A call whose end and recording happen in whatever order a test wants."""

    def __init__(self, world: World) -> None:
        index = next(_serial)
        self.world = world
        self.call_id = f"call-{index}"
        self.recording_id = f"{index:032x}"
        self.session = world.create(2 * index, 2 * index + 1, reference=f"order {index}")
        world.claim(self.session, self.call_id)

    @property
    def new(self) -> NewRecording:
        return NewRecording(
            id=self.recording_id,
            account_id=self.world.account.id,
            session_id=self.session.id,
            call_id=self.call_id,
            format=RecordFormat.WAV,
            legs=(),
            started_at=NOW + 3 * SECOND,
        )

    def start(self) -> None:
        assert self.world.store.run(start_recording, self.new, NOW + 3 * SECOND)

    def never_start(self) -> None:
        """The relay could not capture it."""
        failure = RecordingFailure.RELAY_REFUSED
        assert self.world.store.run(fail_recording, self.new, failure, NOW + 3 * SECOND)

    def finish(self, *, is_recorded: bool = True) -> None:
        record = self.world.record(self.session, self.call_id)
        record = replace(record, recording_id=self.recording_id if is_recorded else None)
        self.world.store.run(finish_call, record, record.ended_at)

    def complete(self) -> None:
        converted = ConvertedRecording(
            recording_id=self.recording_id, ended_at=NOW + 13 * SECOND, duration_ms=10_000, size_bytes=9
        )
        assert self.world.store.run(complete_recording, converted, NOW + 20 * SECOND)

    def fail(self) -> None:
        failure = RecordingFailure.RELAY_REFUSED
        assert self.world.store.run(fail_recording, self.recording_id, failure, NOW + 20 * SECOND)

    def told(self) -> list[LeasedDelivery]:
        """The reports of this call that a worker has to make now."""
        self.world.store.run(publish_events, NOW + 30 * SECOND)
        return [it for it in _take(self.world, NOW + 30 * SECOND) if it.event.call_id == self.call_id]


def test_plain_call_is_reported_at_its_end(world: World) -> None:
    """With everything that the report is built from, unsealed, to the endpoint alone."""
    add_receiver(world)
    call = Call(world)
    call.finish(is_recorded=False)
    [told] = call.told()
    assert (told.dialect, told.event.kind) == (Dialect.DEEPCALL, EventKind.CALL_FINISHED)
    report = told.facts.report
    assert report is not None
    assert (report.reference, report.recording) == (call.session.reference, None)
    assert (told.facts.caller, told.facts.callee) == (call.session.first, call.session.second)
    assert told.facts.sends_numbers
    assert told.facts.endpoint_secret is not None


def test_recorded_call_is_reported_with_its_recording(world: World) -> None:
    """Not when it ends, but when its file is there."""
    add_receiver(world)
    call = Call(world)
    call.start()
    call.finish()
    assert call.told() == []
    call.complete()
    [told] = call.told()
    assert told.facts.report is not None
    assert told.facts.report.recording is not None
    assert told.facts.report.recording.id == call.recording_id


def test_report_has_a_link_where_links_are_given(world: World) -> None:
    """As long as the settings have it, whoever has the report opens the recording."""
    add_receiver(world)
    call = Call(world)
    for step in (call.start, call.finish, call.complete):
        step()
    now = NOW + 30 * SECOND
    [told] = world.store.run(take_deliveries, _plan(now), now, recording_links_s=3600).leased
    link = told.facts.recording_link
    assert link is not None
    assert (link.recording_id, link.expires_s) == (call.recording_id, now // SECOND + 3600)


@pytest.mark.parametrize(
    "order", [("start", "finish", "fail"), ("start", "fail", "finish"), ("never_start", "finish")]
)
def test_failed_recording_holds_nothing_up(world: World, order: tuple[str, ...]) -> None:
    """Whether it fails before the call ends or after, there is one report, without recording."""
    add_receiver(world)
    call = Call(world)
    for step in order:
        getattr(call, step)()
    [told] = call.told()
    assert told.facts.report is not None
    assert told.facts.report.recording is None


def test_recording_whose_start_was_never_written(world: World) -> None:
    """A call that should have been recorded, and of whose recording nothing is known, is told at its end."""
    add_receiver(world)
    call = Call(world)
    call.finish()
    assert [it.event.kind for it in call.told()] == [EventKind.CALL_FINISHED]


@pytest.mark.parametrize("looks_between", [True, False])
@pytest.mark.parametrize(
    "steps",
    [
        ("start", "finish", "complete"),
        ("start", "finish", "fail"),
        ("start", "fail", "finish"),
        ("never_start", "finish"),
        ("finish",),
        ("finish", "finish"),
        ("start", "finish", "finish", "complete"),
        ("start", "finish", "complete", "finish"),
    ],
    ids=" ".join,
)
def test_every_call_is_reported_once(world: World, steps: tuple[str, ...], looks_between: bool) -> None:
    """Whatever happens twice or in another order, and whenever deliveries are made."""
    add_receiver(world)
    call = Call(world)
    told = []
    for step in steps:
        getattr(call, step)()
        if looks_between:
            told += call.told()
    assert len([*told, *call.told()]) == 1


def test_session_without_calls_is_not_reported(world: World) -> None:
    """Receivers of reports hear of no other event."""
    add_receiver(world)
    world.create()
    world.store.run(publish_events, NOW)
    assert _take(world) == ()


def test_report_that_cannot_be_made_is_cancelled(world: World) -> None:
    """A call's record that is gone holds up nobody."""
    add_receiver(world)
    call = Call(world)
    call.finish(is_recorded=False)
    poke(world.store, "DELETE FROM call_record")
    assert call.told() == []
    assert peek(world.store, "SELECT state, last_error FROM delivery") == [("cancelled", "no-call-record")]


@pytest.mark.parametrize("settle", ["complete", "fail"])
def test_end_and_recording_at_once(world: World, settle: str) -> None:
    """Both are written by threads of their own at the same moment: whichever is second tells, and the other not."""
    add_receiver(world)
    for _ in range(RACE_COUNT):
        call = Call(world)
        call.start()
        if settle == "complete":
            # As one whose switch was given up: it is converted while nobody knows of the call's end.
            world.store.run(recordings.mark_captured, call.recording_id, NOW + 13 * SECOND)
        barrier = threading.Barrier(2)

        def at_once(step: Callable[[], None], barrier: threading.Barrier = barrier) -> None:
            barrier.wait(WAIT_S)
            step()

        threads = [
            threading.Thread(target=at_once, args=(it,)) for it in (call.finish, getattr(call, settle))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(WAIT_S)
        assert len(call.told()) == 1

"""Whatever becomes of a capture, the call goes on, and the database knows what there is."""

from typing import cast

import pytest

from maskline.core.recording import CapturedLeg, NewRecording, RecordingFailure
from maskline.engine.call_media import CallMedia, MediaPolicy
from maskline.engine.call_recorder import CallRecorder
from maskline.engine.call_writer import CallWriter
from maskline.engine.ports import SwitchStore
from maskline.testing.network import VirtualNetwork
from maskline.testing.relay import FakeRelay
from maskline.testing.virtual_switch import VirtualRunner
from tests.core.call.plans import PLANS, PROMPTED, START
from tests.engine.test_call_player import OFFER

PLAN = PLANS["prompted"]


class FakeStore:
    """Notes what it is told, in order."""

    def __init__(self) -> None:
        self.told: list[object] = []

    async def start_recording(self, new: NewRecording) -> None:
        """A capture began."""
        self.told.append(("started", new.id))

    async def fail_recording(self, new: NewRecording, failure: RecordingFailure, _now: int) -> None:
        """A capture did not begin."""
        self.told.append((failure, new.id))

    async def note_codecs(self, recording_id: str, legs: tuple[CapturedLeg, ...], _now: int) -> None:
        """Payload types changed."""
        self.told.append(("noted", recording_id, len(legs)))


class Scene:
    """A call at its bridge."""

    def __init__(self, *, has_room: bool = True) -> None:
        self.network = VirtualNetwork()
        self.runner = VirtualRunner(self.network, START)
        self.relay = FakeRelay()
        self.store = FakeStore()
        self.media = CallMedia(
            PLAN.call_id, self.relay, MediaPolicy(codecs=("PCMU", "PCMA"), networks=()), (1, 2)
        )
        self.recorder = CallRecorder(
            plan=PLAN,
            media=self.media,
            relay=self.relay,
            store=cast("SwitchStore", self.store),
            writer=CallWriter(self.runner, self.runner),
            clock=self.runner,
            has_room=lambda: has_room,
        )

    async def begin(self) -> None:
        """Begin, as the call does when both have answered, and let what is written be written."""
        await self.recorder.begin(self.recorder.describe(PROMPTED, START))
        self.write()

    def write(self) -> None:
        """Let what waits to be written be written."""
        while (at := self.runner.next_at()) is not None and at <= self.network.now + 1:
            self.network.now = at
            self.runner.run_due(at)


@pytest.fixture
async def scene() -> Scene:
    """With relay ports."""
    scene = Scene()
    await scene.media.open(OFFER)
    return scene


async def test_a_capture_has_the_name_that_was_drawn_for_it(scene: Scene) -> None:
    """The relay writes under it, and the row says so."""
    await scene.begin()
    assert scene.relay.sessions[PLAN.call_id].recording == PLAN.recording_id
    assert scene.store.told == [("started", PLAN.recording_id)]


async def test_without_room_nothing_is_captured() -> None:
    """The relay is not even asked, and the recording is told as failed."""
    scene = Scene(has_room=False)
    await scene.media.open(OFFER)
    await scene.begin()
    assert scene.relay.sessions[PLAN.call_id].recording is None
    assert scene.store.told == [(RecordingFailure.NO_ROOM, PLAN.recording_id)]


async def test_a_relay_that_refuses_fails_the_recording_alone(scene: Scene) -> None:
    """Whatever its reason; here the call has ended meanwhile."""
    await scene.media.close()
    await scene.begin()
    assert scene.store.told == [(RecordingFailure.RELAY_REFUSED, PLAN.recording_id)]


async def test_codecs_are_noted_of_what_is_there(scene: Scene) -> None:
    """A change before the capture has begun is noted once it has; of a capture that failed nothing is."""
    scene.recorder.note_codecs()
    scene.write()
    assert scene.store.told == []
    await scene.begin()
    scene.recorder.note_codecs()
    scene.write()
    assert [it[0] for it in scene.store.told if isinstance(it, tuple)] == ["started", "noted", "noted"]

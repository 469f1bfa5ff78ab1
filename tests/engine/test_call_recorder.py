"""What is captured of a call, and what is noted of it."""

from typing import cast

import pytest

from maskline.core.call.state import CallPlan
from maskline.core.call_record import Side
from maskline.core.numbers import DID, E164
from maskline.core.recording import CapturedLeg, NewRecording, RecordingFailure
from maskline.engine.call_media import CallMedia, MediaPolicy
from maskline.engine.call_recorder import CallRecorder
from maskline.engine.call_writer import CallWriter
from maskline.engine.ports import SwitchStore
from maskline.testing.network import VirtualNetwork
from maskline.testing.relay import FakeRelay
from maskline.testing.virtual_switch import VirtualRunner
from tests.core.call.plans import PROMPTED, START, S

SDP = (
    b"v=0\r\no=- 1 1 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\n"
    b"m=audio 4000 RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\n"
)
PLAN = CallPlan(
    call_id="c1",
    account_id=1,
    number=DID("+912249370001"),
    caller=E164("+919812300001"),
    started_at=START,
    recording_id="r1",
    connect=PROMPTED,
)


class NotingStore:
    """What of a recording is written, in order."""

    def __init__(self) -> None:
        self.written: list[tuple[object, ...]] = []

    async def start_recording(self, new: NewRecording) -> None:
        self.written.append(("start", new))

    async def fail_recording(self, new: NewRecording, failure: RecordingFailure, now: int) -> None:
        self.written.append(("fail", new, failure, now))

    async def note_codecs(self, recording_id: str, legs: tuple[CapturedLeg, ...], now: int) -> None:
        self.written.append(("note", recording_id, legs, now))


class Scene:
    """A recorder with everything around it faked."""

    def __init__(self, *, has_room: bool = True) -> None:
        self.store, self.relay = NotingStore(), FakeRelay()
        self.network = VirtualNetwork(seed=0)
        runner = VirtualRunner(self.network, START)
        self.runner = runner
        self.media = CallMedia("c1", self.relay, MediaPolicy(codecs=("PCMA",), networks=()), (1, 2))
        self.recorder = CallRecorder(
            plan=PLAN,
            media=self.media,
            relay=self.relay,
            store=cast("SwitchStore", self.store),
            writer=CallWriter(runner, runner),
            clock=runner,
            has_room=lambda: has_room,
        )

    async def begin(self) -> NewRecording:
        """Join a call and begin."""
        await self.media.open(SDP)
        self.media.offer(Side.B)
        await self.media.connect_callee(SDP)
        new = self.recorder.describe(PROMPTED, START + 9 * S)
        await self.recorder.begin(new)
        return new

    @property
    def kinds(self) -> list[object]:
        """What was written, once all is."""
        self.runner.run_due(1.0)
        return [row[0] for row in self.store.written]


async def test_capture_begins_under_the_calls_own_name() -> None:
    """The relay captures, and what the payload types of both sides mean is written with the start."""
    scene = Scene()
    new = await scene.begin()
    assert scene.relay.sessions["c1"].recording == "r1"
    assert scene.kinds == ["start"]
    assert (new.id, new.call_id, new.session_id, new.started_at) == ("r1", "c1", "s1", START + 9 * S)
    assert [leg.side for leg in new.legs] == list(Side)
    assert all(leg.codecs for leg in new.legs)


@pytest.mark.parametrize("has_room", [True, False])
async def test_capture_that_cannot_begin_is_written_down_as_failed(has_room: bool) -> None:
    """No room on the disk, or the relay refuses: the reason is kept, and the relay not asked in vain."""
    scene = Scene(has_room=has_room)
    scene.relay.is_disk_full = has_room
    await scene.begin()
    assert scene.kinds == ["fail"]
    expected = RecordingFailure.RELAY_REFUSED if has_room else RecordingFailure.NO_ROOM
    assert scene.store.written[0][2] is expected
    assert scene.relay.recordings == []
    scene.recorder.note_codecs()
    assert scene.kinds == ["fail"]


async def test_codecs_that_change_before_there_is_a_recording_are_noted_after_its_start() -> None:
    """A re-INVITE may overtake the relay's answer: its note is of no use before the row it belongs to."""
    scene = Scene()
    scene.recorder.note_codecs()
    assert scene.kinds == []
    await scene.begin()
    assert scene.kinds == ["start", "note"]
    scene.recorder.note_codecs()
    assert scene.kinds == ["start", "note", "note"]

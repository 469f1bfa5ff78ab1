"""New offers within a call: what crosses, what is answered here, and what is refused."""

from collections.abc import Coroutine
from typing import Any, cast

import pytest

from maskline.core.call import events as on
from maskline.core.call_record import Side
from maskline.engine.call_media import CallMedia, MediaPolicy
from maskline.engine.call_offers import CallOffers
from maskline.sip.events import LegID
from maskline.sip.user_agent import UserAgent
from maskline.testing.clock import ManualClock
from maskline.testing.relay import FakeRelay

HOST = {Side.A: "192.0.2.10", Side.B: "192.0.2.20"}
LEGS = {Side.A: LegID(1), Side.B: LegID(2)}
SIDE_OF = {leg: side for side, leg in LEGS.items()}


def sdp(side: Side, *, port: int = 4000, payload_type: int = 8, direction: str = "sendrecv") -> bytes:
    name = {8: "PCMA", 0: "PCMU", 18: "G729"}[payload_type]
    return (
        f"v=0\r\no=- 1 1 IN IP4 {HOST[side]}\r\ns=-\r\nc=IN IP4 {HOST[side]}\r\nt=0 0\r\n"
        f"m=audio {port} RTP/AVP {payload_type}\r\na=rtpmap:{payload_type} {name}/8000\r\na={direction}\r\n"
    ).encode()


class ToldAgent:
    """Notes what a user agent is asked to say: to whom, what."""

    def __init__(self) -> None:
        self.said: list[tuple[str, Side, object]] = []

    def answer_offer(self, leg: LegID, body: bytes, now: float) -> None:
        self.said.append(("answer", SIDE_OF[leg], body))

    def reject_offer(self, leg: LegID, status: int, now: float) -> None:
        self.said.append(("reject", SIDE_OF[leg], status))

    def send_offer(self, leg: LegID, body: bytes, now: float, *, update: bool = False) -> None:
        self.said.append(("update" if update else "offer", SIDE_OF[leg], body))


class StillClock(ManualClock):
    """A `SwitchClock`."""

    def now_us(self) -> int:
        return self.now()

    def mono_s(self) -> float:
        return 0.0


class Scene:
    """Two joined sides."""

    def __init__(self) -> None:
        self.agent, self.relay = ToldAgent(), FakeRelay()
        self.media = CallMedia("call1", self.relay, MediaPolicy(codecs=("PCMA", "PCMU"), networks=()), (1, 2))
        self.is_bridged, self.change_count = True, 0
        self.events: list[on.Event | None] = []
        self.work: list[Coroutine[Any, Any, on.Event | None]] = []
        self.offers = CallOffers(
            user_agent=cast("UserAgent", self.agent),
            clock=StillClock(),
            legs=LEGS,
            media=self.media,
            run=self.work.append,
            is_bridged=lambda: self.is_bridged,
            on_change=self._changed,
        )

    def _changed(self) -> None:
        self.change_count += 1

    async def join(self) -> None:
        await self.media.open(sdp(Side.A))
        self.media.offer(Side.B)
        await self.media.connect_callee(sdp(Side.B))

    async def finish(self) -> None:
        """Do the work that was asked for."""
        for work in self.work:
            self.events.append(await work)
        self.work.clear()

    def take_said(self) -> list[tuple[str, Side, object]]:
        said, self.agent.said = self.agent.said, []
        return said


@pytest.fixture
async def scene() -> Scene:
    made = Scene()
    await made.join()
    return made


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("is_update", [True, False])
async def test_new_offer_crosses_rebuilt(scene: Scene, side: Side, is_update: bool) -> None:
    """In the same method; nothing of the asking side's own is in it, and its answer comes back rebuilt too."""
    scene.offers.received(side, sdp(side, direction="sendonly"), is_update=is_update)
    ((verb, to, body),) = scene.take_said()
    assert (verb, to) == ("update" if is_update else "offer", side.other)
    assert isinstance(body, bytes)
    assert b"a=sendonly" in body
    assert HOST[side].encode() not in body
    scene.offers.answered(side.other, sdp(side.other, direction="recvonly"))
    assert scene.take_said() == []
    await scene.finish()
    ((verb, to, body),) = scene.take_said()
    assert (verb, to) == ("answer", side)
    assert isinstance(body, bytes)
    assert HOST[side.other].encode() not in body
    assert scene.change_count == 1
    assert scene.relay.sessions["call1"].is_held


@pytest.mark.parametrize("is_bridged", [True, False])
async def test_refresh_is_answered_here(scene: Scene, is_bridged: bool) -> None:
    """What offers nothing, or nothing new, disturbs nobody, joined or not."""
    scene.is_bridged = is_bridged
    for body in (None, sdp(Side.A)):
        scene.offers.received(Side.A, body, is_update=False)
        ((verb, to, said),) = scene.take_said()
        assert (verb, to, said) == ("answer", Side.A, scene.media.restate(Side.A))


async def test_caller_may_move_and_hold_before_there_is_anybody_to_ask(scene: Scene) -> None:
    """It is answered here, the relay follows, and B hears nothing of it."""
    scene.is_bridged = False
    scene.offers.received(Side.A, sdp(Side.A, port=5000, direction="sendonly"), is_update=False)
    scene.offers.received(Side.A, sdp(Side.A, port=6000), is_update=True)  # one at a time
    await scene.finish()
    (refused, (verb, to, body)) = scene.take_said()
    assert refused == ("reject", Side.A, 491)
    assert (verb, to) == ("answer", Side.A)
    assert isinstance(body, bytes)
    assert b"a=recvonly" in body
    assert scene.relay.sessions["call1"].parties[Side.A].port == 5000
    assert scene.relay.sessions["call1"].is_held
    scene.is_bridged = True
    scene.offers.received(Side.A, sdp(Side.A, port=5000), is_update=False)
    assert [(verb, to) for verb, to, _ in scene.take_said()] == [("offer", Side.B)]


async def test_what_is_spoken_stays_before_there_is_anybody_to_ask(scene: Scene) -> None:
    """B may have been offered it; another codec is refused, and then all stays. A relay that is gone is told."""
    scene.is_bridged = False
    stood = scene.media.restate(Side.A)
    for body in (sdp(Side.A, port=5000, payload_type=18), b"no description"):
        scene.offers.received(Side.A, body, is_update=False)
        await scene.finish()
    assert [(verb, status in {400, 488}) for verb, _, status in scene.take_said()] == [("reject", True)] * 2
    assert scene.media.restate(Side.A) == stood
    scene.relay.lose()
    scene.offers.received(Side.A, sdp(Side.A, port=5000), is_update=False)
    await scene.finish()
    assert scene.events[-1] == on.MediaLost()


async def test_callee_has_to_wait_for_the_bridge(scene: Scene) -> None:
    """It is a matter of seconds, and its leg is muted until then."""
    scene.is_bridged = False
    scene.offers.received(Side.B, sdp(Side.B, port=5000), is_update=False)
    assert scene.take_said() == [("reject", Side.B, 491)]


async def test_one_offer_at_a_time(scene: Scene) -> None:
    """From whichever side the second one comes, until the first is settled."""
    scene.offers.received(Side.A, sdp(Side.A, port=5000), is_update=False)
    scene.take_said()
    for side in Side:
        scene.offers.received(side, sdp(side, port=6000), is_update=True)
    assert scene.take_said() == [("reject", side, 491) for side in Side]
    scene.offers.answered(Side.B, sdp(Side.B))
    await scene.finish()
    scene.take_said()
    scene.offers.received(Side.B, sdp(Side.B, port=6000), is_update=False)
    assert [verb for verb, _, _ in scene.take_said()] == ["offer"]


@pytest.mark.parametrize("body", [b"no description", sdp(Side.A, payload_type=18)])
async def test_offer_of_no_use_is_refused_here(scene: Scene, body: bytes) -> None:
    """The other side never hears of it, and the next offer is taken."""
    scene.offers.received(Side.A, body, is_update=False)
    ((verb, to, status),) = scene.take_said()
    assert (verb, to) == ("reject", Side.A)
    assert status in {400, 488}
    scene.offers.received(Side.A, sdp(Side.A, port=5000), is_update=False)
    assert [verb for verb, _, _ in scene.take_said()] == ["offer"]


@pytest.mark.parametrize(
    ("status", "passed_on"), [(488, 488), (491, 491), (486, 488), (606, 488), (408, 488)]
)
async def test_refusal_of_the_other_side_is_told_and_all_stays(
    scene: Scene, status: int, passed_on: int
) -> None:
    """What the asking side hears comes from a list of two; the descriptions are those from before."""
    stood = {side: scene.media.restate(side) for side in Side}
    scene.offers.received(Side.A, sdp(Side.A, port=5000), is_update=False)
    scene.take_said()
    scene.offers.rejected(Side.B, status)
    assert scene.take_said() == [("reject", Side.A, passed_on)]
    assert {side: scene.media.restate(side) for side in Side} == stood
    scene.offers.rejected(Side.B, status)
    assert scene.take_said() == []


async def test_answer_of_no_use_is_a_refusal(scene: Scene) -> None:
    """The relay stays where it was."""
    before = dict(scene.relay.sessions["call1"].parties)
    scene.offers.received(Side.A, sdp(Side.A, port=5000), is_update=False)
    scene.take_said()
    scene.offers.answered(Side.B, b"no description")
    await scene.finish()
    assert scene.take_said() == [("reject", Side.A, 488)]
    assert scene.relay.sessions["call1"].parties == before
    assert scene.change_count == 0


async def test_relay_that_is_gone_is_told(scene: Scene) -> None:
    """A call without a relay ends; nobody is answered first."""
    scene.offers.received(Side.A, sdp(Side.A, port=5000), is_update=False)
    scene.take_said()
    scene.relay.lose()
    scene.offers.answered(Side.B, sdp(Side.B))
    await scene.finish()
    assert scene.events == [on.MediaLost()]
    assert scene.take_said() == []


async def test_nothing_is_said_after_the_end(scene: Scene) -> None:
    """The call may be over when the other side's answer has been worked out."""
    scene.offers.received(Side.A, sdp(Side.A, port=5000), is_update=False)
    scene.take_said()
    scene.offers.answered(Side.B, sdp(Side.B))
    scene.is_bridged = False
    await scene.finish()
    assert scene.take_said() == []
    scene.offers.answered(Side.B, sdp(Side.B))
    assert scene.work == []

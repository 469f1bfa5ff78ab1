"""New offers in a call: passed on, answered here, or refused, and never two at once."""

from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from maskline.core.call import events as on
from maskline.core.call_record import Side
from maskline.engine.call_media import CallMedia
from maskline.engine.call_offers import CallOffers
from maskline.engine.media_client import RelayUnavailable
from maskline.engine.ports import SwitchClock
from maskline.media.errors import RemoteProtocolError
from maskline.sip.events import LegID
from maskline.sip.user_agent import UserAgent

LEGS = {Side.A: LegID(1), Side.B: LegID(2)}
NEW, SAME = b"new", b"same"


class FakeClock:
    """Stands still."""

    def mono_s(self) -> float:
        """Seconds."""
        return 1.0


@dataclass
class FakeAgent:
    """Notes what each leg is told."""

    told: list[tuple[object, ...]] = field(default_factory=list)

    def answer_offer(self, leg: LegID, sdp: bytes, _now: float) -> None:
        """Say 200 to an offer."""
        self.told.append(("answer", leg, sdp))

    def reject_offer(self, leg: LegID, status: int, _now: float) -> None:
        """Refuse an offer."""
        self.told.append(("reject", leg, status))

    def send_offer(self, leg: LegID, sdp: bytes, _now: float, *, update: bool) -> None:
        """Offer something."""
        self.told.append(("offer", leg, sdp, update))


@dataclass
class FakeMedia:
    """Descriptions are words; `error` is what goes wrong with the next one."""

    error: Exception | None = None
    withdrawn: list[Side] = field(default_factory=list)

    def is_unchanged(self, _side: Side, offer: bytes) -> bool:
        """Whether nothing is new."""
        return offer == SAME

    def restate(self, side: Side) -> bytes:
        """What stands."""
        return b"as before for " + side.value.encode()

    def reoffer(self, _side: Side, offer: bytes) -> bytes:
        """Rebuild an offer."""
        self._fail()
        return b"rebuilt " + offer

    async def reanswer(self, _side: Side, answer: bytes) -> bytes:
        """Rebuild an answer."""
        self._fail()
        return b"rebuilt " + answer

    def withdraw(self, side: Side) -> None:
        """Undo an offer."""
        self.withdrawn.append(side)

    def _fail(self) -> None:
        error, self.error = self.error, None
        if error is not None:
            raise error


@dataclass
class Rig:
    """The offers of a bridged call, and what came of them."""

    agent: FakeAgent = field(default_factory=FakeAgent)
    media: FakeMedia = field(default_factory=FakeMedia)
    is_bridged: bool = True
    change_count: int = 0
    works: list[Coroutine[Any, Any, on.Event | None]] = field(default_factory=list)
    offers: CallOffers = field(init=False)

    def __post_init__(self) -> None:
        self.offers = CallOffers(
            user_agent=cast("UserAgent", self.agent),
            clock=cast("SwitchClock", FakeClock()),
            legs=LEGS,
            media=cast("CallMedia", self.media),
            run=self.works.append,
            is_bridged=lambda: self.is_bridged,
            on_change=self._changed,
        )

    def _changed(self) -> None:
        self.change_count += 1

    async def finish(self) -> on.Event | None:
        """Do the work that was asked for; there is one piece of it."""
        (work,) = self.works
        self.works.clear()
        return await work

    def told(self) -> list[tuple[object, ...]]:
        """What was told since it was asked last."""
        told, self.agent.told = self.agent.told, []
        return told


@pytest.mark.parametrize("is_update", [False, True], ids=["re-INVITE", "UPDATE"])
@pytest.mark.parametrize("side", [*Side])
async def test_a_new_offer_goes_to_the_other_side_and_its_answer_back(side: Side, is_update: bool) -> None:
    """Both rebuilt, by the method it came by; the relay has moved before the answer is told."""
    rig = Rig()
    rig.offers.received(side, NEW, is_update=is_update)
    assert rig.told() == [("offer", LEGS[side.other], b"rebuilt new", is_update)]
    rig.offers.answered(side.other, b"yes")
    assert rig.told() == []
    assert await rig.finish() is None
    assert rig.told() == [("answer", LEGS[side], b"rebuilt yes")]
    assert rig.change_count == 1
    rig.offers.received(side.other, NEW, is_update=False)
    assert rig.told() == [("offer", LEGS[side], b"rebuilt new", False)]


@pytest.mark.parametrize("sdp", [SAME, None], ids=["the same", "none"])
@pytest.mark.parametrize("is_bridged", [False, True])
def test_what_changes_nothing_is_answered_here(sdp: bytes | None, is_bridged: bool) -> None:
    """A refresh, or a re-INVITE without an offer: nobody else hears of it, whether anybody is there or not."""
    rig = Rig(is_bridged=is_bridged)
    rig.offers.received(Side.A, sdp, is_update=False)
    assert rig.told() == [("answer", LEGS[Side.A], b"as before for a")]


def test_a_change_before_the_bridge_has_to_wait() -> None:
    """There is nobody yet to ask: 491, try again."""
    rig = Rig(is_bridged=False)
    rig.offers.received(Side.A, NEW, is_update=False)
    assert rig.told() == [("reject", LEGS[Side.A], 491)]


@pytest.mark.parametrize("side", [*Side])
def test_one_offer_at_a_time(side: Side) -> None:
    """While one waits for its answer any other hears 491, a refresh too, from either side."""
    rig = Rig()
    rig.offers.received(Side.A, NEW, is_update=False)
    rig.told()
    rig.offers.received(side, SAME, is_update=False)
    assert rig.told() == [("reject", LEGS[side], 491)]


@pytest.mark.parametrize("status", [400, 488])
def test_an_offer_of_no_use_is_refused_here(status: int) -> None:
    """The other side hears nothing, and the next offer is looked at as if there had been none."""
    rig = Rig(media=FakeMedia(RemoteProtocolError("no audio", status_hint=status)))
    rig.offers.received(Side.B, NEW, is_update=False)
    assert rig.told() == [("reject", LEGS[Side.B], status)]
    rig.offers.received(Side.B, NEW, is_update=False)
    assert rig.told() == [("offer", LEGS[Side.A], b"rebuilt new", False)]


@pytest.mark.parametrize(("status", "told"), [(488, 488), (491, 491), (403, 488), (503, 488)])
def test_a_refusal_is_passed_on_and_all_stays_as_it_was(status: int, told: int) -> None:
    """Of the other side's reasons only those go through that say what to do next."""
    rig = Rig()
    rig.offers.received(Side.A, NEW, is_update=False)
    rig.told()
    rig.offers.rejected(Side.B, status)
    assert rig.told() == [("reject", LEGS[Side.A], told)]
    assert rig.media.withdrawn == [Side.A]
    assert rig.change_count == 0
    rig.offers.rejected(Side.B, status)
    assert (rig.told(), rig.media.withdrawn) == ([], [Side.A])


async def test_an_answer_of_no_use_is_a_refusal() -> None:
    """The one who asked hears 488; what stood before stands."""
    rig = Rig()
    rig.offers.received(Side.A, NEW, is_update=False)
    rig.told()
    rig.media.error = RemoteProtocolError("nothing of ours", status_hint=400)
    rig.offers.answered(Side.B, b"what?")
    assert await rig.finish() is None
    assert rig.told() == [("reject", LEGS[Side.A], 488)]
    assert rig.media.withdrawn == [Side.A]


async def test_a_relay_that_is_gone_is_for_the_call_to_deal_with() -> None:
    """Nobody is told that anything was agreed."""
    rig = Rig()
    rig.offers.received(Side.A, NEW, is_update=False)
    rig.told()
    rig.media.error = RelayUnavailable()
    rig.offers.answered(Side.B, b"yes")
    assert await rig.finish() == on.MediaLost()
    assert rig.told() == []


async def test_an_answer_after_the_end_is_told_nobody() -> None:
    """The call was hung up while the relay moved."""
    rig = Rig()
    rig.offers.received(Side.A, NEW, is_update=False)
    rig.told()
    rig.offers.answered(Side.B, b"yes")
    rig.is_bridged = False
    assert await rig.finish() is None
    assert (rig.told(), rig.change_count) == ([], 0)


def test_an_answer_that_nobody_waits_for_changes_nothing() -> None:
    """As one would be that comes after its offer was refused."""
    rig = Rig()
    rig.offers.answered(Side.B, b"yes")
    rig.offers.rejected(Side.B, 488)
    assert (rig.works, rig.told(), rig.media.withdrawn) == ([], [], [])

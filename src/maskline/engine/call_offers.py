"""New offers in a running call: rebuilt and passed on, or answered here when they concern nobody else."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from maskline.core.call import events as on
from maskline.core.call_record import Side
from maskline.engine.call_media import CallMedia
from maskline.engine.media_client import RelayError
from maskline.engine.ports import SwitchClock
from maskline.media.errors import RemoteProtocolError as MediaProtocolError
from maskline.sip.user_agent import LegID, UserAgent


@dataclass(slots=True, kw_only=True)
class CallOffers:
    """The offers of one call. `is_bridged` says whether the other side is there to be asked."""

    user_agent: UserAgent
    clock: SwitchClock
    legs: dict[Side, LegID]
    media: CallMedia
    run: Callable[[Coroutine[Any, Any, on.Event | None]], None]
    is_bridged: Callable[[], bool]
    on_change: Callable[[], None]  # what the sides' payload types mean may have changed
    _reoffering: Side | None = None

    def received(self, side: Side, sdp: bytes | None, *, is_update: bool) -> None:
        """Take a re-INVITE or UPDATE: pass a rebuilt offer on, or answer one that changes nothing."""
        agent, leg, now = self.user_agent, self.legs[side], self.clock.mono_s()
        if self._reoffering is not None:
            agent.reject_offer(leg, 491, now)
            return
        try:
            if sdp is None or self.media.is_unchanged(side, sdp):
                agent.answer_offer(leg, self.media.restate(side), now)
                return
            if not self.is_bridged():
                self._take_alone(side, sdp)
                return
            rebuilt = self.media.reoffer(side, sdp)
        except MediaProtocolError as error:
            agent.reject_offer(leg, error.status_hint, now)
            return
        self._reoffering = side
        agent.send_offer(self.legs[side.other], rebuilt, now, update=is_update)

    def _take_alone(self, side: Side, sdp: bytes) -> None:
        """There is nobody to ask yet: A, who was answered early, is answered here; B has to wait a moment."""
        if side is Side.B or self.media.sides[Side.A].remote is None:
            self.user_agent.reject_offer(self.legs[side], 491, self.clock.mono_s())
            return
        self._reoffering = side
        self.run(self._answer_alone(sdp))

    async def _answer_alone(self, sdp: bytes) -> on.Event | None:
        leg = self.legs[Side.A]
        try:
            answer = await self.media.answer_alone(sdp)
        except MediaProtocolError as error:
            self.user_agent.reject_offer(leg, error.status_hint, self.clock.mono_s())
        except RelayError:
            return on.MediaLost()
        else:
            self.user_agent.answer_offer(leg, answer, self.clock.mono_s())
        finally:
            self._reoffering = None
        return None

    def answered(self, side: Side, sdp: bytes) -> None:
        """The other side took the new offer."""
        if self._reoffering is side.other:
            self.run(self._finish(side, sdp))

    async def _finish(self, side: Side, sdp: bytes) -> on.Event | None:
        asked = side.other
        try:
            answer = await self.media.reanswer(side, sdp)
        except MediaProtocolError:
            self.rejected(side, 488)
            return None
        except RelayError:
            return on.MediaLost()
        self._reoffering = None
        if self.is_bridged():
            self.user_agent.answer_offer(self.legs[asked], answer, self.clock.mono_s())
            self.on_change()
        return None

    def rejected(self, side: Side, status: int) -> None:
        """The other side did not take it: all stays as it was, and the one who asked hears so."""
        asked = side.other
        if self._reoffering is not asked:
            return
        self._reoffering = None
        self.media.withdraw(asked)
        if self.is_bridged():
            passed_on = status if status in {488, 491} else 488
            self.user_agent.reject_offer(self.legs[asked], passed_on, self.clock.mono_s())

"""Drives one call: carries the call machine's commands out and brings back what came of them.

No rule of the business is here: which command follows which event is `core.call.machine`'s.
"""

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, assert_never

import structlog

from maskline.core.call import commands as do
from maskline.core.call import events as on
from maskline.core.call.events import Timer
from maskline.core.call.machine import ImpossibleEventError, begin, step
from maskline.core.call.state import CallPlan, CallState, Phase
from maskline.core.call_record import CallClaimed, SessionBusy, SessionEnded, Side
from maskline.core.inventory import Trunk
from maskline.engine.call_media import CallMedia
from maskline.engine.leg_b import build_leg_b
from maskline.engine.media_client import RelayError, RelayFull
from maskline.engine.ports import Cancellable, Runner, SwitchClock, SwitchStore
from maskline.media.errors import RemoteProtocolError as MediaProtocolError
from maskline.sip.errors import LocalProtocolError
from maskline.sip.user_agent import Flow, LegID, UserAgent

_log = structlog.get_logger(__name__)

LEASE_US = 30_000_000  # how long a dead switch keeps a session busy
WRITE_ATTEMPT_COUNT_MAX = (
    40  # half an hour with the waits below: longer than a database restarts or fails over
)
WRITE_RETRY_S_MAX = 60.0


@dataclass(slots=True, kw_only=True)
class CallContext:
    """What every call of a switch shares."""

    user_agent: UserAgent
    store: SwitchStore
    runner: Runner
    clock: SwitchClock
    pump: Callable[[], None]
    forget: Callable[["Call"], None]
    host_towards: Callable[[str], str]  # our own host as a peer at this address is told it


class Call:
    """One call being set up, running, or letting go."""

    def __init__(
        self,
        context: CallContext,
        *,
        plan: CallPlan,
        trunk: Trunk,
        leg_a: LegID,
        offer: bytes | None,
        hops_left: int,
        flow_b: Flow,
        media: CallMedia,
        on_leg: Callable[["Call", Side, LegID], None],
    ) -> None:
        self._context = context
        self.plan = plan
        self._trunk = trunk
        self._offer = offer
        self._hops_left = hops_left
        self._flow_b = flow_b
        self.media = media
        self._on_leg = on_leg
        self.legs: dict[Side, LegID] = {Side.A: leg_a}
        self._timers: dict[Timer, Cancellable] = {}
        self._sdp_for_b = b""
        self._sdp_for_a = b""
        self._sdp_from_b = b""
        self._reoffering: Side | None = None
        self.state: CallState

    # --- the machine ----------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Take the first step."""
        self.state, commands = begin(self.plan)
        self._perform_all(commands)

    def feed(self, event: on.Event) -> None:
        """Give the machine an event and do what it says; a bug ends this call and no other."""
        try:
            self.state, commands = step(self.state, event, self._context.clock.now_us())
        except ImpossibleEventError:
            _log.exception("call.broken", call_id=self.plan.call_id, phase=self.state.phase)
            if self.state.phase is not Phase.ENDED:
                self.feed(on.Broken())
            return
        self._perform_all(commands)

    def _perform_all(self, commands: tuple[do.Command, ...]) -> None:
        """Do every command, whatever becomes of the one before: the record is written though a leg cannot be told."""
        is_broken = False
        for command in commands:
            try:
                self._perform(command)
            except Exception:  # noqa: BLE001  # the task boundary: a bug ends one call, never the switch
                is_broken = True
                _log.exception(
                    "call.command_failed", call_id=self.plan.call_id, command=type(command).__name__
                )
                self._give_up_leg(command)
        if is_broken and self.state.phase is not Phase.ENDED:
            self.feed(on.Broken())

    def _give_up_leg(self, command: do.Command) -> None:
        """A leg that could not be made, or told of the end, is not waited for."""
        match command:
            case do.Originate():
                self.feed(on.LegReleased(Side.B))
            case do.HangUp(side, _):
                self.feed(on.LegReleased(side))
            case do.RefuseCaller():
                self.feed(on.LegReleased(Side.A))
            case _:
                pass

    def _perform(self, command: do.Command) -> None:
        self.PERFORM[type(command)](self, command)

    def _arm(self, command: do.ArmTimer) -> None:
        timer = command.timer
        self._cancel(timer)
        self._timers[timer] = self._context.runner.call_at(command.at, lambda: self._timer_fired(timer))

    def _cancel(self, timer: Timer) -> None:
        if (armed := self._timers.pop(timer, None)) is not None:
            armed.cancel()

    def _timer_fired(self, timer: Timer) -> None:
        self._timers.pop(timer, None)
        self.feed(on.TimerFired(timer))
        self._context.pump()

    def _write(self, write: Callable[[], Coroutine[Any, Any, None]], attempt: int = 1) -> None:
        """Store what the call came to; while the database is away, try again, later each time."""

        def done(result: Exception | None) -> None:
            if not isinstance(result, Exception):
                return
            if attempt >= WRITE_ATTEMPT_COUNT_MAX:
                _log.error("call.record_lost", call_id=self.plan.call_id, exc_info=result)
                return
            wait_s = min(WRITE_RETRY_S_MAX, 2**attempt)
            _log.warning(
                "call.record_delayed", call_id=self.plan.call_id, retry_s=wait_s, error=type(result).__name__
            )
            clock = self._context.clock
            self._context.runner.call_at_mono(
                clock.mono_s() + wait_s, lambda: self._write(write, attempt + 1)
            )

        self._context.runner.run(write(), done)

    def _run(self, work: Coroutine[Any, Any, on.Event | None]) -> None:
        """Do `work` beside the switch and feed the event it returns."""

        def done(result: on.Event | Exception | None) -> None:
            if isinstance(result, Exception):
                _log.error(
                    "call.work_failed", call_id=self.plan.call_id, phase=self.state.phase, exc_info=result
                )
                result = on.Broken()
            if result is not None:
                self.feed(result)
            self._context.pump()

        self._context.runner.run(work, done)

    # --- commands that take time ----------------------------------------------------------------------------

    async def _claim(self) -> on.Event:
        now = self._context.clock.now_us()
        try:
            outcome = await self._context.store.claim(self.plan, now + LEASE_US, now)
        except Exception:  # noqa: BLE001  # however it failed, the call has to hear an answer to its claim
            _log.exception("call.claim_failed", call_id=self.plan.call_id)
            return on.ClaimRefused(on.ClaimRefusal.UNAVAILABLE)
        match outcome:
            case CallClaimed(ends_at=ends_at):
                return on.CallClaimed(ends_at)
            case SessionBusy():
                return on.ClaimRefused(on.ClaimRefusal.BUSY)
            case SessionEnded():
                return on.ClaimRefused(on.ClaimRefusal.ENDED)
            case _:
                assert_never(outcome)

    async def _open_media(self) -> on.Event:
        try:
            offer, self._offer = self._offer, None  # texts go when they were used: a call may last for hours
            self._sdp_for_b = await self.media.open(offer)
        except MediaProtocolError:
            return on.MediaRefused(on.MediaRefusal.NO_COMMON_CODEC)
        except RelayFull:
            return on.MediaRefused(on.MediaRefusal.FULL)
        except RelayError:
            return on.MediaRefused(on.MediaRefusal.UNAVAILABLE)
        return on.MediaOpened()

    async def _prepare_bridge(self) -> on.Event:
        if not await self._context.store.is_session_open(self.plan.session_id, self._context.clock.now_us()):
            return on.BridgeRefused(on.BridgeRefusal.WINDOW)
        try:
            answer, self._sdp_from_b = self._sdp_from_b, b""
            self._sdp_for_a = await self.media.connect_callee(answer)
        except MediaProtocolError:
            return on.BridgeRefused(on.BridgeRefusal.ANSWER)
        except RelayError:
            return on.BridgeRefused(on.BridgeRefusal.MEDIA)
        return on.BridgePrepared()

    # --- commands done at once ------------------------------------------------------------------------------

    def _originate(self) -> None:
        invite = build_leg_b(
            trunk=self._trunk,
            flow=self._flow_b,
            advertised_host=self._context.host_towards(self._flow_b.remote[0]),
            number=self.plan.number,
            callee=self.plan.callee,
            hops_left=self._hops_left,
            sdp=self._sdp_for_b,
        )
        self._sdp_for_b = b""
        leg = self._context.user_agent.originate(invite, self._context.clock.mono_s())
        self.legs[Side.B] = leg
        self._on_leg(self, Side.B, leg)

    def _answer_caller(self) -> None:
        agent = self._context.user_agent
        sdp, self._sdp_for_a = self._sdp_for_a, b""
        agent.answer(self.legs[Side.A], sdp, self._context.clock.mono_s())
        try:
            a, b = (agent.snapshot(self.legs[side]).to_json() for side in (Side.A, Side.B))
        except LocalProtocolError:
            return  # a leg ended this very moment: its event is on the way and nothing is left to end
        # A database that is away for a while ends no call that talks.
        now = self._context.clock.now_us()
        self._write(lambda: self._context.store.save_dialogs(self.plan.call_id, a, b, now))

    def _ring_caller(self) -> None:
        self._context.user_agent.ring(self.legs[Side.A], self._context.clock.mono_s())

    def _refuse_caller(self, command: do.RefuseCaller) -> None:
        agent, now = self._context.user_agent, self._context.clock.mono_s()
        agent.refuse(self.legs[Side.A], command.status, now, retry_after_s=command.retry_after_s)

    def _hang_up(self, command: do.HangUp) -> None:
        now = self._context.clock.mono_s()
        self._context.user_agent.hang_up(self.legs[command.side], now, q850=command.q850)

    def _write_record(self, command: do.WriteRecord) -> None:
        self._write(lambda: self._context.store.finish(command.record))

    def _write_refusal(self, command: do.WriteRefusal) -> None:
        self._write(lambda: self._context.store.record_refusal(command.refused))

    # --- what the legs say ----------------------------------------------------------------------------------

    def callee_answered(self, sdp: bytes | None) -> None:
        """Leg B's 200."""
        self._sdp_from_b = sdp or b""
        self.feed(on.LegAnswered())

    def acknowledged(self, side: Side, sdp: bytes | None) -> None:
        """An ACK; it carries an answer when our 200 carried the offer."""
        if self.state.phase is not Phase.BRIDGED:
            return
        if sdp is not None:
            self._run(self._take_answer(side, sdp))
        elif self.media.sides[side].remote is None:
            self._break_leg(side)

    async def _take_answer(self, side: Side, answer: bytes) -> on.Event | None:
        try:
            await self.media.take_answer(side, answer)
        except MediaProtocolError:
            self._break_leg(side)
        except RelayError:
            return on.MediaLost()
        return None

    def _break_leg(self, side: Side) -> None:
        """Hang up on a side whose session description is of no use, and tell the machine it is gone."""
        self._context.user_agent.hang_up(self.legs[side], self._context.clock.mono_s())
        self.feed(on.LegEnded(side, on.LegEnd.PROTOCOL))

    def offer_received(self, side: Side, sdp: bytes | None, *, is_update: bool) -> None:
        """A re-INVITE or UPDATE: pass a rebuilt offer on, or answer one that offers nothing."""
        agent, now = self._context.user_agent, self._context.clock.mono_s()
        if self.state.phase is not Phase.BRIDGED or self._reoffering is not None:
            agent.reject_offer(self.legs[side], 491, now)
            return
        if sdp is None:
            agent.answer_offer(self.legs[side], self.media.restate(side), now)
            return
        try:
            rebuilt = self.media.reoffer(side, sdp)
        except MediaProtocolError as error:
            agent.reject_offer(self.legs[side], error.status_hint, now)
            return
        self._reoffering = side
        agent.send_offer(self.legs[side.other], rebuilt, now, update=is_update)

    def offer_answered(self, side: Side, sdp: bytes) -> None:
        """The other side took the new offer."""
        if self._reoffering is side.other:
            self._run(self._finish_reoffer(side, sdp))

    async def _finish_reoffer(self, side: Side, sdp: bytes) -> on.Event | None:
        asked = side.other
        try:
            answer = await self.media.reanswer(side, sdp)
        except MediaProtocolError:
            self.offer_rejected(side, 488)
            return None
        except RelayError:
            return on.MediaLost()
        self._reoffering = None
        if self.state.phase is Phase.BRIDGED:
            self._context.user_agent.answer_offer(self.legs[asked], answer, self._context.clock.mono_s())
        return None

    def offer_rejected(self, side: Side, status: int) -> None:
        """The other side did not take it: all stays as it was, and the one who asked hears so."""
        asked = side.other
        if self._reoffering is not asked:
            return
        self._reoffering = None
        self.media.withdraw(asked)
        if self.state.phase is Phase.BRIDGED:
            passed_on = status if status in {488, 491} else 488
            self._context.user_agent.reject_offer(self.legs[asked], passed_on, self._context.clock.mono_s())

    # --- the table ------------------------------------------------------------------------------------------

    # How each command is carried out: a call has some twenty, and a `match` tries class after class.
    PERFORM: ClassVar[Mapping[type[do.Command], Callable[["Call", Any], None]]] = {
        do.ClaimSession: lambda self, _: self._run(self._claim()),
        do.OpenMedia: lambda self, _: self._run(self._open_media()),
        do.Originate: lambda self, _: self._originate(),
        do.RingCaller: lambda self, _: self._ring_caller(),
        do.PrepareBridge: lambda self, _: self._run(self._prepare_bridge()),
        do.AnswerCaller: lambda self, _: self._answer_caller(),
        do.RefuseCaller: _refuse_caller,
        do.HangUp: _hang_up,
        do.CloseMedia: lambda self, _: self._run(self.media.close()),
        do.ArmTimer: _arm,
        do.CancelTimer: lambda self, command: self._cancel(command.timer),
        do.WriteRecord: _write_record,
        do.WriteRefusal: _write_refusal,
        do.Forget: lambda self, _: self._context.forget(self),
    }

"""Drives one call: carries the call machine's commands out and brings back what came of them.

No rule of the business is here: which command follows which event is `core.call.machine`'s.
"""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, ClassVar

import structlog

from maskline.core.call import commands as do
from maskline.core.call import events as on
from maskline.core.call.common import US_PER_S
from maskline.core.call.events import Timer
from maskline.core.call.machine import ImpossibleEventError, begin, step
from maskline.core.call.state import CallPlan, CallState, Phase
from maskline.core.call_record import Side
from maskline.core.inventory import Trunk
from maskline.engine.call_dialler import CallDialler, DialTarget
from maskline.engine.call_media import CallMedia
from maskline.engine.call_offers import CallOffers
from maskline.engine.call_player import CallPlayer
from maskline.engine.call_recorder import CallRecorder
from maskline.engine.call_session import check_entered_pin, claim_session
from maskline.engine.call_writer import CallWriter
from maskline.engine.media_client import MediaRelay, RelayError, RelayFull
from maskline.engine.ports import Cancellable, PromptSource, Runner, SwitchClock, SwitchStore
from maskline.engine.trunk_table import TrunkTable
from maskline.media.errors import RemoteProtocolError as MediaProtocolError
from maskline.sip import events as sip
from maskline.sip.errors import LocalProtocolError
from maskline.sip.user_agent import LegID, UserAgent

_log = structlog.get_logger(__name__)


@dataclass(slots=True, kw_only=True)
class CallContext:
    """What every call of a switch shares."""

    user_agent: UserAgent
    store: SwitchStore
    relay: MediaRelay
    prompts: PromptSource
    runner: Runner
    clock: SwitchClock
    writer: CallWriter
    trunks: TrunkTable
    pump: Callable[[], None]
    forget: Callable[["Call"], None]
    adopt: Callable[["Call", Side, LegID], None]
    release: Callable[[LegID], None]
    host_towards: Callable[[str], str]  # our own host as a peer at this address is told it
    has_recording_room: Callable[[], bool]


class Call:
    """One call being set up, running, or letting go. `leg_a` is None where the service calls the first party."""

    def __init__(
        self,
        context: CallContext,
        *,
        plan: CallPlan,
        trunk: Trunk,
        leg_a: LegID | None,
        offer: bytes | None,
        hops_left: int,
        targets: Sequence[DialTarget],
        media: CallMedia,
        channel_count: int,
    ) -> None:
        self._context = context
        self.plan = plan
        self.trunk = trunk
        self.channel_count = channel_count  # of the trunk, taken for this call
        self._offer = offer
        self.media = media
        self.legs: dict[Side, LegID] = {} if leg_a is None else {Side.A: leg_a}
        self.dialler = CallDialler(
            user_agent=context.user_agent,
            clock=context.clock,
            trunks=context.trunks,
            trunk=trunk,
            targets=targets,
            number=plan.number,
            hops_left=hops_left,
            legs=self.legs,
            host_towards=context.host_towards,
            release=context.release,
        )
        self._player: CallPlayer | None = None
        self._offers: CallOffers | None = None
        self._timers: dict[Timer, Cancellable] = {}
        self._now = plan.started_at  # the instant of the last step
        self._recorder: CallRecorder | None = None
        self._sdp_for_a: bytes | None = b""
        self._answer: bytes | None = b""  # of the leg that answered last
        self.state: CallState

    @property
    def session_id(self) -> str | None:
        """The session this call is about to be, or is, joined for."""
        connect = self.state.connect
        return None if connect is None else connect.session_id

    @property
    def player(self) -> CallPlayer:
        """Its prompts and keys; most calls have none."""
        if self._player is None:
            context = self._context
            self._player = CallPlayer(
                self.plan.call_id, context.relay, self.media, context.prompts, self.trunk.country
            )
        return self._player

    @property
    def offers(self) -> CallOffers:
        """Its new offers; most calls have none."""
        if self._offers is None:
            self._offers = CallOffers(
                user_agent=self._context.user_agent,
                clock=self._context.clock,
                legs=self.legs,
                media=self.media,
                run=self._run,
                is_bridged=lambda: self.state.phase is Phase.BRIDGED,
                on_change=self._note_codecs,
            )
        return self._offers

    # --- the machine ----------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Take the first step."""
        self.state, commands = begin(self.plan)
        self._perform_all(commands)

    def feed(self, event: on.Event) -> None:
        """Give the machine an event and do what it says; a bug ends this call and no other."""
        try:
            # A clock that is set back would end a call before it began, and no database takes that record.
            self._now = max(self._now, self._context.clock.now_us())
            self.state, commands = step(self.state, event, self._now)
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
                self.PERFORM[type(command)](self, command)
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
            case do.Originate(side) | do.HangUp(side, _):
                self.feed(on.LegReleased(side))
            case do.RefuseCaller():
                self.feed(on.LegReleased(Side.A))
            case _:
                pass

    def _arm(self, command: do.ArmTimer) -> None:
        timer, context = command.timer, self._context
        self._cancel(timer)
        if (
            timer is Timer.WINDOW
        ):  # an instant; the others are spans, which a clock that is set does not change
            armed = context.runner.call_at(command.at, lambda: self._timer_fired(timer))
        else:
            at_mono_s = context.clock.mono_s() + (command.at - self._now) / US_PER_S
            armed = context.runner.call_at_mono(at_mono_s, lambda: self._timer_fired(timer))
        self._timers[timer] = armed

    def _cancel(self, timer: Timer) -> None:
        if (armed := self._timers.pop(timer, None)) is not None:
            armed.cancel()

    def _cancel_all(self) -> None:
        for armed in self._timers.values():
            armed.cancel()
        self._timers.clear()

    def _timer_fired(self, timer: Timer) -> None:
        self._timers.pop(timer, None)
        self.feed(on.TimerFired(timer))
        self._context.pump()

    def _write(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._context.writer.write(self.plan.call_id, work)

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
        assert self.state.connect is not None
        context = self._context
        return await claim_session(context.store, self.plan, self.state.connect, context.clock.now_us())

    async def _open_media(self) -> on.Event:
        try:
            offer, self._offer = self._offer, None  # texts go when they were used: a call may last for hours
            await self.media.open(offer)
        except MediaProtocolError:
            return on.MediaRefused(on.MediaRefusal.NO_COMMON_CODEC)
        except RelayFull:
            return on.MediaRefused(on.MediaRefusal.FULL)
        except RelayError:
            return on.MediaRefused(on.MediaRefusal.UNAVAILABLE)
        return on.MediaOpened()

    async def _check_pin(self, command: do.CheckPin) -> on.Event:
        context = self._context
        return await check_entered_pin(context.store, self.plan, command.digits, context.clock.now_us())

    async def _connect_caller(self) -> on.Event:
        """Leg A is ours to dial: its answer says where it is."""
        answer, self._answer = self._answer, b""
        return await self._settle(self.media.connect_caller(answer or b""), on.CallerReady())

    async def _meet_callee(self) -> on.Event:
        answer, self._answer = self._answer, None
        return await self._settle(self._point_to_callee(answer or b""), on.CalleeReady())

    async def _point_to_callee(self, answer: bytes) -> None:
        self.media.hear_callee(answer)
        await self.player.hush(Side.B)  # before the relay knows B: A, who thinks it rings, is not to be heard
        await self.media.meet_callee()

    async def _prepare_bridge(self) -> on.Event:
        assert self.state.connect is not None
        now = self._context.clock.now_us()
        if not await self._context.store.is_session_open(self.state.connect.session_id, now):
            return on.BridgeRefused(on.BridgeRefusal.WINDOW)
        return await self._settle(self._join_media(), on.BridgePrepared())

    async def _join_media(self) -> None:
        answer, self._answer = self._answer, b""
        self._sdp_for_a = await self.media.connect_callee(answer)

    @staticmethod
    async def _settle(work: Coroutine[Any, Any, None], done: on.Event) -> on.Event:
        """Say `done` when the relay knows a side, or why it does not."""
        try:
            await work
        except MediaProtocolError:
            return on.BridgeRefused(on.BridgeRefusal.ANSWER)
        except RelayError:
            return on.BridgeRefused(on.BridgeRefusal.MEDIA)
        return done

    async def _close_media(self) -> on.Event | None:
        with suppress(RelayError):  # a relay that is gone has nothing to give back
            await self.media.close()
        return None

    # --- commands done at once ------------------------------------------------------------------------------

    def _originate(self, command: do.Originate) -> None:
        connect = self.state.connect
        assert connect is not None
        callee = connect.callee if command.side is Side.B else self.plan.caller
        assert callee is not None
        leg = self.dialler.dial(command.side, callee, self.media.offer(command.side))
        self._context.adopt(self, command.side, leg)

    def _answer_caller(self) -> None:
        if self.state.phase is Phase.ANSWERING:
            sdp = self.media.answer_early()
        else:
            sdp, self._sdp_for_a = self._sdp_for_a or b"", b""
        self._context.user_agent.answer(self.legs[Side.A], sdp, self._context.clock.mono_s())

    def _save_dialogs(self) -> None:
        """Keep the dialogs that stand; one whose leg ended this very moment needs none, its event is on the way."""
        dialogs = {side: self._snapshot(side) for side in Side}
        if any(dialogs.values()):
            # A database that is away for a while ends no call that talks.
            a, b, now = dialogs[Side.A], dialogs[Side.B], self._context.clock.now_us()
            self._write(lambda: self._context.store.save_dialogs(self.plan.call_id, a, b, now))

    def _snapshot(self, side: Side) -> str | None:
        try:
            return self._context.user_agent.snapshot(self.legs[side]).to_json()
        except (KeyError, LocalProtocolError):
            return None

    def _start_recording(self) -> None:
        connect, bridged_at, context = self.state.connect, self.state.bridged_at, self._context
        assert connect is not None
        assert bridged_at is not None
        self._recorder = CallRecorder(
            plan=self.plan,
            media=self.media,
            relay=context.relay,
            store=context.store,
            writer=context.writer,
            clock=context.clock,
            has_room=context.has_recording_room,
        )
        self._run(self._recorder.begin(self._recorder.describe(connect, bridged_at)))

    def _note_codecs(self) -> None:
        if self._recorder is not None:
            self._recorder.note_codecs()

    def _play(self, command: do.Play) -> None:
        tag = self.player.begin(command.side)
        self._run(self.player.play(command, tag))

    def _stop_playing(self, command: do.StopPlaying) -> None:
        self.player.end(command.side)  # at once: what is asked for next begins a turn of its own
        self._run(self.player.silence(command.side))

    def _ring_caller(self) -> None:
        self._context.user_agent.ring(self.legs[Side.A], self._context.clock.mono_s())

    def _refuse_caller(self, command: do.RefuseCaller) -> None:
        agent, now = self._context.user_agent, self._context.clock.mono_s()
        agent.refuse(self.legs[Side.A], command.status, now, retry_after_s=command.retry_after_s)

    def _hang_up(self, command: do.HangUp) -> None:
        now = self._context.clock.mono_s()
        self._context.user_agent.hang_up(self.legs[command.side], now, q850=command.q850)

    def _report(self, command: do.Report) -> None:
        self._write(lambda: self._context.store.report(command.event))

    def _write_record(self, command: do.WriteRecord) -> None:
        self._write(lambda: self._context.store.finish(command.record))

    def _write_refusal(self, command: do.WriteRefusal) -> None:
        self._write(lambda: self._context.store.record_refusal(command.refused))

    # --- what the legs say ----------------------------------------------------------------------------------

    def progressed(self, side: Side, status: int) -> None:
        """A provisional answer: the target is there."""
        self.dialler.note_success(is_call=False)
        self.feed(on.LegProgressed(side, status))

    def answered(self, side: Side, sdp: bytes | None) -> None:
        """A leg we dialled took the call."""
        self.dialler.note_success(is_call=True)
        self._answer = sdp or b""
        self.feed(on.LegAnswered(side))

    def failed(self, side: Side, event: sip.Failed) -> None:
        """A leg we dialled did not."""
        self.dialler.note_end(event)
        self.feed(on.LegFailed(side, event.status, event.q850, event.is_local))

    def acknowledged(self, side: Side, sdp: bytes | None) -> None:
        """An ACK; it carries an answer when our 200 carried the offer."""
        if self.state.phase not in {Phase.ANSWERING, Phase.BRIDGED}:
            return
        if sdp is not None:
            self._run(self._take_answer(side, sdp))
        elif self.media.sides[side].remote is None:
            self._break_leg(side)
        elif self.state.phase is Phase.ANSWERING:
            self.feed(on.CallerReady())

    async def _take_answer(self, side: Side, answer: bytes) -> on.Event | None:
        try:
            await self.media.take_answer(side, answer)
        except MediaProtocolError:
            self._break_leg(side)
            return None
        except RelayError:
            return on.MediaLost()
        return on.CallerReady() if self.state.phase is Phase.ANSWERING else None

    def _break_leg(self, side: Side) -> None:
        """Hang up on a side whose session description is of no use, and tell the machine it is gone."""
        self._context.user_agent.hang_up(self.legs[side], self._context.clock.mono_s())
        self.feed(on.LegEnded(side, on.LegEnd.PROTOCOL))

    def informed(self, side: Side, event: sip.InfoReceived) -> None:
        """An INFO; only A's keys matter, and only to PIN entry: no body ever crosses (I5)."""
        if side is Side.A:
            self._feed_if(self.player.key_from_info(event.content_type, event.body))

    def key_pressed(self, side: Side, digit: str) -> None:
        """A key that the relay saw."""
        if side is Side.A:
            self._feed_if(self.player.key_from_relay(digit))

    def play_finished(self, side: Side, tag: str) -> None:
        """A prompt came to its end."""
        self._feed_if(self.player.finished(side, tag))

    def _feed_if(self, event: on.Event | None) -> None:
        if event is not None:
            self.feed(event)

    # --- the table ------------------------------------------------------------------------------------------

    # How each command is carried out: a call has some twenty, and a `match` tries class after class.
    PERFORM: ClassVar[Mapping[type[do.Command], Callable[["Call", Any], None]]] = {
        do.ClaimSession: lambda self, _: self._run(self._claim()),
        do.OpenMedia: lambda self, _: self._run(self._open_media()),
        do.FetchPrompt: lambda self, command: self._run(self.player.fetch(command.prompt)),
        do.Play: _play,
        do.StopPlaying: _stop_playing,
        do.TakeDigits: lambda self, _: self._run(self.player.take_keys()),
        do.PassDigits: lambda self, _: self._run(self.player.pass_keys()),
        do.CheckPin: lambda self, command: self._run(self._check_pin(command)),
        do.Originate: _originate,
        do.ConnectCaller: lambda self, _: self._run(self._connect_caller()),
        do.ConnectCallee: lambda self, _: self._run(self._meet_callee()),
        do.Abandon: lambda self, command: self.dialler.abandon(command.side),
        do.RingCaller: lambda self, _: self._ring_caller(),
        do.PrepareBridge: lambda self, _: self._run(self._prepare_bridge()),
        do.AnswerCaller: lambda self, _: self._answer_caller(),
        do.SaveDialogs: lambda self, _: self._save_dialogs(),
        do.StartRecording: lambda self, _: self._start_recording(),
        do.RefuseCaller: _refuse_caller,
        do.HangUp: _hang_up,
        do.CloseMedia: lambda self, _: self._run(self._close_media()),
        do.ArmTimer: _arm,
        do.CancelTimer: lambda self, command: self._cancel(command.timer),
        do.CancelTimers: lambda self, _: self._cancel_all(),
        do.Report: _report,
        do.WriteRecord: _write_record,
        do.WriteRefusal: _write_refusal,
        do.Forget: lambda self, _: self._context.forget(self),
    }

"""The switch: a B2BUA that joins masked calls.

It owns the user agent and the running calls, and nothing that waits: sockets, threads and clocks are behind the
ports of `engine.ports`, so that the whole of it runs in a test under a virtual clock. Every way in (a datagram, a
timer, the end of some work) ends in `pump`, which lets the user agent's events reach their calls and the bytes out.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, assert_never

import structlog

from maskline.core.call import events as on
from maskline.core.call.machine import RETRY_AFTER_S
from maskline.core.call.state import Phase
from maskline.core.call_record import OrphanCall, Side
from maskline.core.routing import CallOrder
from maskline.core.termination import Reason
from maskline.engine.admitter import Admitter, Routed
from maskline.engine.call import Call, CallContext
from maskline.engine.call_writer import CallWriter
from maskline.engine.media_client import (
    DigitPressed,
    MediaRelay,
    MediaTimeout,
    PlayFinished,
    RelayError,
    RelayEvent,
    RelayLost,
)
from maskline.engine.ports import Cancellable, PromptSource, Runner, SwitchClock, SwitchStore
from maskline.engine.switch_settings import SwitchSettings
from maskline.engine.trunk_table import TrunkTable
from maskline.sip import events as sip
from maskline.sip.errors import LocalProtocolError, RemoteProtocolError
from maskline.sip.events import Flow, IncomingInvite, LegID
from maskline.sip.user_agent import UserAgent
from maskline.sip.user_agent_types import DialogSnapshot, UserAgentSettings

_log = structlog.get_logger(__name__)


class Switch:
    """All calls of one process. `random_bytes(n)` gives n bytes nobody can guess."""

    def __init__(
        self,
        settings: SwitchSettings,
        *,
        store: SwitchStore,
        relay: MediaRelay,
        prompts: PromptSource,
        runner: Runner,
        clock: SwitchClock,
        random_bytes: Callable[[int], bytes],
        send: Callable[[Flow, bytes], None],
        close_flow: Callable[[Flow], None],
        user_agent_settings: UserAgentSettings | None = None,
        has_recording_room: Callable[[], bool] = lambda: True,
    ) -> None:
        self.settings = settings
        self.trunks = TrunkTable(settings.edges, settings.local)
        self.user_agent = UserAgent(
            user_agent_settings
            or UserAgentSettings(
                advertised=settings.advertised,
                advertised_v6=settings.advertised_v6,
                advertised_tls=settings.advertised_tls,
            ),
            random_bytes=random_bytes,
            is_trusted=self.trunks.is_trusted,
            are_peers=self.trunks.are_peers,
        )
        self.calls: dict[str, Call] = {}
        self._store = store
        self._relay = relay
        self._runner = runner
        self._clock = clock
        self._on_answered_request: Callable[[sip.RequestAnswered], None] = lambda _event: None
        self._send = send
        self._close_flow = close_flow
        self._legs: dict[LegID, tuple[Call, Side]] = {}
        self._arriving: dict[LegID, bool] = {}  # INVITEs not yet admitted -> has the caller given up?
        self._wake: tuple[float, Cancellable] | None = None
        self._is_draining = False
        self._is_stopped = False
        self._second = (0, 0)  # the current second of the monotonic clock and the INVITEs let in during it
        context = CallContext(
            user_agent=self.user_agent,
            store=store,
            relay=relay,
            prompts=prompts,
            runner=runner,
            clock=clock,
            writer=CallWriter(runner, clock),
            trunks=self.trunks,
            pump=self.pump,
            forget=self._forget,
            adopt=self._adopt,
            release=self._release,
            host_towards=settings.host_towards,
            has_recording_room=has_recording_room,
        )
        self._admitter = Admitter(settings, context, random_bytes=random_bytes, start=self._start)

    def set_request_handler(self, handler: Callable[[sip.RequestAnswered], None]) -> None:
        """Call `handler` with what comes of requests outside calls."""
        self._on_answered_request = handler

    # --- ways in --------------------------------------------------------------------------------------------

    def receive(self, data: bytes, flow: Flow) -> None:
        """Take a datagram, or a piece of a TCP stream."""
        self.user_agent.receive(data, flow, self._clock.mono_s())
        self.pump()
        if flow.is_reliable:
            for broken in self.user_agent.closing():
                self._close_flow(broken)

    def flow_closed(self, flow: Flow) -> None:
        """A TCP connection ended or could not be made."""
        self.user_agent.flow_closed(flow, self._clock.mono_s())
        self.pump()

    def relay_event(self, event: RelayEvent) -> None:
        """Take what the media process reports."""
        match event:
            case MediaTimeout(call=call_id):
                if (call := self.calls.get(call_id)) is not None:
                    call.feed(on.MediaTimedOut())
            case PlayFinished(call=call_id, side=side, tag=tag):
                if (call := self.calls.get(call_id)) is not None:
                    call.play_finished(Side(side), tag)
            case DigitPressed(call=call_id, side=side, digit=digit):
                if (call := self.calls.get(call_id)) is not None:
                    call.key_pressed(Side(side), digit)
            case RelayLost():
                for call in tuple(self.calls.values()):
                    if call.state.has_media and call.state.phase is not Phase.ENDED:
                        call.feed(on.MediaLost())
            case _:
                assert_never(event)
        self.pump()

    def revoke(self, session_id: str) -> None:
        """A session was deleted: calls of it that are not bridged yet are cancelled."""
        for call in tuple(self.calls.values()):
            if call.session_id == session_id:
                call.feed(on.SessionRevoked())
        self.pump()

    def move_window(self, session_id: str, ends_at: int) -> None:
        """A session stands until `ends_at` (µs UTC): its calls that are not bridged yet have until then."""
        for call in tuple(self.calls.values()):
            if call.session_id == session_id and call.state.window_ends_at != ends_at:
                call.feed(on.WindowMoved(ends_at))
        self.pump()

    def drain(self) -> None:
        """Take no new calls; those that run go on."""
        self._is_draining = True

    def stop(self) -> None:
        """End every call, as the switch goes down; one whose number is still being looked up does not begin."""
        self._is_draining = self._is_stopped = True
        for call in tuple(self.calls.values()):
            call.feed(on.SwitchStopping())
        self.pump()

    @property
    def sessions_in_setup(self) -> tuple[str, ...]:
        """Sessions with a call that a deletion would still cancel."""
        waiting = (
            call.session_id
            for call in self.calls.values()
            if call.state.phase not in {Phase.BRIDGED, Phase.ENDED}
        )
        return tuple({session_id for session_id in waiting if session_id is not None})

    @property
    def live_count(self) -> int:
        """Calls that are not over, those whose number is still being looked up included."""
        return len(self._arriving) + sum(call.state.phase is not Phase.ENDED for call in self.calls.values())

    # --- the pump -------------------------------------------------------------------------------------------

    def pump(self) -> None:
        """Let events reach their calls, send what is to be sent, and ask to be woken for the next timer."""
        agent = self.user_agent
        while (event := agent.next_event()) is not None:
            self._dispatch(event)
        for flow, data in agent.outgoing():
            self._send(flow, data)
        self._arm(agent.next_timer())

    def _arm(self, at_mono_s: float | None) -> None:
        """Keep one wake-up, no later than the next timer; an early one costs less than moving it each time."""
        if at_mono_s is None:
            return
        if self._wake is not None:
            if self._wake[0] <= at_mono_s:
                return
            self._wake[1].cancel()
        self._wake = (at_mono_s, self._runner.call_at_mono(at_mono_s, self._woken))

    def _woken(self) -> None:
        self._wake = None
        self.user_agent.handle_timer(self._clock.mono_s())
        self.pump()

    def _dispatch(self, event: sip.Event) -> None:
        if isinstance(event, sip.IncomingInvite):
            self._arrived(event)
            return
        if isinstance(event, sip.RequestAnswered):
            self._on_answered_request(event)
            return
        known = self._legs.get(event.leg)
        if known is not None:
            call, side = known
            if isinstance(event, sip.Released):
                self._legs.pop(event.leg, None)
            try:
                TELL[type(event)](call, side, event)
            except Exception:  # noqa: BLE001  # the boundary of one call: the others' events still come
                _log.exception(
                    "call.event_failed", call_id=call.plan.call_id, event_kind=type(event).__name__
                )
                if call.state.phase is not Phase.ENDED:
                    call.feed(on.Broken())
        elif isinstance(event, sip.Cancelled) and event.leg in self._arriving:
            self._arriving[event.leg] = True

    # --- admission ------------------------------------------------------------------------------------------

    def _arrived(self, event: IncomingInvite) -> None:
        source = event.flow.remote[0]
        if event.invite.edge_source is not None and self.trunks.is_edge(source):
            source = event.invite.edge_source
        trunks = self.trunks.accepting(source)
        now = self._clock.mono_s()
        if not trunks:
            self.user_agent.drop(event.leg, now)
        elif self._is_overloaded():
            self.user_agent.refuse(event.leg, 503, now, retry_after_s=RETRY_AFTER_S)
        else:
            self._arriving[event.leg] = False
            self._runner.run(self._admitter.route(event.invite, trunks), partial(self._routed, event))

    def _is_overloaded(self) -> bool:
        limits = self.settings.limits
        if self._is_draining or len(self._arriving) >= limits.setup_count_max:
            return True
        second = int(self._clock.mono_s())
        count = self._second[1] if self._second[0] == second else 0
        if count >= limits.new_calls_per_s_max:
            return True
        self._second = (second, count + 1)
        # Ended calls stay until their legs let go; counting the live ones is for when it matters.
        known_count = len(self.calls) + len(self._arriving)
        return known_count >= limits.call_count_max and self.live_count >= limits.call_count_max

    def _routed(self, event: IncomingInvite, result: Routed | Exception) -> None:
        has_given_up = self._arriving.pop(event.leg)
        try:
            if isinstance(result, Exception):
                raise result
            if self._is_stopped:
                self.user_agent.refuse(event.leg, 503, self._clock.mono_s(), retry_after_s=RETRY_AFTER_S)
            elif has_given_up:
                self._admitter.record_refusal(result, Reason.CALLER_CANCELLED)
            else:
                self._admitter.admit(event, result)
        except Exception as error:  # noqa: BLE001  # the boundary of one call
            _log.error("call.not_admitted", exc_info=error)
            self.user_agent.refuse(event.leg, 503, self._clock.mono_s(), retry_after_s=RETRY_AFTER_S)
        self.pump()

    def place(self, orders: Sequence[CallOrder]) -> None:
        """Begin calls that the service owes; nobody else was given them, so one that fails is accounted for."""
        for order in orders:
            try:
                self._admitter.place(order)
            except Exception as error:  # noqa: BLE001  # the boundary of one call
                _log.error("call.not_placed", session_id=order.connect.session_id, exc_info=error)
                self._admitter.record_unplaced(order, Reason.INTERNAL_ERROR)
        self.pump()

    @property
    def room_count(self) -> int:
        """How many calls of the service's own may begin now."""
        return 0 if self._is_draining else max(0, self.settings.limits.call_count_max - self.live_count)

    def _start(self, call: Call) -> None:
        self.calls[call.plan.call_id] = call
        if (leg := call.legs.get(Side.A)) is not None:
            self._adopt(call, Side.A, leg)
        call.begin()

    def _adopt(self, call: Call, side: Side, leg: LegID) -> None:
        self._legs[leg] = (call, side)

    def _release(self, leg: LegID) -> None:
        self._legs.pop(leg, None)

    def _forget(self, call: Call) -> None:
        if self.calls.pop(call.plan.call_id, None) is not None:
            for _ in range(call.channel_count):
                self.trunks.give_channel(call.trunk.id)

    # --- an earlier life ------------------------------------------------------------------------------------

    async def end_predecessors_calls(self) -> int:
        """End what an earlier life of this switch left: BYE on both legs, relay closed, one record each."""
        now = self._clock.now_us()
        orphans = await self._store.orphans(now)
        for orphan in orphans:
            try:
                self._hang_up_orphan(orphan)
                await self._relay.close(orphan.call_id)
            except (LocalProtocolError, RemoteProtocolError, RelayError, ValueError, KeyError) as error:
                # A damaged snapshot or an absent relay keeps neither this record nor the next orphan waiting.
                _log.error("call.orphan_not_ended", call_id=orphan.call_id, error=type(error).__name__)
            await self._store.finish_orphan(orphan, now)
        return len(orphans)

    def _hang_up_orphan(self, orphan: OrphanCall) -> None:
        for dialog in filter(None, (orphan.dialog_a, orphan.dialog_b)):
            leg = self.user_agent.restore(DialogSnapshot.from_json(dialog), self._clock.mono_s())
            self.user_agent.hang_up(leg, self._clock.mono_s())
        self.pump()


def _ended(call: Call, side: Side, event: sip.HungUp) -> None:
    call.feed(on.LegEnded(side, on.LegEnd(event.cause.value), event.q850))


def _offered(call: Call, side: Side, event: sip.OfferReceived) -> None:
    call.offers.received(side, event.sdp, is_update=event.is_update)


TELL: Mapping[type[sip.Event], Callable[[Call, Side, Any], None]] = {
    sip.Progressed: lambda call, side, event: call.progressed(side, event.status),
    sip.Answered: lambda call, side, event: call.answered(side, event.sdp),
    sip.Failed: lambda call, side, event: call.failed(side, event),
    sip.Cancelled: lambda call, side, _: call.feed(on.LegEnded(side, on.LegEnd.CANCEL)),
    sip.HungUp: _ended,
    sip.Acknowledged: lambda call, side, event: call.acknowledged(side, event.sdp),
    sip.OfferReceived: _offered,
    sip.OfferAnswered: lambda call, side, event: call.offers.answered(side, event.sdp),
    sip.OfferRejected: lambda call, side, event: call.offers.rejected(side, event.status),
    sip.Released: lambda call, side, _: call.feed(on.LegReleased(side)),
    sip.InfoReceived: lambda call, side, event: call.informed(side, event),
}
"""What a leg says, told to its call in the call machine's words."""

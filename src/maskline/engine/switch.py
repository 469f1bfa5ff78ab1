"""The switch: a B2BUA that joins masked calls.

It owns the user agent and the running calls, and nothing that waits: sockets, threads and clocks are behind the
ports of `engine.ports`, so that the whole of it runs in a test under a virtual clock. Every way in (a datagram, a
timer, the end of some work) ends in `pump`, which lets the user agent's events reach their calls and the bytes out.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import assert_never

import structlog

from maskline.core.call import events as on
from maskline.core.call.state import CallPlan, Phase
from maskline.core.call_record import RefusedCall, Side
from maskline.core.inventory import Trunk
from maskline.core.routing import Connect, RefusalReason, Refuse, RouteFacts, decide_route
from maskline.core.termination import Reason, terminate
from maskline.engine.admission import Dialling, read_dialling
from maskline.engine.call import Call, CallContext
from maskline.engine.call_media import SESSION_ID_BITS, CallMedia, MediaPolicy
from maskline.engine.media_client import MediaRelay, MediaTimeout, RelayEvent, RelayLost
from maskline.engine.ports import Cancellable, Runner, SwitchClock, SwitchStore
from maskline.engine.trunk_table import TrunkTable
from maskline.sip import events as sip
from maskline.sip.events import Flow, IncomingInvite, InviteFacts, LegID
from maskline.sip.user_agent import UserAgent
from maskline.sip.user_agent_types import DialogSnapshot, UserAgentSettings

_log = structlog.get_logger(__name__)

RETRY_AFTER_S = 5  # long enough for a burst to pass, short enough that a carrier does not mark the trunk down
REFUSAL_STATUS = 480  # unknown caller, expired session, withheld number, free number: all alike


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchLimits:
    """How much a switch takes on; further INVITEs hear 503 with Retry-After."""

    call_count_max: int = 400  # what one relay carries per core without delay
    new_calls_per_s_max: int = 600
    setup_count_max: int = 200  # INVITEs not yet routed; more of them means the database is behind


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchSettings:
    """How this switch is reached and how much it takes on."""

    local: Mapping[tuple[str, bool], tuple[str, int]]  # (transport, is IPv6) -> bound address
    advertised: tuple[str, int]
    advertised_v6: tuple[str, int] | None = None
    limits: SwitchLimits = SwitchLimits()
    edges: tuple[str, ...] = ()  # proxies of ours that may say where a request came from


class Switch:
    """All calls of one process. `random_bytes(n)` gives n bytes nobody can guess."""

    def __init__(
        self,
        settings: SwitchSettings,
        *,
        store: SwitchStore,
        relay: MediaRelay,
        runner: Runner,
        clock: SwitchClock,
        random_bytes: Callable[[int], bytes],
        send: Callable[[Flow, bytes], None],
        user_agent_settings: UserAgentSettings | None = None,
    ) -> None:
        self.settings = settings
        self.trunks = TrunkTable(settings.edges)
        self.user_agent = UserAgent(
            user_agent_settings
            or UserAgentSettings(advertised=settings.advertised, advertised_v6=settings.advertised_v6),
            random_bytes=random_bytes,
            is_trusted=self.trunks.is_trusted,
        )
        self.calls: dict[str, Call] = {}
        self._store = store
        self._relay = relay
        self._runner = runner
        self._clock = clock
        self._random_bytes = random_bytes
        self._send = send
        self._legs: dict[LegID, tuple[Call, Side]] = {}
        self._arriving: dict[LegID, bool] = {}  # INVITEs not yet admitted -> has the caller given up?
        self._wake: tuple[float, Cancellable] | None = None
        self._is_draining = False
        self._second = (0, 0)  # the current second of the monotonic clock and the INVITEs let in during it
        self._context = CallContext(
            user_agent=self.user_agent,
            store=store,
            runner=runner,
            clock=clock,
            pump=self.pump,
            forget=self._forget,
            advertised=settings.advertised,
        )

    # --- ways in --------------------------------------------------------------------------------------------

    def receive(self, data: bytes, flow: Flow) -> None:
        """Take a datagram, or a piece of a TCP stream."""
        self.user_agent.receive(data, flow, self._clock.mono_s())
        self.pump()

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
            case RelayLost():
                for call in tuple(self.calls.values()):
                    if call.state.phase not in {Phase.CLAIMING, Phase.ENDED}:
                        call.feed(on.MediaLost())
            case _:
                assert_never(event)
        self.pump()

    def revoke(self, session_id: str) -> None:
        """A session was deleted: calls of it that are not bridged yet are cancelled."""
        for call in tuple(self.calls.values()):
            if call.plan.session_id == session_id:
                call.feed(on.SessionRevoked())
        self.pump()

    def drain(self) -> None:
        """Take no new calls; those that run go on."""
        self._is_draining = True

    def stop(self) -> None:
        """End every call, as the switch goes down."""
        self._is_draining = True
        for call in tuple(self.calls.values()):
            call.feed(on.SwitchStopping())
        self.pump()

    @property
    def sessions_in_setup(self) -> tuple[str, ...]:
        """Sessions with a call that a deletion would still cancel."""
        waiting = (
            call for call in self.calls.values() if call.state.phase not in {Phase.BRIDGED, Phase.ENDED}
        )
        return tuple({call.plan.session_id for call in waiting})

    @property
    def live_count(self) -> int:
        """Calls that are not over."""
        return sum(call.state.phase is not Phase.ENDED for call in self.calls.values())

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
        match event:
            case sip.IncomingInvite():
                self._arrived(event)
                return
            case sip.RequestAnswered():
                return
            case _:
                pass
        known = self._legs.get(event.leg)
        if known is not None:
            _tell(known[0], known[1], event)
            if isinstance(event, sip.Released):
                self._legs.pop(event.leg, None)
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
            self._runner.run(self._route(event.invite, trunks), partial(self._routed, event))

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
        return len(self.calls) >= limits.call_count_max and self.live_count >= limits.call_count_max

    async def _route(
        self, invite: InviteFacts, trunks: tuple[Trunk, ...]
    ) -> tuple[Trunk | None, Dialling, RouteFacts]:
        """Find the trunk whose number was dialled; None when it belongs to one that does not accept the sender."""
        for trunk in trunks:
            dialling = read_dialling(invite, trunk)
            facts = await self._store.route(dialling.dialled, dialling.caller, self._clock.now_us())
            if facts.trunk_id is None or facts.trunk_id == trunk.id:
                return trunk, dialling, facts
        return None, dialling, facts

    def _routed(
        self, event: IncomingInvite, result: tuple[Trunk | None, Dialling, RouteFacts] | Exception
    ) -> None:
        has_given_up = self._arriving.pop(event.leg)
        if not has_given_up:
            self._admit(event, result)
        self.pump()

    def _admit(
        self, event: IncomingInvite, result: tuple[Trunk | None, Dialling, RouteFacts] | Exception
    ) -> None:
        now = self._clock.mono_s()
        if isinstance(result, Exception):
            _log.error("call.route_failed", exc_info=result)
            self.user_agent.refuse(event.leg, 503, now, retry_after_s=RETRY_AFTER_S)
            return
        trunk, dialling, facts = result
        if trunk is None:
            self.user_agent.drop(event.leg, now)
            return
        if event.invite.max_forwards < 1:
            self.user_agent.refuse(event.leg, 483, now)
            return
        self.user_agent.trying(event.leg, now)
        decision = decide_route(facts, dialling.caller, self._clock.now_us())
        match decision:
            case Connect():
                self._connect(event, trunk, dialling, decision)
            case Refuse(reason=reason):
                self._refuse(event.leg, facts, dialling, reason)
            case _:
                assert_never(decision)

    def _refuse(self, leg: LegID, facts: RouteFacts, dialling: Dialling, reason: RefusalReason) -> None:
        self.user_agent.refuse(leg, REFUSAL_STATUS, self._clock.mono_s())
        now = self._clock.now_us()
        refused = RefusedCall(
            call_id=self._new_id(),
            number=facts.number or dialling.dialled,
            account_id=facts.account_id,
            session_id=None,
            caller=dialling.caller,
            role=None,
            started_at=now,
            ended_at=now,
            termination=terminate(Reason(reason.value)),
        )
        self._runner.run(self._store.record_refusal(refused), _report_failure)

    def _connect(self, event: IncomingInvite, trunk: Trunk, dialling: Dialling, decision: Connect) -> None:
        assert dialling.caller is not None
        call_id, is_v6 = self._new_id(), ":" in trunk.peer_host
        plan = CallPlan(
            call_id=call_id,
            account_id=decision.account_id,
            session_id=decision.session_id,
            role=decision.caller_role,
            number=decision.presented,
            caller=dialling.caller,
            callee=decision.callee,
            started_at=self._clock.now_us(),
            window_ends_at=decision.ends_at,
            ring_timeout_s=decision.ring_timeout_s,
            call_time_limit_s=decision.call_time_limit_s,
        )
        media = CallMedia(
            call_id,
            self._relay,
            MediaPolicy(codecs=trunk.codecs, networks=trunk.media_networks, is_callee_v6=is_v6),
            (self._new_session_id(), self._new_session_id()),
        )
        local = self.settings.local[trunk.transport, is_v6]
        flow_b = Flow(trunk.transport, local, (trunk.peer_host, trunk.peer_port))
        call = Call(
            self._context,
            plan=plan,
            trunk=trunk,
            leg_a=event.leg,
            offer=event.invite.offer,
            hops_left=event.invite.max_forwards,
            flow_b=flow_b,
            media=media,
            on_leg=self._adopt,
        )
        self.calls[call_id] = call
        self._adopt(call, Side.A, event.leg)
        call.begin()

    def _adopt(self, call: Call, side: Side, leg: LegID) -> None:
        self._legs[leg] = (call, side)

    def _forget(self, call: Call) -> None:
        self.calls.pop(call.plan.call_id, None)

    def _new_id(self) -> str:
        return self._random_bytes(16).hex()

    def _new_session_id(self) -> int:
        return int.from_bytes(self._random_bytes(8)) >> (64 - SESSION_ID_BITS)

    # --- an earlier life ------------------------------------------------------------------------------------

    async def end_predecessors_calls(self) -> int:
        """End what an earlier life of this switch left: BYE on both legs, relay closed, one record each."""
        now = self._clock.now_us()
        orphans = await self._store.orphans(now)
        for orphan in orphans:
            for dialog in filter(None, (orphan.dialog_a, orphan.dialog_b)):
                leg = self.user_agent.restore(DialogSnapshot.from_json(dialog), self._clock.mono_s())
                self.user_agent.hang_up(leg, self._clock.mono_s())
            await self._relay.close(orphan.call_id)
            await self._store.finish_orphan(orphan, now)
        self.pump()
        return len(orphans)


def _report_failure(result: Exception | None) -> None:
    if isinstance(result, Exception):
        _log.error("call.refusal_not_recorded", exc_info=result)


def _tell(call: Call, side: Side, event: sip.Event) -> None:
    """Translate what a leg says into what the call machine knows."""
    match event:
        case sip.Progressed(status=status):
            call.feed(on.LegProgressed(status))
        case sip.Answered(sdp=sdp):
            call.callee_answered(sdp)
        case sip.Failed(status=status, q850=q850, is_local=is_local):
            call.feed(on.LegFailed(status, q850, is_local))
        case sip.Cancelled():
            call.feed(on.LegEnded(side, on.LegEnd.CANCEL))
        case sip.HungUp(cause=cause, q850=q850):
            call.feed(on.LegEnded(side, on.LegEnd(cause.value), q850))
        case sip.Acknowledged(sdp=sdp):
            call.acknowledged(side, sdp)
        case sip.OfferReceived(sdp=sdp, is_update=is_update):
            call.offer_received(side, sdp, is_update=is_update)
        case sip.OfferAnswered(sdp=sdp):
            call.offer_answered(side, sdp)
        case sip.OfferRejected(status=status):
            call.offer_rejected(side, status)
        case sip.Released():
            call.feed(on.LegReleased(side))
        case sip.InfoReceived():
            pass  # an INFO body never crosses (I5); digits matter only to PIN entry
        case sip.IncomingInvite() | sip.RequestAnswered():
            raise AssertionError(f"{type(event).__name__} belongs to no call")
        case _:
            assert_never(event)

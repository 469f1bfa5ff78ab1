"""The switch: a B2BUA that joins masked calls.

It owns the user agent and the running calls, and nothing that waits: sockets, threads and clocks are behind the
ports of `engine.ports`, so that the whole of it runs in a test under a virtual clock. Every way in (a datagram, a
timer, the end of some work) ends in `pump`, which lets the user agent's events reach their calls and the bytes out.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, assert_never

import structlog

from maskline.core.call import events as on
from maskline.core.call.machine import RETRY_AFTER_S
from maskline.core.call.state import CallPlan, Phase
from maskline.core.call_record import OrphanCall, RefusedCall, Side
from maskline.core.inventory import Trunk
from maskline.core.routing import Connect, Refuse, RouteFacts, decide_route
from maskline.core.termination import TERMINATIONS, Reason, terminate
from maskline.engine.admission import Dialling, read_dialling
from maskline.engine.call import Call, CallContext
from maskline.engine.call_media import SESSION_ID_BITS, CallMedia, MediaPolicy
from maskline.engine.media_client import MediaRelay, MediaTimeout, RelayError, RelayEvent, RelayLost
from maskline.engine.ports import Cancellable, Runner, SwitchClock, SwitchStore
from maskline.engine.trunk_table import TrunkTable
from maskline.sip import events as sip
from maskline.sip.errors import LocalProtocolError, RemoteProtocolError
from maskline.sip.events import Flow, IncomingInvite, InviteFacts, LegID
from maskline.sip.user_agent import UserAgent
from maskline.sip.user_agent_types import DialogSnapshot, UserAgentSettings

_log = structlog.get_logger(__name__)

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

    def host_towards(self, address: str) -> str:
        """Our own host as a peer at `address` is told it: of the peer's family where we have one."""
        told = self.advertised_v6 if ":" in address else self.advertised
        return (told or self.advertised)[0]


@dataclass(frozen=True, slots=True)
class Routed:
    """What a look-up found; without `trunk` the number belongs to one that does not accept the sender."""

    trunk: Trunk | None
    dialling: Dialling
    facts: RouteFacts


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
        close_flow: Callable[[Flow], None],
        user_agent_settings: UserAgentSettings | None = None,
    ) -> None:
        self.settings = settings
        self.trunks = TrunkTable(settings.edges)
        self.user_agent = UserAgent(
            user_agent_settings
            or UserAgentSettings(advertised=settings.advertised, advertised_v6=settings.advertised_v6),
            random_bytes=random_bytes,
            is_trusted=self.trunks.is_trusted,
            are_peers=self.trunks.are_peers,
        )
        self.calls: dict[str, Call] = {}
        self._store = store
        self._relay = relay
        self._runner = runner
        self._clock = clock
        self._random_bytes = random_bytes
        self._send = send
        self._close_flow = close_flow
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
            host_towards=settings.host_towards,
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
        for flow in agent.closing():
            self._close_flow(flow)
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

    async def _route(self, invite: InviteFacts, trunks: tuple[Trunk, ...]) -> Routed:
        """Find the trunk whose number was dialled: each reads the numbers in its own country's way."""
        unknown: Routed | None = None
        foreign: Routed | None = None
        for trunk in trunks:
            dialling = read_dialling(invite, trunk)
            facts = await self._store.route(dialling.dialled, dialling.caller, self._clock.now_us())
            if facts.trunk_id == trunk.id:
                return Routed(trunk, dialling, facts)
            if facts.trunk_id is None:
                unknown = unknown or Routed(trunk, dialling, facts)
            else:
                foreign = Routed(None, dialling, facts)
        found = unknown or foreign
        assert found is not None, "an INVITE is routed only when a trunk accepts its sender"
        return found

    def _routed(self, event: IncomingInvite, result: Routed | Exception) -> None:
        has_given_up = self._arriving.pop(event.leg)
        try:
            if isinstance(result, Exception):
                raise result
            if has_given_up:
                self._record_refusal(result, Reason.CALLER_CANCELLED)
            else:
                self._admit(event, result)
        except Exception as error:  # noqa: BLE001  # the boundary of one call
            _log.error("call.not_admitted", exc_info=error)
            self.user_agent.refuse(event.leg, 503, self._clock.mono_s(), retry_after_s=RETRY_AFTER_S)
        self.pump()

    def _admit(self, event: IncomingInvite, routed: Routed) -> None:
        now = self._clock.mono_s()
        if routed.trunk is None:  # the number's own trunk does not accept this sender: as from nowhere
            self.user_agent.drop(event.leg, now)
            return
        if event.invite.max_forwards < 1:
            self.user_agent.refuse(event.leg, 483, now)
            return
        self.user_agent.trying(event.leg, now)
        decision = decide_route(routed.facts, routed.dialling.caller, self._clock.now_us())
        match decision:
            case Connect():
                self._connect(event, routed.trunk, routed, decision)
            case Refuse(reason=reason):
                self.user_agent.refuse(event.leg, REFUSAL_STATUS, now)
                self._record_refusal(routed, Reason(reason.value))
            case _:
                assert_never(decision)

    def _record_refusal(self, routed: Routed, reason: Reason) -> None:
        now = self._clock.now_us()
        refused = RefusedCall(
            call_id=self._new_id(),
            number=routed.facts.number or routed.dialling.dialled,
            account_id=routed.facts.account_id,
            session_id=None,
            caller=routed.dialling.caller,
            role=None,
            started_at=now,
            ended_at=now,
            termination=terminate(reason),
        )
        self._runner.run(self._store.record_refusal(refused), _report_failure)

    def _connect(self, event: IncomingInvite, trunk: Trunk, routed: Routed, decision: Connect) -> None:
        caller, is_v6 = routed.dialling.caller, ":" in trunk.peer_host
        assert caller is not None
        local = self.settings.local.get((trunk.transport, is_v6))
        if local is None:  # a transport or IP version this switch does not speak
            status = TERMINATIONS[Reason.CARRIER_UNREACHABLE].sip_status
            self.user_agent.refuse(event.leg, status, self._clock.mono_s(), retry_after_s=RETRY_AFTER_S)
            self._record_refusal(routed, Reason.CARRIER_UNREACHABLE)
            return
        call_id = self._new_id()
        plan = CallPlan(
            call_id=call_id,
            account_id=decision.account_id,
            session_id=decision.session_id,
            role=decision.caller_role,
            number=decision.presented,
            caller=caller,
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


def _report_failure(result: Exception | None) -> None:
    if isinstance(result, Exception):
        _log.error("call.refusal_not_recorded", exc_info=result)


def _ended(call: Call, side: Side, event: sip.HungUp) -> None:
    call.feed(on.LegEnded(side, on.LegEnd(event.cause.value), event.q850))


def _failed(call: Call, _side: Side, event: sip.Failed) -> None:
    call.feed(on.LegFailed(event.status, event.q850, event.is_local))


def _offered(call: Call, side: Side, event: sip.OfferReceived) -> None:
    call.offer_received(side, event.sdp, is_update=event.is_update)


TELL: Mapping[type[sip.Event], Callable[[Call, Side, Any], None]] = {
    sip.Progressed: lambda call, _, event: call.feed(on.LegProgressed(event.status)),
    sip.Answered: lambda call, _, event: call.callee_answered(event.sdp),
    sip.Failed: _failed,
    sip.Cancelled: lambda call, side, _: call.feed(on.LegEnded(side, on.LegEnd.CANCEL)),
    sip.HungUp: _ended,
    sip.Acknowledged: lambda call, side, event: call.acknowledged(side, event.sdp),
    sip.OfferReceived: _offered,
    sip.OfferAnswered: lambda call, side, event: call.offer_answered(side, event.sdp),
    sip.OfferRejected: lambda call, side, event: call.offer_rejected(side, event.status),
    sip.Released: lambda call, side, _: call.feed(on.LegReleased(side)),
    sip.InfoReceived: lambda *_: None,  # an INFO body never crosses (I5); digits matter only to PIN entry
}
"""What a leg says, told to its call in the call machine's words."""

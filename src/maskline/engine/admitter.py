"""From an INVITE, or a call the service owes, to a running `Call`: whose number it is, what it gets, who is dialled."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, assert_never

import structlog

from maskline.core.call.machine import RETRY_AFTER_S
from maskline.core.call.state import CallPlan
from maskline.core.call_record import RefusedCall
from maskline.core.inventory import Trunk
from maskline.core.masking import Role
from maskline.core.numbers import DID, E164
from maskline.core.routing import Announce, AskPin, CallOrder, Connect, Refuse, RouteFacts, decide_route
from maskline.core.termination import TERMINATIONS, Reason, terminate
from maskline.engine.admission import Dialling, read_dialling
from maskline.engine.call import Call, CallContext
from maskline.engine.call_dialler import DialTarget
from maskline.engine.call_media import SESSION_ID_BITS, CallMedia, MediaPolicy, PromptNeed
from maskline.engine.switch_settings import SwitchSettings
from maskline.sip.events import Flow, IncomingInvite, InviteFacts

_log = structlog.get_logger(__name__)

REFUSAL_STATUS: Final = 480
"""Unknown caller, expired session, withheld number, free number: all alike."""
HOPS_OF_OURS: Final = 71
"""As if an INVITE with Max-Forwards 71 had come: what we send on our own account has 70 (RFC 3261 section 8.1.1.6)."""


@dataclass(frozen=True, slots=True)
class Routed:
    """What a look-up found; without `trunk` the number belongs to one that does not accept the sender."""

    trunk: Trunk | None
    dialling: Dialling
    facts: RouteFacts


class Admitter:
    """Decides on new calls. `start` takes each call that is admitted."""

    def __init__(
        self,
        settings: SwitchSettings,
        context: CallContext,
        *,
        random_bytes: Callable[[int], bytes],
        start: Callable[[Call], None],
    ) -> None:
        self._settings = settings
        self._context = context
        self._random_bytes = random_bytes
        self._start = start

    # --- incoming -------------------------------------------------------------------------------------------

    async def route(self, invite: InviteFacts, trunks: tuple[Trunk, ...]) -> Routed:
        """Find the trunk whose number was dialled: each reads the numbers in its own country's way."""
        unknown: Routed | None = None
        foreign: Routed | None = None
        context = self._context
        for trunk in trunks:
            dialling = read_dialling(invite, trunk)
            facts = await context.store.route(dialling.dialled, dialling.caller, context.clock.now_us())
            if facts.trunk_id == trunk.id:
                return Routed(trunk, dialling, facts)
            if facts.trunk_id is None:
                unknown = unknown or Routed(trunk, dialling, facts)
            else:
                foreign = Routed(None, dialling, facts)
        found = unknown or foreign
        assert found is not None, "an INVITE is routed only when a trunk accepts its sender"
        return found

    def admit(self, event: IncomingInvite, routed: Routed) -> None:
        """Do with an INVITE what routing says."""
        agent, now = self._context.user_agent, self._context.clock.mono_s()
        if routed.trunk is None:  # the number's own trunk does not accept this sender: as from nowhere
            agent.drop(event.leg, now)
            return
        if event.invite.max_forwards < 1:
            agent.refuse(event.leg, 483, now)
            return
        agent.trying(event.leg, now)
        decision = decide_route(
            routed.facts, routed.dialling.caller, self._context.clock.now_us(), self._settings.pin_limits
        )
        match decision:
            case Connect() | AskPin() | Announce():
                self._take(event, routed.trunk, routed, decision)
            case Refuse(reason=reason):
                agent.refuse(event.leg, REFUSAL_STATUS, now)
                self.record_refusal(routed, Reason(reason.value))
            case _:
                assert_never(decision)

    def _take(
        self, event: IncomingInvite, trunk: Trunk, routed: Routed, decision: Connect | AskPin | Announce
    ) -> None:
        targets = () if isinstance(decision, Announce) else self._targets(trunk)
        if not targets and not isinstance(decision, Announce):
            self._refuse(event, routed, Reason.CARRIER_UNREACHABLE)
            return
        plan = self._plan(decision, routed.dialling.caller, len(targets))
        call = self._build(
            plan, trunk, targets, event=event, channel_count=1 if isinstance(decision, Announce) else 2
        )
        if not self._take_channels(call):
            self._refuse(event, routed, Reason.CARRIER_CONGESTED)
            return
        self._start(call)

    def _refuse(self, event: IncomingInvite, routed: Routed, reason: Reason) -> None:
        status = TERMINATIONS[reason].sip_status
        now = self._context.clock.mono_s()
        self._context.user_agent.refuse(event.leg, status, now, retry_after_s=RETRY_AFTER_S)
        self.record_refusal(routed, reason)

    def record_refusal(self, routed: Routed, reason: Reason) -> None:
        """Keep that a call was tried; one that its number's trunk knows nothing of leaves no trace."""
        if routed.trunk is None:
            return
        self._record(
            routed.facts.number or routed.dialling.dialled,
            routed.facts.account_id,
            routed.dialling.caller,
            reason,
        )

    def _record(
        self,
        number: DID,
        account_id: int | None,
        caller: E164 | None,
        reason: Reason,
        *,
        session_id: str | None = None,
        role: Role | None = None,
        is_service_initiated: bool = False,
        call_id: str | None = None,
    ) -> None:
        now = self._context.clock.now_us()
        refused = RefusedCall(
            call_id=call_id or self._new_id(),
            number=number,
            account_id=account_id,
            session_id=session_id,
            caller=caller,
            role=role,
            started_at=now,
            ended_at=now,
            termination=terminate(reason),
            is_service_initiated=is_service_initiated,
        )
        self._context.runner.run(self._context.store.record_refusal(refused), _report_failure)

    # --- service-initiated ----------------------------------------------------------------------------------

    def place(self, order: CallOrder) -> None:
        """Call the first party of an order; what cannot be placed leaves a record."""
        connect = order.connect
        trunks = self._context.trunks.trunks
        trunk = next((known for known in trunks if known.id == connect.trunk_id), None)
        targets = () if trunk is None else self._targets(trunk)
        if trunk is None or not targets:
            self.record_unplaced(order, Reason.CARRIER_UNREACHABLE)
            return
        plan = self._plan(
            connect, order.first, len(targets), is_service_initiated=True, call_id=order.call_id
        )
        call = self._build(plan, trunk, targets, event=None, channel_count=2)
        if not self._take_channels(call):
            self.record_unplaced(order, Reason.CARRIER_CONGESTED)
            return
        self._start(call)

    def record_unplaced(self, order: CallOrder, reason: Reason) -> None:
        """Keep that a call was owed and did not begin."""
        connect = order.connect
        self._record(
            connect.presented,
            connect.account_id,
            order.first,
            reason,
            session_id=connect.session_id,
            role=connect.caller_role,
            is_service_initiated=True,
            call_id=order.call_id,
        )

    # --- both -----------------------------------------------------------------------------------------------

    def _plan(
        self,
        decision: Connect | AskPin | Announce,
        caller: E164 | None,
        target_count: int,
        *,
        is_service_initiated: bool = False,
        call_id: str | None = None,
    ) -> CallPlan:
        dialogue = decision.dialogue if isinstance(decision, AskPin) else None
        payer = decision.dialogue if isinstance(decision, AskPin) else decision
        return CallPlan(
            call_id=call_id or self._new_id(),
            account_id=payer.account_id,
            number=decision.presented if isinstance(decision, Connect) else decision.number,
            caller=caller,
            started_at=self._context.clock.now_us(),
            recording_id=self._new_id(),
            connect=decision if isinstance(decision, Connect) else None,
            dialogue=dialogue,
            announcement=decision if isinstance(decision, Announce) else None,
            is_service_initiated=is_service_initiated,
            target_count=target_count,
        )

    def _build(
        self,
        plan: CallPlan,
        trunk: Trunk,
        targets: tuple[DialTarget, ...],
        *,
        event: IncomingInvite | None,
        channel_count: int,
    ) -> Call:
        is_v6 = bool(targets) and ":" in targets[0].address.host
        media = CallMedia(
            plan.call_id,
            self._context.relay,
            MediaPolicy(
                codecs=trunk.codecs,
                networks=trunk.media_networks,
                is_callee_v6=is_v6,
                prompts=_prompt_need(plan),
            ),
            (self._new_session_id(), self._new_session_id()),
        )
        return Call(
            self._context,
            plan=plan,
            trunk=trunk,
            leg_a=None if event is None else event.leg,
            offer=None if event is None else event.invite.offer,
            hops_left=HOPS_OF_OURS if event is None else event.invite.max_forwards,
            targets=targets,
            media=media,
            channel_count=channel_count,
        )

    def _targets(self, trunk: Trunk) -> tuple[DialTarget, ...]:
        """Where a leg over this trunk may go, in order: all of one IP version, since the relay's ports are."""
        dice = int.from_bytes(self._random_bytes(8))
        addresses = self._context.trunks.route(trunk.id, dice=dice, now=self._context.clock.mono_s())
        reachable = [
            DialTarget(address, Flow(address.transport, local, (address.host, address.port)))
            for address in addresses
            if (local := self._settings.local.get((address.transport, ":" in address.host))) is not None
        ]
        return tuple(
            target
            for target in reachable
            if (":" in target.address.host) == (":" in reachable[0].address.host)
        )

    def _take_channels(self, call: Call) -> bool:
        """Take channels for all legs a call will have, or none: a call that cannot have both is not begun.

        Last of all before the start, since only a call that was started gives them back.
        """
        trunks, trunk_id = self._context.trunks, call.trunk.id
        for taken in range(call.channel_count):
            if not trunks.take_channel(trunk_id):
                for _ in range(taken):
                    trunks.give_channel(trunk_id)
                return False
        return True

    def _new_id(self) -> str:
        return self._random_bytes(16).hex()

    def _new_session_id(self) -> int:
        return int.from_bytes(self._random_bytes(8)) >> (64 - SESSION_ID_BITS)


def _prompt_need(plan: CallPlan) -> PromptNeed | None:
    if plan.connect is None:
        return PromptNeed.REQUIRED
    is_played_to = plan.connect.caller_play_url or plan.connect.callee_play_url or plan.is_service_initiated
    return PromptNeed.WISHED if is_played_to else None


def _report_failure(result: Exception | None) -> None:
    if isinstance(result, Exception):
        _log.error("call.refusal_not_recorded", exc_info=result)

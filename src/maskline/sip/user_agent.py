"""The user agent: the datagram interface and the actions of its owner.

Theory of operation. Bytes come in by `receive`, time passes by `handle_timer`; what follows is taken out by
`next_event` and `outgoing`. Nothing raises for what a peer sends. This module only dispatches: screening is in
`user_agent_screening`, INVITEs of either direction in `user_agent_incoming` and `user_agent_outgoing`, what both
have in common once established in `user_agent_session` and `user_agent_offers`. Time is seconds of the owner's
monotonic clock; randomness comes from `random_bytes`: the same seed and inputs give the same bytes.

Actions on a leg that ended meanwhile do nothing, since its events may still be on their way to the owner.

Source: RFC 3261, 3311, 3581, 6026; see each module.
"""

from collections.abc import Callable
from typing import Any, assert_never

from maskline.sip.dialog import Dialog
from maskline.sip.digest import Credentials
from maskline.sip.errors import LocalProtocolError
from maskline.sip.events import Event, Flow, LegID, RequestID
from maskline.sip.timers import Timer, TimerName
from maskline.sip.transaction_client import ClientTransaction, ClientTransactions
from maskline.sip.transaction_server import ServerTransactions
from maskline.sip.user_agent_core import Core
from maskline.sip.user_agent_incoming import IncomingLegs
from maskline.sip.user_agent_leg import CONFIRMED, Leg, LegState
from maskline.sip.user_agent_offers import Offers
from maskline.sip.user_agent_outgoing import OutgoingLegs
from maskline.sip.user_agent_receiver import Receiver
from maskline.sip.user_agent_refresh import SessionTimers
from maskline.sip.user_agent_reliable import ReliableProvisionals
from maskline.sip.user_agent_requests import Requests
from maskline.sip.user_agent_responses import Responses
from maskline.sip.user_agent_session import Sessions
from maskline.sip.user_agent_types import (
    DialogSnapshot,
    OutgoingInvite,
    OutgoingRequest,
    UserAgentSettings,
)

__all__ = [
    "Credentials",
    "DialogSnapshot",
    "Flow",
    "LegID",
    "OutgoingInvite",
    "OutgoingRequest",
    "RequestID",
    "UserAgent",
    "UserAgentSettings",
]


class UserAgent:
    """Both roles of SIP for any number of legs.

    `random_bytes` must be unpredictable in service; `is_trusted` says whether an IP address may begin anything
    here: others get no answer, unless they speak within a dialog that leads to them. `are_peers` says whether a
    trusted address may speak within a dialog that leads to these other addresses; by default every one may.
    """

    def __init__(
        self,
        settings: UserAgentSettings,
        *,
        random_bytes: Callable[[int], bytes],
        is_trusted: Callable[[str], bool],
        are_peers: Callable[[str, frozenset[str]], bool] = lambda _host, _hosts: True,
    ) -> None:
        core = self._core = Core(settings, random_bytes, is_trusted, are_peers)
        self._sessions = Sessions(core)
        timers = self._session_timers = SessionTimers(core, self._sessions)
        reliable = self._reliable = ReliableProvisionals(core)
        self._offers = Offers(core, self._sessions, timers)
        self._incoming = IncomingLegs(core, self._sessions, timers, reliable)
        self._outgoing = OutgoingLegs(core, self._sessions, timers, reliable)
        self._requests = Requests(core)
        responses = Responses(
            core,
            sessions=self._sessions,
            offers=self._offers,
            outgoing=self._outgoing,
            requests=self._requests,
            timers=timers,
            reliable=reliable,
        )
        self._receiver = Receiver(
            core,
            sessions=self._sessions,
            offers=self._offers,
            incoming=self._incoming,
            timers=timers,
            reliable=reliable,
        )
        core.clients = ClientTransactions(
            core.timings,
            core.timers,
            core.send,
            on_response=responses.received,
            on_failure=responses.missing,
        )
        core.servers = ServerTransactions(
            core.timings,
            core.timers,
            core.send,
            on_ack=self._receiver.ack_with_branch,
            on_failure=self._incoming.delivery_failed,
        )

    # --- the datagram interface -----------------------------------------------------------------------------

    def receive(self, data: bytes, flow: Flow, now: float) -> None:
        """Take one UDP datagram, or any piece of a TCP stream."""
        self._receiver.receive(data, flow, now)

    def outgoing(self) -> list[tuple[Flow, bytes]]:
        """Take what is to be sent, in order."""
        out = self._core.out
        self._core.out = []
        return out

    def next_timer(self) -> float | None:
        """Return when `handle_timer` is to be called next."""
        return self._core.timers.next_at()

    def handle_timer(self, now: float) -> None:
        """Do what has come due."""
        timers = self._core.timers
        while (timer := timers.pop_due(now)) is not None:
            self._timer_due(timer, now)

    def next_event(self) -> Event | None:
        """Take the next event; None when there is none."""
        events = self._core.events
        return events.popleft() if events else None

    def closing(self) -> list[Flow]:
        """Take the TCP connections to be closed, since nobody can tell where their next message begins."""
        return self._receiver.closing()

    def flow_closed(self, flow: Flow, now: float) -> None:
        """Learn that a TCP connection is lost or could not be made."""
        self._receiver.flow_closed(flow)
        self._core.clients.flow_closed(flow, now)
        self._core.servers.flow_closed(flow, now)

    # --- actions on incoming legs ---------------------------------------------------------------------------

    def trying(self, leg: LegID, now: float) -> None:
        """Send 100."""
        if (found := self._core.find_leg(leg)) is not None:
            self._incoming.trying(found, now)

    def ring(self, leg: LegID, now: float) -> None:
        """Send 180, once; where the caller requires 100rel, again and again until its PRACK."""
        if (found := self._core.find_leg(leg)) is not None:
            self._incoming.ring(found, now)

    def answer(self, leg: LegID, sdp: bytes, now: float) -> None:
        """Send 200 with SDP, repeated until its ACK; `HungUp` (ack_timeout) when none comes in 64*T1."""
        if (found := self._core.find_leg(leg)) is not None:
            self._incoming.answer(found, sdp, now)

    def refuse(self, leg: LegID, status: int, now: float, *, retry_after_s: int | None = None) -> None:
        """Send a final failure, 300 to 699."""
        if (found := self._core.find_leg(leg)) is not None:
            self._incoming.refuse(found, status, now, retry_after_s=retry_after_s)

    def drop(self, leg: LegID, now: float) -> None:
        """Forget an INVITE without any answer."""
        if (found := self._core.find_leg(leg)) is not None:
            self._incoming.drop(found, now)

    # --- actions on outgoing legs ---------------------------------------------------------------------------

    def originate(self, invite: OutgoingInvite, now: float) -> LegID:
        """Send an INVITE. Raises LocalProtocolError for fields this user agent may not send."""
        return self._outgoing.originate(invite, now)

    def acknowledge(self, leg: LegID, sdp: bytes, now: float) -> None:  # noqa: ARG002 - as all actions
        """Answer, in the ACK, the offer of a 2xx to an INVITE sent without one."""
        if (found := self._core.find_leg(leg)) is not None:
            self._outgoing.acknowledge(found, sdp)

    # --- actions on both ------------------------------------------------------------------------------------

    def hang_up(self, leg: LegID, now: float, *, q850: int | None = None) -> None:
        """End a leg in the way its state asks for; `Released` follows when it is done."""
        found = self._core.find_leg(leg)
        if found is None:
            return
        match found.state:
            case LegState.RECEIVED:
                self._incoming.refuse(found, 480, now)
            case LegState.CALLING:
                self._outgoing.hang_up(found, now, q850=q850)
            case LegState.UNACKNOWLEDGED:
                self._outgoing.acknowledge(found, b"")
                self._sessions.hang_up(found, now, q850=q850)
            case _:
                self._sessions.hang_up(found, now, q850=q850)

    def send_offer(self, leg: LegID, sdp: bytes, now: float, *, update: bool = False) -> None:
        """Send a re-INVITE (or UPDATE); `OfferAnswered` or `OfferRejected` follows."""
        if (found := self._core.find_leg(leg)) is not None:
            self._offers.send(found, sdp, now, is_update=update)

    def answer_offer(self, leg: LegID, sdp: bytes, now: float) -> None:
        """Answer the pending `OfferReceived`."""
        if (found := self._core.find_leg(leg)) is not None:
            self._offers.answer(found, sdp, now)

    def reject_offer(self, leg: LegID, status: int, now: float) -> None:
        """Refuse the pending `OfferReceived`, 300 to 699."""
        if (found := self._core.find_leg(leg)) is not None:
            self._offers.reject(found, status, now)

    # --- outside legs ---------------------------------------------------------------------------------------

    def send_request(self, out: OutgoingRequest, now: float) -> RequestID:
        """Send OPTIONS or REGISTER; `RequestAnswered` follows."""
        return self._requests.send(out, now)

    def snapshot(self, leg: LegID) -> DialogSnapshot:
        """Return the dialog of an answered leg. Raises LocalProtocolError when there is none."""
        found = self._core.find_leg(leg)
        if found is None or found.dialog is None or found.state not in CONFIRMED:
            raise LocalProtocolError("the leg has no confirmed dialog")
        return found.dialog.snapshot()

    def restore(self, snapshot: DialogSnapshot, now: float) -> LegID:  # noqa: ARG002 - part of the interface
        """Make a leg of a dialog that another process left. Raises RemoteProtocolError when it is damaged."""
        core = self._core
        dialog = Dialog.restore(snapshot)
        if dialog.next_hop.is_reliable:
            dialog.leave_flow()  # no connection outlived the process that had it
        leg = Leg(
            id=core.new_leg_id(),
            state=LegState.ESTABLISHED,
            flow=dialog.flow,
            call_id=dialog.call_id,
            local_tag=dialog.local_tag,
            contact=dialog.contact,
            dialog=dialog,
        )
        core.add_leg(leg)
        return leg.id

    @property
    def leg_count(self) -> int:
        """Legs not yet released."""
        return len(self._core.legs)

    @property
    def transaction_count(self) -> int:
        """Transactions alive, absorbing ones included."""
        return len(self._core.clients.live) + len(self._core.servers.live)

    def _timer_due(self, timer: Timer[Any], now: float) -> None:
        core = self._core
        target: Any = timer.target
        match timer.name:
            case TimerName.REPEAT_2XX:
                self._sessions.repeat_2xx(target, now)
            case TimerName.ACK_WAIT:
                self._sessions.ack_missing(target, now)
            case TimerName.SESSION:
                self._session_timers.due(target, now)
            case TimerName.REPEAT_1XX:
                self._reliable.repeat(target, now)
            case TimerName.PRACK_WAIT:
                self._reliable.prack_missing(target, now)
            case TimerName.PROVISIONAL:
                self._incoming.provisional_due(target, now)
            case TimerName.CANCEL_WAIT:
                core.clients.abandon(target, now)
            case TimerName.FORGET_ENDING:
                core.endings.pop(target, None)
            case TimerName.FORGET_HOSTS:
                core.forget_hosts(target)
            case TimerName.RETRANSMIT | TimerName.TIMEOUT | TimerName.LINGER:
                if isinstance(target, ClientTransaction):
                    core.clients.timer_due(timer, now)
                else:
                    core.servers.timer_due(timer, now)
            case _:
                assert_never(timer.name)

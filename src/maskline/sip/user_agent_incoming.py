"""Incoming legs: an INVITE from outside, until it is established or gone.

Source: RFC 3261 sections 9.2, 12.1.1 and 13.3.
"""

from typing import Final

from maskline.sip.dialog import Dialog
from maskline.sip.errors import LocalProtocolError
from maskline.sip.events import Cancelled, Flow, IncomingInvite, InviteFacts
from maskline.sip.headers import parse_privacy
from maskline.sip.message import Request
from maskline.sip.session_timer import Wish
from maskline.sip.timers import TimerName
from maskline.sip.transaction_server import ServerTransaction
from maskline.sip.user_agent_core import Core, Ending
from maskline.sip.user_agent_leg import Leg, LegState
from maskline.sip.user_agent_messages import ALLOW, MAX_FORWARDS, Items
from maskline.sip.user_agent_refresh import SessionTimers, note_allowed
from maskline.sip.user_agent_reliable import ReliableProvisionals, requires_100rel
from maskline.sip.user_agent_session import Sessions, body_sdp

# RFC 3261 section 13.3.1.1: a provisional answer every minute, or proxies may end the call.
PROVISIONAL_INTERVAL_S: Final = 60.0


class IncomingLegs:
    """What the owner can do with an INVITE received, and what its sender can."""

    def __init__(
        self, core: Core, sessions: Sessions, timers: SessionTimers, reliable: ReliableProvisionals
    ) -> None:
        self._core = core
        self._sessions = sessions
        self._timers = timers
        self._reliable = reliable

    def invite_received(
        self, invite: Request, transaction: ServerTransaction, flow: Flow, wish: Wish
    ) -> None:
        """Make a leg of a new INVITE. Raises RemoteProtocolError when it has no usable Contact or route."""
        core = self._core
        local_tag = core.token()
        contact = core.writer.contact(flow)
        dialog = Dialog.from_invite(invite, local_tag=local_tag, contact=contact, flow=flow)
        leg = Leg(
            id=core.new_leg_id(),
            state=LegState.RECEIVED,
            flow=flow,
            call_id=invite.call_id,
            local_tag=local_tag,
            contact=contact,
            dialog=dialog,
            invite_server=transaction,
            invite_seq=invite.cseq.number,
            is_100rel_wanted=requires_100rel(invite),
            wish=wish,
            min_se_s=core.settings.min_se_s,
            record_routes=tuple(("Record-Route", value) for value in invite.headers.fields("Record-Route")),
        )
        offer = body_sdp(invite)
        leg.has_remote_offer = offer is not None
        note_allowed(leg, invite)
        transaction.owner = leg.id
        core.add_leg(leg)
        core.events.append(IncomingInvite(leg=leg.id, flow=flow, invite=_facts_of(invite, offer)))

    def trying(self, leg: Leg, now: float) -> None:
        """Send 100, once the owner knows that it serves this INVITE."""
        if leg.state is LegState.RECEIVED:
            self._core.respond(_invite_of(leg), 100, now)

    def ring(self, leg: Leg, now: float) -> None:
        """Send 180, once; its repetition each minute is our own affair.

        Not to a caller who offers nothing and requires reliable answers: the first of those would have to carry
        our offer (RFC 3262, 5), which is not made before the callee answers.
        """
        if leg.is_100rel_wanted and not leg.has_remote_offer:
            return
        if leg.state is LegState.RECEIVED and not leg.has_rung:
            leg.has_rung = True
            self.provisional_due(leg, now)

    def provisional_due(self, leg: Leg, now: float) -> None:
        """Say that it rings, and when to say so again."""
        core = self._core
        if leg.is_100rel_wanted:
            self._reliable.send(leg, _invite_of(leg), self._dialog_fields(leg), now)
        else:
            core.respond(_invite_of(leg), 180, now, to_tag=leg.local_tag, extra=self._dialog_fields(leg))
        leg.provisional = core.timers.set(now, PROVISIONAL_INTERVAL_S, TimerName.PROVISIONAL, leg)

    def answer(self, leg: Leg, sdp: bytes, now: float) -> None:
        """Send 200 with SDP, again and again until its ACK."""
        if leg.state is not LegState.RECEIVED:
            return
        leg.state = LegState.ANSWERED
        leg.local_sdp = sdp
        self._core.timers.cancel(leg.provisional)
        self._core.stop_waiting_for_prack(leg)
        extra = (*self._dialog_fields(leg), ("Allow", ALLOW), *self._timers.answer_fields(leg, now))
        is_offer = not leg.has_remote_offer
        self._sessions.send_2xx(
            leg, _invite_of(leg), leg.invite_seq, sdp, now, extra=extra, is_offer=is_offer
        )

    def refuse(self, leg: Leg, status: int, now: float, *, retry_after_s: int | None = None) -> None:
        """Send a final failure. Raises LocalProtocolError for a status that is none."""
        if not 300 <= status <= 699:
            raise LocalProtocolError("a refusal has a status of 300 to 699")
        if leg.state is not LegState.RECEIVED:
            return
        extra: Items = () if retry_after_s is None else (("Retry-After", str(retry_after_s)),)
        self._core.end_invite(leg, status, now, extra=extra)
        self._core.release(leg, now)

    def drop(self, leg: Leg, now: float) -> None:
        """Forget the INVITE; its retransmissions stay unanswered."""
        if leg.state is LegState.RECEIVED:
            self._core.servers.drop(_invite_of(leg), now)
            self._core.remember(_invite_of(leg), Ending(None, leg.local_tag), now)
            self._core.release(leg, now)

    def cancel_received(self, invite: ServerTransaction, transaction: ServerTransaction, now: float) -> None:
        """Answer a CANCEL: 200 for itself and, when there is none yet, a final answer for the INVITE (9.2)."""
        core = self._core
        leg = None if invite.owner is None else core.legs.get(invite.owner)
        core.respond(transaction, 200, now, to_tag=leg.local_tag if leg is not None else None)
        if leg is None or invite.is_answered:
            return
        if leg.invite_server is invite:
            core.end_invite(leg, 487, now)
            self._end_cancelled(leg, now)
        else:
            core.respond(invite, 487, now, to_tag=leg.local_tag)
            leg.offer_in = None  # a re-INVITE was cancelled; the session goes on as it was

    def delivery_failed(self, invite: ServerTransaction, now: float) -> None:
        """The caller's connection is lost before it has an answer."""
        leg = None if invite.owner is None else self._core.legs.get(invite.owner)
        if leg is None:
            return
        if leg.invite_server is invite:
            self._end_cancelled(leg, now)
        elif leg.offer_in is invite:
            leg.offer_in = None

    def _end_cancelled(self, leg: Leg, now: float) -> None:
        self._core.events.append(Cancelled(leg=leg.id))
        self._core.release(leg, now)

    def _dialog_fields(self, leg: Leg) -> Items:
        """Return what an answer that makes a dialog carries (12.1.1)."""
        return (*leg.record_routes, ("Contact", leg.contact))


def _invite_of(leg: Leg) -> ServerTransaction:
    assert leg.invite_server is not None, "received legs have their INVITE"
    return leg.invite_server


def _facts_of(invite: Request, offer: bytes | None) -> InviteFacts:
    headers = invite.headers
    max_forwards = invite.max_forwards
    return InviteFacts(
        request_uri=invite.target,
        to=invite.to,
        from_=invite.from_,
        asserted=headers.addresses("P-Asserted-Identity"),
        privacy=parse_privacy(headers.fields("Privacy")),
        max_forwards=MAX_FORWARDS if max_forwards is None else max_forwards,
        edge_source=headers.get("X-Maskline-Source"),
        offer=offer,
    )

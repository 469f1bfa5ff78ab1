"""Offers in an established leg: re-INVITE and UPDATE, from either side.

Source: RFC 3261 section 14, RFC 3311 section 5, RFC 3264; the crossings of RFC 5407 section 3.
"""

from typing import Final

from maskline.sip.dialog import Dialog
from maskline.sip.errors import LocalProtocolError
from maskline.sip.events import HangUpCause, OfferAnswered, OfferReceived, OfferRejected
from maskline.sip.message import Request, Response
from maskline.sip.session_timer import Wish
from maskline.sip.transaction_client import ClientTransaction, Purpose
from maskline.sip.transaction_server import ServerTransaction
from maskline.sip.user_agent_auth import CHALLENGES
from maskline.sip.user_agent_core import Core
from maskline.sip.user_agent_leg import CONFIRMED, Leg, LegState
from maskline.sip.user_agent_messages import ALLOW, Items
from maskline.sip.user_agent_refresh import SessionTimers
from maskline.sip.user_agent_session import Sessions, body_sdp

# 14.2 and RFC 3311, 5.2: a random value up to 10 s is asked for; a constant keeps the bytes ours, and the peer's
# own timers differ already.
GLARE_RETRY_AFTER_S: Final = 3


class Offers:
    """Offers received and sent, one at a time."""

    def __init__(self, core: Core, sessions: Sessions, timers: SessionTimers) -> None:
        self._core = core
        self._sessions = sessions
        self._timers = timers

    def offer_received(
        self, leg: Leg, request: Request, transaction: ServerTransaction, wish: Wish, now: float
    ) -> None:
        """Take a re-INVITE or UPDATE within the leg's dialog; crossings are refused here."""
        core = self._core
        is_update = request.method == "UPDATE"
        sdp = body_sdp(request)
        status = self._glare(leg, has_offer=sdp is not None, is_update=is_update)
        if status is not None:
            extra: Items = (("Retry-After", str(GLARE_RETRY_AFTER_S)),) if status == 500 else ()
            core.respond(transaction, status, now, to_tag=leg.local_tag, extra=extra)
            return
        dialog = _dialog_of(leg, request)
        assert dialog is not None, "the leg was found by it"
        dialog.refresh_target(request)
        core.register_hosts(leg)
        if is_update and sdp is None:
            extra = _contact_of(leg)
            if leg.state in CONFIRMED:
                kept, leg.wish = leg.wish, wish  # a re-INVITE may be waiting meanwhile
                extra = (*extra, *self._timers.answer_fields(leg, now))
                leg.wish = kept
            core.respond(transaction, 200, now, to_tag=leg.local_tag, extra=extra)
            return
        leg.wish = wish
        leg.offer_in = transaction
        leg.offer_in_seq = request.cseq.number
        leg.is_offer_in_update = is_update
        leg.is_offer_in_empty = sdp is None
        transaction.owner = leg.id
        core.events.append(OfferReceived(leg=leg.id, sdp=sdp, is_update=is_update))

    def answer(self, leg: Leg, sdp: bytes, now: float) -> None:
        """Answer the offer in hand (or make one, when the re-INVITE had none)."""
        transaction = leg.offer_in
        if transaction is None:
            return
        leg.offer_in = None
        leg.local_sdp = sdp
        extra = (*_contact_of(leg), *self._timers.answer_fields(leg, now))
        if leg.is_offer_in_update:
            self._core.respond(transaction, 200, now, to_tag=leg.local_tag, extra=extra, body=sdp)
        else:
            self._sessions.send_2xx(
                leg, transaction, leg.offer_in_seq, sdp, now, extra=extra, is_offer=leg.is_offer_in_empty
            )

    def reject(self, leg: Leg, status: int, now: float) -> None:
        """Refuse the offer in hand; the session goes on as it was."""
        if not 300 <= status <= 699:
            raise LocalProtocolError("a refusal has a status of 300 to 699")
        if leg.offer_in is not None:
            transaction, leg.offer_in = leg.offer_in, None
            self._core.respond(transaction, status, now, to_tag=leg.local_tag)

    def send(self, leg: Leg, sdp: bytes, now: float, *, is_update: bool) -> None:
        """Send a re-INVITE or UPDATE, or report 491 when another offer is under way."""
        if leg.state not in CONFIRMED or leg.is_hang_up_wanted:
            return
        waiting = leg.unacknowledged
        is_busy = (
            leg.state is LegState.UNACKNOWLEDGED
            or leg.offer_in is not None
            or leg.offer_out is not None
            or (waiting is not None and (waiting.is_offer or not is_update))
        )
        if is_busy:
            self._core.events.append(OfferRejected(leg=leg.id, status=491))
            return
        self._send(leg, sdp, now, is_update=is_update, retry_count=0)

    def response_received(
        self, leg: Leg | None, transaction: ClientTransaction, response: Response, now: float
    ) -> None:
        """Take an answer to our re-INVITE or UPDATE; the leg may be gone or hung up already."""
        if response.status < 200:
            if transaction.purpose is Purpose.REINVITE:
                self._core.bound(transaction, now)
            return
        if leg is not None and response.status < 300:
            self._accepted(leg, transaction, response, now)
        elif leg is not None and leg.offer_out is transaction:
            self._refused(leg, transaction, response, now)

    def failed(self, leg: Leg, transaction: ClientTransaction, status: int, now: float) -> None:
        """End a leg whose peer does not answer an offer (12.2.1.2)."""
        if leg.offer_out is transaction:
            leg.offer_out = None
            self._core.events.append(OfferRejected(leg=leg.id, status=status))
            self._sessions.lose(leg, now, HangUpCause.TRANSPORT)

    def _send(self, leg: Leg, sdp: bytes, now: float, *, is_update: bool, retry_count: int) -> None:
        method, purpose = ("UPDATE", Purpose.UPDATE) if is_update else ("INVITE", Purpose.REINVITE)
        extra = (*_contact_of(leg), *self._timers.request_fields(leg))
        leg.offer_out = self._core.send_in_dialog(
            leg, method, purpose, now, extra=extra, body=sdp, retry_count=retry_count
        )

    def _accepted(self, leg: Leg, transaction: ClientTransaction, response: Response, now: float) -> None:
        core = self._core
        if not self._sessions.confirm(leg, transaction, response) or leg.offer_out is not transaction:
            return
        leg.offer_out = None
        self._timers.answered(leg, response, now)
        sdp = body_sdp(response)
        if sdp is None:
            # An offer that got no answer has changed nothing.
            core.events.append(OfferRejected(leg=leg.id, status=488))
        else:
            leg.local_sdp = transaction.request.body
            core.events.append(OfferAnswered(leg=leg.id, sdp=sdp))

    def _refused(self, leg: Leg, transaction: ClientTransaction, response: Response, now: float) -> None:
        leg.offer_out = None
        status, retry_count = response.status, transaction.retry_count
        is_challenge_met = (
            status in CHALLENGES
            and leg.authenticator is not None
            and leg.authenticator.accept(response, retry_count)
        )
        if is_challenge_met or (status == 422 and self._timers.raise_interval(leg, response)):
            self._send(
                leg,
                transaction.request.body,
                now,
                is_update=transaction.purpose is Purpose.UPDATE,
                retry_count=retry_count + is_challenge_met,
            )
            return
        self._core.events.append(OfferRejected(leg=leg.id, status=status))
        if status in {408, 481}:
            self._sessions.lose(leg, now, HangUpCause.PROTOCOL if status == 481 else HangUpCause.TRANSPORT)

    def _glare(self, leg: Leg, *, has_offer: bool, is_update: bool) -> int | None:
        """Return the status an offer gets that crosses another one; None when it may come in."""
        if is_update and not has_offer:
            # 5.2 of RFC 3311: only a second UPDATE before our answer to the first is refused.
            return 500 if leg.offer_in is not None and leg.is_offer_in_update else None
        if leg.state is LegState.RECEIVED:
            # The offer of the INVITE itself is not answered yet.
            return 500
        waiting = leg.unacknowledged
        is_our_offer_open = (
            leg.offer_out is not None
            or leg.state in {LegState.CALLING, LegState.CANCELLING, LegState.UNACKNOWLEDGED}
            or (waiting is not None and (waiting.is_offer or not is_update))
        )
        if leg.offer_in is not None:
            return 500
        return 491 if is_our_offer_open else None


def _dialog_of(leg: Leg, request: Request) -> Dialog | None:
    return leg.dialog if leg.dialog is not None else leg.early.get(request.from_.tag or "")


def _contact_of(leg: Leg) -> Items:
    return ("Contact", leg.contact), ("Allow", ALLOW)

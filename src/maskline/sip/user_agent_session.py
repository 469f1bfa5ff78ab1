"""What happens in a dialog of ours whichever side began it: ACK, BYE and the end.

Source: RFC 3261 sections 12.2, 13.3.1.4 and 15.
"""

import re

from maskline.sip.events import Acknowledged, Cancelled, HangUpCause, HungUp
from maskline.sip.message import Message, Request, Response
from maskline.sip.timers import TimerName
from maskline.sip.transaction_client import ClientTransaction, Purpose
from maskline.sip.transaction_server import ServerTransaction
from maskline.sip.user_agent_auth import CHALLENGES
from maskline.sip.user_agent_core import Core
from maskline.sip.user_agent_leg import CONFIRMED, Leg, LegState, Unacknowledged
from maskline.sip.user_agent_messages import SDP_TYPE, Items, credentials_of, quoted_reason

_Q850 = re.compile(r"Q\.850[ \t]*;(?:[^\"]*;)?[ \t]*cause[ \t]*=[ \t]*([0-9]{1,3})(?![0-9])", re.IGNORECASE)
Q850_MAX = 127


class Sessions:
    """ACK, 2xx repetition and BYE of every leg."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def send_2xx(
        self,
        leg: Leg,
        transaction: ServerTransaction,
        seq: int,
        sdp: bytes,
        now: float,
        *,
        extra: Items,
        is_offer: bool,
    ) -> None:
        """Answer an INVITE or re-INVITE with 200 and repeat it until its ACK; `extra` has the Contact."""
        core = self._core
        core.respond(transaction, 200, now, to_tag=leg.local_tag, extra=extra, body=sdp)
        waiting = Unacknowledged(
            seq=seq,
            flow=transaction.flow,
            data=transaction.data,
            interval_s=core.timings.t1_s,
            is_offer=is_offer,
        )
        transaction.data = b""  # it absorbs from here on, the repetitions are ours (RFC 6026, 7.1)
        # Over TCP too: the ACK may still be lost behind a proxy (13.3.1.4).
        waiting.repetition = core.timers.set(now, waiting.interval_s, TimerName.REPEAT_2XX, leg)
        waiting.wait = core.timers.set(now, core.timings.timeout_s, TimerName.ACK_WAIT, leg)
        leg.unacknowledged = waiting

    def repeat_2xx(self, leg: Leg, now: float) -> None:
        """Send the 2xx again, at intervals that double up to T2."""
        waiting = leg.unacknowledged
        assert waiting is not None, "the timer is cancelled with the wait"
        self._core.send(waiting.flow, waiting.data)
        waiting.interval_s = min(waiting.interval_s * 2, self._core.timings.t2_s)
        waiting.repetition = self._core.timers.set(now, waiting.interval_s, TimerName.REPEAT_2XX, leg)

    def ack_missing(self, leg: Leg, now: float) -> None:
        """End a leg whose 2xx was never acknowledged."""
        self._core.stop_waiting_for_ack(leg)
        if not leg.is_hang_up_wanted:
            self._core.events.append(HungUp(leg=leg.id, cause=HangUpCause.ACK_TIMEOUT, q850=None))
        self.send_bye(leg, now, q850=leg.q850)

    def ack_received(self, leg: Leg, ack: Request, now: float) -> None:
        """Take the ACK of our 2xx; others are absorbed."""
        waiting = leg.unacknowledged
        if waiting is None or ack.cseq.number != waiting.seq:
            return
        self._core.stop_waiting_for_ack(leg)
        if leg.state is LegState.ANSWERED:
            leg.state = LegState.ESTABLISHED
        sdp = body_sdp(ack)
        if leg.is_hang_up_wanted:
            self.send_bye(leg, now, q850=leg.q850)
        elif leg.state is LegState.ESTABLISHED:
            self._core.events.append(Acknowledged(leg=leg.id, sdp=sdp))

    def hang_up(self, leg: Leg, now: float, *, q850: int | None) -> None:
        """End a confirmed dialog from our side.

        Without the ACK of the first 2xx a BYE may not be sent yet (15): the ACK or its timeout brings it.
        """
        if leg.state is LegState.ANSWERED:
            leg.is_hang_up_wanted = True
            leg.q850 = q850
        elif leg.state in CONFIRMED:
            self.send_bye(leg, now, q850=q850)

    def send_bye(self, leg: Leg, now: float, *, q850: int | None, retry_count: int = 0) -> None:
        """Send BYE; the leg is released when it is answered or not answered."""
        core = self._core
        core.stop_waiting_for_ack(leg)
        core.stop_session_timer(leg)
        if leg.offer_in is not None:
            # The pending request of the peer still gets its answer (15.1.2).
            core.respond(leg.offer_in, 487, now, to_tag=leg.local_tag)
            leg.offer_in = None
        leg.offer_out = None
        leg.state = LegState.ENDING
        leg.q850 = q850
        core.send_in_dialog(leg, "BYE", Purpose.BYE, now, extra=quoted_reason(q850), retry_count=retry_count)

    def bye_answered(
        self, leg: Leg, transaction: ClientTransaction, response: Response | None, now: float
    ) -> None:
        """Release the leg, whatever the answer to our BYE is (None: none); a challenge is answered first."""
        if (
            response is not None
            and response.status in CHALLENGES
            and leg.authenticator is not None
            and leg.authenticator.accept(response, transaction.retry_count)
        ):
            self.send_bye(leg, now, q850=leg.q850, retry_count=transaction.retry_count + 1)
            return
        self._core.release(leg, now)

    def bye_received(self, leg: Leg, bye: Request, transaction: ServerTransaction, now: float) -> None:
        """Answer a BYE of the peer, in whatever state it meets the leg (15.1.2)."""
        core = self._core
        core.respond(transaction, 200, now)
        match leg.state:
            case LegState.RECEIVED:
                core.end_invite(leg, 487, now)
                core.events.append(Cancelled(leg=leg.id))
                core.release(leg, now)
            case LegState.CALLING | LegState.CANCELLING:
                # A callee may not do this; it ends that early dialog and not the INVITE.
                leg.early.pop(bye.from_.tag or "", None)
                core.register_hosts(leg)
            case LegState.ENDING:
                pass  # the two BYEs crossed; ours is still to be answered
            case _:
                self._end_by_peer(leg, now, HangUpCause.BYE, q850_of(bye))

    def lose(self, leg: Leg, now: float, cause: HangUpCause) -> None:
        """End a leg whose peer is gone, as its answer (or silence) to a request within the dialog says."""
        self._core.events.append(HungUp(leg=leg.id, cause=cause, q850=None))
        self.send_bye(leg, now, q850=None)

    def _end_by_peer(self, leg: Leg, now: float, cause: HangUpCause, q850: int | None) -> None:
        core = self._core
        if leg.offer_in is not None:
            core.respond(leg.offer_in, 487, now, to_tag=leg.local_tag)
            leg.offer_in = None
        if not leg.is_hang_up_wanted:
            core.events.append(HungUp(leg=leg.id, cause=cause, q850=q850))
        core.release(leg, now)

    def confirm(self, leg: Leg, transaction: ClientTransaction, response: Response) -> bool:
        """Take a 2xx to our re-INVITE or UPDATE: its Contact, and its ACK; False for a copy of an earlier one."""
        core = self._core
        repeated = transaction.acks.get(response.to.tag or "")
        if repeated is not None:
            core.send(*repeated)
            return False
        if leg.state in CONFIRMED and leg.dialog is not None:
            leg.dialog.refresh_target(response)
            core.register_hosts(leg)
        if transaction.request.method == "INVITE":
            self.acknowledge_2xx(leg, transaction, extra=credentials_of(transaction.request))
        return True

    def acknowledge_2xx(
        self, leg: Leg, transaction: ClientTransaction, *, sdp: bytes = b"", extra: Items = ()
    ) -> None:
        """Send the ACK of a 2xx within the leg's dialog, with the INVITE's own number (13.2.2.4)."""
        core = self._core
        dialog = leg.dialog
        assert dialog is not None, "a 2xx has made the dialog"
        ack = core.writer.request(
            "ACK",
            dialog.request_uri,
            dialog.next_hop,
            core.branch(),
            dialog.addresses,
            seq=transaction.request.cseq.number,
            routes=dialog.routes,
            extra=extra,
            body=sdp,
        )
        core.send_ack(transaction, ack, dialog.next_hop, dialog.remote_tag)


def body_sdp(message: Message) -> bytes | None:
    """Return the session description of a message, None when it has none or something else."""
    if not message.body or media_type(message) != SDP_TYPE:
        return None
    return message.body


def media_type(message: Message) -> str:
    """Return the Content-Type in lower case without parameters; empty when there is none."""
    value = message.headers.get("Content-Type")
    return "" if value is None else value.partition(";")[0].strip().lower()


def q850_of(message: Message) -> int | None:
    """Return the Q.850 cause of the Reason fields, None when there is no usable one (RFC 3326)."""
    for value in message.headers.fields("Reason"):
        match = _Q850.search(value)
        if match is not None and 0 < int(match[1]) <= Q850_MAX:
            return int(match[1])
    return None

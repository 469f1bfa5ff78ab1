"""Reliable provisional answers: our 180 where the caller requires it, and PRACK for what callees send.

We use the extension only where the other side insists: an INVITE with Require: 100rel, a 421 to ours. Our own
reliable answers never carry a description, so a 2xx need not wait for their PRACK.

Source: RFC 3262 sections 3 to 5.
"""

import re
from typing import Final

from maskline.sip.errors import RemoteProtocolError
from maskline.sip.events import HangUpCause, HungUp
from maskline.sip.headers import parse_number
from maskline.sip.message import Message, Request, Response
from maskline.sip.timers import TimerName
from maskline.sip.transaction_client import ClientTransaction, Purpose
from maskline.sip.transaction_server import ServerTransaction
from maskline.sip.user_agent_auth import CHALLENGES
from maskline.sip.user_agent_core import Core
from maskline.sip.user_agent_leg import Leg, LegState, ReliableProvisional
from maskline.sip.user_agent_messages import Items
from maskline.sip.user_agent_session import body_sdp

OPTION_TAG: Final = "100rel"
# Section 3: any 5xx; the caller's side did not answer us in time.
UNACKNOWLEDGED_STATUS: Final = 504
RSEQ_MAX: Final = 2**32 - 1
# A callee announces forwarding, queueing and ringing a few times; one that goes on for ever is not followed.
PRACK_COUNT_MAX: Final = 50

_RACK: Final = re.compile(r"([0-9]{1,10})[ \t]+([0-9]{1,10})[ \t]+([^ \t]+)")


class ReliableProvisionals:
    """Both sides of 100rel."""

    def __init__(self, core: Core) -> None:
        self._core = core

    # --- our 180 --------------------------------------------------------------------------------------------

    def send(self, leg: Leg, invite: ServerTransaction, extra: Items, now: float) -> None:
        """Send 180 and repeat it until its PRACK. Nothing while an earlier one still waits for its own."""
        core = self._core
        earlier = leg.reliable
        if earlier is not None and not earlier.is_acknowledged:
            return
        # Section 3: the first number is chosen at random from 1 to 2**31-1.
        first = int.from_bytes(core.random_bytes(4)) >> 1 or 1
        rseq = first if earlier is None else earlier.rseq + 1
        extra = (*extra, ("Require", OPTION_TAG), ("RSeq", str(rseq)))
        core.respond(invite, 180, now, to_tag=leg.local_tag, extra=extra)
        t1_s = core.timings.t1_s
        waiting = ReliableProvisional(rseq=rseq, flow=invite.flow, data=invite.data, interval_s=t1_s)
        waiting.repetition = core.timers.set(now, t1_s, TimerName.REPEAT_1XX, leg)
        waiting.wait = core.timers.set(now, core.timings.timeout_s, TimerName.PRACK_WAIT, leg)
        leg.reliable = waiting

    def repeat(self, leg: Leg, now: float) -> None:
        """Send the 180 again, at intervals that double."""
        waiting = leg.reliable
        assert waiting is not None, "the timer is cancelled with the wait"
        self._core.send(waiting.flow, waiting.data)
        waiting.interval_s *= 2
        waiting.repetition = self._core.timers.set(now, waiting.interval_s, TimerName.REPEAT_1XX, leg)

    def prack_missing(self, leg: Leg, now: float) -> None:
        """End a leg whose caller never acknowledged that it rings."""
        core = self._core
        core.stop_waiting_for_prack(leg)
        core.end_invite(leg, UNACKNOWLEDGED_STATUS, now)
        core.events.append(HungUp(leg=leg.id, cause=HangUpCause.ACK_TIMEOUT, q850=None))
        core.release(leg, now)

    def prack_received(self, leg: Leg, prack: Request, transaction: ServerTransaction, now: float) -> None:
        """Take a PRACK, also one that crossed our 2xx. Raises RemoteProtocolError without a usable RAck.

        An offer in it is refused: descriptions are exchanged in INVITE and 200, or not at all.
        """
        core = self._core
        waiting = leg.reliable
        acknowledged = parse_rack(prack.headers.get("RAck") or "")
        if (
            waiting is None
            or waiting.is_acknowledged
            or acknowledged != (waiting.rseq, leg.invite_seq, "INVITE")
        ):
            core.respond(transaction, 481, now, to_tag=leg.local_tag)
            return
        waiting.is_acknowledged = True
        core.stop_waiting_for_prack(leg)
        core.respond(transaction, 488 if prack.body else 200, now, to_tag=leg.local_tag)

    # --- the callee's ---------------------------------------------------------------------------------------

    def take(self, leg: Leg, response: Response, now: float) -> bool:
        """Acknowledge a provisional answer that asks for it; False when it is a copy, or one before it is missing.

        Raises RemoteProtocolError for an RSeq that is no number.
        """
        transaction = leg.invite_client
        dialog = leg.early.get(response.to.tag or "")
        value = response.headers.get("RSeq")
        if value is None or transaction is None or dialog is None or not requires_100rel(response):
            return True
        rseq = parse_number(value, RSEQ_MAX)
        if dialog.remote_rseq is not None and rseq != dialog.remote_rseq + 1:
            return False
        sdp = body_sdp(response)
        if sdp is not None and not transaction.request.body:
            return True  # an offer we have no answer for yet: left to the 2xx
        if transaction.prack_count >= PRACK_COUNT_MAX:
            return False
        transaction.prack_count += 1
        dialog.remote_rseq = rseq
        if dialog.answer is None:
            dialog.answer = sdp
        rack = f"{rseq} {transaction.request.cseq.number} INVITE"
        self._core.send_in_dialog(leg, "PRACK", Purpose.PRACK, now, extra=(("RAck", rack),), dialog=dialog)
        return True

    def prack_answered(
        self, leg: Leg | None, transaction: ClientTransaction, response: Response, now: float
    ) -> None:
        """Answer a challenge to our PRACK; whatever else becomes of it, the INVITE's own answers tell."""
        if leg is None or response.status not in CHALLENGES or leg.authenticator is None:
            return
        request = transaction.request
        tag = request.to.tag or ""
        dialog = leg.early.get(tag) if leg.dialog is None else leg.dialog
        if dialog is None or dialog.remote_tag != tag or leg.state is LegState.ENDING:
            return
        if leg.authenticator.accept(response, transaction.retry_count):
            self._core.send_in_dialog(
                leg,
                "PRACK",
                Purpose.PRACK,
                now,
                extra=(("RAck", request.headers.get("RAck") or ""),),
                retry_count=transaction.retry_count + 1,
                dialog=dialog,
            )


def requires_100rel(message: Message) -> bool:
    """Whether a message insists on reliable provisional answers."""
    fields = message.headers.fields("Require")
    return bool(fields) and any(
        tag.strip().lower() == OPTION_TAG for value in fields for tag in value.split(",")
    )


def parse_rack(value: str) -> tuple[int, int, str]:
    """Read RAck: the number of the answer, that of its request and the method. Raises RemoteProtocolError."""
    match = _RACK.fullmatch(value)
    if match is None:
        raise RemoteProtocolError("malformed RAck")
    return int(match[1]), int(match[2]), match[3]

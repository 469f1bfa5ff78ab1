"""Outgoing legs: our INVITE, until it is established or gone.

Source: RFC 3261 sections 9.1, 12.1.2, 13.2 and 22.2; RFC 6026 section 7.2 for what comes after the first 2xx.
"""

from maskline.sip.dialog import Dialog
from maskline.sip.errors import LocalProtocolError
from maskline.sip.events import Answered, Failed, LegID, Progressed
from maskline.sip.headers import NameAddr
from maskline.sip.message import Message, Request, Response
from maskline.sip.timers import TimerName
from maskline.sip.transaction_client import ClientTransaction, Purpose
from maskline.sip.transaction_tables import State
from maskline.sip.uri import SIPURI, render_uri
from maskline.sip.user_agent_auth import CHALLENGES, Authenticator
from maskline.sip.user_agent_core import Core
from maskline.sip.user_agent_leg import Leg, LegState
from maskline.sip.user_agent_messages import ALLOW, Items, build_cancel, credentials_of, user_text
from maskline.sip.user_agent_refresh import SessionTimers
from maskline.sip.user_agent_reliable import ReliableProvisionals, requires_100rel
from maskline.sip.user_agent_session import Sessions, body_sdp, q850_of
from maskline.sip.user_agent_types import OutgoingInvite

# More branches than any ringing group has; beyond it provisional answers of new branches are ignored.
EARLY_COUNT_MAX = 20
RETRY_AFTER_S_MAX = 86_400


class OutgoingLegs:
    """Our INVITEs and what comes back for them."""

    def __init__(
        self, core: Core, sessions: Sessions, timers: SessionTimers, reliable: ReliableProvisionals
    ) -> None:
        self._core = core
        self._sessions = sessions
        self._timers = timers
        self._reliable = reliable

    def originate(self, invite: OutgoingInvite, now: float) -> LegID:
        """Send an INVITE. Raises LocalProtocolError for fields this user agent may not send."""
        core = self._core
        has_extras = bool(invite.from_display or invite.extra_headers)
        if has_extras and not core.settings.extra_headers_allowed:
            raise LocalProtocolError("headers outside the allow-list are for phones and tests")
        leg = Leg(
            id=core.new_leg_id(),
            state=LegState.CALLING,
            flow=invite.flow,
            call_id=core.new_call_id(),
            local_tag=core.token(),
            contact=core.writer.contact(invite.flow, user_text(invite.contact_user)),
            min_se_s=core.settings.min_se_s,
        )
        if invite.credentials is not None:
            leg.authenticator = Authenticator(invite.credentials)
        addresses: Items = (
            ("From", _address(invite.from_uri, leg.local_tag, invite.from_display)),
            ("To", _address(invite.to_uri, None, "")),
            ("Call-ID", leg.call_id),
        )
        extra: Items = (("Contact", leg.contact), ("Allow", ALLOW), *self._timers.invite_fields(leg))
        if invite.asserted is not None:
            extra = (*extra, ("P-Asserted-Identity", _address(invite.asserted, None, "")))
        branch = core.branch()
        request = core.writer.request(
            "INVITE",
            render_uri(invite.request_uri),
            invite.flow,
            branch,
            addresses,
            seq=1,
            max_forwards=invite.max_forwards,
            extra=extra,
            body=invite.sdp or b"",
            unchecked=invite.extra_headers,
        )
        core.add_leg(leg)
        leg.invite_client = core.clients.start(
            request, invite.flow, Purpose.INVITE, leg.id, now, branch=branch
        )
        return leg.id

    def hang_up(self, leg: Leg, now: float, *, q850: int | None) -> None:
        """Give an unanswered INVITE up: CANCEL it, as soon as a provisional answer allows (9.1)."""
        if leg.state is LegState.CALLING:
            leg.state = LegState.CANCELLING
            leg.q850 = q850
            self._cancel_when_allowed(leg, now)

    def acknowledge(self, leg: Leg, sdp: bytes) -> None:
        """Answer the offer of a 2xx in its ACK."""
        if leg.state is LegState.UNACKNOWLEDGED and leg.invite_client is not None:
            leg.state = LegState.ESTABLISHED
            leg.local_sdp = sdp
            extra = credentials_of(leg.invite_client.request)
            self._sessions.acknowledge_2xx(leg, leg.invite_client, sdp=sdp, extra=extra)

    def response_received(
        self, leg: Leg | None, transaction: ClientTransaction, response: Response, now: float
    ) -> None:
        """Take an answer to an INVITE that made a leg; the leg may be gone already."""
        if response.status >= 300:
            if leg is not None and leg.invite_client is transaction:
                self._refused(leg, transaction, response, now)
        elif response.status >= 200:
            self._accepted(leg, transaction, response, now)
        elif leg is not None and leg.invite_client is transaction:
            self._progressed(leg, response, now)

    def failed(self, leg: Leg, status: int, now: float) -> None:
        """End a leg nobody answered (408) or whose INVITE cannot be delivered (503)."""
        if leg.state in {LegState.CALLING, LegState.CANCELLING}:
            status = 487 if leg.state is LegState.CANCELLING else status
            self._end(leg, status, None, now)

    def _progressed(self, leg: Leg, response: Response, now: float) -> None:
        if leg.state is LegState.CANCELLING:
            self._cancel_when_allowed(leg, now)
            return
        if leg.state is not LegState.CALLING:
            return
        if response.status == 100:  # no word of the callee, but the peer is there
            self._core.events.append(Progressed(leg=leg.id, status=100, sdp=None))
            return
        tag = response.to.tag
        if tag is not None and tag not in leg.early and len(leg.early) < EARLY_COUNT_MAX:
            leg.early[tag] = self._dialog_of(leg, response)
            self._core.register_hosts(leg)
        if self._reliable.take(leg, response, now):
            self._core.events.append(Progressed(leg=leg.id, status=response.status, sdp=body_sdp(response)))

    def _accepted(
        self, leg: Leg | None, transaction: ClientTransaction, response: Response, now: float
    ) -> None:
        tag = response.to.tag or ""
        repeated = transaction.acks.get(tag)
        if repeated is not None:
            self._core.send(*repeated)
            return
        is_waiting = leg is not None and leg.invite_client is transaction
        if leg is not None and is_waiting and leg.state is LegState.CALLING:
            self._establish(leg, transaction, response, now)
        elif leg is not None and is_waiting and leg.state is LegState.CANCELLING:
            self._end_crossed(leg, transaction, response, now)
        elif leg is None or leg.state is not LegState.UNACKNOWLEDGED or not _is_dialog(leg, tag):
            self._end_stray(transaction, response, now)

    def _establish(self, leg: Leg, transaction: ClientTransaction, response: Response, now: float) -> None:
        dialog = self._adopt(leg, response)
        self._timers.answered(leg, response, now)
        # Given in a reliable provisional answer, the description need not be in the 2xx (RFC 3262, 5).
        sdp = body_sdp(response) or dialog.answer
        leg.local_sdp = transaction.request.body
        if transaction.request.body:
            leg.state = LegState.ESTABLISHED
            extra = credentials_of(transaction.request)
            self._sessions.acknowledge_2xx(leg, transaction, extra=extra)
        else:
            leg.state = LegState.UNACKNOWLEDGED
        self._core.events.append(Answered(leg=leg.id, sdp=sdp))

    def _end_crossed(self, leg: Leg, transaction: ClientTransaction, response: Response, now: float) -> None:
        """The answer crossed our hang-up: ACK, then BYE (15.1.1)."""
        self._adopt(leg, response)
        self._sessions.acknowledge_2xx(leg, transaction, extra=credentials_of(transaction.request))
        self._core.events.append(Failed(leg=leg.id, status=487, retry_after_s=None, q850=None, is_local=True))
        self._sessions.send_bye(leg, now, q850=leg.q850)

    def _end_stray(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        """Another branch answered too, or too late: ACK, then BYE, without any leg."""
        core = self._core
        flow = transaction.flow
        tag = transaction.request.from_.tag or ""
        dialog = Dialog.from_response(transaction.request, response, local_tag=tag, contact="", flow=flow)
        dialog.local_seq += transaction.prack_count
        for method in ("ACK", "BYE"):
            branch = core.branch()
            request = core.writer.request(
                method,
                dialog.request_uri,
                dialog.next_hop,
                branch,
                dialog.addresses,
                seq=dialog.local_seq if method == "ACK" else dialog.next_seq(),
                routes=dialog.routes,
                extra=credentials_of(transaction.request) if method == "ACK" else (),
            )
            if method == "ACK":
                core.send_ack(transaction, request, dialog.next_hop, dialog.remote_tag)
            else:
                core.clients.start(request, dialog.next_hop, Purpose.BYE, None, now, branch=branch)

    def _refused(self, leg: Leg, transaction: ClientTransaction, response: Response, now: float) -> None:
        if leg.state not in {LegState.CALLING, LegState.CANCELLING}:
            return
        if leg.state is LegState.CALLING:
            retry_count = transaction.retry_count
            if (
                response.status in CHALLENGES
                and leg.authenticator is not None
                and leg.authenticator.accept(response, retry_count)
            ):
                self._retry(leg, transaction, now, retry_count=retry_count + 1)
                return
            if self._is_amended(leg, transaction, response):
                self._retry(leg, transaction, now, retry_count=retry_count)
                return
        self._end(leg, response.status, response, now)

    def _is_amended(self, leg: Leg, transaction: ClientTransaction, response: Response) -> bool:
        """Whether the INVITE can be what this refusal asks for; once for each reason."""
        match response.status:
            case 421:
                # Without an offer of ours the callee's would come in a provisional answer, too early for us.
                is_possible = bool(transaction.request.body) and requires_100rel(response)
                is_new, leg.is_100rel_wanted = not leg.is_100rel_wanted, True
                return is_possible and is_new
            case 422:
                return self._timers.raise_interval(leg, response)
            case _:
                return False

    def _retry(self, leg: Leg, transaction: ClientTransaction, now: float, *, retry_count: int) -> None:
        """Send the INVITE again, amended: same call, next number, new branch (22.2)."""
        core = self._core
        old = transaction.request
        branch = core.branch()
        items: list[tuple[str, str]] = []
        for name, value in old.headers.items:
            match name:
                case "Via":
                    items.append((name, core.writer.via(leg.flow, branch)))
                case "CSeq":
                    items.append((name, f"{old.cseq.number + 1} INVITE"))
                case "Supported":
                    items += self._timers.invite_fields(leg)
                case "Authorization" | "Proxy-Authorization" | "Session-Expires" | "Min-SE":
                    pass
                case _:
                    items.append((name, value))
        if leg.authenticator is not None:
            items += leg.authenticator.credentials("INVITE", old.uri, core.token())
        request = Request("INVITE", old.uri, type(old.headers)(items), old.body)
        leg.early.clear()
        leg.is_cancel_sent = False
        retry = core.clients.start(request, leg.flow, Purpose.INVITE, leg.id, now, branch=branch)
        retry.retry_count = retry_count
        leg.invite_client = retry

    def _end(self, leg: Leg, status: int, response: Response | None, now: float) -> None:
        self._core.events.append(
            Failed(
                leg=leg.id,
                status=status,
                retry_after_s=None if response is None else retry_after_of(response),
                q850=None if response is None else q850_of(response),
                is_local=response is None,
            )
        )
        self._core.release(leg, now)

    def _adopt(self, leg: Leg, response: Response) -> Dialog:
        """Make the dialog of a 2xx the leg's own; the other early dialogs are no longer ours."""
        early = leg.early.get(response.to.tag or "")
        if early is None or not early.is_confirmed_by(response):
            dialog = self._dialog_of(leg, response)
            if early is not None:
                # 13.2.2.4: only the route set is computed anew; what early requests counted goes on counting.
                dialog.remote_seq = early.remote_seq
                dialog.local_seq = early.local_seq
                dialog.answer = early.answer
        else:
            dialog = early
        leg.dialog = dialog
        leg.early.clear()
        self._core.register_hosts(leg)
        return dialog

    def _dialog_of(self, leg: Leg, response: Response) -> Dialog:
        assert leg.invite_client is not None, "an answer belongs to our INVITE"
        return Dialog.from_response(
            leg.invite_client.request,
            response,
            local_tag=leg.local_tag,
            contact=leg.contact,
            flow=leg.flow,
        )

    def _cancel_when_allowed(self, leg: Leg, now: float) -> None:
        """Send CANCEL once a provisional answer has shown that somebody has the INVITE."""
        core = self._core
        transaction = leg.invite_client
        if transaction is None or leg.is_cancel_sent or transaction.state is not State.PROCEEDING:
            return
        leg.is_cancel_sent = True
        cancel = build_cancel(transaction.request, leg.q850)
        branch = cancel.via.branch or ""
        core.clients.start(cancel, transaction.flow, Purpose.CANCEL, None, now, branch=branch)
        # The timer's target is the transaction: it outlives the leg.
        core.timers.set(now, core.timings.timeout_s, TimerName.CANCEL_WAIT, transaction)


def retry_after_of(message: Message) -> int | None:
    """Return the seconds of Retry-After, at most a day; None when there are none."""
    value = message.headers.get("Retry-After")
    if value is None:
        return None
    digits = value.partition(";")[0].partition("(")[0].strip()
    return min(int(digits), RETRY_AFTER_S_MAX) if digits.isascii() and digits.isdigit() else None


def _is_dialog(leg: Leg, tag: str) -> bool:
    return leg.dialog is not None and leg.dialog.remote_tag == tag


def _address(uri: SIPURI, tag: str | None, display: str) -> str:
    params = () if tag is None else (("tag", tag),)
    return str(NameAddr(uri=uri, display=display, params=params))

"""From bytes to the right handler: framing, trust, matching, screening.

Source: RFC 3261 sections 8.2, 9.2, 12.2.2, 17.2.3 and 18.
"""

from typing import Final

from maskline.sip.dialog import Dialog
from maskline.sip.errors import RemoteProtocolError
from maskline.sip.events import Flow, InfoReceived
from maskline.sip.message import Message, Request, Response
from maskline.sip.parser import StreamReader, parse_datagram
from maskline.sip.render import build_response, note_source, render
from maskline.sip.transaction_server import ServerTransaction, reply_flow
from maskline.sip.transaction_tables import Input, State
from maskline.sip.user_agent_core import Core
from maskline.sip.user_agent_incoming import IncomingLegs
from maskline.sip.user_agent_leg import CONFIRMED, Leg, LegState
from maskline.sip.user_agent_messages import Items
from maskline.sip.user_agent_offers import Offers
from maskline.sip.user_agent_refresh import SessionTimers, wish_of
from maskline.sip.user_agent_reliable import ReliableProvisionals
from maskline.sip.user_agent_screening import Refusal, options_answer, screen_content, screen_method
from maskline.sip.user_agent_session import Sessions, media_type

# One connection a peer is usual; a trusted peer's thousandth open connection is a fault of its own.
STREAM_COUNT_MAX: Final = 1_000

_BLANKS: Final = frozenset({b"", b"\r", b"\n", b"\0"})
_NO_DIALOG: Final = Refusal(481)
_LOOP: Final = Refusal(482)


class Receiver:
    """Takes what arrives and gives it to its transaction, its leg, or an answer of its own."""

    def __init__(
        self,
        core: Core,
        *,
        sessions: Sessions,
        offers: Offers,
        incoming: IncomingLegs,
        timers: SessionTimers,
        reliable: ReliableProvisionals,
    ) -> None:
        self._core = core
        self._timers = timers
        self._reliable = reliable
        self._sessions = sessions
        self._offers = offers
        self._incoming = incoming
        self._streams: dict[Flow, StreamReader] = {}
        self._closing: list[Flow] = []

    def receive(self, data: bytes, flow: Flow, now: float) -> None:
        """Take one UDP datagram, or any piece of a TCP stream."""
        host = flow.remote[0]
        is_trusted = self._core.is_trusted(host)
        if not is_trusted and host not in self._core.known_hosts:
            return
        if flow.is_reliable:
            self._receive_stream(data, flow, now, is_trusted=is_trusted)
            return
        if data[:1] in _BLANKS and not data.strip(b"\r\n\0"):
            return  # keep-alives (RFC 5626, 4.4.1), and what some devices take for them
        try:
            self._receive_message(parse_datagram(data), flow, now, is_trusted=is_trusted)
        except RemoteProtocolError as error:
            self._complain(error, flow, is_trusted=is_trusted)

    def closing(self) -> list[Flow]:
        """Take the connections to be closed."""
        closing, self._closing = self._closing, []
        return closing

    def flow_closed(self, flow: Flow) -> None:
        """Forget what a connection has left unfinished; dialogs on it look for another way."""
        self._streams.pop(flow, None)
        for leg in self._core.legs.values():
            if leg.dialog is not None and leg.dialog.next_hop == flow:
                leg.dialog.leave_flow()

    def ack_with_branch(self, transaction: ServerTransaction, ack: Request, now: float) -> None:
        """Take an ACK of a 2xx that has the branch of its INVITE, against 17.1.1.3."""
        leg = None if transaction.owner is None else self._core.legs.get(transaction.owner)
        if leg is not None:
            self._sessions.ack_received(leg, ack, now)

    def _receive_stream(self, data: bytes, flow: Flow, now: float, *, is_trusted: bool) -> None:
        reader = self._streams.get(flow)
        if reader is None:
            if len(self._streams) >= STREAM_COUNT_MAX:
                self._closing.append(flow)
                return
            reader = self._streams[flow] = StreamReader()
        for message in reader.feed(data):
            try:
                if isinstance(message, RemoteProtocolError):
                    raise message
                self._receive_message(message, flow, now, is_trusted=is_trusted)
            except RemoteProtocolError as error:
                self._complain(error, flow, is_trusted=is_trusted)
        if reader.is_broken:
            self._closing.append(flow)

    def _receive_message(self, message: Message, flow: Flow, now: float, *, is_trusted: bool) -> None:
        if isinstance(message, Response):
            self._core.clients.receive(message, now)
        elif message.method == "ACK":
            self._receive_ack(message, flow, now, is_trusted=is_trusted)
        else:
            self._receive_request(message, flow, now, is_trusted=is_trusted)

    def _complain(self, error: RemoteProtocolError, flow: Flow, *, is_trusted: bool) -> None:
        """Answer a request that cannot be understood, without keeping any state of it."""
        if is_trusted and error.reply_to is not None:
            self._answer_statelessly(error.reply_to, flow, error.status_hint, ())

    def _answer_statelessly(self, request: Request, flow: Flow, status: int, extra: Items) -> None:
        target = flow
        try:
            request = note_source(request, *flow.remote)
            target = reply_flow(request.via, flow)
        except RemoteProtocolError:
            pass  # an unreadable Via goes back as it came, to where it came from
        response = build_response(request, status, to_tag=self._core.token(), extra=extra)
        self._core.send(target, render(response))

    def _receive_ack(self, ack: Request, flow: Flow, now: float, *, is_trusted: bool) -> None:
        transaction = self._core.servers.find(ack)
        if transaction is not None:
            self._core.servers.step(transaction, Input.ACK, ack, now)
            return
        leg = self._find_leg(ack, flow, is_trusted=is_trusted)
        if leg is not None:
            self._sessions.ack_received(leg, ack, now)

    def _receive_request(self, request: Request, flow: Flow, now: float, *, is_trusted: bool) -> None:
        core = self._core
        transaction = core.servers.find(request)
        if transaction is not None:
            core.servers.step(transaction, Input.REQUEST, request, now)
            return
        cancelled: ServerTransaction | None = None
        if request.method == "CANCEL":
            cancelled = core.servers.find_cancelled(request)
            if cancelled is not None and not self._may_cancel(cancelled, flow, is_trusted=is_trusted):
                # Without a transaction: the caller's own CANCEL will have the same branch.
                if is_trusted:
                    self._answer_statelessly(request, flow, _NO_DIALOG.status, ())
                return
        leg = self._find_leg(request, flow, is_trusted=is_trusted)
        if not is_trusted and cancelled is None and leg is None:
            return
        if cancelled is not None and cancelled.state is State.SILENT:
            return
        if len(core.servers.live) >= core.settings.transaction_count_max:
            self._answer_statelessly(request, flow, 503, self._busy().extra)
            return
        transaction = core.servers.start(request, flow)
        try:
            if request.method == "CANCEL":
                refusal = self._cancel(cancelled, transaction, now)
            else:
                refusal = self._dispatch(request, transaction, leg, flow, now)
        except RemoteProtocolError as error:
            refusal = Refusal(error.status_hint)
        if refusal is not None:
            core.respond(transaction, refusal.status, now, to_tag=refusal.to_tag, extra=refusal.extra)

    def _cancel(
        self, cancelled: ServerTransaction | None, transaction: ServerTransaction, now: float
    ) -> Refusal | None:
        if cancelled is None:
            return _NO_DIALOG
        self._incoming.cancel_received(cancelled, transaction, now)
        return None

    def _dispatch(
        self, request: Request, transaction: ServerTransaction, leg: Leg | None, flow: Flow, now: float
    ) -> Refusal | None:
        refusal = screen_method(request)
        if refusal is not None:
            return refusal
        if request.to.tag is not None:
            return _NO_DIALOG if leg is None else self._in_dialog(leg, request, transaction, now)
        match request.method:
            case "INVITE":
                return self._new_invite(request, transaction, flow, now)
            case "OPTIONS":
                return screen_content(request) or Refusal(200, options_answer())
            case _:
                return _NO_DIALOG

    def _new_invite(
        self, invite: Request, transaction: ServerTransaction, flow: Flow, now: float
    ) -> Refusal | None:
        core = self._core
        assert transaction.merge_key is not None, "it came outside any dialog"
        ending = core.endings.get(transaction.merge_key)
        if ending is not None:
            if ending.status is None:
                core.servers.drop(transaction, now)
                return None
            return Refusal(ending.status, ending.extra, ending.to_tag)
        if core.servers.find_merged(transaction.merge_key) is not transaction:
            return _LOOP
        looped = core.legs_by_dialog.get((invite.call_id, invite.from_.tag or ""))
        if looped is not None and looped.invite_client is not None:
            return _LOOP
        refusal = screen_content(invite)
        if refusal is None and invite.max_forwards == 0:
            # A user agent may take it, but there is no hop left for another leg (RFC 3261, 16.3).
            refusal = Refusal(483)
        if refusal is None and len(core.legs) >= core.settings.leg_count_max:
            refusal = self._busy()
        wish = wish_of(invite)
        refusal = refusal or self._timers.check(wish)
        if refusal is None:
            self._incoming.invite_received(invite, transaction, flow, wish)
        return refusal

    def _in_dialog(
        self, leg: Leg, request: Request, transaction: ServerTransaction, now: float
    ) -> Refusal | None:
        """Take a request within a dialog, in the order of its numbers (12.2.2)."""
        dialog = _dialog_of(leg, request)
        assert dialog is not None, "the leg was found by it"
        seq = request.cseq.number
        if dialog.remote_seq is not None and seq <= dialog.remote_seq:
            return Refusal(500)
        dialog.remote_seq = seq
        wish = wish_of(request)
        refusal = screen_content(request) or self._timers.check(wish)
        if refusal is not None:
            return refusal
        match request.method:
            case "BYE":
                self._sessions.bye_received(leg, request, transaction, now)
            case "OPTIONS":
                return Refusal(200, options_answer())
            case _ if leg.state is LegState.ENDING:
                return _NO_DIALOG
            case "INFO":
                if leg.state in CONFIRMED and request.body:
                    event = InfoReceived(leg=leg.id, content_type=media_type(request), body=request.body)
                    self._core.events.append(event)
                return Refusal(200)
            case "PRACK":
                self._reliable.prack_received(leg, request, transaction, now)
            case _:
                self._offers.offer_received(leg, request, transaction, wish, now)
        return None

    def _find_leg(self, request: Request, flow: Flow, *, is_trusted: bool) -> Leg | None:
        """Find the leg whose dialog the request belongs to, for a sender who may speak in it."""
        tag = request.to.tag
        leg = None if tag is None else self._core.legs_by_dialog.get((request.call_id, tag))
        if leg is None or _dialog_of(leg, request) is None:
            return None
        return leg if self._may_speak(flow, leg.hosts, is_trusted=is_trusted) else None

    def _may_cancel(self, invite: ServerTransaction, flow: Flow, *, is_trusted: bool) -> bool:
        """Whether a CANCEL comes from the peer its INVITE came from: a branch is no secret."""
        return self._may_speak(flow, frozenset((invite.flow.remote[0],)), is_trusted=is_trusted)

    def _may_speak(self, flow: Flow, hosts: frozenset[str], *, is_trusted: bool) -> bool:
        host = flow.remote[0]
        return host in hosts or (is_trusted and self._core.are_peers(host, hosts))

    def _busy(self) -> Refusal:
        return Refusal(503, (("Retry-After", str(self._core.settings.retry_after_s)),))


def _dialog_of(leg: Leg, request: Request) -> Dialog | None:
    tag = request.from_.tag or ""
    if leg.dialog is None:
        return leg.early.get(tag)
    return leg.dialog if leg.dialog.remote_tag == tag else None

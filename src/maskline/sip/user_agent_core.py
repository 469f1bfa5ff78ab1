"""What the parts of a user agent share: clock-less resources, legs by number and by dialog, the way out."""

from collections import Counter, deque
from collections.abc import Callable
from typing import Any, NamedTuple

from maskline.sip.dialog import Dialog
from maskline.sip.errors import LocalProtocolError
from maskline.sip.events import Event, Flow, LegID, Released, RequestID
from maskline.sip.message import Request
from maskline.sip.render import render
from maskline.sip.timers import TimerName, TimerQueues
from maskline.sip.transaction import Timings
from maskline.sip.transaction_client import ClientTransaction, ClientTransactions, Purpose
from maskline.sip.transaction_server import MergeKey, ServerTransaction, ServerTransactions
from maskline.sip.user_agent_leg import Leg, LegState
from maskline.sip.user_agent_messages import Items, Writer, branch_from
from maskline.sip.user_agent_types import UserAgentSettings

# 80 bits: nobody outside the path guesses a branch or a tag (RFC 3261 asks for 32 in tags, 19.3).
TOKEN_BYTES = 10
CALL_ID_BYTES = 16
# 64*T1 of 300 refused INVITEs a second; beyond it a late copy makes a new leg, which is refused again.
ENDING_COUNT_MAX = 10_000


class Ending(NamedTuple):
    """A final failure as it was sent; status None stands for silence."""

    status: int | None
    to_tag: str
    extra: Items = ()


class Core:
    """The one place with references to every leg. Parts get it by argument; legs and transactions never hold it."""

    def __init__(
        self,
        settings: UserAgentSettings,
        random_bytes: Callable[[int], bytes],
        is_trusted: Callable[[str], bool],
        are_peers: Callable[[str, frozenset[str]], bool],
    ) -> None:
        self.settings = settings
        self.is_trusted = is_trusted
        self.are_peers = are_peers
        self.timings = Timings(settings.t1_s, settings.t2_s, settings.t4_s)
        self.timers: TimerQueues[Any] = TimerQueues()
        self.writer = Writer(settings)
        self.random_bytes = random_bytes
        self.out: list[tuple[Flow, bytes]] = []
        self.events: deque[Event] = deque()
        self.legs: dict[LegID, Leg] = {}
        self.legs_by_dialog: dict[tuple[str, str], Leg] = {}
        self.known_hosts: Counter[str] = Counter()
        """Addresses that live dialogs and requests of ours expect to hear from, with how many do."""
        self.endings: dict[MergeKey, Ending] = {}
        """How INVITEs without success ended, so that a copy on another path makes no second call."""
        self.clients: ClientTransactions
        self.servers: ServerTransactions
        self._leg_count = 0
        self._request_count = 0

    def send(self, flow: Flow, data: bytes) -> None:
        """Put bytes out."""
        self.out.append((flow, data))

    def token(self) -> str:
        """Make a tag."""
        return self.random_bytes(TOKEN_BYTES).hex()

    def branch(self) -> str:
        """Make a branch."""
        return branch_from(self.random_bytes(TOKEN_BYTES))

    def new_call_id(self) -> str:
        """Make a Call-ID, without a host: nothing about us is in it."""
        return self.random_bytes(CALL_ID_BYTES).hex()

    def new_leg_id(self) -> LegID:
        """Number the next leg."""
        self._leg_count += 1
        return LegID(self._leg_count)

    def new_request_id(self) -> RequestID:
        """Number the next out-of-dialog request."""
        self._request_count += 1
        return RequestID(self._request_count)

    def find_leg(self, leg: LegID) -> Leg | None:
        """Return a live leg, None when it was released. Raises LocalProtocolError for one that never was."""
        found = self.legs.get(leg)
        if found is None and not 0 < leg <= self._leg_count:
            raise LocalProtocolError("no such leg")
        return found

    def add_leg(self, leg: Leg) -> None:
        """Make a leg known by its number and its dialog."""
        self.legs[leg.id] = leg
        self.legs_by_dialog[leg.call_id, leg.local_tag] = leg
        self.register_hosts(leg)

    def register_hosts(self, leg: Leg) -> None:
        """Say anew from where the leg's peer may speak."""
        hosts = leg.dialog.hosts if leg.dialog is not None else frozenset((leg.flow.remote[0],))
        for dialog in leg.early.values():
            hosts |= dialog.hosts
        if hosts != leg.hosts:
            self.know_hosts(hosts)
            self.forget_hosts(leg.hosts)
            leg.hosts = hosts

    def know_hosts(self, hosts: frozenset[str]) -> None:
        """Expect to hear from these addresses."""
        for host in hosts:
            self.known_hosts[host] += 1

    def forget_hosts(self, hosts: frozenset[str]) -> None:
        """Undo `know_hosts`."""
        for host in hosts:
            self.known_hosts[host] -= 1
            if not self.known_hosts[host]:
                del self.known_hosts[host]

    def release(self, leg: Leg, now: float) -> None:
        """End a leg; the caller has emitted everything else there is to say about it."""
        if leg.state is LegState.ENDED:
            return
        leg.state = LegState.ENDED
        del self.legs[leg.id]
        del self.legs_by_dialog[leg.call_id, leg.local_tag]
        if all(map(self.is_trusted, leg.hosts)):
            self.forget_hosts(leg.hosts)
        else:
            # Somebody else's route: what it sends again must still find its absorbing transaction.
            self.timers.set(now, self.timings.timeout_s, TimerName.FORGET_HOSTS, leg.hosts)
        self.stop_waiting_for_ack(leg)
        self.stop_waiting_for_prack(leg)
        self.stop_session_timer(leg)
        self.timers.cancel(leg.provisional)
        self.events.append(Released(leg=leg.id))

    def end_invite(self, leg: Leg, status: int, now: float, *, extra: Items = ()) -> None:
        """Give the INVITE of an incoming leg its final failure, and remember it for copies that come late."""
        invite = leg.invite_server
        assert invite is not None, "incoming legs have their INVITE"
        self.respond(invite, status, now, to_tag=leg.local_tag, extra=extra)
        self.remember(invite, Ending(status, leg.local_tag, extra), now)

    def remember(self, invite: ServerTransaction, ending: Ending, now: float) -> None:
        """Keep how an INVITE ended as long as copies of it may be under way."""
        key = invite.merge_key
        if key is not None and len(self.endings) < ENDING_COUNT_MAX:
            self.endings[key] = ending
            self.timers.set(now, self.timings.timeout_s, TimerName.FORGET_ENDING, key)

    def stop_waiting_for_ack(self, leg: Leg) -> None:
        """Send the 2xx no more."""
        if leg.unacknowledged is not None:
            self.timers.cancel(leg.unacknowledged.repetition)
            self.timers.cancel(leg.unacknowledged.wait)
            leg.unacknowledged = None

    def stop_waiting_for_prack(self, leg: Leg) -> None:
        """Send the reliable 180 no more; its number stays, for a PRACK that is under way."""
        if leg.reliable is not None:
            self.timers.cancel(leg.reliable.repetition)
            self.timers.cancel(leg.reliable.wait)

    def stop_session_timer(self, leg: Leg) -> None:
        """Refresh the session no more."""
        if leg.session_timer is not None:
            self.timers.cancel(leg.session_timer.alarm)
            leg.session_timer = None

    def bound(self, transaction: ClientTransaction, now: float) -> None:
        """Give a re-INVITE that is only ever told to wait up after another 64*T1, as if never answered."""
        if not transaction.is_bounded:
            transaction.is_bounded = True
            self.timers.set(now, self.timings.timeout_s, TimerName.CANCEL_WAIT, transaction)

    def respond(
        self,
        transaction: ServerTransaction,
        status: int,
        now: float,
        *,
        to_tag: str | None = None,
        extra: Items = (),
        body: bytes = b"",
    ) -> None:
        """Answer a request, finally or not; a final answer without tag gets one of its own (8.2.6.2)."""
        assert transaction.head is not None, "answered already"
        if to_tag is None and status > 100:
            to_tag = self.token()
        response = self.writer.response(transaction.head, status, to_tag=to_tag, extra=extra, body=body)
        self.servers.answer(transaction, response, now)

    def send_in_dialog(
        self,
        leg: Leg,
        method: str,
        purpose: Purpose,
        now: float,
        *,
        extra: Items = (),
        body: bytes = b"",
        retry_count: int = 0,
        dialog: Dialog | None = None,
    ) -> ClientTransaction:
        """Send a request within the leg's dialog, or an early one; `retry_count` counts the challenges it has met."""
        dialog = dialog or leg.dialog
        assert dialog is not None, "a dialog is needed"
        branch = self.branch()
        uri = dialog.request_uri
        if leg.authenticator is not None:
            extra = (*extra, *leg.authenticator.credentials(method, uri, self.token()))
        request = self.writer.request(
            method,
            uri,
            dialog.next_hop,
            branch,
            dialog.addresses,
            seq=dialog.next_seq(),
            routes=dialog.routes,
            extra=extra,
            body=body,
        )
        transaction = self.clients.start(request, dialog.next_hop, purpose, leg.id, now, branch=branch)
        transaction.retry_count = retry_count
        return transaction

    def send_ack(self, transaction: ClientTransaction, ack: Request, flow: Flow, remote_tag: str) -> None:
        """Acknowledge a 2xx and remember how, for its repetitions."""
        data = render(ack)
        transaction.acks[remote_tag] = (flow, data)
        self.send(flow, data)

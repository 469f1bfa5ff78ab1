"""Server transactions: requests of peers waiting for our answers.

Source: RFC 3261 sections 8.2.2.2 and 17.2, RFC 6026 section 7.1, RFC 3581 section 4.
"""

from collections.abc import Callable, Hashable
from typing import Any

from maskline.sip.events import Flow, LegID
from maskline.sip.headers import MAGIC_COOKIE, Via
from maskline.sip.message import Request, Response
from maskline.sip.render import render
from maskline.sip.timers import TimerQueues
from maskline.sip.transaction import Send, Timings, Transaction, TransactionStore
from maskline.sip.transaction_tables import INVITE_SERVER, NON_INVITE_SERVER, Action, Input, State
from maskline.sip.user_agent_messages import ReplyHead, reply_head

DEFAULT_PORT = 5060
DEFAULT_PORT_TLS = 5061

MergeKey = tuple[str, str | None, int, str]


class ServerTransaction(Transaction):
    """A peer's request. What its answers are made of is let go once the final one is sent."""

    __slots__ = ("head", "merge_key", "owner", "status")

    def __init__(self, request: Request, flow: Flow, merge_key: MergeKey | None) -> None:
        is_invite = request.method == "INVITE"
        super().__init__(
            server_key(request, request.method),
            INVITE_SERVER if is_invite else NON_INVITE_SERVER,
            State.PROCEEDING if is_invite else State.TRYING,
            reply_flow(request.via, flow),
        )
        self.head: ReplyHead | None = reply_head(request, flow)
        self.merge_key = merge_key
        self.owner: LegID | None = None
        self.status = 0

    @property
    def is_answered(self) -> bool:
        """Whether a final answer was sent, or the request was dropped."""
        return self.head is None


class ServerTransactions(TransactionStore[ServerTransaction]):
    """The server transactions of a user agent.

    `on_ack` gets an ACK for a 2xx that came with the branch of its INVITE; `on_failure` gets an INVITE whose
    answer cannot be delivered.
    """

    def __init__(
        self,
        timings: Timings,
        timers: TimerQueues[Any],
        send: Send,
        *,
        on_ack: Callable[[ServerTransaction, Request, float], None],
        on_failure: Callable[[ServerTransaction, float], None],
    ) -> None:
        super().__init__(timings, timers, send)
        self._on_failure = on_failure
        self._merging: dict[MergeKey, ServerTransaction] = {}
        self._perform[Action.SEND] = self._send_response
        self._perform[Action.PASS] = on_ack
        self._perform[Action.TRANSPORT_FAILED] = self._transport_failed

    def find(self, request: Request) -> ServerTransaction | None:
        """Find the transaction this request, ACK or CANCEL matches (17.2.3)."""
        method = "INVITE" if request.method == "ACK" else request.method
        return self.live.get(server_key(request, method))

    def find_cancelled(self, cancel: Request) -> ServerTransaction | None:
        """Find the INVITE transaction a CANCEL is about (9.2)."""
        return self.live.get(server_key(cancel, "INVITE"))

    def find_merged(self, key: MergeKey) -> ServerTransaction | None:
        """Find the first transaction of a request, whichever way it came (8.2.2.2)."""
        return self._merging.get(key)

    def start(self, request: Request, flow: Flow) -> ServerTransaction:
        """Begin a transaction of a request that came by `flow`."""
        out_of_dialog = None if request.to.tag else merge_key(request)
        transaction = ServerTransaction(request, flow, out_of_dialog)
        self.live[transaction.key] = transaction
        if out_of_dialog is not None:
            self._merging.setdefault(out_of_dialog, transaction)
        return transaction

    def answer(self, transaction: ServerTransaction, response: Response, now: float) -> None:
        """Send an answer. Raises LocalProtocolError for one that cannot be sent any more."""
        status = response.status
        what = Input.SEND_1XX if status < 200 else Input.SEND_2XX if status < 300 else Input.SEND_FAILURE
        self.step(transaction, what, response, now)
        if status >= 200:
            transaction.head = None
            transaction.status = status

    def drop(self, transaction: ServerTransaction, now: float) -> None:
        """Leave an INVITE unanswered for good."""
        self.step(transaction, Input.DROP, None, now)
        transaction.head = None

    def _send_response(self, transaction: ServerTransaction, response: Response, _now: float) -> None:
        transaction.data = render(response)
        self._send(transaction.flow, transaction.data)

    def _transport_failed(self, transaction: ServerTransaction, _message: object, now: float) -> None:
        self._on_failure(transaction, now)

    def _forget(self, transaction: ServerTransaction) -> None:
        super()._forget(transaction)
        key = transaction.merge_key
        if key is not None and self._merging.get(key) is transaction:
            del self._merging[key]


def server_key(request: Request, method: str) -> Hashable:
    """Return what retransmissions of a request have in common (17.2.3); `method` is INVITE for its ACK.

    Peers of RFC 2543 make no unique branch; theirs is matched by everything that stays the same, the tag of To
    left out because the ACK has one and the INVITE has not.
    """
    via = request.via
    branch = via.branch
    if branch is not None and branch.startswith(MAGIC_COOKIE) and len(branch) > len(MAGIC_COOKIE):
        return branch, via.host, via.port, method
    return request.uri, request.from_.tag, request.call_id, request.cseq.number, str(_unstamped(via)), method


def merge_key(request: Request) -> MergeKey:
    """Return what the copies of one request share that came different ways."""
    cseq = request.cseq
    return request.call_id, request.from_.tag, cseq.number, cseq.method


def reply_flow(via: Via, flow: Flow) -> Flow:
    """Return where answers go (18.2.2): the connection, the source port if rport is there, else the Via's port.

    Always to the address the request came from: a Via cannot turn us on a third party.
    """
    if flow.is_reliable or via.has_rport:
        return flow
    return flow._replace(remote=(flow.remote[0], via.port or DEFAULT_PORT))


def _unstamped(via: Via) -> Via:
    return Via(
        transport=via.transport,
        host=via.host,
        port=via.port,
        params=tuple(each for each in via.params if each[0] not in {"received", "rport"}),
    )

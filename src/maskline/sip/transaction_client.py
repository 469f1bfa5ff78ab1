"""Client transactions: requests of ours waiting for their answers.

Source: RFC 3261 section 17.1, RFC 6026 section 7.2.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Any

from maskline.sip.events import Flow, LegID, RequestID
from maskline.sip.message import Request, Response
from maskline.sip.render import render
from maskline.sip.timers import TimerQueues
from maskline.sip.transaction import Send, Timings, Transaction, TransactionStore
from maskline.sip.transaction_tables import INVITE_CLIENT, NON_INVITE_CLIENT, Action, Input, State
from maskline.sip.user_agent_messages import build_failure_ack


class Purpose(StrEnum):
    """Which conversation a request of ours belongs to."""

    INVITE = "invite"
    REINVITE = "reinvite"
    UPDATE = "update"
    REFRESH = "refresh"
    """A re-INVITE or UPDATE that only keeps the session alive."""
    PRACK = "prack"
    BYE = "bye"
    CANCEL = "cancel"
    REQUEST = "request"
    """Outside any dialog."""


class ClientTransaction(Transaction):
    """A request of ours.

    `acks` holds, for each 2xx acknowledged, how to do it again: remote tag to flow and bytes. `retry_count` counts
    the digest challenges the request has met; `is_bounded` says that a timer waits to abandon it. `prack_count` counts
    the requests that went ahead of an INVITE's final answer in each of its dialogs, at most.
    """

    __slots__ = ("acks", "is_bounded", "owner", "prack_count", "purpose", "request", "retry_count")

    def __init__(
        self, request: Request, flow: Flow, purpose: Purpose, owner: LegID | RequestID | None, branch: str
    ) -> None:
        is_invite = request.method == "INVITE"
        super().__init__(
            (branch, request.method),
            INVITE_CLIENT if is_invite else NON_INVITE_CLIENT,
            State.CALLING if is_invite else State.TRYING,
            flow,
        )
        self.request = request
        self.purpose = purpose
        self.owner = owner
        self.acks: dict[str, tuple[Flow, bytes]] = {}
        self.retry_count = 0
        self.is_bounded = False
        self.prack_count = 0


class ClientTransactions(TransactionStore[ClientTransaction]):
    """The client transactions of a user agent.

    `on_response` gets every response the tables pass on; `on_failure` gets 408 for silence, 503 for transport.
    """

    def __init__(
        self,
        timings: Timings,
        timers: TimerQueues[Any],
        send: Send,
        *,
        on_response: Callable[[ClientTransaction, Response, float], None],
        on_failure: Callable[[ClientTransaction, int, float], None],
    ) -> None:
        super().__init__(timings, timers, send)
        self._on_failure = on_failure
        self._perform[Action.ACK] = self._acknowledge
        self._perform[Action.PASS] = on_response
        self._perform[Action.TIMED_OUT] = self._timed_out
        self._perform[Action.TRANSPORT_FAILED] = self._transport_failed

    def start(
        self,
        request: Request,
        flow: Flow,
        purpose: Purpose,
        owner: LegID | RequestID | None,
        now: float,
        *,
        branch: str,
    ) -> ClientTransaction:
        """Send a request whose topmost Via carries `branch` and wait for its answers."""
        transaction = ClientTransaction(request, flow, purpose, owner, branch)
        self.live[transaction.key] = transaction
        transaction.data = render(request)
        self._start_retransmit(transaction, None, now)
        self._start_timeout(transaction, None, now)
        self._send(flow, transaction.data)
        return transaction

    def receive(self, response: Response, now: float) -> bool:
        """Feed a response to the transaction it answers; False when there is none (17.1.3)."""
        transaction = self.live.get((response.via.branch, response.cseq.method))
        if transaction is None or not _has_one_via(response):
            return False
        self.step(transaction, _input_of(response.status), response, now)
        return True

    def abandon(self, transaction: ClientTransaction, now: float) -> None:
        """Stop waiting for the answer to a cancelled INVITE; one that got an answer meanwhile is left alone."""
        if transaction.state in {State.CALLING, State.PROCEEDING}:
            self.step(transaction, Input.ABANDON, None, now)

    def _acknowledge(self, transaction: ClientTransaction, response: Response, _now: float) -> None:
        transaction.data = render(build_failure_ack(transaction.request, response))
        self._send(transaction.flow, transaction.data)

    def _timed_out(self, transaction: ClientTransaction, _message: object, now: float) -> None:
        self._on_failure(transaction, 408, now)

    def _transport_failed(self, transaction: ClientTransaction, _message: object, now: float) -> None:
        self._on_failure(transaction, 503, now)


def _has_one_via(response: Response) -> bool:
    """Tell an answer to us from one to somebody behind us, for whom we forward nothing (8.1.3.3)."""
    vias = response.headers.fields("Via")
    return len(vias) == 1 and ("," not in vias[0] or len(response.headers.all("Via")) == 1)


def _input_of(status: int) -> Input:
    if status < 200:
        return Input.RESPONSE_1XX
    return Input.RESPONSE_2XX if status < 300 else Input.RESPONSE_FAILURE

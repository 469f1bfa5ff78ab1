"""What client and server transactions share: running a table, timers, the store of live transactions.

A transaction holds no reference to its store, to a leg or to another transaction, only the identifiers of its
owner; everything reachable from it belongs to the same leg.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from maskline.sip.events import Flow
from maskline.sip.message import Request, Response
from maskline.sip.timers import Timer, TimerName, TimerQueues
from maskline.sip.transaction_tables import Action, Input, State, Table, look_up

# Timers B, F, H, J, L and M, and the wait for an ACK, are all 64*T1 (RFC 3261, table 4; RFC 6026, 7).
TIMEOUT_IN_T1 = 64
# Timer D, at least 32 s over UDP (RFC 3261, 17.1.1.2).
LINGER_ACK_S = 32.0

Send = Callable[[Flow, bytes], None]

_INPUT_BY_TIMER = {
    TimerName.RETRANSMIT: Input.RETRANSMIT,
    TimerName.TIMEOUT: Input.TIMEOUT,
    TimerName.LINGER: Input.LINGER,
}


@dataclass(frozen=True, slots=True)
class Timings:
    """T1, T2 and T4 of RFC 3261, section 17."""

    t1_s: float
    t2_s: float
    t4_s: float

    @property
    def timeout_s(self) -> float:
        """64*T1."""
        return self.t1_s * TIMEOUT_IN_T1


class Transaction:
    """One transaction: its state, what it sends again and where."""

    __slots__ = (
        "data",
        "flow",
        "interval_s",
        "key",
        "lingering",
        "retransmission",
        "state",
        "table",
        "timeout",
    )

    def __init__(self, key: Hashable, table: Table, state: State, flow: Flow) -> None:
        self.key = key
        self.table = table
        self.state = state
        self.flow = flow
        self.data = b""
        self.interval_s = 0.0
        self.retransmission: Timer[Any] | None = None
        self.timeout: Timer[Any] | None = None
        self.lingering: Timer[Any] | None = None

    @property
    def is_terminated(self) -> bool:
        """Whether it is gone from its store."""
        return self.state is State.TERMINATED


T = TypeVar("T", bound=Transaction)


class TransactionStore(Generic[T]):
    """Live transactions of one kind, by key. The owner feeds messages and due timers; `send` puts bytes out."""

    def __init__(self, timings: Timings, timers: TimerQueues[Any], send: Send) -> None:
        self._timings = timings
        self._timers = timers
        self._send = send
        self.live: dict[Hashable, T] = {}
        self._perform: dict[Action, Callable[[T, Any, float], None]] = {
            Action.REPLAY: self._replay,
            Action.BACK_OFF: self._back_off,
            Action.SLOW_DOWN: self._slow_down,
            Action.STOP_RETRANSMIT: self._stop_retransmit,
            Action.STOP_TIMEOUT: self._stop_timeout,
            Action.START_RETRANSMIT: self._start_retransmit,
            Action.START_TIMEOUT: self._start_timeout,
            Action.LINGER_ACK: self._linger_ack,
            Action.LINGER_2XX: self._linger_2xx,
            Action.LINGER_REQUEST: self._linger_request,
            Action.LINGER_T4: self._linger_t4,
        }

    def step(
        self, transaction: T, what: Input, message: Request | Response | bytes | None, now: float
    ) -> None:
        """Do what the table says. Raises LocalProtocolError, with nothing changed, when the cell is missing."""
        state, actions = look_up(transaction.table, transaction.state, what)
        transaction.state = state
        if state is State.TERMINATED:
            self._forget(transaction)
        perform = self._perform
        for action in actions:
            perform[action](transaction, message, now)

    def timer_due(self, timer: Timer[T], now: float) -> None:
        """Feed a timer that came due."""
        assert timer.target is not None, "it was not cancelled"
        self.step(timer.target, _INPUT_BY_TIMER[timer.name], None, now)

    def flow_closed(self, flow: Flow, now: float) -> None:
        """Tell every transaction on that connection that it is gone."""
        for transaction in [each for each in self.live.values() if each.flow == flow]:
            if not transaction.is_terminated:
                self.step(transaction, Input.TRANSPORT_ERROR, None, now)

    def _forget(self, transaction: T) -> None:
        del self.live[transaction.key]
        for timer in (transaction.retransmission, transaction.timeout, transaction.lingering):
            self._timers.cancel(timer)
        # Timers and transactions refer to each other; apart, they are freed at once.
        transaction.retransmission = transaction.timeout = transaction.lingering = None

    def _replay(self, transaction: T, _message: object, _now: float) -> None:
        if transaction.data:
            self._send(transaction.flow, transaction.data)

    def _start_retransmit(self, transaction: T, _message: object, now: float) -> None:
        if not transaction.flow.is_reliable:
            self._arm(transaction, self._timings.t1_s, now)

    def _back_off(self, transaction: T, _message: object, now: float) -> None:
        # Only the INVITE itself doubles without limit (timer A); E and G stop at T2.
        doubled = transaction.interval_s * 2
        is_bounded = transaction.state is not State.CALLING
        self._arm(transaction, min(doubled, self._timings.t2_s) if is_bounded else doubled, now)

    def _slow_down(self, transaction: T, _message: object, now: float) -> None:
        self._arm(transaction, self._timings.t2_s, now)

    def _arm(self, transaction: T, interval_s: float, now: float) -> None:
        transaction.interval_s = interval_s
        transaction.retransmission = self._timers.set(now, interval_s, TimerName.RETRANSMIT, transaction)

    def _start_timeout(self, transaction: T, _message: object, now: float) -> None:
        transaction.timeout = self._timers.set(now, self._timings.timeout_s, TimerName.TIMEOUT, transaction)

    def _stop_retransmit(self, transaction: T, _message: object, _now: float) -> None:
        self._timers.cancel(transaction.retransmission)
        transaction.retransmission = None
        transaction.data = b""  # never sent again; an ACK takes its place later in the same transition

    def _stop_timeout(self, transaction: T, _message: object, _now: float) -> None:
        self._timers.cancel(transaction.timeout)
        transaction.timeout = None

    def _linger_ack(self, transaction: T, _message: object, now: float) -> None:
        self._linger(transaction, LINGER_ACK_S, now)

    def _linger_t4(self, transaction: T, _message: object, now: float) -> None:
        self._linger(transaction, self._timings.t4_s, now)

    def _linger_request(self, transaction: T, _message: object, now: float) -> None:
        self._linger(transaction, self._timings.timeout_s, now)

    def _linger_2xx(self, transaction: T, _message: object, now: float) -> None:
        self._absorb(transaction, self._timings.timeout_s, now)

    def _linger(self, transaction: T, duration_s: float, now: float) -> None:
        self._absorb(transaction, 0.0 if transaction.flow.is_reliable else duration_s, now)

    def _absorb(self, transaction: T, duration_s: float, now: float) -> None:
        transaction.lingering = self._timers.set(now, duration_s, TimerName.LINGER, transaction)

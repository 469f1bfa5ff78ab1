"""Running a table: timers, retransmission, ends."""

import pytest
from tests.sip.test_dialog import TCP, UDP, invite

from maskline.sip.errors import LocalProtocolError
from maskline.sip.events import Flow
from maskline.sip.message import Request
from maskline.sip.timers import TimerQueues
from maskline.sip.transaction import Timings
from maskline.sip.transaction_server import ServerTransaction, ServerTransactions
from maskline.sip.transaction_tables import Input, State
from maskline.sip.user_agent_messages import Writer
from maskline.sip.user_agent_types import UserAgentSettings

WRITER = Writer(UserAgentSettings(advertised=("192.0.2.1", 5060)))


class Bench:
    """A store of server transactions with everything it sends."""

    def __init__(self) -> None:
        self.timers: TimerQueues[ServerTransaction] = TimerQueues()
        self.sent: list[tuple[Flow, bytes]] = []
        self.acks: list[Request] = []
        self.failed: list[ServerTransaction] = []
        self.store = ServerTransactions(
            Timings(0.5, 4.0, 5.0),
            self.timers,
            lambda flow, data: self.sent.append((flow, data)),
            on_ack=lambda _transaction, ack, _now: self.acks.append(ack),
            on_failure=lambda transaction, _now: self.failed.append(transaction),
        )

    def answer(self, transaction: ServerTransaction, status: int) -> None:
        assert transaction.head is not None
        self.store.answer(transaction, WRITER.response(transaction.head, status, to_tag="t"), 0.0)

    def run(self, until: float) -> None:
        while (timer := self.timers.pop_due(until)) is not None:
            self.store.timer_due(timer, timer.at)


def test_timings() -> None:
    """64*T1 is 32 s with the usual T1."""
    assert Timings(0.5, 4.0, 5.0).timeout_s == 32.0


@pytest.mark.parametrize(
    ("flow", "status", "is_acked", "count", "ends_at"),
    [
        (UDP, 200, False, 1, 32.0),
        (TCP, 200, False, 1, 32.0),
        (UDP, 486, False, 11, 32.0),
        (UDP, 486, True, 1, 5.0),
        (TCP, 486, False, 1, 32.0),
        (TCP, 486, True, 1, 0.0),
    ],
)
def test_how_often_and_how_long(
    flow: Flow, status: int, *, is_acked: bool, count: int, ends_at: float
) -> None:
    """G repeats a failure over UDP only; H, I and L end the transaction at their instants."""
    bench = Bench()
    transaction = bench.store.start(invite(), flow)
    bench.answer(transaction, status)
    if is_acked:
        bench.store.step(transaction, Input.ACK, None, 0.0)
    bench.run(ends_at - 0.01)
    assert not transaction.is_terminated
    bench.run(ends_at)
    assert transaction.is_terminated
    assert len(bench.sent) == count
    assert len(bench.timers) == 0
    assert not bench.store.live


def test_illegal_step_changes_nothing() -> None:
    """A second final answer is our bug: it raises, sends nothing and leaves the state."""
    bench = Bench()
    transaction = bench.store.start(invite(), UDP)
    head = transaction.head
    assert head is not None
    bench.answer(transaction, 486)
    with pytest.raises(LocalProtocolError):
        bench.store.answer(transaction, WRITER.response(head, 200), 0.0)
    assert transaction.state is State.COMPLETED
    assert len(bench.sent) == 1


def test_lost_connection_reaches_its_transactions_only() -> None:
    """An unanswered INVITE on the flow fails; one on another flow, or answered, does not."""
    bench = Bench()
    other = TCP._replace(remote=("192.0.2.7", 40_001))
    waiting = bench.store.start(invite(("X", "1")), TCP)
    bench.store.live[object()] = elsewhere = ServerTransaction(invite(), other, None)
    bench.store.flow_closed(TCP, 0.0)
    assert bench.failed == [waiting]
    assert waiting.is_terminated
    assert not elsewhere.is_terminated

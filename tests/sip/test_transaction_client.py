"""Client transactions: what goes out when, and what is passed on."""

import pytest
from tests.sip.test_dialog import TCP, UDP, invite

from maskline.sip.events import Flow
from maskline.sip.message import Headers, Request, Response
from maskline.sip.timers import TimerQueues
from maskline.sip.transaction import Timings
from maskline.sip.transaction_client import ClientTransaction, ClientTransactions, Purpose


class Bench:
    """A store of client transactions with everything it says."""

    def __init__(self) -> None:
        self.timers: TimerQueues[ClientTransaction] = TimerQueues()
        self.sent: list[bytes] = []
        self.passed: list[int] = []
        self.failures: list[int] = []
        self.store = ClientTransactions(
            Timings(0.5, 4.0, 5.0),
            self.timers,
            lambda _flow, data: self.sent.append(data.split(b" ")[0]),
            on_response=lambda _transaction, response, _now: self.passed.append(response.status),
            on_failure=lambda _transaction, status, _now: self.failures.append(status),
        )

    def start(self, method: str, flow: Flow = UDP) -> ClientTransaction:
        return self.store.start(request_of(method), flow, Purpose.REQUEST, None, 0.0, branch="z9hG4bKx")

    def answer(self, method: str, *statuses: int, now: float = 0.0) -> None:
        for status in statuses:
            assert self.store.receive(response_of(method, status), now)

    def run(self, until: float) -> None:
        while (timer := self.timers.pop_due(until)) is not None:
            self.store.timer_due(timer, timer.at)


def request_of(method: str) -> Request:
    items = [(name, f"7 {method}" if name == "CSeq" else value) for name, value in invite().headers.items]
    return Request(method, "sip:us@192.0.2.1", Headers(items))


def response_of(method: str, status: int) -> Response:
    return Response(status, "", Headers([*request_of(method).headers.items]))


@pytest.mark.parametrize(
    ("method", "flow", "statuses", "count", "ends_at"),
    [
        ("INVITE", UDP, (), 7, 32.0),
        ("INVITE", TCP, (), 1, 32.0),
        ("OPTIONS", UDP, (), 11, 32.0),
        ("OPTIONS", TCP, (), 1, 32.0),
        ("INVITE", UDP, (200,), 1, 32.0),
        ("INVITE", TCP, (200,), 1, 32.0),
        ("INVITE", UDP, (486,), 2, 32.0),
        ("INVITE", TCP, (486,), 2, 0.0),
        ("OPTIONS", UDP, (200,), 1, 5.0),
        ("OPTIONS", TCP, (200,), 1, 0.0),
    ],
)
def test_how_often_and_how_long(
    method: str, flow: Flow, statuses: tuple[int, ...], count: int, ends_at: float
) -> None:
    """A and E repeat over UDP only; B, F, D, K and M end the transaction at their instants (17.1)."""
    bench = Bench()
    transaction = bench.start(method, flow)
    bench.answer(method, *statuses)
    bench.run(ends_at - 0.01)
    assert not transaction.is_terminated
    bench.run(ends_at)
    assert transaction.is_terminated
    assert len(bench.sent) == count
    assert bench.failures == ([] if statuses else [408])
    assert len(bench.timers) == 0


def test_a_ringing_invite_waits_for_ever() -> None:
    """After a provisional answer only the user ends an INVITE; abandoning it counts as silence."""
    bench = Bench()
    transaction = bench.start("INVITE")
    bench.answer("INVITE", 100, 180)
    bench.run(1_000.0)
    assert not transaction.is_terminated
    bench.store.abandon(transaction, 1_000.0)
    bench.store.abandon(transaction, 1_000.0)
    assert bench.failures == [408]
    assert bench.passed == [100, 180]


def test_repetitions_of_an_answer() -> None:
    """Each 2xx to INVITE is passed on, each failure acknowledged and passed once, other answers passed once."""
    for method, status, passed, sent in (
        ("INVITE", 200, 3, 1),
        ("INVITE", 486, 1, 4),
        ("OPTIONS", 200, 1, 1),
    ):
        bench = Bench()
        bench.start(method)
        bench.answer(method, status, status, status)
        assert (len(bench.passed), len(bench.sent)) == (passed, sent)


def test_an_abandoned_transaction_with_an_answer_is_left_alone() -> None:
    """The timer that abandons may come after the answer."""
    bench = Bench()
    transaction = bench.start("INVITE")
    bench.answer("INVITE", 200)
    bench.store.abandon(transaction, 0.0)
    assert bench.failures == []


def test_lost_connection() -> None:
    """It is 503 for a request without answer, and nothing for one that has it."""
    for statuses, failures in (((), [503]), ((180,), [503]), ((200,), []), ((486,), [])):
        bench = Bench()
        bench.start("INVITE", TCP)
        bench.answer("INVITE", *statuses)
        bench.store.flow_closed(TCP, 0.0)
        assert bench.failures == failures


def test_answers_match_by_branch_and_method() -> None:
    """The answer to a CANCEL, which has the INVITE's branch, is not the INVITE's (17.1.3)."""
    bench = Bench()
    bench.start("INVITE")
    assert not bench.store.receive(response_of("CANCEL", 200), 0.0)
    assert bench.passed == []

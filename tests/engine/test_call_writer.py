"""What a call came to is written, however often it takes."""

from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from structlog.testing import capture_logs

from maskline.engine.call_writer import ATTEMPT_COUNT_MAX, RETRY_S_MAX, CallWriter
from maskline.engine.ports import Cancellable, Runner, SwitchClock
from maskline.testing.network import VirtualNetwork
from maskline.testing.virtual_switch import VirtualRunner


class PatientRunner(VirtualRunner):
    """A runner that notes for how long it is asked to wait."""

    def call_at_mono(self, at_mono_s: float, callback: Callable[[], None]) -> Cancellable:
        waits.append(at_mono_s - self.network.now)
        return super().call_at_mono(at_mono_s, callback)


waits: list[float] = []


class Desk:
    """A database that fails so many times first."""

    def __init__(self, failure_count: int) -> None:
        waits.clear()
        self.failure_count, self.attempt_count = failure_count, 0
        self.network = VirtualNetwork(seed=0)
        self.runner = PatientRunner(self.network, 0)

    async def store(self) -> None:
        self.attempt_count += 1
        if self.attempt_count <= self.failure_count:
            raise OSError("away")

    def write(self) -> None:
        runner: Runner = self.runner
        clock: SwitchClock = self.runner
        work: Callable[[], Coroutine[Any, Any, None]] = self.store
        CallWriter(runner, clock).write("c1", work)
        while (at := self.runner.next_at()) is not None:
            self.network.run(until=at)
            self.runner.run_due(at)


@pytest.mark.parametrize("failure_count", [0, 1, 3, 7])
def test_work_is_done_until_it_succeeds(failure_count: int) -> None:
    """Once more than it failed, each time after a longer wait."""
    desk = Desk(failure_count)
    with capture_logs() as logs:
        desk.write()
    assert desk.attempt_count == failure_count + 1
    assert waits == pytest.approx([min(RETRY_S_MAX, 2**attempt) for attempt in range(1, failure_count + 1)])
    assert [entry["event"] for entry in logs] == ["call.record_delayed"] * failure_count


def test_work_is_given_up_in_the_end() -> None:
    """After half an hour and more the log says which call's account was lost."""
    desk = Desk(10_000)
    with capture_logs() as logs:
        desk.write()
    assert desk.attempt_count == ATTEMPT_COUNT_MAX
    assert sum(waits) > 1_800
    assert (logs[-1]["event"], logs[-1]["call_id"]) == ("call.record_lost", "c1")

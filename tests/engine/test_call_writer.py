"""What nobody waits for is written all the same."""

from itertools import pairwise

from structlog.testing import capture_logs

from maskline.engine.call_writer import ATTEMPT_COUNT_MAX, RETRY_S_MAX, CallWriter
from maskline.store.engine import StoreUnavailableError
from maskline.testing.network import VirtualNetwork
from maskline.testing.virtual_switch import VirtualRunner

DAY_S = 86_400.0


class Database:
    """Away for its first attempts."""

    def __init__(self, network: VirtualNetwork, *, away_count: int) -> None:
        self.network = network
        self.away_count = away_count
        self.tried_at: list[float] = []
        self.written = 0

    async def write(self) -> None:
        """Write, or fail."""
        self.tried_at.append(self.network.now)
        if len(self.tried_at) <= self.away_count:
            raise StoreUnavailableError
        self.written += 1


def run(away_count: int) -> tuple[Database, list[str]]:
    """Write once to a database that is away for so many attempts, and let a day go by."""
    network = VirtualNetwork(seed=0)
    runner = VirtualRunner(network, 0)
    database = Database(network, away_count=away_count)
    with capture_logs() as logs:
        CallWriter(runner, runner).write("c1", database.write)
        while (at := runner.next_at()) is not None and at < DAY_S:
            network.now = at
            runner.run_due(at)
    return database, [str(line["event"]) for line in logs]


def test_what_can_be_written_is_written_once() -> None:
    """At once, and never again."""
    database, logs = run(0)
    assert (database.written, len(database.tried_at), logs) == (1, 1, [])


def test_a_database_that_is_away_is_waited_for() -> None:
    """Longer each time, a minute at most; then it is written once."""
    database, logs = run(10)
    assert database.written == 1
    waits = [round(after - before) for before, after in pairwise(database.tried_at)]
    assert waits == sorted(waits)
    assert waits[0] < 3
    assert max(waits) == RETRY_S_MAX
    assert logs == ["call.record_delayed"] * 10


def test_waiting_has_an_end() -> None:
    """After half an hour the operator is told what was lost."""
    database, logs = run(ATTEMPT_COUNT_MAX + 5)
    assert len(database.tried_at) == ATTEMPT_COUNT_MAX
    assert logs[-1] == "call.record_lost"
    assert database.tried_at[-1] > 30 * 60

"""More calls than the service is told to take."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.ground import Ground, loopback_block
from tests.interop.stage import Stage
from tests.interop.waiting import wait_for
from tests.peers import need

pytestmark = pytest.mark.sipp


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    """A service that takes one call at a time."""
    need("sipp")
    with loopback_block() as block:
        ground = Ground(block, tmp_path / "ground", settings={"CALLS_MAX": "1"})
        ground.carriers["plain"] = iter(ground.add_carriers(2))
        ground.start()
        try:
            yield ground
        finally:
            ground.stop()
            ground.store.close()


def test_call_above_the_limit_is_turned_away(ground: Ground, tmp_path: Path) -> None:
    """It gets 503 with Retry-After at once; the running call goes on, and after it the next is taken."""
    stages = [Stage(ground, carrier, tmp_path) for carrier in ground.carriers["plain"]]
    for stage in stages:
        ground.add_session(stage.carrier)
    try:
        callee = stages[0].uas("uas_answers")
        caller = stages[0].uac("uac_hangs_up", values={"talk_ms": "2500"})
        wait_for(lambda: caller.received(method="INVITE", status=200), 8.0, "the first call is answered")
        refused = stages[1].uac("uac_refused", values={"status": "503"}).wait()
        (answer,) = refused.received(method="INVITE", status=503)
        assert int(answer.header("Retry-After")) > 0
        stages[0].check_masked(caller.wait(), callee.wait())
        ground.wait_for_records(stages[0].carrier.virtual)
        callee = stages[1].uas("uas_answers")
        stages[1].uac("uac_hangs_up").wait()
        callee.wait()
    finally:
        for stage in stages:
            stage.close()

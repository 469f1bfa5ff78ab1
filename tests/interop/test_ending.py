"""The service is told to end: at once where nobody speaks, else after the calls that run, unless asked twice."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.interop.ground import STOP_TIMEOUT_S, Ground, loopback_block
from tests.interop.stage import Stage
from tests.interop.talk import tell_to_hang_up
from tests.interop.waiting import wait_for

AT_ONCE_S: Final = (
    5.0  # a second on an idle machine, most of it the media engine's; far less than any draining
)
DRAIN_S: Final = 60


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """The service, which every test starts and ends."""
    with loopback_block() as block:
        ground = Ground(block, tmp_path_factory.mktemp("ending"), settings={"DRAIN_S": str(DRAIN_S)})
        ground.carriers = {"plain": iter(ground.add_carriers(6))}
        yield ground
        ground.store.close()
    assert ground.errors_in_logs() == []


@pytest.fixture(params=[DRAIN_S])
def running(site: Ground, request: pytest.FixtureRequest) -> Iterator[Ground]:
    """The service, up; the parameter is how long it waits for calls."""
    site.settings["DRAIN_S"] = str(request.param)
    site.start()
    yield site
    site.stop()


@pytest.fixture
def stages(running: Ground, tmp_path: Path) -> Iterator[tuple[Stage, Stage]]:
    """Two carriers with a session each."""
    made = (
        Stage(running, next(running.carriers["plain"]), tmp_path),
        Stage(running, next(running.carriers["plain"]), tmp_path),
    )
    for stage in made:
        running.add_session(stage.carrier)
    yield made
    for stage in made:
        stage.close()


def wait_for_end(ground: Ground, timeout_s: float) -> None:
    """Wait until the process has ended, as one does that was asked to."""
    assert ground.process is not None
    assert ground.process.wait(timeout_s) == 0


def test_without_calls_it_ends_at_once(running: Ground) -> None:
    """However long it would wait for calls; nobody is left, and nothing holds a port of media."""
    begun_at = time.monotonic()
    running.drain()
    wait_for_end(running, STOP_TIMEOUT_S)
    assert time.monotonic() - begun_at < AT_ONCE_S
    assert running.relay_port_count() == 0


@pytest.mark.sipp
def test_calls_go_on_and_no_more_are_taken(running: Ground, stages: tuple[Stage, Stage]) -> None:
    """The one that runs ends as its parties want; a new one hears 503; with the last one the service ends."""
    old, new = stages
    uas = old.uas("uas_hangs_up_when_told")
    uac = old.uac("uac_is_hung_up")
    wait_for(lambda: uas.received(method="ACK"), 5.0, "the call is answered")
    draining_count = running.log.count("service.draining")
    running.drain()
    wait_for(lambda: running.log.count("service.draining") > draining_count, 5.0, "it is draining")
    refused = new.uac("uac_refused", values={"status": "503"}).wait()
    assert refused.received(method="INVITE", status=503)[0].has("Retry-After")
    assert running.process is not None
    assert running.process.poll() is None
    tell_to_hang_up(uas, 0)
    uac.wait()
    uas.wait()
    wait_for_end(running, AT_ONCE_S)
    assert running.records(old.carrier.virtual) == [("success", "callee-hung-up")]


@pytest.mark.sipp
@pytest.mark.parametrize(
    ("running", "is_asked_twice"),
    [(0, False), (DRAIN_S, True)],
    ids=["no time", "asked twice"],
    indirect=["running"],
)
def test_a_call_that_runs_is_hung_up(
    running: Ground, stages: tuple[Stage, Stage], is_asked_twice: bool
) -> None:
    """Both ends hear BYE, and it has a record: where the setting gives calls no time, or a second signal."""
    stage, _ = stages
    draining_count = running.log.count("service.draining")
    uas = stage.uas("uas_answers")
    uac = stage.uac("uac_is_hung_up")
    wait_for(lambda: uas.received(method="ACK"), 5.0, "the call is answered")
    running.drain()
    if is_asked_twice:
        wait_for(lambda: running.log.count("service.draining") > draining_count, 5.0, "it is draining")
        running.drain()
    wait_for_end(running, AT_ONCE_S)
    uac.wait()
    uas.wait()
    assert running.records(stage.carrier.virtual) == [("us", "switch-restarted")]

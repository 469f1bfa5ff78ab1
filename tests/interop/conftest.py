"""One running service for all tests of a worker, and a carrier of its own for every test."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.interop.client import Client
from tests.interop.ground import Carrier, Ground, loopback_block
from tests.interop.stage import Stage
from tests.interop.talk import PORT_A, PORT_B, TONE_A_HZ, TONE_B_HZ
from tests.interop.voice import Voice, voice
from tests.interop.waiting import wait_for
from tests.interop.web import Web, serve_web

CARRIER_COUNT = 230  # more than there are tests, with their parameters, that ask for one


@pytest.fixture(scope="session")
def block() -> Iterator[str]:
    """A block of loopback addresses."""
    with loopback_block() as found:
        yield found


@pytest.fixture(scope="session")
def ground(block: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """The service on SQLite, with carriers for all tests."""
    ground = Ground(
        block,
        tmp_path_factory.mktemp("ground"),
        settings={"OUTBOUND_ALLOWED_NETWORKS": f"{block}.0.0/16"},  # where `web` is
    )
    ground.carriers = {
        "plain": iter(ground.add_carriers(CARRIER_COUNT)),
        "tcp": iter(ground.add_carriers(4, transport="tcp")),
        "asking": iter(ground.add_carriers(8, has_credentials=True)),
    }
    ground.start()
    try:
        yield ground
    finally:
        ground.stop()
        ground.store.close()
    assert ground.told_in_logs() == []
    assert ground.errors_in_logs() == []


@pytest.fixture(scope="session")
def web(block: str) -> Iterator[Web]:
    """A web server of somebody else's, which the service may reach."""
    with serve_web(f"{block}.0.30") as web:
        yield web


@pytest.fixture
def client(stage: Stage) -> Client:
    """The HTTP interface, for the account of the stage's carrier."""
    return Client(stage.ground, stage.carrier)


@pytest.fixture
def voices(stage: Stage) -> Iterator[tuple[Voice, Voice]]:
    """The audio of both ends of the stage, where sipp's descriptions say it is."""
    with ExitStack() as stack:
        yield (
            stack.enter_context(voice((stage.caller.hosts[1], PORT_A), TONE_A_HZ)),
            stack.enter_context(voice((stage.callee.hosts[1], PORT_B), TONE_B_HZ)),
        )


@pytest.fixture
def carrier(ground: Ground) -> Carrier:
    """A carrier nobody has used, besides that of the stage."""
    return next(ground.carriers["plain"])


@pytest.fixture
def set_stage(ground: Ground, tmp_path: Path) -> Iterator[Callable[[str], Stage]]:
    """Makes stages on carriers of a kind; what runs on them is ended after the test."""
    stages: list[Stage] = []

    def make(kind: str) -> Stage:
        stages.append(Stage(ground, next(ground.carriers[kind]), tmp_path))
        return stages[-1]

    yield make
    for stage in stages:
        stage.close()


@pytest.fixture
def stage(set_stage: Callable[[str], Stage]) -> Stage:
    """A stage on a carrier of its own."""
    return set_stage("plain")


@pytest.fixture
def is_all_over(ground: Ground) -> Callable[[], None]:
    """Checks that the switch lets go of every call soon after it has ended."""

    def check() -> None:
        wait_for(lambda: ground.live_call_count() == 0, 3.0, "no call is left in the database")

    return check

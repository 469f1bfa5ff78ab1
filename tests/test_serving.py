"""Signals end the service: at once, or after the calls that run, but never later than the setting says."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from maskline import serving
from maskline.config import Settings, load_settings
from maskline.tasks import spawn

DEADLINE_S = 10.0


@dataclass
class FakeSwitch:
    """Some calls that run until somebody ends them."""

    live_count: int = 1
    drained: asyncio.Event = field(default_factory=asyncio.Event)

    def drain(self) -> None:
        """Take no more."""
        self.drained.set()


@dataclass
class FakeService:
    """A service that does nothing but notice."""

    switch: FakeSwitch = field(default_factory=FakeSwitch)
    has_watch_stopped: bool = False
    signal_on_start: signal.Signals | None = None
    is_up: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def watch(self) -> "FakeService":
        """What looks after trunks."""
        return self

    def stop(self) -> None:
        """Take registrations back."""
        self.has_watch_stopped = True


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> FakeService:
    """What `serve` runs, in place of the whole service."""
    fake = FakeService()

    @asynccontextmanager
    async def run_service(_settings: Settings, *, sandbox: bool) -> AsyncIterator[FakeService]:
        del sandbox
        if fake.signal_on_start is not None:
            os.kill(os.getpid(), fake.signal_on_start)
        yield fake

    def render_banner(_service: FakeService) -> str:
        fake.is_up.set()
        return "up"

    monkeypatch.setattr(serving, "run_service", run_service)
    monkeypatch.setattr(serving, "render_banner", render_banner)
    monkeypatch.setattr(serving, "_tune_garbage_collection", lambda: None)  # for the life of a process
    return fake


async def start(tmp_path: Path, service: FakeService, *, drain_s: int) -> "asyncio.Task[None]":
    """Run `serve` until it is up."""
    settings = load_settings(flags={"data_dir": tmp_path, "drain_s": drain_s})
    task = spawn(serving.serve(settings, sandbox=False), name="serve")
    await asyncio.wait_for(service.is_up.wait(), DEADLINE_S)
    return task


async def test_sigterm_waits_for_the_calls_of_that_moment(tmp_path: Path, service: FakeService) -> None:
    """New calls and registrations end at once; the service when the last call has."""
    task = await start(tmp_path, service, drain_s=3600)
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(service.switch.drained.wait(), DEADLINE_S)
    assert service.has_watch_stopped
    assert not task.done()
    service.switch.live_count = 0
    await asyncio.wait_for(task, DEADLINE_S)


async def test_waiting_is_bounded(tmp_path: Path, service: FakeService) -> None:
    """A call that goes on and on keeps nobody from restarting the service."""
    task = await start(tmp_path, service, drain_s=1)
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(task, DEADLINE_S)
    assert service.switch.live_count == 1


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
async def test_a_second_signal_waits_no_more(
    tmp_path: Path, service: FakeService, second: signal.Signals
) -> None:
    """Whoever asks twice means it."""
    task = await start(tmp_path, service, drain_s=3600)
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(service.switch.drained.wait(), DEADLINE_S)
    os.kill(os.getpid(), second)
    await asyncio.wait_for(task, DEADLINE_S)


async def test_sigint_ends_at_once(tmp_path: Path, service: FakeService) -> None:
    """As Ctrl-C does: nothing is drained."""
    task = await start(tmp_path, service, drain_s=3600)
    os.kill(os.getpid(), signal.SIGINT)
    await asyncio.wait_for(task, DEADLINE_S)
    assert not service.switch.drained.is_set()


@pytest.mark.parametrize(("call_count", "drain_s"), [(0, 3600), (5, 0)], ids=["no calls", "no time"])
async def test_sigterm_with_nothing_to_wait_for_ends_at_once(
    tmp_path: Path, service: FakeService, call_count: int, drain_s: int
) -> None:
    """No calls, or no patience: it is drained all the same, so that what still arrives hears 503."""
    service.switch.live_count = call_count
    task = await start(tmp_path, service, drain_s=drain_s)
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(task, DEADLINE_S)
    assert service.switch.drained.is_set()
    assert service.has_watch_stopped


@pytest.mark.parametrize("early", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
async def test_a_signal_during_the_start_is_not_lost(
    tmp_path: Path, service: FakeService, early: signal.Signals
) -> None:
    """A supervisor that has changed its mind: the service comes up and ends."""
    service.signal_on_start = early
    service.switch.live_count = 0
    task = await start(tmp_path, service, drain_s=3600)
    await asyncio.wait_for(task, DEADLINE_S)
    assert service.switch.drained.is_set() is (early is signal.SIGTERM)


def test_service_itself_loads_no_decoders() -> None:
    """What reads sound from files is loaded by the processes that do so: a third of a second and 25 MB less."""
    program = (
        "import sys, maskline.serving; sys.exit(' '.join({'numpy', 'av', 'aiobotocore'} & {*sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=False, text=True, timeout=30
    )
    assert done.stderr.split() == []

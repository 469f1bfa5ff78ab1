"""Life and death of the guard process, with real processes and signals."""

import asyncio
import os
import signal
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from maskline.engine.media_client import (
    Family,
    MediaTimeout,
    RelayEvent,
    RelayLost,
    RelayUnavailable,
    RelayUnknownCall,
    Side,
)
from maskline.engine.media_link import GuardLink
from maskline.engine.media_supervisor import GUARD_COMMAND, MediaSupervisor, guard_arguments
from tests.engine.media_rig import DEADLINE_S, guard, make_settings, parties, until

A, B = "127.0.0.11", "127.0.0.12"
PARENT = """
import asyncio
from tests.engine.media_rig import guard
async def main():
    async with guard() as (supervisor, relay):
        print("pid", supervisor.pid, flush=True)
        await asyncio.sleep(60)
asyncio.run(main())
"""


def is_alive(pid: int) -> bool:
    """Say whether a process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_killed_guard_is_reported_and_replaced() -> None:
    """After kill -9 the switch is told, commands fail at once, and soon a new guard serves."""
    events: list[RelayEvent] = []
    with parties(A, B) as (a, b):
        async with guard() as (supervisor, relay):
            relay.set_event_handler(events.append)
            await relay.open("gone", a.media())
            pid = supervisor.pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            await until(lambda: events)
            assert events == [RelayLost()]
            with pytest.raises(RelayUnavailable):
                await relay.open("between", a.media())
            await until(lambda: relay.is_connected and supervisor.pid not in {pid, None})
            ports = await relay.open("again", a.media())
            await relay.connect("again", Side.B, b.media())
            a.say((ports.address_a, ports.port_a), b"back in service")
            b.hear(b"back in service")
            with pytest.raises(RelayUnknownCall):
                await relay.stats("gone")


async def test_hanging_guard_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """A guard that stops answering is given up and killed."""
    monkeypatch.setattr("maskline.engine.media_link.COMMAND_TIMEOUT_S", 2.0)
    events: list[RelayEvent] = []
    async with guard() as (supervisor, relay):
        relay.set_event_handler(events.append)
        pid = supervisor.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        await until(lambda: relay.is_connected and supervisor.pid not in {pid, None})
        assert events == [RelayLost()]
        assert not is_alive(pid)
        assert await relay.list() == ()


async def test_clean_stop() -> None:
    """Leaving stops the guard with SIGTERM: exit code 0, socket file gone."""
    with tempfile.TemporaryDirectory() as spool:
        path = Path(spool) / "media.sock"
        supervisor = MediaSupervisor(make_settings(spool), switch="test", socket_path=path)
        async with supervisor:
            process = supervisor._process
            assert process is not None
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert process.returncode == 0
        assert not path.exists()


async def test_guard_dies_with_its_parent() -> None:
    """When the process that started it is killed, the guard goes too and frees its ports."""
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    assert parent.stdout is not None
    async with asyncio.timeout(DEADLINE_S):
        while not (line := await parent.stdout.readline()).startswith(b"pid"):
            assert line, "the parent ended early"
    pid = int(line.split()[1])
    assert is_alive(pid)
    parent.kill()
    await parent.communicate()
    await until(lambda: not is_alive(pid))


async def test_calls_of_a_vanished_switch_are_deleted() -> None:
    """When a switch has been gone for the set time its calls end; those of others go on."""
    with tempfile.TemporaryDirectory() as spool, parties(A) as (a,):
        path = Path(spool) / "media.sock"
        settings = make_settings(spool, switch_gone_s=1.0)
        async with MediaSupervisor(settings, switch="stays", socket_path=path) as supervisor:
            other = GuardLink("goes")
            await other.connect_to(path)
            await other.open("orphan", a.media())
            await supervisor.relay.open("kept", a.media())
            assert {live.call: live.switch for live in await supervisor.relay.list()} == {
                "orphan": "goes",
                "kept": "stays",
            }
            other.disconnect()
            ended = asyncio.Event()
            supervisor.relay.set_event_handler(lambda _event: ended.set())
            async with asyncio.timeout(DEADLINE_S):
                while {live.call for live in await supervisor.relay.list()} != {"kept"}:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            assert not ended.is_set()


async def test_returning_switch_finds_its_calls_ended() -> None:
    """A switch that connects again under its name starts from nothing; other switches keep their calls."""
    with tempfile.TemporaryDirectory() as spool, parties(A) as (a,):
        path = Path(spool) / "media.sock"
        async with MediaSupervisor(make_settings(spool), switch="other", socket_path=path) as supervisor:
            await supervisor.relay.open("kept", a.media())
            first = GuardLink("same")
            await first.connect_to(path)
            await first.open("stale", a.media())
            first.disconnect()
            second = GuardLink("same")
            await second.connect_to(path)
            assert {live.call for live in await second.list()} == {"kept"}
            second.disconnect()


async def test_silent_call_times_out_and_a_held_one_does_not() -> None:
    """Silence ends a call and is reported; a held call may be silent."""
    events: list[RelayEvent] = []
    with parties(A, B) as (a, b):
        async with guard(ttl_s=1) as (_, relay):
            relay.set_event_handler(events.append)
            for call in ("silent", "held"):
                await relay.open(call, a.media())
                await relay.connect(call, Side.B, b.media())
            await relay.hold("held", is_held=True)
            await until(lambda: events)
            assert events == [MediaTimeout(call="silent")]
            assert {live.call for live in await relay.list()} == {"held"}
            with pytest.raises(RelayUnknownCall):
                await relay.connect("silent", Side.B, b.media())
            await relay.hold("held", is_held=False)
            await until(lambda: len(events) == 2)


async def test_guard_that_cannot_start_is_an_error() -> None:
    """An address that is not this machine's fails the start instead of waiting for ever."""
    with tempfile.TemporaryDirectory() as spool:
        elsewhere = {Family.V4: "192.0.2.1"}
        settings = make_settings(spool, bind=elsewhere, advertise=elsewhere)
        with pytest.raises(OSError, match=r"."):
            async with MediaSupervisor(settings, switch="test"):
                pass


def test_command_line_is_refused_without_an_address() -> None:
    """A guard without any address to listen on says so and exits 2."""
    with tempfile.TemporaryDirectory() as spool:
        settings = make_settings(spool, bind={}, advertise={})
        arguments = guard_arguments(settings, Path(spool) / "s")
        done = subprocess.run([*GUARD_COMMAND, *arguments], capture_output=True, check=False, timeout=20)
    assert done.returncode == 2
    assert b"--v4" in done.stderr


async def test_logs_hold_no_address(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """What the engine says in calls, refusals and time-outs reaches the log without addresses."""
    events: list[RelayEvent] = []
    with parties(A, B) as (a, b):
        async with guard(ttl_s=1, pairs=5) as (_, relay):
            relay.set_event_handler(events.append)
            for call in ("one", "two", "three"):
                try:
                    await relay.open(call, a.media())
                    await relay.connect(call, Side.B, b.media())
                except Exception:  # noqa: BLE001 - the third finds no port; only the log matters here
                    continue
            await until(lambda: len(events) == 2)
    # Whether an earlier test has set logging up decides where it goes.
    said = "".join((*capfd.readouterr(), caplog.text))
    assert "media.engine_said" in said
    assert "127.0.0." not in said
    assert str(a.port) not in said
    assert str(b.port) not in said

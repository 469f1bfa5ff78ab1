"""Keeps one guard process running and a relay connected to it."""

import asyncio
import contextlib
import json
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import structlog

from maskline.engine.media_link import GuardLink
from maskline.engine.media_types import EngineSettings, Family, RelayError
from maskline.tasks import spawn

START_TIMEOUT_S: Final = 10.0  # the engine answers after 0.1 s on an idle machine
START_POLL_S: Final = 0.02
STOP_TIMEOUT_S: Final = 5.0  # a clean stop moves recordings, about a second
PING_S: Final = 1.0
RESTART_DELAY_S_MAX: Final = 5.0
STEADY_S: Final = 10.0  # a guard that lived this long is started again at once
GUARD_COMMAND: Final = (sys.executable, "-m", "maskline.engine.media_guard")
UNIX_PATH_BYTES_MAX: Final = 100  # sun_path holds 108

_log = structlog.get_logger(__name__)
_LEVELS: Final = frozenset({"debug", "info", "warning", "error"})


class MediaSupervisor:
    """Starts the guard on entry, restarts it when it dies, stops it on exit. `relay` stays the same object."""

    def __init__(
        self,
        settings: EngineSettings,
        *,
        switch: str,
        socket_path: Path | None = None,
        command: tuple[str, ...] = GUARD_COMMAND,
    ) -> None:
        self.relay = GuardLink(switch)
        self.settings = settings
        self._command = command
        self._directory: tempfile.TemporaryDirectory[str] | None = None
        if socket_path is None or len(bytes(socket_path)) > UNIX_PATH_BYTES_MAX:
            self._directory = tempfile.TemporaryDirectory(prefix="maskline-")
            socket_path = Path(self._directory.name) / "media.sock"
        self._path = socket_path
        self._process: Process | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """Process id of the running guard."""
        return self._process.pid if self._process is not None else None

    async def __aenter__(self) -> Self:
        """Return once the relay answers. Raises `RelayError` or OSError where it cannot be started."""
        try:
            await self._start()
        except BaseException:
            await self._stop_process()
            self._clean_up()
            raise
        self._task = spawn(self._run(), name="media-supervisor")
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _value: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Stop the guard; the relays end."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        self.relay.disconnect()
        await self._stop_process()
        self._clean_up()

    def _clean_up(self) -> None:
        if self._directory is not None:
            self._directory.cleanup()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        delay_s = 0.0
        while True:
            started_mono_s = loop.time()
            await self._watch()
            code = await self._stop_process(is_clean=False)
            if loop.time() - started_mono_s > STEADY_S:
                delay_s = 0.0
            _log.error("media.guard_ended", exit_code=code, restart_delay_s=delay_s)
            while True:
                await asyncio.sleep(delay_s)
                delay_s = min(max(delay_s * 2, 0.1), RESTART_DELAY_S_MAX)
                try:
                    await self._start()
                    break
                except (OSError, RelayError) as error:
                    _log.error("media.guard_not_started", error=type(error).__name__, retry_s=delay_s)
                    await self._stop_process(is_clean=False)

    async def _watch(self) -> None:
        """Return when the guard has died or does not answer any more."""
        process = self._process
        assert process is not None
        while process.returncode is None and self.relay.is_connected:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), PING_S)
            with contextlib.suppress(RelayError):
                await self.relay.ping()  # bounded by the link, which drops a guard that owes an answer

    async def _start(self) -> None:
        process = self._process = await asyncio.create_subprocess_exec(
            *self._command, *guard_arguments(self.settings, self._path), stdin=PIPE, stderr=PIPE
        )
        spawn(_pass_log_on(process), name="media-guard-log")
        async with asyncio.timeout(START_TIMEOUT_S):
            while True:
                try:
                    await self.relay.connect_to(self._path)
                    break
                except OSError:
                    if process.returncode is not None:
                        raise
                    await asyncio.sleep(START_POLL_S)
        _log.info("media.guard_ready", pid=process.pid)

    async def _stop_process(self, *, is_clean: bool = True) -> int | None:
        process, self._process = self._process, None
        if process is None:
            return None
        if process.returncode is None:
            process.terminate() if is_clean else process.kill()
        try:
            return await asyncio.wait_for(process.wait(), STOP_TIMEOUT_S)
        except TimeoutError:
            process.kill()
            return await process.wait()


def guard_arguments(settings: EngineSettings, path: Path) -> list[str]:
    """Return the command line of a guard with these settings that ends with its parent."""
    arguments = [
        *("--socket", str(path), "--ports", f"{settings.port_first}-{settings.port_last}"),
        *("--spool", settings.spool, "--calls-max", str(settings.calls_max)),
        *("--ttl-s", str(settings.ttl_s), "--switch-gone-s", str(settings.switch_gone_s), "--with-parent"),
    ]
    for directory in settings.prompt_dirs:
        arguments += ["--prompts", directory]
    for family, option in ((Family.V4, "--v4"), (Family.V6, "--v6")):
        if family in settings.bind:
            arguments += [option, f"{settings.bind[family]}={settings.advertise[family]}"]
    return arguments


async def _pass_log_on(process: Process) -> None:
    """Write the guard's log lines into ours."""
    assert process.stderr is not None
    while line := await process.stderr.readline():
        try:
            fields = json.loads(line)
            event, level = str(fields.pop("event")), fields.pop("level")
        except (ValueError, KeyError, AttributeError):
            continue  # a line cut at the guard's death
        getattr(_log, level if level in _LEVELS else "warning")(event, **fields)

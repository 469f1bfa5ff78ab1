"""Runs the service until it is told to end: at once, or after the calls that run."""

import asyncio
import gc
import signal
import sys
from contextlib import suppress

import structlog

from maskline.banner import render_banner
from maskline.config import Settings
from maskline.engine.switch import Switch
from maskline.tasks import spawn
from maskline.wiring import cancel, run_service

_log = structlog.get_logger(__name__)

GC_YOUNG_COUNT = 50_000  # objects; some 50 calls between two of the short passes
DRAIN_POLL_S = 0.1


async def serve(settings: Settings, *, sandbox: bool) -> None:
    """Run until SIGINT, or until SIGTERM and the calls of that moment have ended; a second signal waits no more."""
    drain, stop = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, stop.set)
    loop.add_signal_handler(signal.SIGTERM, lambda: stop.set() if drain.is_set() else drain.set())
    async with run_service(settings, sandbox=sandbox) as service:
        _tune_garbage_collection()
        sys.stdout.write(render_banner(service) + "\n")
        sys.stdout.flush()
        await _first_of(drain, stop)
        if not stop.is_set():
            service.watch.stop()  # registrars send no more calls
            await _drain(service.switch, stop, settings.drain_s)
        _log.info("service.stopping")


async def _first_of(*events: asyncio.Event) -> None:
    waiting = [spawn(_wait_for(event), name="service.signal") for event in events]
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        await cancel(task)


async def _wait_for(event: asyncio.Event) -> None:
    await event.wait()


async def _drain(switch: Switch, stop: asyncio.Event, drain_s: int) -> None:
    """Refuse new calls and let those that run end, for at most `drain_s` seconds."""
    switch.drain()
    _log.info("service.draining", call_count=switch.live_count)
    with suppress(TimeoutError):
        async with asyncio.timeout(drain_s):
            while switch.live_count and not stop.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), DRAIN_POLL_S)


def _tune_garbage_collection() -> None:
    """Collect cycles rarely: calls make none, and a full pass over 32 s of finished transactions stops every call."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_YOUNG_COUNT, 200, 1_000)

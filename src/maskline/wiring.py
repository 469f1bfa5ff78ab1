"""The composition root: starts and stops the parts of a process together."""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import structlog
from prometheus_client import CollectorRegistry

from maskline.api.app import create_app
from maskline.api.server import start_server
from maskline.banner import render_banner
from maskline.clock import Clock, SystemClock
from maskline.config import Settings
from maskline.engine.housekeeping import Housekeeping
from maskline.engine.media_supervisor import MediaSupervisor
from maskline.engine.runner import AsyncioRunner
from maskline.engine.sandbox import open_sandbox_socket
from maskline.engine.sip_sockets import SipSockets
from maskline.engine.sweeper import sweep_sessions
from maskline.engine.switch import Switch
from maskline.engine.switch_metrics import SwitchMetrics
from maskline.engine.switch_store import WorkflowStore
from maskline.engine.trunk_watch import TrunkWatch
from maskline.parts import (
    SWITCH_ID,
    Service,
    build_recording_worker,
    build_switch,
    build_watch,
    check_database,
    check_media,
    engine_settings,
    open_outbound,
    open_prompts,
    open_recordings,
    open_threads,
    start_sandbox,
)
from maskline.store.thread import StoreThreads
from maskline.tasks import spawn
from maskline.webhooks.worker import DeliveryWorker
from maskline.workflows.expire_masking_sessions import expire_masking_sessions, load_next_session_end

_log = structlog.get_logger(__name__)

GC_YOUNG_COUNT = 50_000  # objects; some 50 calls between two of the short passes
STOP_TIMEOUT_S = 2.0  # BYE and its answer, with one retransmission
DRAIN_POLL_S = 0.1


@asynccontextmanager
async def run_service(
    settings: Settings, *, sandbox: bool, clock: Clock | None = None
) -> AsyncIterator[Service]:
    """Run every role in this process until the block ends."""
    clock = clock or SystemClock()
    async with AsyncExitStack() as stack:
        threads = open_threads(settings, stack)
        outbound = await stack.enter_async_context(open_outbound(settings, sandbox=sandbox))
        # Prompts have a client of their own: slow receivers of webhooks take no turn of theirs.
        fetcher = await stack.enter_async_context(open_outbound(settings, sandbox=sandbox))
        prompts = open_prompts(settings, fetcher, stack)
        storage = await stack.enter_async_context(open_recordings(settings))
        recordings = build_recording_worker(settings, storage, threads, clock)
        supervisor = await stack.enter_async_context(
            MediaSupervisor(engine_settings(settings), switch=SWITCH_ID)
        )
        runner = AsyncioRunner(clock)
        store = WorkflowStore(threads, SWITCH_ID)
        switch: Switch  # sockets and switch need each other; nothing arrives before both are there
        sockets = SipSockets(
            receive=lambda data, flow: switch.receive(data, flow),  # noqa: PLW0108  # not there yet
            closed=lambda flow: switch.flow_closed(flow),  # noqa: PLW0108
            is_trusted=lambda address: switch.trunks.is_trusted(address),  # noqa: PLW0108
            server_name=lambda remote: switch.trunks.server_name_for(remote),  # noqa: PLW0108
        )
        stack.push_async_callback(sockets.close)
        for address in settings.sip_bind:
            await sockets.listen(address.host, address.port)
        switch = build_switch(
            settings,
            sockets=sockets,
            store=store,
            relay=supervisor.relay,
            prompts=prompts,
            runner=runner,
            has_recording_room=recordings.has_room,
        )
        supervisor.relay.set_event_handler(switch.relay_event)
        stack.push_async_callback(_stop_switch, switch)

        watch = build_watch(switch, runner)
        stack.push_async_callback(_take_back_registrations, watch)
        service = Service(
            switch=switch,
            watch=watch,
            relay=supervisor.relay,
            http_address=("", 0),
            sip_address=next(iter(sockets.local.values())),
        )
        if sandbox:
            socket = await open_sandbox_socket(*settings.sandbox_bind)
            stack.callback(socket.close)
            await start_sandbox(service, socket, threads, clock)

        housekeeping = Housekeeping(switch, store, runner, watch=watch)
        await housekeeping.refresh_trunks()
        ended_count = await switch.end_predecessors_calls()
        if ended_count:
            _log.warning("switch.predecessor_ended", call_count=ended_count)
        deliveries = DeliveryWorker(
            store=threads,
            http=outbound,
            clock=clock,
            random_bytes=os.urandom,
            worker_id=SWITCH_ID,
            public_url=settings.effective_public_url,
            recording_links_s=settings.recording_links_s,
        )
        for work, name in (
            (housekeeping.run(), "switch.housekeeping"),
            (_sweep(threads, clock), "sessions.sweep"),
            (recordings.run(), "recordings.convert"),
            (deliveries.run(), "events.deliver"),
            (prompts.prepare(trunk.country for trunk in switch.trunks.trunks), "prompts.prepare"),
        ):
            stack.push_async_callback(_cancel, spawn(work, name=name))

        registry = CollectorRegistry()
        registry.register(SwitchMetrics(switch, watch))
        app = create_app(
            store=threads,
            clock=clock,
            random_bytes=os.urandom,
            public_url=settings.effective_public_url,
            recordings=storage,
            registry=registry,
            checks={"database": check_database(threads), "media": check_media(supervisor.relay)},
        )
        server = await start_server(app, settings.http_bind)
        stack.push_async_callback(server.close)
        service.http_address = server.address
        yield service


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
        await _cancel(task)


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


async def _sweep(threads: StoreThreads, clock: Clock) -> None:
    async def expire(now: int) -> int:
        return len(await threads.write(expire_masking_sessions, now))

    async def next_end() -> int | None:
        end: int | None = await threads.read(load_next_session_end)
        return end

    await sweep_sessions(expire=expire, next_end=next_end, clock=clock)


async def _stop_switch(switch: Switch) -> None:
    """Hang up what runs, and give the BYEs a moment to be answered."""
    switch.stop()
    with suppress(TimeoutError):
        async with asyncio.timeout(STOP_TIMEOUT_S):
            while switch.calls:  # noqa: ASYNC110  # once in a process's life, for two seconds at most
                await asyncio.sleep(0.02)


async def _take_back_registrations(watch: TrunkWatch) -> None:
    """Tell registrars that no calls are wanted any more, and give them a moment to answer."""
    watch.stop()
    with suppress(TimeoutError):
        async with asyncio.timeout(STOP_TIMEOUT_S):
            while watch.is_busy:  # noqa: ASYNC110  # once in a process's life
                await asyncio.sleep(0.02)


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task

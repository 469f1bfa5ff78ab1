"""The composition root: starts and stops the parts of a process together."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial

import structlog
from prometheus_client import CollectorRegistry

from maskline.api.app import create_app
from maskline.api.native.event_hub import EventHub
from maskline.api.server import start_server
from maskline.clock import Clock, SystemClock
from maskline.config import Settings
from maskline.core.delivery import EndpointCheck
from maskline.core.pin import PinLimits
from maskline.engine.housekeeping import Housekeeping
from maskline.engine.media_supervisor import MediaSupervisor
from maskline.engine.runner import AsyncioRunner
from maskline.engine.sandbox import open_sandbox_socket
from maskline.engine.sip_sockets import SipSockets
from maskline.engine.sweeper import sweep_sessions, tidy_up
from maskline.engine.switch import Switch
from maskline.engine.switch_metrics import SwitchMetrics
from maskline.engine.trunk_watch import TrunkWatch
from maskline.engine.usage_sampler import UsageSampler
from maskline.parts import (
    SWITCH_ID,
    Service,
    build_recording_worker,
    build_store,
    build_switch,
    build_watch,
    check_database,
    check_media,
    deepcall_settings,
    engine_settings,
    listen,
    open_outbound,
    open_prompts,
    open_recordings,
    open_threads,
    pin_limits,
    start_sandbox,
)
from maskline.recordings.worker import RecordingWorker
from maskline.store.thread import StoreThreads
from maskline.tasks import spawn
from maskline.webhooks.handshake import CHECK_COUNT_MAX, check_receiver
from maskline.webhooks.slots import SLOT_COUNT
from maskline.webhooks.worker import DeliveryWorker
from maskline.workflows.check_pin import forget_pin_tries
from maskline.workflows.events import forget_followers
from maskline.workflows.expire_masking_sessions import (
    expire_masking_sessions,
    load_next_session_end,
    release_lapsed_bindings,
)
from maskline.workflows.idempotency import forget_answers

_log = structlog.get_logger(__name__)

STOP_TIMEOUT_S = 2.0  # BYE and its answer, with one retransmission


@asynccontextmanager
async def run_service(
    settings: Settings, *, sandbox: bool, clock: Clock | None = None
) -> AsyncIterator[Service]:
    """Run every role in this process until the block ends."""
    clock = clock or SystemClock()
    registry = CollectorRegistry()
    async with AsyncExitStack() as stack:
        threads = open_threads(settings, stack)
        storage = await stack.enter_async_context(open_recordings(settings))
        recordings = build_recording_worker(settings, storage, threads, clock)
        deliveries = await _open_deliveries(settings, stack, threads, clock, registry, sandbox=sandbox)
        service = await _open_switch(settings, stack, threads, clock, recordings, sandbox=sandbox)
        registry.register(SwitchMetrics(service.switch, service.watch))
        for work, name in (
            (_sweep(threads, clock), "sessions.sweep"),
            (_tidy(threads, clock, pin_limits(settings)), "store.tidy"),
            (recordings.run(), "recordings.convert"),
            (deliveries.run(), "events.deliver"),
        ):
            stack.push_async_callback(cancel, spawn(work, name=name))
        events = EventHub(threads, clock, wake_publisher=deliveries.notify)
        threads.on_commit = events.committed
        app = create_app(
            store=threads,
            clock=clock,
            random_bytes=os.urandom,
            public_url=settings.effective_public_url,
            pin_limits=pin_limits(settings),
            recordings=storage,
            registry=registry,
            notify=deliveries.notify,
            events=events,
            deepcall=deepcall_settings(settings),
            check_receiver=await _open_receiver_check(settings, stack, sandbox=sandbox),
            checks={"database": check_database(threads), "media": check_media(service.relay)},
        )
        server = await start_server(app, settings.http_bind)
        stack.push_async_callback(server.close)
        stack.push_async_callback(events.drain)
        service.http_address = server.address
        yield service


async def _open_deliveries(
    settings: Settings,
    stack: AsyncExitStack,
    threads: StoreThreads,
    clock: Clock,
    registry: CollectorRegistry,
    *,
    sandbox: bool,
) -> DeliveryWorker:
    """Make the worker that posts events, with a client of its own: slow receivers take no turn of prompts."""
    client = open_outbound(settings, sandbox=sandbox, connections_max=SLOT_COUNT)
    return DeliveryWorker(
        store=threads,
        http=await stack.enter_async_context(client),
        clock=clock,
        random_bytes=os.urandom,
        worker_id=SWITCH_ID,
        public_url=settings.effective_public_url,
        registry=registry,
        recording_links_s=settings.recording_links_s,
    )


async def _open_receiver_check(
    settings: Settings, stack: AsyncExitStack, *, sandbox: bool
) -> Callable[[str], Awaitable[EndpointCheck]]:
    """Make the check of receivers of reports, with a client of its own: what is asked for takes no turn of work."""
    client = open_outbound(settings, sandbox=sandbox, connections_max=CHECK_COUNT_MAX)
    return partial(check_receiver, await stack.enter_async_context(client))


async def _open_switch(
    settings: Settings,
    stack: AsyncExitStack,
    threads: StoreThreads,
    clock: Clock,
    recordings: RecordingWorker,
    *,
    sandbox: bool,
) -> Service:
    """Start relay, sockets and switch, end what an earlier life of it left, and let it look after its trunks."""
    fetcher = await stack.enter_async_context(open_outbound(settings, sandbox=sandbox))
    prompts = open_prompts(settings, fetcher, stack)
    supervisor = await stack.enter_async_context(MediaSupervisor(engine_settings(settings), switch=SWITCH_ID))
    runner, store = AsyncioRunner(clock), build_store(settings, threads)
    switch: Switch  # sockets and switch need each other; nothing arrives before both are there
    sockets = SipSockets(
        receive=lambda data, flow: switch.receive(data, flow),  # noqa: PLW0108  # not there yet
        closed=lambda flow: switch.flow_closed(flow),  # noqa: PLW0108
        is_trusted=lambda address: switch.trunks.is_trusted(address),  # noqa: PLW0108
        server_name=lambda remote: switch.trunks.server_name_for(remote),  # noqa: PLW0108
    )
    stack.push_async_callback(sockets.close)
    await listen(settings, sockets)
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
    if ended_count := await switch.end_predecessors_calls():
        _log.warning("switch.predecessor_ended", call_count=ended_count)
    countries = [trunk.country for trunk in switch.trunks.trunks]
    for work, name in (
        (housekeeping.run(), "switch.housekeeping"),
        (prompts.prepare(countries), "prompts.prepare"),
    ):
        stack.push_async_callback(cancel, spawn(work, name=name))
    return service


async def _sweep(threads: StoreThreads, clock: Clock) -> None:
    async def expire(now: int) -> int:
        return len(await threads.write(expire_masking_sessions, now))

    async def next_end() -> int | None:
        end: int | None = await threads.read(load_next_session_end)
        return end

    await sweep_sessions(expire=expire, next_end=next_end, clock=clock)


async def _tidy(threads: StoreThreads, clock: Clock, limits: PinLimits) -> None:
    async def release(now: int) -> int:
        return await threads.write(release_lapsed_bindings, now)

    async def forget(now: int) -> int:
        return await threads.write(forget_pin_tries, now, limits)

    async def unfollow(now: int) -> int:
        return await threads.write(forget_followers, now)

    async def forget_kept(now: int) -> int:
        return await threads.write(forget_answers, now)

    await tidy_up(works=(UsageSampler(threads).sample, unfollow, release, forget, forget_kept), clock=clock)


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


async def cancel(task: asyncio.Task[None]) -> None:
    """Cancel a task and wait until it has ended."""
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task

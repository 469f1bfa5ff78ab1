"""The composition root: builds the parts of a process from its settings and starts and stops them together."""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass

import structlog

from maskline.api.app import create_app
from maskline.api.ports import HealthCheck
from maskline.api.server import start_server
from maskline.clock import Clock, SystemClock
from maskline.config import Address, Settings
from maskline.core.inventory import Account
from maskline.core.numbers import DID
from maskline.engine.housekeeping import Housekeeping
from maskline.engine.media_client import MediaRelay
from maskline.engine.media_supervisor import MediaSupervisor
from maskline.engine.media_types import EngineSettings, Family
from maskline.engine.runner import AsyncioRunner
from maskline.engine.sandbox import SandboxSocket, open_sandbox_socket
from maskline.engine.sandbox_carrier import SandboxCarrier
from maskline.engine.sip_sockets import SipSockets
from maskline.engine.sweeper import sweep_sessions
from maskline.engine.switch import Switch
from maskline.engine.switch_settings import SwitchLimits, SwitchSettings
from maskline.engine.switch_store import WorkflowStore
from maskline.store.setup import init_database, open_store
from maskline.store.thread import StoreThreads
from maskline.tasks import spawn
from maskline.workflows.expire_masking_sessions import expire_masking_sessions, load_next_session_end
from maskline.workflows.prepare_sandbox import prepare_sandbox

_log = structlog.get_logger(__name__)

SWITCH_ID = "switch"  # one switch per database until roles run apart
GC_YOUNG_COUNT = 50_000  # objects; some 50 calls between two of the short passes
STOP_TIMEOUT_S = 2.0  # BYE and its answer, with one retransmission


@dataclass(slots=True, kw_only=True)
class Service:
    """A running service and where it is reached."""

    switch: Switch
    relay: MediaRelay
    http_address: tuple[str, int]
    sip_address: tuple[str, int]
    sandbox_address: tuple[str, int] | None = None
    account: Account | None = None  # the demo account, with the sandbox
    numbers: tuple[DID, ...] = ()


@asynccontextmanager
async def run_service(
    settings: Settings, *, sandbox: bool, clock: Clock | None = None
) -> AsyncIterator[Service]:
    """Run every role in this process until the block ends."""
    clock = clock or SystemClock()
    async with AsyncExitStack() as stack:
        threads = _open_store(settings, stack)
        supervisor = await stack.enter_async_context(
            MediaSupervisor(_engine_settings(settings), switch=SWITCH_ID)
        )
        runner = AsyncioRunner(clock)
        store = WorkflowStore(threads, SWITCH_ID)
        switch: Switch  # sockets and switch need each other; nothing arrives before both are there
        sockets = SipSockets(
            receive=lambda data, flow: switch.receive(data, flow),  # noqa: PLW0108  # not there yet
            closed=lambda flow: switch.flow_closed(flow),  # noqa: PLW0108
            is_trusted=lambda address: switch.trunks.is_trusted(address),  # noqa: PLW0108
        )
        stack.push_async_callback(sockets.close)
        for address in settings.sip_bind:
            await sockets.listen(address.host, address.port)
        switch = _build_switch(settings, sockets, store, supervisor, runner)
        supervisor.relay.set_event_handler(switch.relay_event)
        stack.push_async_callback(_stop_switch, switch)

        sip_address = next(iter(sockets.local.values()))
        service = Service(
            switch=switch, relay=supervisor.relay, http_address=("", 0), sip_address=sip_address
        )
        if sandbox:
            socket = await open_sandbox_socket(*settings.sandbox_bind)
            stack.callback(socket.close)
            await _start_sandbox(service, socket, threads, clock)

        housekeeping = Housekeeping(switch, store, runner)
        await housekeeping.refresh_trunks()
        ended_count = await switch.end_predecessors_calls()
        if ended_count:
            _log.warning("switch.predecessor_ended", call_count=ended_count)
        for work, name in (
            (housekeeping.run(), "switch.housekeeping"),
            (_sweep(threads, clock), "sessions.sweep"),
        ):
            stack.push_async_callback(_cancel, spawn(work, name=name))

        app = create_app(
            store=threads,
            clock=clock,
            random_bytes=os.urandom,
            public_url=settings.effective_public_url,
            checks={"database": _check_database(threads), "media": _check_media(supervisor.relay)},
        )
        server = await start_server(app, settings.http_bind)
        stack.push_async_callback(server.close)
        service.http_address = server.address
        yield service


async def serve(settings: Settings, *, sandbox: bool) -> None:
    """Run until SIGINT or SIGTERM."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with run_service(settings, sandbox=sandbox) as service:
        _tune_garbage_collection()
        sys.stdout.write(render_banner(service) + "\n")
        sys.stdout.flush()
        await stop.wait()
        _log.info("service.stopping")


def _tune_garbage_collection() -> None:
    """Collect cycles rarely: calls make none, and a full pass over 32 s of finished transactions stops every call."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_YOUNG_COUNT, 200, 1_000)


def render_banner(service: Service) -> str:
    """What an operator wants to see first; with the sandbox, what to type next."""
    host, port = service.http_address
    lines = [f"Maskline   http://{host}:{port}   SIP {Address(*service.sip_address)}"]
    account = service.account
    if account is None or service.sandbox_address is None:
        return lines[0]
    token = account.token.reveal()
    url = f"http://{host}:{port}/v1/Account/{account.auth_id}/Masking/Session/"
    body = '{"first_party": "+919812300001", "second_party": "+919812300002"}'
    return "\n".join(
        (
            *lines,
            "",
            f"  auth id     {account.auth_id}",
            f"  auth token  {token}",
            f"  numbers     {' '.join(service.numbers)}",
            f"  phones      register at {Address(*service.sandbox_address)} over UDP; user name: a phone number",
            "",
            "Create a masking session:",
            f"  curl -u {account.auth_id}:{token} -H 'Content-Type: application/json' \\",
            f"    -d '{body}' {url}",
            "",
            "Then dial the virtual number it answers with from either phone. Ctrl-C stops.",
        )
    )


def _open_store(settings: Settings, stack: AsyncExitStack) -> StoreThreads:
    url = settings.effective_database_url
    if url.startswith("sqlite"):
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        init_database(url, settings.effective_key_file)
    store = open_store(url, settings.effective_key_file)
    stack.callback(store.close)
    threads = StoreThreads(store)
    stack.push_async_callback(threads.close)
    return threads


def _engine_settings(settings: Settings) -> EngineSettings:
    def by_family(hosts: tuple[str, ...]) -> dict[Family, str]:
        return {Family.V6 if ":" in host else Family.V4: host for host in hosts}

    spool = settings.data_dir / "spool"
    spool.mkdir(parents=True, exist_ok=True)
    return EngineSettings(
        bind=by_family(settings.rtp_bind),
        advertise=by_family(settings.effective_rtp_advertise),
        port_first=settings.rtp_ports.first,
        port_last=settings.rtp_ports.last,
        spool=str(spool),
        calls_max=settings.calls_max,
    )


def _build_switch(
    settings: Settings,
    sockets: SipSockets,
    store: WorkflowStore,
    supervisor: MediaSupervisor,
    runner: AsyncioRunner,
) -> Switch:
    advertised = [
        (told.host, told.port or sockets.local["udp", ":" in bound.host][1])
        for told, bound in zip(settings.effective_sip_advertise, settings.sip_bind, strict=True)
    ]
    return Switch(
        SwitchSettings(
            local=sockets.local,
            advertised=advertised[0],
            advertised_v6=next((told for told in advertised if ":" in told[0]), None),
            limits=SwitchLimits(
                call_count_max=settings.calls_max, new_calls_per_s_max=settings.new_calls_per_s_max
            ),
        ),
        store=store,
        relay=supervisor.relay,
        runner=runner,
        clock=runner,
        random_bytes=os.urandom,
        send=sockets.send,
        close_flow=sockets.close_flow,
    )


async def _start_sandbox(
    service: Service, socket: SandboxSocket, threads: StoreThreads, clock: Clock
) -> None:
    prepared = await threads.write(prepare_sandbox, socket.address, clock.now())
    service.sandbox_address, service.account, service.numbers = (
        socket.address,
        prepared.account,
        prepared.numbers,
    )
    socket.carrier = SandboxCarrier(
        address=socket.address, switch=service.sip_address, country=prepared.account.country
    )


async def _sweep(threads: StoreThreads, clock: Clock) -> None:
    async def expire(now: int) -> int:
        return len(await threads.write(expire_masking_sessions, now))

    async def next_end() -> int | None:
        end: int | None = await threads.read(load_next_session_end)
        return end

    await sweep_sessions(expire=expire, next_end=next_end, clock=clock)


def _check_database(threads: StoreThreads) -> HealthCheck:
    async def check() -> None:
        await threads.read(load_next_session_end)

    return check


def _check_media(relay: MediaRelay) -> HealthCheck:
    async def check() -> None:
        await relay.list()

    return check


async def _stop_switch(switch: Switch) -> None:
    """Hang up what runs, and give the BYEs a moment to be answered."""
    switch.stop()
    with suppress(TimeoutError):
        async with asyncio.timeout(STOP_TIMEOUT_S):
            while switch.calls:  # noqa: ASYNC110  # once in a process's life, for two seconds at most
                await asyncio.sleep(0.02)


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task

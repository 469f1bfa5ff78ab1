"""The parts of a process, each built from its settings; `wiring` puts them together."""

import os
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from maskline.api.deepcall.kernel import DeepCallSettings
from maskline.api.ports import HealthCheck
from maskline.clock import Clock
from maskline.config import Settings
from maskline.config_types import RecordingChannels
from maskline.core.deepcall import DeepCallErrorStatus, DeepCallRecord, DeepCallUser
from maskline.core.inventory import Account
from maskline.core.masking import RecordFormat, RepeatRule
from maskline.core.numbers import DID
from maskline.core.pin import PinLimits, TryLimit
from maskline.engine.media_client import MediaRelay
from maskline.engine.media_types import EngineSettings, Family
from maskline.engine.ports import PromptSource
from maskline.engine.runner import AsyncioRunner
from maskline.engine.sandbox import SandboxSocket
from maskline.engine.sandbox_carrier import SandboxCarrier
from maskline.engine.sip_sockets import SipSockets
from maskline.engine.switch import Switch
from maskline.engine.switch_settings import SwitchLimits, SwitchSettings
from maskline.engine.switch_store import WorkflowStore
from maskline.engine.trunk_watch import TrunkWatch
from maskline.outbound.client import CONNECTIONS_MAX, OutboundClient
from maskline.prompts.library import PromptLibrary
from maskline.recordings.converter import ProcessConverter
from maskline.recordings.spool import Spool
from maskline.recordings.storage import RecordingStorage, open_storage, parse_place
from maskline.recordings.worker import RecordingWorker, WorkerSettings
from maskline.store.setup import init_database, open_store
from maskline.store.thread import StoreThreads
from maskline.workflows.expire_masking_sessions import load_next_session_end
from maskline.workflows.prepare_sandbox import prepare_sandbox

SWITCH_ID = "switch"  # one switch per database until roles run apart
LOOPBACK = ("127.0.0.0/8", "::1/128")
MB = 1_000_000


@dataclass(slots=True, kw_only=True)
class Service:
    """A running service and where it is reached."""

    switch: Switch
    watch: TrunkWatch
    relay: MediaRelay
    http_address: tuple[str, int]
    sip_address: tuple[str, int]
    sandbox_address: tuple[str, int] | None = None
    account: Account | None = None  # the demo account, with the sandbox
    numbers: tuple[DID, ...] = ()
    deepcall_user: DeepCallUser | None = None  # of the demo account


def open_threads(settings: Settings, stack: AsyncExitStack) -> StoreThreads:
    """Open the database, making one where SQLite has none yet; closed with `stack`."""
    url = settings.effective_database_url
    if url.startswith("sqlite"):
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        init_database(url, settings.effective_key_file)
    store = open_store(url, settings.effective_key_file)
    stack.callback(store.close)
    threads = StoreThreads(store)
    stack.push_async_callback(threads.close)
    return threads


def engine_settings(settings: Settings) -> EngineSettings:
    """Say where the relay listens, captures, and finds prompts."""

    def by_family(hosts: tuple[str, ...]) -> dict[Family, str]:
        return {Family.V6 if ":" in host else Family.V4: host for host in hosts}

    return EngineSettings(
        bind=by_family(settings.rtp_bind),
        advertise=by_family(settings.effective_rtp_advertise),
        port_first=settings.rtp_ports.first,
        port_last=settings.rtp_ports.last,
        spool=str(_spool_directory(settings)),
        prompt_dirs=(str(_prompt_directory(settings)),),
        calls_max=settings.calls_max,
    )


def _spool_directory(settings: Settings) -> Path:
    return settings.data_dir.resolve() / "spool"


def _prompt_directory(settings: Settings) -> Path:
    return settings.data_dir.resolve() / "prompts"


def open_outbound(
    settings: Settings, *, sandbox: bool, connections_max: int = CONNECTIONS_MAX
) -> OutboundClient:
    """Make a client for outgoing requests; with the sandbox it may reach this machine itself."""
    allowed = (*settings.outbound_allowed_networks, *(LOOPBACK if sandbox else ()))
    return OutboundClient(allowed_networks=allowed, connections_max=connections_max)


def open_prompts(settings: Settings, outbound: OutboundClient, stack: AsyncExitStack) -> PromptLibrary:
    """Open the library of prompts; closed with `stack`."""
    prompts = PromptLibrary(_prompt_directory(settings), outbound)
    stack.push_async_callback(prompts.close)
    return prompts


def open_recordings(settings: Settings) -> RecordingStorage:
    """Open the place where recordings are kept. Raises ConfigError, StorageError."""
    place = parse_place(
        settings.recording_storage,
        directory=settings.data_dir / "recordings",
        endpoint_url=settings.recording_s3_endpoint,
        region=settings.recording_s3_region,
    )
    return open_storage(place)


def pin_limits(settings: Settings) -> PinLimits:
    """Say how much guessing of PINs is put up with."""
    return PinLimits(
        caller=TryLimit(settings.pin_caller_tries_max, settings.pin_caller_window_s),
        number=TryLimit(settings.pin_number_tries_max, settings.pin_number_window_s),
    )


def deepcall_settings(settings: Settings) -> DeepCallSettings:
    """Say how the DeepCall dialect answers where its pages leave a choice."""
    return DeepCallSettings(
        public_url=settings.effective_public_url,
        expiry_minutes=settings.deepcall_expiry_minutes,
        repeat_rule=RepeatRule(settings.deepcall_repeat.value),
        success_shape=settings.deepcall_success_shape,
        has_error_statuses=settings.deepcall_error_status is DeepCallErrorStatus.OWN,
        has_own_numbers=settings.deepcall_own_numbers,
        record_format=_deepcall_record_format(settings.deepcall_record),
        unset_count_max=settings.deepcall_unset_max,
        recording_links_s=settings.recording_links_s,
    )


def _deepcall_record_format(record: DeepCallRecord) -> RecordFormat | None:
    match record:
        case DeepCallRecord.NO:
            return None
        case DeepCallRecord.MP3:
            return RecordFormat.MP3
        case DeepCallRecord.WAV:
            return RecordFormat.WAV


def build_store(settings: Settings, threads: StoreThreads) -> WorkflowStore:
    """Make the switch's view of the database."""
    return WorkflowStore(threads, SWITCH_ID, pin_limits=pin_limits(settings))


def build_recording_worker(
    settings: Settings, storage: RecordingStorage, threads: StoreThreads, clock: Clock
) -> RecordingWorker:
    """Make what turns captures into recordings."""
    return RecordingWorker(
        store=threads,
        clock=clock,
        storage=storage,
        spool=Spool(_spool_directory(settings), free_bytes_min=settings.recording_free_mb_min * MB),
        converter=ProcessConverter(),
        settings=WorkerSettings(
            switch_id=SWITCH_ID, is_mono=settings.recording_channels is RecordingChannels.MONO
        ),
    )


async def listen(settings: Settings, sockets: SipSockets) -> None:
    """Bind SIP, and SIP over TLS where that is set. Raises OSError."""
    for address in settings.sip_bind:
        await sockets.listen(address.host, address.port)
    tls = settings.sip_tls_bind
    if tls is not None:
        assert settings.sip_tls_cert is not None, "settings were validated"
        assert settings.sip_tls_key is not None
        await sockets.listen_tls(
            tls.host, tls.port, settings.sip_tls_cert, settings.sip_tls_key, ca=settings.sip_tls_ca
        )


def build_switch(
    settings: Settings,
    *,
    sockets: SipSockets,
    store: WorkflowStore,
    relay: MediaRelay,
    prompts: PromptSource,
    runner: AsyncioRunner,
    has_recording_room: Callable[[], bool],
) -> Switch:
    """Make the switch."""
    advertised = [
        (told.host, told.port or sockets.local["udp", ":" in bound.host][1])
        for told, bound in zip(settings.effective_sip_advertise, settings.sip_bind, strict=True)
    ]
    tls = settings.sip_tls_advertise
    return Switch(
        SwitchSettings(
            local=sockets.local,
            advertised=advertised[0],
            advertised_v6=next((told for told in advertised if ":" in told[0]), None),
            advertised_tls=None if tls is None else (tls.host, tls.port),
            edges=settings.sip_edges,
            pin_limits=pin_limits(settings),
            limits=SwitchLimits(
                call_count_max=settings.calls_max, new_calls_per_s_max=settings.new_calls_per_s_max
            ),
        ),
        store=store,
        relay=relay,
        prompts=prompts,
        runner=runner,
        clock=runner,
        random_bytes=os.urandom,
        send=sockets.send,
        close_flow=sockets.close_flow,
        has_recording_room=has_recording_room,
    )


def build_watch(switch: Switch, runner: AsyncioRunner) -> TrunkWatch:
    """Make what looks after the switch's trunks, and let it hear of its requests' ends."""
    watch = TrunkWatch(
        switch.trunks,
        switch.user_agent,
        switch.settings,
        clock=runner,
        random_bytes=os.urandom,
        pump=switch.pump,
    )
    switch.set_request_handler(watch.answered)
    return watch


async def start_sandbox(service: Service, socket: SandboxSocket, threads: StoreThreads, clock: Clock) -> None:
    """Prepare the demo account and let the sandbox's carrier serve its numbers."""
    prepared = await threads.write(prepare_sandbox, socket.address, clock.now())
    service.sandbox_address, service.account, service.numbers = (
        socket.address,
        prepared.account,
        prepared.numbers,
    )
    service.deepcall_user = prepared.deepcall_user
    socket.carrier = SandboxCarrier(
        address=socket.address, switch=service.sip_address, country=prepared.account.country
    )


def check_database(threads: StoreThreads) -> HealthCheck:
    """Make the check that the database answers."""

    async def check() -> None:
        await threads.read(load_next_session_end)

    return check


def check_media(relay: MediaRelay) -> HealthCheck:
    """Make the check that the relay answers."""

    async def check() -> None:
        await relay.list()

    return check

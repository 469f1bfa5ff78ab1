"""The parts of a process get from the settings what they are built from."""

import ssl
from pathlib import Path
from typing import cast

import pytest

from maskline.api.deepcall.kernel import DeepCallSettings
from maskline.config import Settings, load_settings
from maskline.core.deepcall import SuccessShape
from maskline.core.masking import PinSettings, RecordFormat, RepeatRule
from maskline.core.pin import PIN_LIMITS, PinLimits, TryLimit
from maskline.core.routing import AskPin, PinLocked, PinWrong, decide_route
from maskline.core.secret import Secret
from maskline.engine.media_types import Family
from maskline.engine.runner import AsyncioRunner
from maskline.engine.sip_sockets import SipSockets
from maskline.engine.switch_store import WorkflowStore
from maskline.errors import ConfigError
from maskline.outbound.types import OutboundFailed, OutboundLimits, OutboundRefused
from maskline.parts import (
    build_store,
    build_switch,
    deepcall_settings,
    engine_settings,
    listen,
    open_outbound,
    open_recordings,
    pin_limits,
)
from maskline.recordings.storage_local import LocalStorage
from maskline.store.engine import Store
from maskline.store.thread import StoreThreads
from maskline.testing.clock import ManualClock
from maskline.testing.prompts import FakePrompts
from maskline.testing.relay import FakeRelay
from tests.certificates import make_authority, make_certificate
from tests.world import World, person, virtual


def settings_of(directory: Path, **flags: object) -> Settings:
    return load_settings(flags={"data_dir": directory, **flags})


def test_limits_of_guessing_are_settings(tmp_path: Path) -> None:
    """All four, and as documented where nothing is set."""
    assert pin_limits(settings_of(tmp_path)) == PIN_LIMITS
    flags = {
        "pin_caller_tries_max": 1,
        "pin_caller_window_s": 2,
        "pin_number_tries_max": 3,
        "pin_number_window_s": 4,
    }
    assert pin_limits(settings_of(tmp_path, **flags)) == PinLimits(
        caller=TryLimit(1, 2), number=TryLimit(3, 4)
    )


def test_choices_of_the_deepcall_dialect_are_settings(tmp_path: Path) -> None:
    """All of them, and as documented where nothing is set."""
    assert deepcall_settings(settings_of(tmp_path)) == DeepCallSettings(public_url="http://127.0.0.1:8080")
    flags = {
        "deepcall_expiry_minutes": 5,
        "deepcall_repeat": "reuse",
        "deepcall_error_status": "4xx",
        "deepcall_success_shape": "top",
        "deepcall_own_numbers": "false",
        "deepcall_record": "wav",
        "deepcall_unset_max": 7,
        "recording_links_s": 60,
    }
    assert deepcall_settings(settings_of(tmp_path, **flags)) == DeepCallSettings(
        public_url="http://127.0.0.1:8080",
        expiry_minutes=5,
        repeat_rule=RepeatRule.REUSE,
        success_shape=SuccessShape.TOP,
        has_error_statuses=True,
        has_own_numbers=False,
        record_format=RecordFormat.WAV,
        unset_count_max=7,
        recording_links_s=60,
    )


@pytest.mark.parametrize(
    ("record", "format_"), [("no", None), ("mp3", RecordFormat.MP3), ("wav", RecordFormat.WAV)]
)
def test_recording_of_the_deepcall_dialect(tmp_path: Path, record: str, format_: RecordFormat | None) -> None:
    """Off, or as one of both files."""
    assert deepcall_settings(settings_of(tmp_path, deepcall_record=record)).record_format is format_


async def test_store_of_the_switch_counts_by_the_settings(tmp_path: Path, store: Store) -> None:
    """With one wrong PIN allowed the second try is not looked at, though the PIN is right."""
    world = World(store)
    pin = PinSettings(first=Secret("4711"), second=Secret("4712"))
    world.create(1, 2, pin=pin)
    threads = StoreThreads(store)
    switch_store = build_store(settings_of(tmp_path, pin_caller_tries_max=1), threads)
    try:
        facts = await switch_store.route(virtual(0), person(9), world.now)
        asked = decide_route(facts, person(9), world.now)
        assert isinstance(asked, AskPin)
        outcomes = [
            await switch_store.check_pin(virtual(0), person(9), Secret(keys), asked.dialogue, world.now)
            for keys in ("1111", "4711")
        ]
    finally:
        await threads.close()
    assert outcomes == [PinWrong(), PinLocked()]


def test_relay_has_an_address_for_each_family(tmp_path: Path) -> None:
    """Bound and announced addresses are paired by their IP version; everything it writes is in the data directory."""
    flags = {"rtp_bind": "127.0.0.1,::1", "rtp_advertise": "192.0.2.1,2001:db8::1", "calls_max": 7}
    made = engine_settings(settings_of(tmp_path, **flags))
    assert made.bind == {Family.V4: "127.0.0.1", Family.V6: "::1"}
    assert made.advertise == {Family.V4: "192.0.2.1", Family.V6: "2001:db8::1"}
    assert made.calls_max == 7
    assert all(Path(it).is_relative_to(tmp_path) for it in (made.spool, *made.prompt_dirs))


@pytest.mark.parametrize(
    ("sandbox", "flags", "expected"),
    [
        (False, {}, OutboundRefused),
        (True, {}, OutboundFailed),
        (False, {"outbound_allowed_networks": "127.0.0.0/8"}, OutboundFailed),
    ],
)
async def test_only_who_may_calls_this_machine(
    tmp_path: Path, sandbox: bool, flags: dict[str, object], expected: type[Exception]
) -> None:
    """Loopback is refused like any private address, but with the sandbox or by setting; then nobody listens there."""
    limits = OutboundLimits(total_s=2.0, connect_s=1.0, read_s=1.0, response_bytes_max=10)
    async with open_outbound(settings_of(tmp_path, **flags), sandbox=sandbox) as client:
        with pytest.raises(expected):
            await client.request("GET", "http://127.9.9.9:18081/", headers={}, body=None, limits=limits)


def test_place_of_recordings_is_the_settings(tmp_path: Path) -> None:
    """A place that is none is said before anything runs."""
    assert isinstance(open_recordings(settings_of(tmp_path)), LocalStorage)
    with pytest.raises(ConfigError, match="recording_storage"):
        open_recordings(settings_of(tmp_path, recording_storage="ftp://x"))


async def test_every_transport_that_is_set_is_listened_on(tmp_path: Path) -> None:
    """UDP and TCP share a port for each address; TLS has one of its own, and only where it is set."""
    authority = make_authority(tmp_path)
    shown = make_certificate(tmp_path, authority, "switch.example")
    tls = {
        "sip_tls_bind": "127.0.0.1:0",
        "sip_tls_cert": shown.cert_path,
        "sip_tls_key": shown.key_path,
        "sip_tls_ca": authority.cert_path,
    }
    for flags, transports in (({}, {"udp", "tcp"}), (tls, {"udp", "tcp", "tls"})):
        sockets = make_sockets()
        await listen(settings_of(tmp_path, sip_bind="127.0.0.1:0,[::1]:0", **flags), sockets)
        await sockets.close()
        assert {transport for transport, is_v6 in sockets.local if not is_v6} == transports
        assert sockets.local["udp", False] == sockets.local["tcp", False]
        assert sockets.local["udp", True][0] == "::1"


async def test_a_certificate_that_is_none_keeps_the_service_from_starting(tmp_path: Path) -> None:
    """An operator hears of it at the start, not with the first call."""
    (tmp_path / "none").write_text("no certificate")
    sockets = make_sockets()
    wrong = dict.fromkeys(("sip_tls_cert", "sip_tls_key"), tmp_path / "none")
    with pytest.raises(ssl.SSLError):
        await listen(
            settings_of(tmp_path, sip_bind="127.0.0.1:0", sip_tls_bind="127.0.0.1:0", **wrong), sockets
        )
    await sockets.close()


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({}, (("127.0.0.1", 5060), None, None)),
        ({"sip_advertise": "192.0.2.1:0"}, (("192.0.2.1", 5060), None, None)),
        ({"sip_advertise": "192.0.2.1:5080"}, (("192.0.2.1", 5080), None, None)),
        ({"sip_tls_advertise": "sip.example:5081"}, (("127.0.0.1", 5060), None, ("sip.example", 5081))),
        (
            {"sip_bind": "127.0.0.1:0,[::1]:0", "sip_advertise": "192.0.2.1:0,[2001:db8::1]:5080"},
            (("192.0.2.1", 5060), ("2001:db8::1", 5080), None),
        ),
    ],
    ids=["as bound", "a host", "host and port", "TLS", "both families"],
)
async def test_switch_is_announced_as_set_or_as_bound(
    tmp_path: Path, flags: dict[str, object], expected: tuple[tuple[str, int] | None, ...]
) -> None:
    """Over UDP and TCP, over IPv6, and over TLS; a port that is 0 is the one that was bound."""
    settings = settings_of(tmp_path, **{"sip_bind": "127.0.0.1:0", "calls_max": 7, **flags})
    sockets = make_sockets()
    sockets.local |= {("udp", False): ("127.0.0.1", 5060), ("udp", True): ("::1", 5060)}
    told = build_switch(
        settings,
        sockets=sockets,
        store=cast("WorkflowStore", None),  # nobody calls
        relay=FakeRelay(),
        prompts=FakePrompts(),
        runner=AsyncioRunner(ManualClock()),
        has_recording_room=lambda: True,
    ).settings
    assert (told.advertised, told.advertised_v6, told.advertised_tls) == expected
    assert told.limits.call_count_max == 7


def make_sockets() -> SipSockets:
    """Sockets on which nothing arrives."""
    return SipSockets(
        receive=lambda _data, _flow: None, closed=lambda _flow: None, is_trusted=lambda _address: True
    )

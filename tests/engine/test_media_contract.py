"""One contract for the relay of the service and the fake that other tests use."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from maskline.engine.media_client import (
    Family,
    MediaRelay,
    MediaTimeout,
    PartyMedia,
    RelayEvent,
    RelayFull,
    RelayLost,
    RelayRefused,
    RelayStats,
    RelayUnavailable,
    RelayUnknownCall,
    Side,
)
from maskline.testing.relay import FakeRelay
from tests.engine.media_rig import guard, until

A = PartyMedia(address="127.0.0.11", port=40_000)
B = PartyMedia(address="127.0.0.12", port=40_002)
SIX = PartyMedia(address="::1", port=40_004)


@asynccontextmanager
async def opened(kind: str, *, calls_max: int = 400) -> AsyncIterator[MediaRelay]:
    """A relay of either kind."""
    if kind == "fake":
        yield FakeRelay(calls_max=calls_max, switch="test")
    else:
        async with guard(calls_max=calls_max) as (_, relay):
            yield relay


@pytest.fixture(params=["fake", "guard"])
def kind(request: pytest.FixtureRequest) -> str:
    """Which of the two."""
    return str(request.param)


async def test_a_whole_call(kind: str) -> None:
    """A call is opened, connected, held, counted, listed and closed."""
    async with opened(kind) as relay:
        ports = await relay.open("call", A)
        assert len({ports.port_a, ports.port_b}) == 2
        assert ports.port_a % 2 == ports.port_b % 2 == 0
        assert ports.address_a == ports.address_b == "127.0.0.1"
        await relay.connect("call", Side.B, B)
        await relay.connect("call", Side.A, A)
        await relay.hold("call", is_held=True)
        await relay.hold("call", is_held=False)
        nothing = RelayStats(from_a_count=0, from_b_count=0, relayed_count=0, dropped_count=0)
        assert await relay.stats("call") == nothing
        (live,) = await relay.list()
        assert (live.call, live.switch) == ("call", "test")
        assert 0 <= live.age_s < 60
        await relay.close("call")
        assert await relay.list() == ()


async def test_closing_twice_is_fine(kind: str) -> None:
    """Close is idempotent, also for a call that never was."""
    async with opened(kind) as relay:
        await relay.open("call", A)
        await relay.close("call")
        await relay.close("call")
        await relay.close("never")


async def test_unknown_call(kind: str) -> None:
    """Commands on a call without relay say so."""
    async with opened(kind) as relay:
        with pytest.raises(RelayUnknownCall):
            await relay.connect("never", Side.B, B)
        with pytest.raises(RelayUnknownCall):
            await relay.hold("never", is_held=True)
        with pytest.raises(RelayUnknownCall):
            await relay.stats("never")


async def test_open_twice_is_refused(kind: str) -> None:
    """One call has one relay, and the first stays."""
    async with opened(kind) as relay:
        await relay.open("call", A)
        with pytest.raises(RelayRefused):
            await relay.open("call", A)
        await relay.connect("call", Side.B, B)


async def test_cap(kind: str) -> None:
    """At the cap calls are refused, and a closed call makes room."""
    async with opened(kind, calls_max=2) as relay:
        await relay.open("one", A)
        await relay.open("two", None)
        with pytest.raises(RelayFull):
            await relay.open("three", A)
        await relay.close("one")
        await relay.open("three", A)


async def test_families(kind: str) -> None:
    """Each side has its IP version; the other one's addresses are refused there."""
    async with opened(kind) as relay:
        ports = await relay.open("mixed", A, family_b=Family.V6)
        assert (ports.address_a, ports.address_b) == ("127.0.0.1", "::1")
        await relay.connect("mixed", Side.B, SIX)
        with pytest.raises(RelayRefused):
            await relay.connect("mixed", Side.B, B)
        with pytest.raises(RelayRefused):
            await relay.open("wrong", A, family_a=Family.V6)
        ports = await relay.open("late", None, family_a=Family.V6)
        assert (ports.address_a, ports.address_b) == ("::1", "127.0.0.1")
        await relay.connect("late", Side.A, SIX)


@pytest.mark.parametrize(
    "party",
    [
        PartyMedia(address="example.com", port=4000),
        PartyMedia(address="127.0.0.11 x", port=4000),
        PartyMedia(address="127.0.0.11", port=0),
        PartyMedia(address="127.0.0.11", port=70_000),
        PartyMedia(address="239.1.2.3", port=4000),
        PartyMedia(address="255.255.255.255", port=4000),
        PartyMedia(address="fe80::1%lo", port=4000),
        PartyMedia(address="2001:DB8::1", port=4000),
        PartyMedia(address="127.0.0.11", port=4000, networks=("10.0.0.1/8",)),
        PartyMedia(address="127.0.0.11", port=4000, networks=("10.0.0.0/8",) * 64),
    ],
)
async def test_bad_parties_are_refused(kind: str, party: PartyMedia) -> None:
    """An address that cannot be a party's changes nothing."""
    async with opened(kind) as relay:
        with pytest.raises(RelayRefused):
            await relay.open("call", party)
        assert await relay.list() == ()
        await relay.open("call", A)
        with pytest.raises(RelayRefused):
            await relay.connect("call", Side.B, party)
        assert [live.call for live in await relay.list()] == ["call"]


async def test_hold_of_old_is_taken(kind: str) -> None:
    """An unspecified address is no error: it is how old devices say hold."""
    async with opened(kind) as relay:
        await relay.open("call", A)
        await relay.connect("call", Side.A, PartyMedia(address="0.0.0.0", port=40_000))


@pytest.mark.parametrize("call", ["", "a b", "a/b", "canary", "x" * 65])
async def test_bad_call_ids(kind: str, call: str) -> None:
    """Ids are letters and digits, 64 at most, and never the guard's own."""
    async with opened(kind) as relay:
        with pytest.raises(RelayRefused):
            await relay.open(call, A)


async def test_loss(kind: str) -> None:
    """When the guard is lost the switch is told once and commands fail; later it starts from nothing."""
    events: list[RelayEvent] = []
    if kind == "fake":
        fake = FakeRelay()
        fake.set_event_handler(events.append)
        await fake.open("call", A)
        fake.lose()
        assert events == [RelayLost()]
        with pytest.raises(RelayUnavailable):
            await fake.open("call", A)
        fake.restart()
        assert await fake.list() == ()
        return
    async with guard() as (supervisor, relay):
        relay.set_event_handler(events.append)
        await relay.open("call", A)
        assert supervisor._process is not None
        supervisor._process.kill()
        await until(lambda: events)
        assert events == [RelayLost()]
        with pytest.raises(RelayUnavailable):
            await relay.open("call", A)
        await until(lambda: relay.is_connected)
        assert await relay.list() == ()


async def test_timeout(kind: str) -> None:
    """A call that times out is reported by name and is unknown from then on."""
    events: list[RelayEvent] = []
    if kind == "fake":
        fake = FakeRelay()
        fake.set_event_handler(events.append)
        await fake.open("call", A)
        fake.time_out("call")
        assert events == [MediaTimeout(call="call")]
        with pytest.raises(RelayUnknownCall):
            await fake.stats("call")
        return
    async with guard(ttl_s=1) as (_, relay):
        relay.set_event_handler(events.append)
        await relay.open("call", A)
        await relay.connect("call", Side.B, B)
        await until(lambda: events)
        assert events == [MediaTimeout(call="call")]
        with pytest.raises(RelayUnknownCall):
            await relay.stats("call")

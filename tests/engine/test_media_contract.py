"""One contract for the relay of the service and the fake that other tests use."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest

from maskline.engine.media_client import (
    DigitPressed,
    Family,
    MediaRelay,
    MediaTimeout,
    PartyMedia,
    PlayFinished,
    RelayEvent,
    RelayFull,
    RelayLost,
    RelayRefused,
    RelayStats,
    RelayUnavailable,
    RelayUnknownCall,
    Side,
)
from maskline.prompts.types import PromptFile
from maskline.testing.relay import FakeRelay
from tests.engine.media_rig import KEYS_TYPE, Party, guard, make_prompt, parties, press, until

A = PartyMedia(address="127.0.0.11", port=40_000)
B = PartyMedia(address="127.0.0.12", port=40_002)
PROMPT = PromptFile(stem="/prompt", payload_type=0, duration_s=1.0)
SIX = PartyMedia(address="::1", port=40_004)


@dataclass
class Stage:
    """A relay of either kind with an open call, a short prompt, and what acts on them."""

    relay: MediaRelay
    prompt: PromptFile
    events: list[RelayEvent]
    phones: dict[Side, Party]
    ports: dict[Side, tuple[str, int]]

    async def press(self, side: Side, digit: str) -> None:
        """Let a party press a key."""
        if isinstance(self.relay, FakeRelay):
            self.relay.press("call", side, digit)
        else:
            press(self.phones[side], self.ports[side], digit)

    async def end_prompt(self, side: Side) -> None:
        """Let what plays come to its end; the guard's does so by itself."""
        if isinstance(self.relay, FakeRelay):
            self.relay.finish_play("call", side)

    async def happened(self, *events: RelayEvent) -> None:
        """Wait until just these events have come since the last time."""
        await until(lambda: len(self.events) >= len(events))
        assert self.events == list(events)
        self.events.clear()


@asynccontextmanager
async def staged(kind: str) -> AsyncIterator[Stage]:
    """A call between two phones, B not connected yet."""
    with tempfile.TemporaryDirectory() as directory, parties("127.0.0.11", "127.0.0.12") as (a, b):
        prompt = make_prompt(directory, "p", tone_hz=700, duration_s=0.1)
        async with opened(kind, prompt_dirs=(directory,)) as relay:
            events: list[RelayEvent] = []
            relay.set_event_handler(events.append)
            ports = await relay.open("call", a.media())
            at = {Side.A: (ports.address_a, ports.port_a), Side.B: (ports.address_b, ports.port_b)}
            yield Stage(relay, prompt, events, {Side.A: a, Side.B: b}, at)


@asynccontextmanager
async def opened(
    kind: str, *, calls_max: int = 400, prompt_dirs: tuple[str, ...] = ()
) -> AsyncIterator[MediaRelay]:
    """A relay of either kind."""
    if kind == "fake":
        yield FakeRelay(calls_max=calls_max, switch="test")
    else:
        async with guard(calls_max=calls_max, prompt_dirs=prompt_dirs) as (_, relay):
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
        with pytest.raises(RelayUnknownCall):
            await relay.play("never", Side.A, PROMPT, tag="t")
        with pytest.raises(RelayUnknownCall):
            await relay.stop_playing("never", Side.A)
        with pytest.raises(RelayUnknownCall):
            await relay.watch_digits("never", Side.A, KEYS_TYPE, is_hidden=True)
        with pytest.raises(RelayUnknownCall):
            await relay.start_recording("never", "rec")
        with pytest.raises(RelayUnknownCall):
            await relay.stop_recording("never")


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


async def test_a_prompt_ends(kind: str) -> None:
    """A prompt that has been heard is reported once, by its call, side and tag, also to a muted party."""
    async with staged(kind) as stage:
        await stage.relay.play("call", Side.A, stage.prompt, tag="question")
        await stage.end_prompt(Side.A)
        await stage.happened(PlayFinished(call="call", side="a", tag="question"))
        await stage.relay.connect("call", Side.B, stage.phones[Side.B].media(), is_muted=True)
        await stage.relay.play("call", Side.B, stage.prompt, tag="whisper")
        await stage.end_prompt(Side.B)
        await stage.happened(PlayFinished(call="call", side="b", tag="whisper"))


async def test_prompts_that_are_not_reported(kind: str) -> None:
    """Of what repeats, is replaced or stopped no end is told; stopping nothing is fine."""
    async with staged(kind) as stage:
        await stage.relay.stop_playing("call", Side.A)
        await stage.relay.play("call", Side.A, stage.prompt, tag="ring", repeats=True)
        await stage.relay.play("call", Side.A, stage.prompt, tag="stopped")
        await stage.relay.stop_playing("call", Side.A)
        await stage.relay.play("call", Side.A, stage.prompt, tag="replaced")
        await stage.relay.play("call", Side.A, stage.prompt, tag="last")
        await stage.end_prompt(Side.A)
        await stage.happened(PlayFinished(call="call", side="a", tag="last"))


async def test_prompts_that_are_refused(kind: str) -> None:
    """What the engine could not play, or could misread, is refused; what played goes on."""
    async with staged(kind) as stage:
        await stage.relay.play("call", Side.A, stage.prompt, tag="good")
        for bad in (
            replace(stage.prompt, stem="relative"),
            replace(stage.prompt, stem=f"{stage.prompt.stem} 0 a b"),
            replace(stage.prompt, stem=f"{stage.prompt.stem}\nX"),
            replace(stage.prompt, payload_type=96),
            replace(stage.prompt, payload_type=18),
        ):
            with pytest.raises(RelayRefused):
                await stage.relay.play("call", Side.A, bad, tag="t")
        for tag in ("", "a b", "x" * 65, "ä"):
            with pytest.raises(RelayRefused):
                await stage.relay.play("call", Side.A, stage.prompt, tag=tag)
        await stage.end_prompt(Side.A)
        await stage.happened(PlayFinished(call="call", side="a", tag="good"))


async def test_digits(kind: str) -> None:
    """Keys of a watched side are reported while it is let in, those of the other side are not."""
    async with staged(kind) as stage:
        await stage.relay.watch_digits("call", Side.A, KEYS_TYPE, is_hidden=True)
        await stage.relay.connect("call", Side.B, stage.phones[Side.B].media())
        await stage.press(Side.B, "9")
        for digit in "1#":
            await stage.press(Side.A, digit)
            await stage.happened(DigitPressed(call="call", side="a", digit=digit))
        await stage.relay.connect("call", Side.A, stage.phones[Side.A].media(), is_muted=True)
        await stage.press(Side.A, "2")
        await stage.relay.connect("call", Side.A, stage.phones[Side.A].media())
        await stage.relay.watch_digits("call", Side.A, KEYS_TYPE, is_hidden=False)
        await stage.press(Side.A, "*")
        await stage.happened(DigitPressed(call="call", side="a", digit="*"))
        with pytest.raises(RelayRefused):
            await stage.relay.watch_digits("call", Side.A, 128, is_hidden=True)


async def test_recording(kind: str) -> None:
    """One capture at a time, each name once; ending none is fine."""
    async with staged(kind) as stage:
        await stage.relay.stop_recording("call")
        for name in ("", "a/b", "x.pcap", "x" * 65):
            with pytest.raises(RelayRefused):
                await stage.relay.start_recording("call", name)
        await stage.relay.start_recording("call", "one")
        with pytest.raises(RelayRefused):
            await stage.relay.start_recording("call", "two")
        await stage.relay.stop_recording("call")
        with pytest.raises(RelayRefused):
            await stage.relay.start_recording("call", "one")
        await stage.relay.start_recording("call", "two")
        await stage.relay.close("call")

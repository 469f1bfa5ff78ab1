"""Keys and mute: whose keys are reported, who hears them, and what a muted party's packets reach."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from maskline.engine.media_client import (
    DigitPressed,
    MediaRelay,
    PartyMedia,
    RelayEvent,
    RelayRefused,
    RelayUnknownCall,
    Side,
)
from maskline.media.dtmf import KEYS, make_key_press
from tests.engine.media_rig import KEYS_TYPE, Party, guard, make_prompt, parties, press, until

A, B = "127.0.0.11", "127.0.0.12"
FLASH = (b"\x10\x0a\x00\xa0", b"\x10\x8a\x03\x20", b"\x10\x8a\x03\x20")


@dataclass
class Watched:
    """A call, its phones and what has been reported."""

    relay: MediaRelay
    a: Party
    b: Party
    to_a: tuple[str, int]
    to_b: tuple[str, int]
    events: list[RelayEvent]

    async def reported(self, *keys: str) -> None:
        """Wait until exactly these keys of A have been reported since the last time."""
        await until(lambda: len(self.events) >= len(keys))
        assert self.events == [DigitPressed(call="call", side="a", digit=key) for key in keys]
        self.events.clear()

    def nothing_crosses(self) -> bool:
        """Whether audio sent now by A is the first thing B hears."""
        self.a.say(self.to_a, b"marker")
        return self.b.hear(b"marker") == []


@asynccontextmanager
async def watched(*, is_b_known: bool = True, prompt_dirs: tuple[str, ...] = ()) -> AsyncIterator[Watched]:
    """A call whose first party's keys are watched and hidden."""
    with parties(A, B) as (a, b):
        async with guard(prompt_dirs=prompt_dirs) as (_, relay):
            events: list[RelayEvent] = []
            relay.set_event_handler(events.append)
            ports = await relay.open("call", a.media())
            if is_b_known:
                await relay.connect("call", Side.B, b.media())
            await relay.watch_digits("call", Side.A, KEYS_TYPE, is_hidden=True)
            to_a, to_b = (ports.address_a, ports.port_a), (ports.address_b, ports.port_b)
            yield Watched(relay, a, b, to_a, to_b, events)


async def test_every_key_is_reported_once() -> None:
    """Each press is one event, in order, the same key twice as well; a hook flash is none."""
    async with watched() as call:
        for key in KEYS:  # one by one: of 130 packets in the same instant the engine drops some
            press(call.a, call.to_a, key)
            await call.reported(key)
        for payload in FLASH:
            call.a.say(call.to_a, payload, payload_type=KEYS_TYPE, timestamp=99)
        press(call.a, call.to_a, "5")
        press(call.a, call.to_a, "5")
        await call.reported("5", "5")
        assert call.nothing_crosses()


async def test_keys_before_the_far_side_is_known() -> None:
    """A PIN is taken while there is nobody on the other side."""
    async with watched(is_b_known=False) as call:
        press(call.a, call.to_a, "1")
        await call.reported("1")
        await call.relay.connect("call", Side.B, call.b.media())
        press(call.a, call.to_a, "2")
        await call.reported("2")
        assert call.nothing_crosses()


async def test_keys_during_a_prompt(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A caller that knows the question answers before it has been asked."""
    directory = str(tmp_path_factory.mktemp("prompts"))
    async with watched(is_b_known=False, prompt_dirs=(directory,)) as call:
        prompt = make_prompt(directory, "ask", tone_hz=700, duration_s=5)
        await call.relay.play("call", Side.A, prompt, tag="ask")
        press(call.a, call.to_a, "1")
        press(call.a, call.to_a, "#")
        await call.reported("1", "#")
        await call.relay.stop_playing("call", Side.A)


async def test_lost_packets_of_a_key() -> None:
    """Three end packets alone are a key; a press whose ends were all lost is none and does no harm to the next."""
    async with watched() as call:
        for payload in make_key_press("1")[-3:]:
            call.a.say(call.to_a, payload, payload_type=KEYS_TYPE, timestamp=1000)
        for payload in make_key_press("2")[:-3]:
            call.a.say(call.to_a, payload, payload_type=KEYS_TYPE, timestamp=2000)
        press(call.a, call.to_a, "3")
        await call.reported("1", "3")


async def test_only_the_watched_party_is_reported() -> None:
    """The other party's keys pass and nobody is told, until it is watched too."""
    async with watched() as call:
        press(call.b, call.to_b, "9")
        call.b.say(call.to_b, b"marker")
        assert len(call.a.hear(b"marker")) == len(make_key_press("9"))
        press(call.a, call.to_a, "1")
        await call.reported("1")
        await call.relay.watch_digits("call", Side.B, KEYS_TYPE, is_hidden=False)
        press(call.b, call.to_b, "9")
        await until(lambda: call.events)
        assert call.events == [DigitPressed(call="call", side="b", digit="9")]
        call.b.say(call.to_b, b"marker")
        assert len(call.a.hear(b"marker")) == len(make_key_press("9"))


async def test_keys_pass_when_they_are_not_hidden_any_more() -> None:
    """After the PIN the far party hears keys again; they are still reported; and they can be hidden once more."""
    async with watched() as call:
        await call.relay.watch_digits("call", Side.A, KEYS_TYPE, is_hidden=False)
        press(call.a, call.to_a, "4")
        await call.reported("4")
        call.a.say(call.to_a, b"marker")
        assert len(call.b.hear(b"marker")) == len(make_key_press("4"))
        await call.relay.watch_digits("call", Side.A, KEYS_TYPE, is_hidden=True)
        press(call.a, call.to_a, "5")
        await call.reported("5")
        assert call.nothing_crosses()


async def test_the_watch_outlives_a_new_connect() -> None:
    """When a party moves or the far one answers, its keys stay hidden and reported."""
    async with watched(is_b_known=False) as call:
        with parties("127.0.0.13") as (moved,):
            await call.relay.connect("call", Side.B, call.b.media())
            await call.relay.connect("call", Side.A, moved.media())
            press(moved, call.to_a, "6")
            await call.reported("6")
            moved.say(call.to_a, b"marker")
            assert call.b.hear(b"marker") == []


async def test_another_payload_type() -> None:
    """The number of telephone-event may change with a new description; the old one is audio like any other."""
    async with watched() as call:
        await call.relay.watch_digits("call", Side.A, 96, is_hidden=True)
        press(call.a, call.to_a, "1")
        press(call.a, call.to_a, "2", payload_type=96)
        await call.reported("2")
        call.a.say(call.to_a, b"marker")
        assert len(call.b.hear(b"marker")) == len(make_key_press("1"))


async def test_watching_nobody() -> None:
    """An unknown call and a number that is no payload type are told apart."""
    async with watched() as call:
        with pytest.raises(RelayUnknownCall):
            await call.relay.watch_digits("never", Side.A, KEYS_TYPE, is_hidden=True)
        for payload_type in (-1, 128):
            with pytest.raises(RelayRefused):
                await call.relay.watch_digits("call", Side.A, payload_type, is_hidden=True)
        press(call.a, call.to_a, "1")
        await call.reported("1")


async def test_a_muted_party_is_not_heard() -> None:
    """Early media of B reaches nobody, before its connect and while muted; its keys neither; then all does."""
    async with watched(is_b_known=False) as call:
        await call.relay.watch_digits("call", Side.B, KEYS_TYPE, is_hidden=False)
        call.b.say(call.to_b, b"before connect")
        await call.relay.connect("call", Side.B, call.b.media(), is_muted=True)
        for _ in range(5):
            call.b.say(call.to_b, b"early media")
        press(call.b, call.to_b, "1")
        call.a.say(call.to_a, b"to the muted")
        assert call.b.hear(b"to the muted") == []
        assert call.a.drain() == []
        stats = await call.relay.stats("call")
        assert (stats.from_a_count, stats.from_b_count) == (1, 0)
        assert call.events == []
        await call.relay.connect("call", Side.B, call.b.media())
        call.b.say(call.to_b, b"let in")
        assert call.a.hear(b"let in") == []
        await call.relay.connect("call", Side.B, call.b.media(), is_muted=True)
        call.b.say(call.to_b, b"muted again")
        assert call.a.drain() == []


async def test_muted_by_an_unspecified_address() -> None:
    """A party that is muted and let in while it is on hold of old is muted and let in all the same."""
    async with watched() as call:
        nowhere = PartyMedia(address="0.0.0.0", port=call.b.port)
        await call.relay.connect("call", Side.B, nowhere, is_muted=True)
        call.b.say(call.to_b, b"muted")
        assert call.a.drain() == []
        await call.relay.connect("call", Side.B, nowhere)
        call.b.say(call.to_b, b"let in")
        assert call.a.hear(b"let in") == []

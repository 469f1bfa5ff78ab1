"""Prompts: who hears them, when they begin and end, and which files may be played."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from maskline.engine.media_client import (
    MediaRelay,
    PartyMedia,
    PlayFinished,
    RelayEvent,
    RelayRefused,
    RelayUnknownCall,
    Side,
)
from maskline.engine.media_prompts import LEARN_S_MAX, PromptFiles
from maskline.media.tone import hears_only
from maskline.prompts.types import PromptFile
from tests.engine.media_rig import Talker, guard, make_prompt, parties, talk, until

A, B = "127.0.0.11", "127.0.0.12"
A_HZ, B_HZ, PROMPT_HZ, OTHER_HZ = 440, 1000, 700, 1300
ALL_HZ = (A_HZ, B_HZ, PROMPT_HZ, OTHER_HZ)
PACKET_S = 0.01  # the engine's packets of a prompt


@asynccontextmanager
async def prompting() -> AsyncIterator[tuple[MediaRelay, Path, list[RelayEvent]]]:
    """A guard that plays from a directory (whose name would break a command line), and its events."""
    with tempfile.TemporaryDirectory(prefix="a b && X ") as directory:
        async with guard(prompt_dirs=(directory,)) as (_, relay):
            events: list[RelayEvent] = []
            relay.set_event_handler(events.append)
            yield relay, Path(directory), events


@asynccontextmanager
async def talking(relay: MediaRelay, call: str = "call") -> AsyncIterator[tuple[Talker, Talker]]:
    """A connected call of two phones, each with a tone of its own."""
    with parties(A, B) as (a, b):
        ports = await relay.open(call, a.media())
        await relay.connect(call, Side.B, b.media())
        yield (
            Talker(a, (ports.address_a, ports.port_a), A_HZ),
            Talker(b, (ports.address_b, ports.port_b), B_HZ),
        )


async def test_only_one_side_hears_a_prompt() -> None:
    """A hears the prompt and nothing of B, B hears A and nothing of the prompt; then they hear each other."""
    async with prompting() as (relay, directory, events), talking(relay) as (a, b):
        prompt = make_prompt(directory, "p", tone_hz=PROMPT_HZ, duration_s=1.0)
        await relay.play("call", Side.A, prompt, tag="first")
        await talk(a, b, for_s=0.8)
        assert hears_only(a.levels_db(*ALL_HZ), PROMPT_HZ)
        assert hears_only(b.levels_db(*ALL_HZ), A_HZ)
        assert events == []
        await until(lambda: events)
        assert events == [PlayFinished(call="call", side="a", tag="first")]
        a.listen()
        a.heard.clear()
        await talk(a, b, for_s=0.4)
        assert hears_only(a.levels_db(*ALL_HZ), B_HZ)
        assert hears_only(b.levels_db(*ALL_HZ), A_HZ)
        assert len(events) == 1


async def test_each_side_has_its_own_prompt() -> None:
    """What plays to one side and what plays to the other are told apart, in sound and in events."""
    async with prompting() as (relay, directory, events), talking(relay) as (a, b):
        to_a = make_prompt(directory, "a", tone_hz=PROMPT_HZ, duration_s=0.5)
        to_b = make_prompt(directory, "b", tone_hz=OTHER_HZ, duration_s=0.6)
        await relay.play("call", Side.A, to_a, tag="forA")
        await relay.play("call", Side.B, to_b, tag="forB")
        await talk(a, b, for_s=0.4)
        assert hears_only(a.levels_db(*ALL_HZ), PROMPT_HZ)
        assert hears_only(b.levels_db(*ALL_HZ), OTHER_HZ)
        await until(lambda: len(events) == 2)
        assert events == [
            PlayFinished(call="call", side="a", tag="forA"),
            PlayFinished(call="call", side="b", tag="forB"),
        ]


async def test_a_prompt_that_repeats_until_stopped() -> None:
    """Ringback goes on without a gap for as long as it is wanted, ends when told to, and reports nothing."""
    async with prompting() as (relay, directory, events), talking(relay) as (a, b):
        prompt = make_prompt(directory, "ring", tone_hz=PROMPT_HZ, duration_s=0.1)
        await relay.play("call", Side.A, prompt, tag="ring", repeats=True)
        await talk(a, b, for_s=1.0)
        assert len(a.heard) >= 0.9 / PACKET_S
        assert hears_only(a.levels_db(*ALL_HZ), PROMPT_HZ)
        await relay.stop_playing("call", Side.A)
        await relay.stop_playing("call", Side.A)
        a.listen()
        a.heard.clear()
        await talk(a, b, for_s=0.4)
        assert hears_only(a.levels_db(*ALL_HZ), B_HZ)
        assert events == []


async def test_a_prompt_replaced_or_cut_off_reports_nothing() -> None:
    """Of prompts that are replaced, stopped or closed with their call, none is said to have finished."""
    async with prompting() as (relay, directory, events), talking(relay) as (a, b):
        long = make_prompt(directory, "long", tone_hz=PROMPT_HZ, duration_s=0.4)
        short = make_prompt(directory, "short", tone_hz=OTHER_HZ, duration_s=0.2)
        await relay.play("call", Side.A, long, tag="replaced")
        await relay.play("call", Side.A, long, tag="last")
        await relay.play("call", Side.B, long, tag="stopped")
        await relay.stop_playing("call", Side.B)
        await relay.open("gone", a.party.media())
        await relay.play("gone", Side.A, short, tag="closed")
        await relay.close("gone")
        await talk(a, b, for_s=0.6)
        assert events == [PlayFinished(call="call", side="a", tag="last")]


async def test_a_prompt_to_a_party_not_known_yet() -> None:
    """A prompt waits for its party and is then heard from the first packet to the last."""
    async with prompting() as (relay, directory, events):
        prompt = make_prompt(directory, "p", tone_hz=PROMPT_HZ, duration_s=0.3)
        with parties(A, B) as (a, b):
            ports = await relay.open("call", a.media())
            await relay.play("call", Side.B, prompt, tag="late")
            listener = Talker(b, (ports.address_b, ports.port_b), B_HZ)
            await asyncio.sleep(0.4)  # longer than the prompt
            assert events == []
            await relay.connect("call", Side.B, b.media())
            await until(lambda: events)
            listener.listen()
            assert len(listener.heard) == 0.3 / PACKET_S
            assert hears_only(listener.levels_db(*ALL_HZ), PROMPT_HZ)


async def test_a_prompt_behind_nat_waits_for_the_first_packet() -> None:
    """Behind NAT a prompt begins when the party's port is known, and no packet of it goes elsewhere."""
    async with prompting() as (relay, directory, events):
        prompt = make_prompt(directory, "p", tone_hz=PROMPT_HZ, duration_s=0.3)
        with parties(A, A) as (signalled, real):
            ports = await relay.open("nat", signalled.media(is_behind_nat=True))
            await relay.play("nat", Side.A, prompt, tag="t")
            await asyncio.sleep(0.1)
            talker = Talker(real, (ports.address_a, ports.port_a), A_HZ)
            await talk(talker, for_s=0.5)
            await until(lambda: events)
            assert events == [PlayFinished(call="nat", side="a", tag="t")]
            talker.listen()
            assert len(talker.heard) == 0.3 / PACKET_S
            assert hears_only(talker.levels_db(*ALL_HZ), PROMPT_HZ)
            assert signalled.drain() == []


async def test_a_prompt_to_a_silent_party_behind_nat() -> None:
    """A party that sends nothing gets its prompt where it was signalled to be, a little later."""
    async with prompting() as (relay, directory, events):
        prompt = make_prompt(directory, "p", tone_hz=PROMPT_HZ, duration_s=0.1)
        loop = asyncio.get_running_loop()
        with parties(A) as (a,):
            ports = await relay.open("nat", a.media(is_behind_nat=True))
            started_mono_s = loop.time()
            await relay.play("nat", Side.A, prompt, tag="t")
            await until(lambda: events)
            assert loop.time() - started_mono_s > LEARN_S_MAX
            listener = Talker(a, (ports.address_a, ports.port_a), A_HZ)
            listener.listen()
            assert len(listener.heard) == 0.1 / PACKET_S


async def test_a_prompt_to_a_muted_party() -> None:
    """A muted party hears its prompt at once, also behind NAT, and nothing it sends is let in."""
    async with prompting() as (relay, directory, events):
        prompt = make_prompt(directory, "p", tone_hz=PROMPT_HZ, duration_s=0.3)
        with parties(A, B) as (a, b):
            ports = await relay.open("call", a.media())
            await relay.connect("call", Side.B, b.media(is_behind_nat=True), is_muted=True)
            await relay.play("call", Side.B, prompt, tag="t")
            first = Talker(a, (ports.address_a, ports.port_a), A_HZ)
            second = Talker(b, (ports.address_b, ports.port_b), B_HZ)
            await talk(first, second, for_s=0.5)
            assert events == [PlayFinished(call="call", side="b", tag="t")]
            assert first.heard == []
            prompted = [packet for packet in second.heard if packet.source != a.source]
            assert len(prompted) == 0.3 / PACKET_S
            await relay.connect("call", Side.B, b.media(is_behind_nat=True))
            second.heard.clear()
            await talk(first, second, for_s=0.4)
            assert hears_only(first.levels_db(*ALL_HZ), B_HZ)
            assert hears_only(second.levels_db(*ALL_HZ), A_HZ)


async def test_prompts_on_hold() -> None:
    """A held party, its address unspecified or not, hears what is played to it."""
    async with prompting() as (relay, directory, events), talking(relay) as (a, b):
        prompt = make_prompt(directory, "music", tone_hz=PROMPT_HZ, duration_s=0.3)
        await talk(a, b, for_s=0.1)
        await relay.hold("call", is_held=True)
        await relay.connect("call", Side.B, PartyMedia(address="0.0.0.0", port=b.party.port))
        await relay.play("call", Side.B, prompt, tag="music")
        await until(lambda: events)
        b.listen()
        prompted = [packet for packet in b.heard if packet.source != a.party.source]
        assert len(prompted) == 0.3 / PACKET_S
        await relay.connect("call", Side.B, b.party.media())
        await relay.hold("call", is_held=False)
        a.heard.clear()
        await talk(a, b, for_s=0.4)
        assert hears_only(a.levels_db(*ALL_HZ), B_HZ)


async def test_a_prompt_follows_its_party() -> None:
    """A party that moves while a prompt plays hears the rest where it is now."""
    async with prompting() as (relay, directory, _), talking(relay) as (a, b):
        prompt = make_prompt(directory, "p", tone_hz=PROMPT_HZ, duration_s=0.1)
        await relay.play("call", Side.A, prompt, tag="t", repeats=True)
        await talk(a, b, for_s=0.2)
        with parties("127.0.0.13") as (moved,):
            await relay.connect("call", Side.A, moved.media())
            a.listen()
            a.heard.clear()
            elsewhere = Talker(moved, a.to, A_HZ)
            await talk(elsewhere, b, for_s=0.4)
            assert hears_only(elsewhere.levels_db(*ALL_HZ), PROMPT_HZ)
            a.listen()
            assert a.heard == []


async def test_a_prompt_that_vanished_while_it_waited() -> None:
    """A prompt whose file is gone when its party comes is over at once: nobody waits for its end."""
    async with prompting() as (relay, directory, events):
        prompt = make_prompt(directory, "p", tone_hz=PROMPT_HZ, duration_s=30)
        with parties(A, B) as (a, b):
            await relay.open("call", a.media())
            await relay.play("call", Side.B, prompt, tag="t")
            os.remove(f"{prompt.stem}.0")
            await relay.connect("call", Side.B, b.media())
            await until(lambda: events)
            assert events == [PlayFinished(call="call", side="b", tag="t")]


async def test_refused_prompts_leave_the_one_that_plays() -> None:
    """What may not be played is refused, an unknown call is unknown, and the prompt before goes on."""
    async with prompting() as (relay, directory, events), talking(relay) as (a, b):
        prompt = make_prompt(directory, "p", tone_hz=PROMPT_HZ, duration_s=0.4)
        await relay.play("call", Side.A, prompt, tag="t")
        with pytest.raises(RelayRefused):
            await relay.play("call", Side.A, replace(prompt, stem=f"{directory}/absent"), tag="t")
        with pytest.raises(RelayRefused):
            await relay.play("call", Side.A, prompt, tag="t && X")
        with pytest.raises(RelayUnknownCall):
            await relay.play("never", Side.A, prompt, tag="t")
        with pytest.raises(RelayUnknownCall):
            await relay.stop_playing("never", Side.A)
        await talk(a, b, for_s=0.3)
        assert hears_only(a.levels_db(*ALL_HZ), PROMPT_HZ)
        await until(lambda: events)


def test_files_that_may_be_played(tmp_path: Path) -> None:
    """A prompt in a directory or below it is found, whatever the directory is called; its length is its size."""
    below = tmp_path / "a dir" / "x;y"
    below.mkdir(parents=True)
    make_prompt(below, "hello-1_2", tone_hz=A_HZ, duration_s=0.25)
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "a dir")
    for root in (below, tmp_path, link, Path("/")):
        with PromptFiles((str(tmp_path / "other"), str(root))).opened(f"{below}/hello-1_2", 0) as found:
            path, duration_s = found
            assert duration_s == 0.25
            assert " " not in path
            assert Path(f"{path}.0").read_bytes() == (below / "hello-1_2.0").read_bytes()
        assert not os.path.exists(path)


def test_files_that_may_not_be_played(tmp_path: Path) -> None:
    """Nothing outside the directories, no link, no empty file, no directory, no strange name, no other type."""
    root, outside = tmp_path / "root", tmp_path / "outside"
    for each in (root, outside):
        each.mkdir()
        make_prompt(each, "p", tone_hz=A_HZ, duration_s=0.1)
    (root / "linked.0").symlink_to(outside / "p.0")
    (root / "away").symlink_to(outside)
    (root / "empty.0").touch()
    (root / "folder.0").mkdir()
    (tmp_path / "root2").mkdir()
    make_prompt(tmp_path / "root2", "p", tone_hz=A_HZ, duration_s=0.1)
    (root / "p.3").write_bytes(b"x" * 33)
    files = PromptFiles((str(root),))
    refused = [
        *(f"{root}/{name}" for name in ("absent", "linked", "away/p", "empty", "folder", "../outside/p", "")),
        *(f"{root}/{name}" for name in ("p 0 a b", "p\n", "p\nX", "p\0", "p;", "..", "x" * 129)),
        *(f"{outside}/p", f"{tmp_path}/root2/p", f"{root}/nowhere/p", f"{root}/p.0/p", "p", "", "/p", "//p"),
    ]
    for stem in refused:
        with pytest.raises(RelayRefused), files.opened(stem, 0):
            pass
    for payload_type in (3, 18, 96, -1, 1000):
        with pytest.raises(RelayRefused), files.opened(f"{root}/p", payload_type):
            pass
    with pytest.raises(RelayRefused), PromptFiles(()).opened(f"{root}/p", 0):
        pass
    with files.opened(f"{root}/p", 0):
        pass


def test_prompt_file_is_what_the_guard_reads(tmp_path: Path) -> None:
    """The switch names a prompt by stem and type; the guard finds the same file and the same length."""
    prompt: PromptFile = make_prompt(tmp_path, "p", tone_hz=A_HZ, duration_s=1.5)
    with PromptFiles((str(tmp_path),)).opened(prompt.stem, prompt.payload_type) as (_, duration_s):
        assert duration_s == prompt.duration_s

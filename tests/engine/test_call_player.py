"""Prompts with their turns, and keys by either way."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.core.call import commands as do
from maskline.core.call import events as on
from maskline.core.call.events import PromptKind
from maskline.core.call_record import Side
from maskline.engine.call_media import CallMedia, MediaPolicy, PromptNeed
from maskline.engine.call_player import CallPlayer, read_info
from maskline.prompts.types import BuiltIn, PromptFailure, PromptFile
from maskline.tasks import spawn
from maskline.testing.prompts import FakePrompts
from maskline.testing.relay import FakeRelay

URL = "https://a.example/hello.mp3"
OFFER = (
    b"v=0\r\no=- 1 1 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\n"
    b"m=audio 4000 RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\n"
)
PLAY = do.Play(Side.A, do.Prompt(PromptKind.CALLER, URL))


async def make_player(offer: bytes = OFFER) -> CallPlayer:
    relay = FakeRelay()
    policy = MediaPolicy(codecs=("PCMU", "PCMA"), networks=(), prompts=PromptNeed.REQUIRED)
    media = CallMedia("call1", relay, policy, (1, 2))
    await media.open(offer)
    media.answer_early()
    return CallPlayer("call1", relay, media, FakePrompts(), "IN")


def playing(player: CallPlayer) -> str | None:
    assert isinstance(player.relay, FakeRelay)
    play = player.relay.sessions["call1"].playing.get(Side.A)
    return None if play is None else play.prompt.stem


async def test_a_prompt_is_played_in_the_codec_of_the_leg() -> None:
    """The file is the one for what that side agreed to, and its end is told once."""
    player = await make_player()
    tag = player.begin(Side.A)
    assert await player.play(PLAY, tag) is None
    assert isinstance(player.relay, FakeRelay)
    assert player.relay.sessions["call1"].playing[Side.A].prompt.payload_type == 8
    assert player.finished(Side.A, tag) == on.PromptFinished(Side.A)
    assert player.finished(Side.A, tag) is None


async def test_what_was_replaced_or_stopped_is_not_played() -> None:
    """A prompt that took long to get does not speak into whatever came after it."""
    player = await make_player()
    first, second = player.begin(Side.A), player.begin(Side.A)
    assert await player.play(PLAY, first) is None
    assert playing(player) is None
    player.end(Side.A)
    assert await player.play(PLAY, second) is None
    assert playing(player) is None
    assert player.finished(Side.A, second) is None


async def test_failures_are_told_in_words() -> None:
    """Why a prompt was not played is a word for people; ours failing is told apart."""
    player = await make_player()
    assert isinstance(player.prompts, FakePrompts)
    player.prompts.fail(URL, PromptFailure.TOO_LONG)
    assert await player.play(PLAY, player.begin(Side.A)) == on.PromptFailed(PromptKind.CALLER, "too-long")
    assert await player.fetch(PLAY.prompt) == on.PromptFailed(PromptKind.CALLER, "too-long")
    await player.media.close()
    ours = do.Play(Side.A, do.Prompt(PromptKind.PIN))
    failed = await player.play(ours, player.begin(Side.A))
    assert failed == on.PromptFailed(PromptKind.PIN, "relay", is_built_in=True)
    assert await player.fetch(do.Prompt(PromptKind.PIN)) == on.PromptReady()


@pytest.mark.parametrize("kind", sorted(set(PromptKind) - {PromptKind.CALLER, PromptKind.CALLEE}))
async def test_what_needs_no_url_can_be_played_without_one(kind: PromptKind) -> None:
    """Every prompt but the parties' own comes with the service, in the codec of the leg."""
    player = await make_player()
    failed = await player.play(do.Play(Side.A, do.Prompt(kind)), player.begin(Side.A))
    assert failed is None
    assert playing(player) is not None


class SlowPrompts(FakePrompts):
    """Fetches nothing before it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.let = asyncio.Event()

    async def fetch(self, url: str, codec: str) -> PromptFile:
        await self.let.wait()
        return await super().fetch(url, codec)


@pytest.mark.parametrize("is_there", [True, False])
async def test_callee_hears_nothing_of_the_caller_while_its_prompt_is_fetched(is_there: bool) -> None:
    """The relay has joined B's line by then, and A does not know that anybody listens."""
    player = await make_player()
    player.prompts = prompts = SlowPrompts()
    if not is_there:
        prompts.fail(URL, PromptFailure.NOT_FOUND)
    player.media.offer(Side.B)
    player.media.hear_callee(OFFER)
    await player.hush(Side.B)
    await player.media.meet_callee()
    assert isinstance(player.relay, FakeRelay)
    on_air = player.relay.sessions["call1"].playing
    assert on_air[Side.B].prompt.stem == "/prompts/silence"
    tag = player.begin(Side.B)
    work = spawn(player.play(do.Play(Side.B, do.Prompt(PromptKind.CALLEE, URL)), tag), name="play")
    await asyncio.sleep(0)
    assert on_air[Side.B].prompt.stem == "/prompts/silence"
    assert on_air[Side.B].repeats
    prompts.let.set()
    failed = await work
    if is_there:
        assert failed is None
        assert on_air[Side.B].prompt.stem == prompts.stem_of(URL)
        assert player.finished(Side.B, tag) == on.PromptFinished(Side.B)
    else:
        assert failed == on.PromptFailed(PromptKind.CALLEE, "not-found")
        assert on_air[Side.B].prompt.stem == "/prompts/silence"
    again = player.begin(Side.B)
    assert await player.play(do.Play(Side.B, do.Prompt(PromptKind.SILENCE), repeats=True), again) is None
    assert on_air[Side.B].prompt.stem == "/prompts/silence"
    assert prompts.built_in_count[BuiltIn.SILENCE] == 1  # at hand when the prompt ends
    await player.silence(Side.B)
    assert Side.B not in on_air


async def test_silence_that_cannot_be_had_is_no_failure() -> None:
    """A callee that speaks nothing prompts are played in is told so by its prompt, not before."""
    player = await make_player()
    player.media.offer(Side.B)
    await player.hush(Side.B)
    await player.media.close()
    await player.hush(Side.B)
    await player.silence(Side.B)
    assert player.finished(Side.B, "p2") is None


async def test_keys_count_only_while_they_are_asked_for() -> None:
    """Before, and after the bridge, they are none of our business."""
    player = await make_player()
    assert player.key_from_relay("1") is None
    await player.take_keys()
    assert isinstance(player.relay, FakeRelay)
    assert player.relay.sessions["call1"].watched[Side.A].is_hidden
    assert isinstance(player.key_from_relay("1"), on.DigitPressed)
    await player.pass_keys()
    assert not player.relay.sessions["call1"].watched[Side.A].is_hidden
    assert player.key_from_relay("1") is None


async def test_keys_pass_though_the_side_speaks_of_none_any_more() -> None:
    """A re-INVITE may have taken the telephone-events away; what was hidden is not left so."""
    player = await make_player()
    await player.take_keys()
    local = player.media.sides[Side.A].local
    assert local is not None
    player.media.sides[Side.A].local = replace(local, events=())
    await player.pass_keys()
    assert isinstance(player.relay, FakeRelay)
    assert not player.relay.sessions["call1"].watched[Side.A].is_hidden


async def test_a_key_sent_both_ways_counts_once() -> None:
    """The way that a phone was first heard by is the one."""
    player = await make_player()
    await player.take_keys()
    assert player.key_from_info("application/dtmf-relay", b"Signal=5\r\nDuration=160\r\n") is not None
    assert player.key_from_relay("5") is None
    assert player.key_from_info("application/dtmf", b"#") is not None


@pytest.mark.parametrize(
    ("content_type", "body", "key"),
    [
        ("application/dtmf-relay", b"Signal=5\r\nDuration=160\r\n", "5"),
        ("application/dtmf-relay", b"Signal= 5 \nDuration= 160", "5"),
        ("Application/DTMF-Relay; charset=us-ascii", b"signal=*", "*"),
        ("application/dtmf-relay", b"Duration=160\r\nSignal=11\r\n", "#"),
        ("application/dtmf", b"10", "*"),
        ("application/dtmf", b"a\r\n", "A"),
        ("application/dtmf", b"12", None),
        ("application/dtmf", b"", None),
        ("application/dtmf-relay", b"Duration=160", None),
        ("application/dtmf-relay", b"Signal", None),
        ("text/plain", b"5", None),
    ],
)
def test_info_bodies_are_read(content_type: str, body: bytes, key: str | None) -> None:
    """Both kinds of body that phones send, in the spellings they have."""
    assert read_info(content_type, body) == key


@given(st.sampled_from(["application/dtmf", "application/dtmf-relay"]), st.binary(max_size=60))
def test_any_info_body_is_a_key_or_nothing(content_type: str, body: bytes) -> None:
    """Whatever comes in an INFO, it is one of sixteen keys or no key."""
    assert read_info(content_type, body) in {None, *"0123456789*#ABCD"}


async def stop(player: CallPlayer) -> None:
    player.end(Side.A)
    await player.silence(Side.A)


@given(st.lists(st.sampled_from(["begin", "play", "stop", "finish"]), max_size=30))
def test_only_the_newest_turn_is_ever_told_of(steps: list[str]) -> None:
    """Whatever is begun, played, stopped and finished: an end is told only of the prompt whose turn it is."""

    async def run() -> None:
        player = await make_player()
        tags: list[str] = []
        is_on = False
        deeds: dict[str, Callable[[], Awaitable[object]]] = {
            "stop": lambda: stop(player),
            "play": lambda: player.play(PLAY, tags[-1]) if tags else asyncio.sleep(0),
        }
        for step in steps:
            if step == "begin":
                tags.append(player.begin(Side.A))
                is_on = True
            elif step == "finish":
                for tag in tags[:-1]:
                    assert player.finished(Side.A, tag) is None
                if tags:
                    assert (player.finished(Side.A, tags[-1]) is not None) == is_on
                is_on = False
            else:
                await deeds[step]()
                is_on = is_on and step != "stop"

    asyncio.run(run())

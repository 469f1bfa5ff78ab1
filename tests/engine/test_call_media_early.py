"""Descriptions and relay of calls with prompts: a side that is told, or met, before there is anybody to talk to."""

from dataclasses import replace

import pytest

from maskline.core.call_record import Side
from maskline.engine.call_media import PromptNeed
from maskline.media.errors import RemoteProtocolError
from maskline.media.sdp import parse_sdp
from maskline.testing.relay import FakeRelay
from tests.engine.call_media_rig import B_SDP_HOST, POLICY, description, new_media, opened

PROMPTED = replace(POLICY, prompts=PromptNeed.WISHED)


async def test_a_caller_answered_early_gets_one_codec_and_so_does_b() -> None:
    """What A is told before there is a B binds B: nothing has to change on leg A when B answers."""
    relay = FakeRelay()
    media = new_media(relay, PROMPTED)
    await media.open(description(formats=(9, 8, 0, 101)))
    answer = parse_sdp(media.answer_early())
    assert [codec.name for codec in answer.codecs] == ["PCMU"]
    assert answer.telephone_event == 101
    assert media.is_caller_told
    assert (media.prompt_codec(Side.A), media.event_payload_type(Side.A)) == ("PCMU", 101)
    offer = parse_sdp(media.offer(Side.B))
    assert [codec.name for codec in offer.codecs] == ["PCMU"]
    assert await media.connect_callee(description(B_SDP_HOST, 6000, (0, 101))) is None


async def test_the_trunk_says_which_codec_a_caller_answered_early_gets() -> None:
    """Where carriers speak A-law, the order of the trunk's codecs says so."""
    media = new_media(FakeRelay(), replace(PROMPTED, codecs=("PCMA", "PCMU", "opus")))
    await media.open(description(formats=(9, 0, 8, 101)))
    assert [codec.name for codec in parse_sdp(media.answer_early()).codecs] == ["PCMA"]


async def test_a_caller_without_offer_is_offered_one_codec_early() -> None:
    """Our 200 carries the offer, its ACK the answer; then A can be played to."""
    relay = FakeRelay()
    media = new_media(relay, PROMPTED)
    await media.open(None)
    assert media.prompt_codec(Side.A) == "PCMU"
    offer = parse_sdp(media.answer_early())
    assert [codec.name for codec in offer.codecs] == ["PCMU"]
    await media.take_answer(Side.A, description(formats=(0, 101)))
    assert relay.sessions["call1"].parties[Side.A].port == 4000
    assert media.prompt_codec(Side.A) == "PCMU"


async def test_a_caller_we_dial_is_held_to_its_first_choice() -> None:
    """A picks from the trunk's codecs, and B is offered what A picked."""
    relay = FakeRelay()
    media = new_media(relay, PROMPTED)
    await media.open(None)
    offer = parse_sdp(media.offer(Side.A))
    assert {codec.name for codec in offer.codecs} == {"PCMU", "PCMA", "G722"}
    await media.connect_caller(description(formats=(18, 8, 0, 101)))  # G.729 was never offered
    assert relay.sessions["call1"].parties[Side.A].port == 4000
    to_b = parse_sdp(media.offer(Side.B))
    assert [codec.name for codec in to_b.codecs] == ["PCMA"]
    assert await media.connect_callee(description(B_SDP_HOST, 6000, (8, 101))) is None


async def test_a_callee_is_met_muted_and_then_let_in() -> None:
    """B can be played to while nothing it sends is let in; joining it opens the way."""
    relay = FakeRelay()
    media = new_media(relay, PROMPTED)
    await opened(media, description())
    media.hear_callee(description(B_SDP_HOST, 6000, (8, 101)))
    await media.meet_callee()
    session = relay.sessions["call1"]
    assert session.muted == {Side.B}
    assert media.prompt_codec(Side.B) == "PCMA"
    told = await media.connect_callee(None)
    assert told is not None
    assert not session.muted
    assert session.parties[Side.B].port == 6000


@pytest.mark.parametrize("need", PromptNeed)
async def test_prompts_ask_for_codecs_that_carry_them(need: PromptNeed) -> None:
    """With prompts only such codecs are agreed on; where A has none, wished prompts give way, required ones fail."""
    policy = replace(POLICY, codecs=("PCMU", "G729"), prompts=need)
    media = new_media(FakeRelay(), policy)
    offer = parse_sdp(await opened(media, description(formats=(0, 18))))
    assert [codec.name for codec in offer.codecs] == ["PCMU"]
    other = new_media(FakeRelay(), policy)
    if need is PromptNeed.REQUIRED:
        with pytest.raises(RemoteProtocolError):
            await other.open(description(formats=(18,)))
        return
    assert [c.name for c in parse_sdp(await opened(other, description(formats=(18,)))).codecs] == ["G729"]
    assert other.prompt_codec(Side.A) is None

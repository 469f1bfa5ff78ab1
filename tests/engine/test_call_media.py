"""Both descriptions of a call, and what the relay is told of them."""

import asyncio
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.core.call_record import Side
from maskline.engine.call_media import CallMedia, MediaPolicy, PromptNeed
from maskline.engine.media_client import Family, PartyMedia, RelayFull, RelayPorts, RelayUnavailable
from maskline.media.errors import RemoteProtocolError
from maskline.media.sdp import Direction, parse_sdp
from maskline.testing.relay import FakeRelay

POLICY = MediaPolicy(codecs=("PCMU", "PCMA", "G722"), networks=())
A_SDP_HOST, B_SDP_HOST = "192.0.2.10", "198.51.100.20"
RTPMAPS = {0: "PCMU/8000", 8: "PCMA/8000", 9: "G722/8000", 18: "G729/8000", 101: "telephone-event/8000"}


def _sdp(
    host: str = A_SDP_HOST,
    port: int = 4000,
    formats: tuple[int, ...] = (0, 8, 101),
    direction: str = "sendrecv",
    extra: str = "",
) -> bytes:
    version = "IP6" if ":" in host else "IP4"
    rtpmaps = "".join(f"a=rtpmap:{number} {RTPMAPS[number]}\r\n" for number in formats)
    return (
        f"v=0\r\no=alice 12 34 IN {version} {host}\r\ns=alice's phone\r\nc=IN {version} {host}\r\nt=0 0\r\n"
        f"m=audio {port} RTP/AVP {' '.join(map(str, formats))}\r\n{rtpmaps}a={direction}\r\n{extra}"
    ).encode()


def _media(relay: FakeRelay, policy: MediaPolicy = POLICY) -> CallMedia:
    return CallMedia("call1", relay, policy, (1111, 2222))


async def _opened(media: CallMedia, offer: bytes | None) -> bytes:
    """What B is offered."""
    await media.open(offer)
    return media.offer(Side.B)


async def _joined_with(media: CallMedia, answer: bytes) -> bytes:
    """What A is told when B has answered."""
    told = await media.connect_callee(answer)
    assert told is not None
    return told


async def _joined(relay: FakeRelay) -> CallMedia:
    media = _media(relay)
    await _opened(media, _sdp())
    await _joined_with(media, _sdp(B_SDP_HOST, 6000))
    return media


def _origin(sdp: bytes) -> tuple[int, int]:
    """Session id and version of the o= line."""
    found = re.search(rb"^o=- (\d+) (\d+) IN IP[46] \S+\r$", sdp, re.MULTILINE)
    assert found is not None
    return int(found[1]), int(found[2])


async def test_each_side_is_sent_to_its_own_port() -> None:
    """B is offered the relay's port for B, A is answered with that for A."""
    relay = FakeRelay()
    media = _media(relay)
    offer = parse_sdp(await _opened(media, _sdp()))
    answer = parse_sdp(await _joined_with(media, _sdp(B_SDP_HOST, 6000, (8, 101))))
    ports = relay.sessions["call1"].ports
    assert (offer.address, offer.port) == (ports.address_b, ports.port_b)
    assert (answer.address, answer.port) == (ports.address_a, ports.port_a)
    assert [codec.name for codec in offer.codecs] == ["PCMU", "PCMA"]
    assert [codec.name for codec in answer.codecs] == ["PCMA"]
    assert relay.log == [("open", "call1"), ("connect", "call1")]


async def test_the_relay_learns_where_each_side_is() -> None:
    """Without media networks only the signalled address may send, from any port."""
    relay = FakeRelay()
    await _joined(relay)
    assert relay.sessions["call1"].parties == {
        Side.A: PartyMedia(address=A_SDP_HOST, port=4000, is_behind_nat=True),
        Side.B: PartyMedia(address=B_SDP_HOST, port=6000, is_behind_nat=True),
    }


async def test_media_networks_of_the_trunk_reach_the_relay() -> None:
    """A carrier's media may come from anywhere in its networks."""
    relay = FakeRelay()
    await _media(relay, replace(POLICY, networks=("192.0.2.0/24",))).open(_sdp())
    assert relay.sessions["call1"].parties[Side.A] == PartyMedia(
        address=A_SDP_HOST, port=4000, networks=("192.0.2.0/24",)
    )


async def test_nothing_of_one_description_is_in_the_other() -> None:
    """Neither name, origin, host nor attributes of A reach B, nor the reverse."""
    relay = FakeRelay()
    media = _media(relay)
    extra = "a=ssrc:99 cname:secret\r\na=candidate:1 1 UDP 1 192.0.2.10 4000 typ host\r\na=label:secret\r\n"
    offer = await _opened(media, _sdp(extra=extra))
    answer = await _joined_with(media, _sdp(B_SDP_HOST, 6000, extra=extra))
    for sdp in (offer, answer):
        for text in (b"alice", b"192.0.2", b"198.51", b"secret", b"ssrc", b"candidate", b"4000", b"6000"):
            assert text not in sdp


@pytest.mark.parametrize(
    ("offer", "status"),
    [
        (b"", 400),
        (b"v=1\r\n", 400),
        (_sdp(formats=(18,)), 488),
        (_sdp().replace(b"RTP/AVP", b"RTP/SAVP"), 488),
        (_sdp().replace(b"m=audio", b"m=video"), 488),
    ],
)
async def test_an_offer_of_no_use_opens_nothing(offer: bytes, status: int) -> None:
    """No port is spent on a call that cannot be."""
    relay = FakeRelay()
    with pytest.raises(RemoteProtocolError) as caught:
        await _media(relay).open(offer)
    assert caught.value.status_hint == status
    assert relay.log == []


async def test_a_full_relay_is_reported() -> None:
    """The cap is the caller's to answer."""
    with pytest.raises(RelayFull):
        await _media(FakeRelay(calls_max=0)).open(_sdp())


async def test_a_call_without_offer_offers_b_what_the_trunk_allows() -> None:
    """B gets the trunk's codecs, A what B accepted, and the relay learns of A by its answer."""
    relay = FakeRelay()
    media = _media(relay)
    offer = parse_sdp(await _opened(media, None))
    assert {codec.name for codec in offer.codecs} == {"PCMU", "PCMA", "G722"}
    assert Side.A not in relay.sessions["call1"].parties
    to_a = await _joined_with(media, _sdp(B_SDP_HOST, 6000, (8, 101)))
    assert [codec.name for codec in parse_sdp(to_a).codecs] == ["PCMA"]
    await media.take_answer(Side.A, _sdp(formats=(8,)))
    assert relay.sessions["call1"].parties[Side.A].port == 4000


async def test_a_call_without_offer_over_ipv6_gets_ipv6_on_both_sides() -> None:
    """What is not said is taken from the trunk: its caller speaks its family."""
    relay = FakeRelay()
    await _media(relay, replace(POLICY, is_callee_v6=True)).open(None)
    assert relay.sessions["call1"].families == {Side.A: Family.V6, Side.B: Family.V6}


async def test_a_call_may_have_one_leg_on_each_ip_version() -> None:
    """A offers IPv6 while the trunk's peer is on IPv4."""
    relay = FakeRelay()
    media = _media(relay)
    offer = await _opened(media, _sdp("2001:db8::1"))
    answer = await _joined_with(media, _sdp(B_SDP_HOST, 6000))
    assert not parse_sdp(offer).is_ipv6
    assert parse_sdp(answer).is_ipv6


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (b"", 400),
        (_sdp("2001:db8::2", 6000), 488),
        (_sdp(B_SDP_HOST, 6000, (9,)), 488),
        (_sdp(B_SDP_HOST, 6000, (18,)), 488),
    ],
)
async def test_an_answer_of_no_use_leaves_the_relay_alone(answer: bytes, status: int) -> None:
    """Nothing, the wrong IP version, a codec not offered: refused before the relay moves."""
    relay = FakeRelay()
    media = _media(relay)
    await _opened(media, _sdp())
    with pytest.raises(RemoteProtocolError) as caught:
        await _joined_with(media, answer)
    assert caught.value.status_hint == status
    assert relay.log == [("open", "call1")]


async def test_an_answer_in_the_ack_must_take_what_was_offered() -> None:
    """A's answer in the ACK is held to our offer as B's is."""
    relay = FakeRelay()
    media = _media(relay)
    await _opened(media, None)
    await _joined_with(media, _sdp(B_SDP_HOST, 6000, (8,)))
    with pytest.raises(RemoteProtocolError):
        await media.take_answer(Side.A, _sdp(formats=(0,)))
    assert Side.A not in relay.sessions["call1"].parties


async def test_hold_and_resume_pass_through_rebuilt() -> None:
    """A holds: B is offered sendonly, A hears recvonly back as its answer's mirror, the relay allows silence."""
    relay = FakeRelay()
    media = await _joined(relay)
    to_b = parse_sdp(media.reoffer(Side.A, _sdp(direction="sendonly")))
    assert to_b.direction is Direction.SENDONLY
    assert not relay.sessions["call1"].is_held, "nothing moves before the answer"
    to_a = parse_sdp(await media.reanswer(Side.B, _sdp(B_SDP_HOST, 6000, direction="recvonly")))
    assert to_a.direction is Direction.RECVONLY
    assert relay.sessions["call1"].is_held
    media.reoffer(Side.A, _sdp())
    to_a = parse_sdp(await media.reanswer(Side.B, _sdp(B_SDP_HOST, 6000)))
    assert to_a.direction is Direction.SENDRECV
    assert not relay.sessions["call1"].is_held


async def test_hold_of_old_is_understood() -> None:
    """c=0.0.0.0 is a hold, told to B as a direction, never as that address."""
    relay = FakeRelay()
    media = await _joined(relay)
    sdp = media.reoffer(Side.A, _sdp("0.0.0.0"))
    assert parse_sdp(sdp).direction is Direction.SENDONLY
    assert b"0.0.0.0" not in sdp


async def test_a_call_that_begins_on_hold_may_be_silent() -> None:
    """The relay's time to live must not end a call whose first offer already held."""
    relay = FakeRelay()
    media = _media(relay)
    await _opened(media, _sdp(direction="inactive"))
    await _joined_with(media, _sdp(B_SDP_HOST, 6000, direction="inactive"))
    assert relay.sessions["call1"].is_held


async def test_a_hold_in_the_answer_of_the_ack_is_seen() -> None:
    """A's first word may come with the ACK, and may be hold."""
    relay = FakeRelay()
    media = _media(relay)
    await _opened(media, None)
    await _joined_with(media, _sdp(B_SDP_HOST, 6000, (8,)))
    await media.take_answer(Side.A, _sdp(formats=(8,), direction="inactive"))
    assert relay.sessions["call1"].is_held


@pytest.mark.parametrize("side", list(Side))
async def test_either_side_may_move(side: Side) -> None:
    """A new address in a re-INVITE reaches the relay with the answer, for the side that moved only."""
    relay = FakeRelay()
    media = await _joined(relay)
    before = dict(relay.sessions["call1"].parties)
    other_host, other_port = (B_SDP_HOST, 6000) if side is Side.A else (A_SDP_HOST, 4000)
    media.reoffer(side, _sdp("203.0.113.9", 9000))
    await media.reanswer(side.other, _sdp(other_host, other_port))
    after = relay.sessions["call1"].parties
    assert after[side].address == "203.0.113.9"
    assert after[side.other] == before[side.other]
    assert relay.log[2:] == [("connect", "call1")]


async def test_a_rejected_offer_leaves_all_as_it_was() -> None:
    """After a refusal each side is told the same as before it, and a later hold is a change again."""
    relay = FakeRelay()
    media = await _joined(relay)
    before = {side: media.restate(side) for side in Side}
    media.reoffer(Side.A, _sdp("203.0.113.9", 9000, direction="sendonly"))
    media.withdraw(Side.A)
    assert {side: media.restate(side) for side in Side} == before
    assert media.sides[Side.A].remote == parse_sdp(_sdp())
    assert relay.log == [("open", "call1"), ("connect", "call1")]
    media.withdraw(Side.A)
    assert {side: media.restate(side) for side in Side} == before


@pytest.mark.parametrize("offer", [b"", _sdp(formats=(18,)), _sdp("2001:db8::9")])
async def test_a_new_offer_of_no_use_changes_nothing(offer: bytes) -> None:
    """Refused at once, with the session as it was."""
    media = await _joined(FakeRelay())
    before = {side: media.restate(side) for side in Side}
    with pytest.raises(RemoteProtocolError):
        media.reoffer(Side.A, offer)
    assert {side: media.restate(side) for side in Side} == before
    assert media.sides[Side.A].remote == parse_sdp(_sdp())


async def test_a_new_answer_of_no_use_can_be_withdrawn() -> None:
    """An answer that takes nothing of the offer moves nothing, and the offer can be undone."""
    relay = FakeRelay()
    media = await _joined(relay)
    before = {side: media.restate(side) for side in Side}
    media.reoffer(Side.A, _sdp("203.0.113.9", 9000, (8,)))
    with pytest.raises(RemoteProtocolError):
        await media.reanswer(Side.B, _sdp(B_SDP_HOST, 6000, (0,)))
    media.withdraw(Side.A)
    assert {side: media.restate(side) for side in Side} == before
    assert relay.log == [("open", "call1"), ("connect", "call1")]


async def test_an_unchanged_offer_keeps_its_version() -> None:
    """A session refresh changes nothing, and says so by the version (RFC 3264 section 8)."""
    relay = FakeRelay()
    media = await _joined(relay)
    before = media.restate(Side.B)
    assert media.reoffer(Side.A, _sdp()) == before
    await media.reanswer(Side.B, _sdp(B_SDP_HOST, 6000))
    assert relay.log == [("open", "call1"), ("connect", "call1")]


async def test_each_leg_has_its_own_session_id() -> None:
    """The origin lines of the two legs share nothing."""
    media = await _joined(FakeRelay())
    assert [_origin(media.restate(side))[0] for side in Side] == [1111, 2222]


async def test_close_gives_the_ports_back_and_may_be_repeated() -> None:
    """Closing is harmless before opening and twice."""
    relay = FakeRelay()
    await _media(relay).close()
    media = await _joined(relay)
    await media.close()
    await media.close()
    assert relay.sessions == {}


class SlowRelay(FakeRelay):
    """Finishes `open` only when told, and lets `close` overtake it."""

    def __init__(self) -> None:
        super().__init__()
        self.may_open = asyncio.Event()

    async def open(
        self, call: str, a: PartyMedia | None, *, family_a: Family | None = None, family_b: Family = Family.V4
    ) -> RelayPorts:
        await self.may_open.wait()
        return await super().open(call, a, family_a=family_a, family_b=family_b)


async def test_a_close_that_overtakes_the_opening_leaks_nothing() -> None:
    """The caller gave up while the relay was being asked: the ports that come too late go back."""
    relay = SlowRelay()
    media = _media(relay)
    async with asyncio.TaskGroup() as group:
        opening = group.create_task(_raises_unavailable(media))
        await asyncio.sleep(0)
        await media.close()
        relay.may_open.set()
    assert opening.result()
    assert relay.sessions == {}
    assert relay.log == [("open", "call1"), ("close", "call1")]


async def _raises_unavailable(media: CallMedia) -> bool:
    with pytest.raises(RelayUnavailable):
        await _opened(media, _sdp())
    return True


_OFFERS = st.builds(
    _sdp,
    host=st.sampled_from([A_SDP_HOST, "203.0.113.9", "0.0.0.0"]),
    port=st.integers(1024, 65_534),
    formats=st.lists(st.sampled_from([0, 8, 9, 18]), min_size=1, unique=True).map(lambda pts: (*pts, 101)),
    direction=st.sampled_from([str(direction) for direction in Direction]),
)


@given(
    changes=st.lists(
        st.tuples(st.sampled_from(list(Side)), _OFFERS, _OFFERS | st.just(b""), st.booleans()), max_size=8
    )
)
def test_any_run_of_offers_keeps_the_two_legs_apart(
    changes: list[tuple[Side, bytes, bytes, bool]],
) -> None:
    """Whatever is offered, answered, refused: versions rise exactly with changes, and no address crosses."""

    async def scenario() -> None:
        relay = FakeRelay()
        media = await _joined(relay)
        said: dict[Side, list[bytes]] = {side: [media.restate(side)] for side in Side}
        for side, offer, answer, is_accepted in changes:
            try:
                said[side.other].append(media.reoffer(side, offer))
            except RemoteProtocolError:
                continue
            try:
                if not is_accepted:
                    raise RemoteProtocolError("the other side refuses", status_hint=488)
                said[side].append(await media.reanswer(side.other, answer))
            except RemoteProtocolError:
                media.withdraw(side)
                said[side.other].append(media.restate(side.other))
        for texts in said.values():
            by_version: dict[int, bytes] = {}
            for text in texts:
                _, version = _origin(text)
                assert by_version.setdefault(version, text) == text, "one version, one description"
                assert re.search(rb"192\.0\.2|198\.51|203\.0|0\.0\.0\.0|alice", text) is None
        held = any(media.sides[side].remote.direction is not Direction.SENDRECV for side in Side)  # type: ignore[union-attr]
        assert relay.sessions["call1"].is_held == held == media.is_held

    asyncio.run(scenario())


PROMPTED = replace(POLICY, prompts=PromptNeed.WISHED)


async def test_a_caller_answered_early_gets_one_codec_and_so_does_b() -> None:
    """What A is told before there is a B binds B: nothing has to change on leg A when B answers."""
    relay = FakeRelay()
    media = _media(relay, PROMPTED)
    await media.open(_sdp(formats=(9, 8, 0, 101)))
    answer = parse_sdp(media.answer_early())
    assert [codec.name for codec in answer.codecs] == ["PCMU"]
    assert answer.telephone_event == 101
    assert media.is_caller_told
    assert (media.prompt_codec(Side.A), media.event_payload_type(Side.A)) == ("PCMU", 101)
    offer = parse_sdp(media.offer(Side.B))
    assert [codec.name for codec in offer.codecs] == ["PCMU"]
    assert await media.connect_callee(_sdp(B_SDP_HOST, 6000, (0, 101))) is None


async def test_the_trunk_says_which_codec_a_caller_answered_early_gets() -> None:
    """Where carriers speak A-law, the order of the trunk's codecs says so."""
    media = _media(FakeRelay(), replace(PROMPTED, codecs=("PCMA", "PCMU", "opus")))
    await media.open(_sdp(formats=(9, 0, 8, 101)))
    assert [codec.name for codec in parse_sdp(media.answer_early()).codecs] == ["PCMA"]


async def test_a_caller_without_offer_is_offered_one_codec_early() -> None:
    """Our 200 carries the offer, its ACK the answer; then A can be played to."""
    relay = FakeRelay()
    media = _media(relay, PROMPTED)
    await media.open(None)
    assert media.prompt_codec(Side.A) == "PCMU"
    offer = parse_sdp(media.answer_early())
    assert [codec.name for codec in offer.codecs] == ["PCMU"]
    await media.take_answer(Side.A, _sdp(formats=(0, 101)))
    assert relay.sessions["call1"].parties[Side.A].port == 4000
    assert media.prompt_codec(Side.A) == "PCMU"


async def test_a_caller_we_dial_is_held_to_its_first_choice() -> None:
    """A picks from the trunk's codecs, and B is offered what A picked."""
    relay = FakeRelay()
    media = _media(relay, PROMPTED)
    await media.open(None)
    offer = parse_sdp(media.offer(Side.A))
    assert {codec.name for codec in offer.codecs} == {"PCMU", "PCMA", "G722"}
    await media.connect_caller(_sdp(formats=(18, 8, 0, 101)))  # G.729 was never offered
    assert relay.sessions["call1"].parties[Side.A].port == 4000
    to_b = parse_sdp(media.offer(Side.B))
    assert [codec.name for codec in to_b.codecs] == ["PCMA"]
    assert await media.connect_callee(_sdp(B_SDP_HOST, 6000, (8, 101))) is None


async def test_a_callee_is_met_muted_and_then_let_in() -> None:
    """B can be played to while nothing it sends is let in; joining it opens the way."""
    relay = FakeRelay()
    media = _media(relay, PROMPTED)
    await _opened(media, _sdp())
    media.hear_callee(_sdp(B_SDP_HOST, 6000, (8, 101)))
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
    media = _media(FakeRelay(), policy)
    offer = parse_sdp(await _opened(media, _sdp(formats=(0, 18))))
    assert [codec.name for codec in offer.codecs] == ["PCMU"]
    other = _media(FakeRelay(), policy)
    if need is PromptNeed.REQUIRED:
        with pytest.raises(RemoteProtocolError):
            await other.open(_sdp(formats=(18,)))
        return
    assert [c.name for c in parse_sdp(await _opened(other, _sdp(formats=(18,)))).codecs] == ["G729"]
    assert other.prompt_codec(Side.A) is None


async def test_captured_legs_name_our_ports_and_what_is_sent_there() -> None:
    """A capture is read by the port a side sends to and the payload types it was told."""
    relay = FakeRelay()
    media = await _joined(relay)
    ports = relay.sessions["call1"].ports
    a, b = media.captured_legs()
    assert (a.side, a.port, b.side, b.port) == (Side.A, ports.port_a, Side.B, ports.port_b)
    assert [codec.name for codec in a.codecs] == ["PCMU", "PCMA", "telephone-event"]


async def test_a_refresh_is_no_change() -> None:
    """The same offer again, or one that only lists more codecs, changes nothing; another address or hold does."""
    media = await _joined(FakeRelay())
    assert media.is_unchanged(Side.A, _sdp())
    assert media.is_unchanged(Side.A, _sdp(formats=(0, 8, 9, 101)))
    for changed in (_sdp(port=4002), _sdp("192.0.2.11"), _sdp(direction="sendonly"), _sdp(formats=(8, 101))):
        assert not media.is_unchanged(Side.A, changed)

"""Both descriptions of a call, and what the relay is told of them."""

import asyncio
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.core.call_record import Side
from maskline.engine.call_media import CallMedia
from maskline.engine.media_client import Family, PartyMedia, RelayFull, RelayPorts, RelayUnavailable
from maskline.media.errors import RemoteProtocolError
from maskline.media.sdp import Direction, parse_sdp
from maskline.testing.relay import FakeRelay
from tests.engine.call_media_rig import (
    A_SDP_HOST,
    B_SDP_HOST,
    POLICY,
    description,
    joined,
    joined_with,
    new_media,
    opened,
)


def _origin(sdp: bytes) -> tuple[int, int]:
    """Session id and version of the o= line."""
    found = re.search(rb"^o=- (\d+) (\d+) IN IP[46] \S+\r$", sdp, re.MULTILINE)
    assert found is not None
    return int(found[1]), int(found[2])


async def test_each_side_is_sent_to_its_own_port() -> None:
    """B is offered the relay's port for B, A is answered with that for A."""
    relay = FakeRelay()
    media = new_media(relay)
    offer = parse_sdp(await opened(media, description()))
    answer = parse_sdp(await joined_with(media, description(B_SDP_HOST, 6000, (8, 101))))
    ports = relay.sessions["call1"].ports
    assert (offer.address, offer.port) == (ports.address_b, ports.port_b)
    assert (answer.address, answer.port) == (ports.address_a, ports.port_a)
    assert [codec.name for codec in offer.codecs] == ["PCMU", "PCMA"]
    assert [codec.name for codec in answer.codecs] == ["PCMA"]
    assert relay.log == [("open", "call1"), ("connect", "call1")]


async def test_the_relay_learns_where_each_side_is() -> None:
    """Without media networks only the signalled address may send, from any port."""
    relay = FakeRelay()
    await joined(relay)
    assert relay.sessions["call1"].parties == {
        Side.A: PartyMedia(address=A_SDP_HOST, port=4000, is_behind_nat=True),
        Side.B: PartyMedia(address=B_SDP_HOST, port=6000, is_behind_nat=True),
    }


async def test_media_networks_of_the_trunk_reach_the_relay() -> None:
    """A carrier's media may come from anywhere in its networks."""
    relay = FakeRelay()
    await new_media(relay, replace(POLICY, networks=("192.0.2.0/24",))).open(description())
    assert relay.sessions["call1"].parties[Side.A] == PartyMedia(
        address=A_SDP_HOST, port=4000, networks=("192.0.2.0/24",)
    )


async def test_nothing_of_one_description_is_in_the_other() -> None:
    """Neither name, origin, host nor attributes of A reach B, nor the reverse."""
    relay = FakeRelay()
    media = new_media(relay)
    extra = "a=ssrc:99 cname:secret\r\na=candidate:1 1 UDP 1 192.0.2.10 4000 typ host\r\na=label:secret\r\n"
    offer = await opened(media, description(extra=extra))
    answer = await joined_with(media, description(B_SDP_HOST, 6000, extra=extra))
    for sdp in (offer, answer):
        for text in (b"alice", b"192.0.2", b"198.51", b"secret", b"ssrc", b"candidate", b"4000", b"6000"):
            assert text not in sdp


@pytest.mark.parametrize(
    ("offer", "status"),
    [
        (b"", 400),
        (b"v=1\r\n", 400),
        (description(formats=(18,)), 488),
        (description().replace(b"RTP/AVP", b"RTP/SAVP"), 488),
        (description().replace(b"m=audio", b"m=video"), 488),
    ],
)
async def test_an_offer_of_no_use_opens_nothing(offer: bytes, status: int) -> None:
    """No port is spent on a call that cannot be."""
    relay = FakeRelay()
    with pytest.raises(RemoteProtocolError) as caught:
        await new_media(relay).open(offer)
    assert caught.value.status_hint == status
    assert relay.log == []


async def test_a_full_relay_is_reported() -> None:
    """The cap is the caller's to answer."""
    with pytest.raises(RelayFull):
        await new_media(FakeRelay(calls_max=0)).open(description())


async def test_a_call_without_offer_offers_b_what_the_trunk_allows() -> None:
    """B gets the trunk's codecs, A what B accepted, and the relay learns of A by its answer."""
    relay = FakeRelay()
    media = new_media(relay)
    offer = parse_sdp(await opened(media, None))
    assert {codec.name for codec in offer.codecs} == {"PCMU", "PCMA", "G722"}
    assert Side.A not in relay.sessions["call1"].parties
    to_a = await joined_with(media, description(B_SDP_HOST, 6000, (8, 101)))
    assert [codec.name for codec in parse_sdp(to_a).codecs] == ["PCMA"]
    await media.take_answer(Side.A, description(formats=(8,)))
    assert relay.sessions["call1"].parties[Side.A].port == 4000


async def test_a_call_without_offer_over_ipv6_gets_ipv6_on_both_sides() -> None:
    """What is not said is taken from the trunk: its caller speaks its family."""
    relay = FakeRelay()
    await new_media(relay, replace(POLICY, is_callee_v6=True)).open(None)
    assert relay.sessions["call1"].families == {Side.A: Family.V6, Side.B: Family.V6}


async def test_a_call_may_have_one_leg_on_each_ip_version() -> None:
    """A offers IPv6 while the trunk's peer is on IPv4."""
    relay = FakeRelay()
    media = new_media(relay)
    offer = await opened(media, description("2001:db8::1"))
    answer = await joined_with(media, description(B_SDP_HOST, 6000))
    assert not parse_sdp(offer).is_ipv6
    assert parse_sdp(answer).is_ipv6


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (b"", 400),
        (description("2001:db8::2", 6000), 488),
        (description(B_SDP_HOST, 6000, (9,)), 488),
        (description(B_SDP_HOST, 6000, (18,)), 488),
    ],
)
async def test_an_answer_of_no_use_leaves_the_relay_alone(answer: bytes, status: int) -> None:
    """Nothing, the wrong IP version, a codec not offered: refused before the relay moves."""
    relay = FakeRelay()
    media = new_media(relay)
    await opened(media, description())
    with pytest.raises(RemoteProtocolError) as caught:
        await joined_with(media, answer)
    assert caught.value.status_hint == status
    assert relay.log == [("open", "call1")]


async def test_an_answer_in_the_ack_must_take_what_was_offered() -> None:
    """A's answer in the ACK is held to our offer as B's is."""
    relay = FakeRelay()
    media = new_media(relay)
    await opened(media, None)
    await joined_with(media, description(B_SDP_HOST, 6000, (8,)))
    with pytest.raises(RemoteProtocolError):
        await media.take_answer(Side.A, description(formats=(0,)))
    assert Side.A not in relay.sessions["call1"].parties


async def test_hold_and_resume_pass_through_rebuilt() -> None:
    """A holds: B is offered sendonly, A hears recvonly back as its answer's mirror, the relay allows silence."""
    relay = FakeRelay()
    media = await joined(relay)
    to_b = parse_sdp(media.reoffer(Side.A, description(direction="sendonly")))
    assert to_b.direction is Direction.SENDONLY
    assert not relay.sessions["call1"].is_held, "nothing moves before the answer"
    to_a = parse_sdp(await media.reanswer(Side.B, description(B_SDP_HOST, 6000, direction="recvonly")))
    assert to_a.direction is Direction.RECVONLY
    assert relay.sessions["call1"].is_held
    media.reoffer(Side.A, description())
    to_a = parse_sdp(await media.reanswer(Side.B, description(B_SDP_HOST, 6000)))
    assert to_a.direction is Direction.SENDRECV
    assert not relay.sessions["call1"].is_held


async def test_hold_of_old_is_understood() -> None:
    """c=0.0.0.0 is a hold, told to B as a direction, never as that address."""
    relay = FakeRelay()
    media = await joined(relay)
    sdp = media.reoffer(Side.A, description("0.0.0.0"))
    assert parse_sdp(sdp).direction is Direction.SENDONLY
    assert b"0.0.0.0" not in sdp


async def test_a_call_that_begins_on_hold_may_be_silent() -> None:
    """The relay's time to live must not end a call whose first offer already held."""
    relay = FakeRelay()
    media = new_media(relay)
    await opened(media, description(direction="inactive"))
    await joined_with(media, description(B_SDP_HOST, 6000, direction="inactive"))
    assert relay.sessions["call1"].is_held


async def test_a_hold_in_the_answer_of_the_ack_is_seen() -> None:
    """A's first word may come with the ACK, and may be hold."""
    relay = FakeRelay()
    media = new_media(relay)
    await opened(media, None)
    await joined_with(media, description(B_SDP_HOST, 6000, (8,)))
    await media.take_answer(Side.A, description(formats=(8,), direction="inactive"))
    assert relay.sessions["call1"].is_held


@pytest.mark.parametrize("side", list(Side))
async def test_either_side_may_move(side: Side) -> None:
    """A new address in a re-INVITE reaches the relay with the answer, for the side that moved only."""
    relay = FakeRelay()
    media = await joined(relay)
    before = dict(relay.sessions["call1"].parties)
    other_host, other_port = (B_SDP_HOST, 6000) if side is Side.A else (A_SDP_HOST, 4000)
    media.reoffer(side, description("203.0.113.9", 9000))
    await media.reanswer(side.other, description(other_host, other_port))
    after = relay.sessions["call1"].parties
    assert after[side].address == "203.0.113.9"
    assert after[side.other] == before[side.other]
    assert relay.log[2:] == [("connect", "call1")]


async def test_a_rejected_offer_leaves_all_as_it_was() -> None:
    """After a refusal each side is told the same as before it, and a later hold is a change again."""
    relay = FakeRelay()
    media = await joined(relay)
    before = {side: media.restate(side) for side in Side}
    media.reoffer(Side.A, description("203.0.113.9", 9000, direction="sendonly"))
    media.withdraw(Side.A)
    assert {side: media.restate(side) for side in Side} == before
    assert media.sides[Side.A].remote == parse_sdp(description())
    assert relay.log == [("open", "call1"), ("connect", "call1")]
    media.withdraw(Side.A)
    assert {side: media.restate(side) for side in Side} == before


@pytest.mark.parametrize("offer", [b"", description(formats=(18,)), description("2001:db8::9")])
async def test_a_new_offer_of_no_use_changes_nothing(offer: bytes) -> None:
    """Refused at once, with the session as it was."""
    media = await joined(FakeRelay())
    before = {side: media.restate(side) for side in Side}
    with pytest.raises(RemoteProtocolError):
        media.reoffer(Side.A, offer)
    assert {side: media.restate(side) for side in Side} == before
    assert media.sides[Side.A].remote == parse_sdp(description())


async def test_a_new_answer_of_no_use_can_be_withdrawn() -> None:
    """An answer that takes nothing of the offer moves nothing, and the offer can be undone."""
    relay = FakeRelay()
    media = await joined(relay)
    before = {side: media.restate(side) for side in Side}
    media.reoffer(Side.A, description("203.0.113.9", 9000, (8,)))
    with pytest.raises(RemoteProtocolError):
        await media.reanswer(Side.B, description(B_SDP_HOST, 6000, (0,)))
    media.withdraw(Side.A)
    assert {side: media.restate(side) for side in Side} == before
    assert relay.log == [("open", "call1"), ("connect", "call1")]


async def test_an_unchanged_offer_keeps_its_version() -> None:
    """A session refresh changes nothing, and says so by the version (RFC 3264 section 8)."""
    relay = FakeRelay()
    media = await joined(relay)
    before = media.restate(Side.B)
    assert media.reoffer(Side.A, description()) == before
    await media.reanswer(Side.B, description(B_SDP_HOST, 6000))
    assert relay.log == [("open", "call1"), ("connect", "call1")]


async def test_each_leg_has_its_own_session_id() -> None:
    """The origin lines of the two legs share nothing."""
    media = await joined(FakeRelay())
    assert [_origin(media.restate(side))[0] for side in Side] == [1111, 2222]


async def test_close_gives_the_ports_back_and_may_be_repeated() -> None:
    """Closing is harmless before opening and twice."""
    relay = FakeRelay()
    await new_media(relay).close()
    media = await joined(relay)
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
    media = new_media(relay)
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
        await opened(media, description())
    return True


_OFFERS = st.builds(
    description,
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
        media = await joined(relay)
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


async def test_captured_legs_name_our_ports_and_what_is_sent_there() -> None:
    """A capture is read by the port a side sends to and the payload types it was told."""
    relay = FakeRelay()
    media = await joined(relay)
    ports = relay.sessions["call1"].ports
    a, b = media.captured_legs()
    assert (a.side, a.port, b.side, b.port) == (Side.A, ports.port_a, Side.B, ports.port_b)
    assert [codec.name for codec in a.codecs] == ["PCMU", "PCMA", "telephone-event"]


async def test_a_refresh_is_no_change() -> None:
    """The same offer again, or one that only lists more codecs, changes nothing; another address or hold does."""
    media = await joined(FakeRelay())
    assert media.is_unchanged(Side.A, description())
    assert media.is_unchanged(Side.A, description(formats=(0, 8, 9, 101)))
    changes = (
        description(port=4002),
        description("192.0.2.11"),
        description(direction="sendonly"),
        description(formats=(8, 101)),
    )
    for changed in changes:
        assert not media.is_unchanged(Side.A, changed)

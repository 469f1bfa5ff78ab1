"""The media of one call: both sides' descriptions, and the relay between them.

What one side says is parsed into a `RemoteDescription`; what we say to the other is built anew from it. A side's
own origin line (session id and version) is ours and counts up with every change.

Where A is answered before B is dialled, it gets one codec that prompts can be played in, and B is offered that one:
nothing has to be changed on leg A when B answers.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from maskline.core.call_record import Side
from maskline.core.recording import CapturedCodec, CapturedLeg
from maskline.engine.media_client import Family, MediaRelay, PartyMedia, RelayPorts, RelayUnavailable
from maskline.media.errors import NoCommonCodec, RemoteProtocolError
from maskline.media.sdp import (
    Codec,
    Direction,
    LocalDescription,
    RemoteDescription,
    build_answer_to,
    build_offer_from,
    build_own_answer,
    parse_sdp,
    render_sdp,
)

SESSION_ID_BITS = 62  # RFC 8866 section 5.2 asks for a number; phones read it as a signed 64-bit integer
PROMPT_CODECS: Final = ("PCMU", "PCMA", "G722")
"""What prompts can be played in; which one a caller gets is the order of its trunk."""


class PromptNeed(StrEnum):
    """How much a call depends on being able to play something."""

    WISHED = "wished"  # a prompt that is skipped where no codec allows it
    REQUIRED = "required"  # without a prompt there is no point in the call


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaPolicy:
    """What the call's trunk says of media."""

    codecs: tuple[str, ...]
    networks: tuple[str, ...]
    is_callee_v6: bool = False
    prompts: "PromptNeed | None" = None


@dataclass(slots=True)
class _SideMedia:
    session_id: int
    version: int = 0
    remote: RemoteDescription | None = None
    local: LocalDescription | None = None
    party: PartyMedia | None = None  # where the relay was last told this side is
    is_muted: bool = False  # the relay lets nothing of it in


@dataclass(slots=True)
class CallMedia:
    """Descriptions and relay ports of one call. `session_ids` are random: one origin for each side."""

    call_id: str
    relay: MediaRelay
    policy: MediaPolicy
    session_ids: tuple[int, int]
    ports: RelayPorts | None = None
    sides: dict[Side, _SideMedia] = field(init=False)
    is_held: bool = False
    _codecs: tuple[
        str, ...
    ] = ()  # what may be spoken in this call: the trunk's, or of those what prompts need
    _draft: LocalDescription | None = None  # a leg's offer, but for our own address
    _before: tuple[RemoteDescription | None, LocalDescription | None] | None = None
    _is_closed: bool = False

    def __post_init__(self) -> None:
        self.sides = {
            side: _SideMedia(session_id=number) for side, number in zip(Side, self.session_ids, strict=True)
        }

    async def open(self, offer: bytes | None) -> None:
        """Get ports for a call whose caller offered this.

        Raises `RemoteProtocolError` (400 or 488) for an offer of no use, `RelayFull`, `RelayUnavailable` (also
        when the call was closed meanwhile).
        """
        remote = parse_sdp(offer) if offer is not None else None
        caller = self.sides[Side.A]
        caller.remote = remote
        # Worked out before a port is spent: an offer without a common codec opens nothing.
        self._draft = self._first_draft(remote)
        caller.party = self._party(remote)
        family_b = Family.V6 if self.policy.is_callee_v6 else Family.V4
        # A caller that offered nothing is met in the family its trunk speaks.
        family_a = family_b if caller.party is None else None
        self.ports = await self.relay.open(self.call_id, caller.party, family_a=family_a, family_b=family_b)
        if self._is_closed:  # the call ended while the relay worked; its close may have come first
            await self.relay.close(self.call_id)
            raise RelayUnavailable("call ended while its relay was opened")

    def offer(self, side: Side) -> bytes:
        """Say what a leg we dial is offered; B what A can do."""
        if side is Side.A or self._draft is None:
            self._draft = self._draft_offer(side, self.sides[side.other].remote)
        draft, self._draft = self._draft, None
        address, port = self._address(side)
        return self._say(self.sides[side], replace(draft, address=address, port=port))

    def answer_early(self) -> bytes:
        """Say what A is told before there is a B: one codec for prompts. Raises `NoCommonCodec`."""
        caller = self.sides[Side.A]
        self._draft = None
        if caller.remote is None:  # A offered nothing: our offer goes in the 200
            address, port = self._address(Side.A)
            local = replace(self._draft_offer(Side.A, None), address=address, port=port)
            return self._say(caller, replace(local, codecs=self._for_prompts(local.codecs)))
        caller.remote = replace(caller.remote, codecs=self._for_prompts(caller.remote.codecs))
        return self._answer_ourselves(caller.remote)

    async def answer_alone(self, offer: bytes) -> bytes:
        """Take what A, who was answered early, offers before there is anybody to ask: it may move and hold.

        What is spoken stays, since B may have been told of it. Raises as `open` does, and then nothing has changed.
        """
        caller = self.sides[Side.A]
        assert caller.remote is not None
        spoken = {codec.name for codec in caller.remote.codecs}
        remote = self._read(Side.A, offer)
        codecs = tuple(codec for codec in remote.codecs if codec.name in spoken)
        if not codecs:
            raise NoCommonCodec
        caller.remote = replace(remote, codecs=codecs)
        sdp = self._answer_ourselves(caller.remote)
        await self._point_relay(Side.A)
        await self._follow_hold()
        return sdp

    async def connect_caller(self, answer: bytes) -> None:
        """Take the answer of A, which we dialled, and tell the relay where it is. Raises as `open` does."""
        remote = self._read_answer(Side.A, answer)
        caller = self.sides[Side.A]
        assert caller.local is not None
        offered = {codec.name for codec in caller.local.codecs}
        # One codec, so that A sends nothing that B does not know of.
        agreed = next(codec for codec in remote.codecs if codec.name in offered)
        caller.remote = replace(remote, codecs=(agreed,))
        await self._point_relay(Side.A)

    def hear_callee(self, answer: bytes) -> None:
        """Take B's answer: from now on it is known what B can be played in. Raises `RemoteProtocolError`."""
        self.sides[Side.B].remote = self._read_answer(Side.B, answer)

    async def meet_callee(self) -> None:
        """Tell the relay where B is, so that B can be played to; what B sends is not let in yet."""
        await self._point_relay(Side.B, is_muted=True)

    async def connect_callee(self, answer: bytes | None) -> bytes | None:
        """Take B's answer, tell the relay where B is, and return what A is told (an answer, or our offer).

        `answer` is None where `hear_callee` has had it; None is returned where A was told before. Raises as `open`.
        """
        caller, callee = self.sides[Side.A], self.sides[Side.B]
        remote = callee.remote if answer is None else self._read_answer(Side.B, answer)
        assert remote is not None
        if self.is_caller_told:
            sdp = None
        elif caller.remote is None:  # A offered nothing: it gets what B accepted as our offer, in the 200
            # One codec, so that A has no choice that B would not know of.
            sdp = self._offer_to(Side.A, replace(remote, codecs=remote.codecs[:1]))
        else:
            sdp = self._answer_to(Side.A, caller.remote, remote)
        callee.remote = remote
        await self._point_relay(Side.B)
        await self._follow_hold()
        return sdp

    @property
    def is_caller_told(self) -> bool:
        """Whether A has heard a description of ours."""
        return self.sides[Side.A].local is not None

    def prompt_codec(self, side: Side) -> str | None:
        """Name what a prompt for this side has to be encoded in; None where it speaks nothing of the kind."""
        remote = self.sides[side].remote
        # A side that has not said anything yet is going to be offered what its trunk likes best.
        spoken = self._codecs if remote is None else tuple(codec.name for codec in remote.codecs)
        return next((name for name in spoken if name in PROMPT_CODECS and name in self._codecs), None)

    def event_payload_type(self, side: Side) -> int | None:
        """Give the payload type under which this side sends its keys; None where it agreed to none."""
        local = self.sides[side].local
        assert local is not None
        return next((event.payload_type for event in local.events if event.clock_rate_hz == 8000), None)

    def captured_legs(self) -> tuple[CapturedLeg, ...]:
        """Say how each side's packets are told apart in a capture, and what their payload types mean."""
        return tuple(
            CapturedLeg(side=side, port=self._address(side)[1], codecs=_captured(media.local))
            for side, media in self.sides.items()
        )

    def is_unchanged(self, side: Side, offer: bytes) -> bool:
        """Whether `side` only offers again what stands, as a refresh does. Raises `RemoteProtocolError`."""
        before = self.sides[side].remote
        if before is None:
            return False
        now = parse_sdp(offer)
        codecs = tuple(codec for codec in now.codecs if codec in before.codecs)
        return replace(now, session_version=before.session_version, codecs=codecs) == before

    async def take_answer(self, side: Side, answer: bytes) -> None:
        """Take the answer to an offer that `side` got in our 200. Raises as `open` does."""
        self.sides[side].remote = self._read_answer(side, answer)
        await self._point_relay(side)
        await self._follow_hold()

    def reoffer(self, side: Side, offer: bytes) -> bytes:
        """`side` offers something new: return what the other side is offered. Nothing moves before the answer.

        Raises `RemoteProtocolError` (400 or 488), and then nothing has changed.
        """
        remote = self._read(side, offer)
        here, there = self.sides[side], self.sides[side.other]
        before = (here.remote, there.local)
        sdp = self._offer_to(side.other, remote)
        here.remote = remote
        self._before = before
        return sdp

    async def reanswer(self, side: Side, answer: bytes) -> bytes:
        """`side` answered such an offer: move the relay and return the answer for the one who asked.

        Raises `RemoteProtocolError` (400 or 488) for an answer of no use; `withdraw` then undoes the offer.
        """
        remote = self._read_answer(side, answer)
        asked = self.sides[side.other].remote
        assert asked is not None
        sdp = self._answer_to(side.other, asked, remote)
        self.sides[side].remote = remote
        self._before = None
        await self._point_relay(side)
        await self._point_relay(side.other)
        await self._follow_hold()
        return sdp

    def withdraw(self, side: Side) -> None:
        """The new offer of `side` was refused: all stands as before it (RFC 3261 section 14.1)."""
        if self._before is not None:
            self.sides[side].remote, self.sides[side.other].local = self._before
            self._before = None

    def restate(self, side: Side) -> bytes:
        """What `side` was last told, for a re-INVITE that offers nothing."""
        local = self.sides[side].local
        assert local is not None
        return render_sdp(local)

    async def close(self) -> None:
        """Give the ports back; harmless when there are none, and final."""
        self._is_closed = True
        await self.relay.close(self.call_id)

    def _read(self, side: Side, sdp: bytes) -> RemoteDescription:
        """Parse what `side` says; 488 where it moved to the IP version its relay port does not speak."""
        remote = parse_sdp(sdp)
        if remote.is_ipv6 != (":" in self._address(side)[0]):
            raise RemoteProtocolError("media address of the other IP version", status_hint=488)
        return remote

    def _read_answer(self, side: Side, answer: bytes) -> RemoteDescription:
        """Parse the answer of `side`; 488 where it accepted nothing of what it was offered."""
        remote = self._read(side, answer)
        local = self.sides[side].local
        assert local is not None
        offered = {(codec.name, codec.clock_rate_hz) for codec in local.codecs}
        if not any((codec.name, codec.clock_rate_hz) in offered for codec in remote.codecs):
            raise NoCommonCodec
        return remote

    def _party(self, remote: RemoteDescription | None) -> PartyMedia | None:
        if remote is None:
            return None
        return PartyMedia(
            address=remote.address,
            port=remote.port,
            networks=self.policy.networks,
            is_behind_nat=not self.policy.networks,
        )

    async def _point_relay(self, side: Side, *, is_muted: bool = False) -> None:
        media = self.sides[side]
        party = self._party(media.remote)
        assert party is not None
        if is_muted:
            await self.relay.connect(self.call_id, side, party, is_muted=True)
        elif media.is_muted or party != media.party:
            await self.relay.connect(self.call_id, side, party)
        media.party, media.is_muted = party, is_muted

    async def _follow_hold(self) -> None:
        remotes = (media.remote for media in self.sides.values())
        is_held = any(remote is not None and remote.direction is not Direction.SENDRECV for remote in remotes)
        if is_held != self.is_held:
            self.is_held = is_held
            await self.relay.hold(self.call_id, is_held=is_held)

    def _address(self, side: Side) -> tuple[str, int]:
        assert self.ports is not None
        if side is Side.A:
            return self.ports.address_a, self.ports.port_a
        return self.ports.address_b, self.ports.port_b

    def _first_draft(self, remote: RemoteDescription | None) -> LocalDescription:
        """Work out leg B's offer; with prompts in it, of codecs that they can be played in."""
        if self.policy.prompts is not None:
            self._codecs = tuple(name for name in self.policy.codecs if name in PROMPT_CODECS)
            try:
                return self._draft_offer(Side.B, remote)
            except NoCommonCodec:
                if self.policy.prompts is PromptNeed.REQUIRED:
                    raise
        self._codecs = self.policy.codecs
        return self._draft_offer(Side.B, remote)

    def _draft_offer(self, side: Side, source: RemoteDescription | None) -> LocalDescription:
        """Work out an offer whose address is not known, or not needed, yet."""
        media = self.sides[side]
        return build_offer_from(
            source,
            self._codecs,
            address="",
            port=0,
            session_id=media.session_id,
            version=media.version,
        )

    def _offer_to(self, side: Side, source: RemoteDescription | None) -> bytes:
        address, port = self._address(side)
        return self._say(
            self.sides[side], replace(self._draft_offer(side, source), address=address, port=port)
        )

    def _answer_to(self, side: Side, offer: RemoteDescription, answer: RemoteDescription) -> bytes:
        media = self.sides[side]
        address, port = self._address(side)
        local = build_answer_to(
            offer, answer, address=address, port=port, session_id=media.session_id, version=media.version
        )
        return self._say(media, local)

    def _answer_ourselves(self, offer: RemoteDescription) -> bytes:
        """Answer A without B."""
        caller = self.sides[Side.A]
        address, port = self._address(Side.A)
        local = build_own_answer(
            offer,
            self._codecs,
            address=address,
            port=port,
            session_id=caller.session_id,
            version=caller.version,
        )
        return self._say(caller, local)

    def _for_prompts(self, codecs: Iterable[Codec]) -> tuple[Codec, ...]:
        """Keep the one codec that A is told to use when it is answered early. Raises `NoCommonCodec`."""
        usable = [codec for codec in codecs if codec.name in PROMPT_CODECS and codec.name in self._codecs]
        if not usable:
            raise NoCommonCodec
        return (min(usable, key=lambda codec: self._codecs.index(codec.name)),)

    @staticmethod
    def _say(media: _SideMedia, local: LocalDescription) -> bytes:
        """Render `local`, built under the version last used; a change counts up (RFC 8866 section 5.2)."""
        if media.local is not None and local != media.local:
            media.version += 1
            local = replace(local, version=media.version)
        media.local = local
        return render_sdp(local)


def _captured(local: LocalDescription | None) -> tuple[CapturedCodec, ...]:
    if local is None:
        return ()
    return tuple(
        CapturedCodec(codec.payload_type, codec.name, codec.clock_rate_hz)
        for codec in (*local.codecs, *local.events)
    )

"""The media of one call: both sides' descriptions, and the relay between them.

What one side says is parsed into a `RemoteDescription`; what we say to the other is built anew from it. A side's
own origin line (session id and version) is ours and counts up with every change.
"""

from dataclasses import dataclass, field, replace

from maskline.core.call_record import Side
from maskline.engine.media_client import Family, MediaRelay, PartyMedia, RelayPorts, RelayUnavailable
from maskline.media.errors import NoCommonCodec, RemoteProtocolError
from maskline.media.sdp import (
    Direction,
    LocalDescription,
    RemoteDescription,
    build_answer_to,
    build_offer_from,
    parse_sdp,
    render_sdp,
)

SESSION_ID_BITS = 62  # RFC 8866 section 5.2 asks for a number; phones read it as a signed 64-bit integer


@dataclass(slots=True, kw_only=True)
class MediaPolicy:
    """What the call's trunk says of media."""

    codecs: tuple[str, ...]
    networks: tuple[str, ...]
    is_callee_v6: bool = False


@dataclass(slots=True)
class _SideMedia:
    session_id: int
    version: int = 0
    remote: RemoteDescription | None = None
    local: LocalDescription | None = None
    party: PartyMedia | None = None  # where the relay was last told this side is


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
    _before: tuple[RemoteDescription | None, LocalDescription | None] | None = None
    _is_closed: bool = False

    def __post_init__(self) -> None:
        self.sides = {
            side: _SideMedia(session_id=number) for side, number in zip(Side, self.session_ids, strict=True)
        }

    async def open(self, offer: bytes | None) -> bytes:
        """Get ports and return leg B's offer.

        Raises `RemoteProtocolError` (400 or 488) for an offer of no use, `RelayFull`, `RelayUnavailable` (also
        when the call was closed meanwhile).
        """
        remote = parse_sdp(offer) if offer is not None else None
        self.sides[Side.A].remote = remote
        caller, callee = self.sides[Side.A], self.sides[Side.B]
        # Worked out before a port is spent: an offer without a common codec opens nothing.
        draft = build_offer_from(
            remote,
            self.policy.codecs,
            address="",  # known when the ports are
            port=0,
            session_id=callee.session_id,
            version=callee.version,
        )
        caller.party = self._party(remote)
        family_b = Family.V6 if self.policy.is_callee_v6 else Family.V4
        # A caller that offered nothing is met in the family its trunk speaks.
        family_a = family_b if caller.party is None else None
        self.ports = await self.relay.open(self.call_id, caller.party, family_a=family_a, family_b=family_b)
        if self._is_closed:  # the call ended while the relay worked; its close may have come first
            await self.relay.close(self.call_id)
            raise RelayUnavailable("call ended while its relay was opened")
        address, port = self._address(Side.B)
        return self._say(callee, replace(draft, address=address, port=port))

    async def connect_callee(self, answer: bytes) -> bytes:
        """Take B's answer, tell the relay where B is, and return what A is told (an answer, or our offer).

        Raises as `open` does.
        """
        caller, callee = self.sides[Side.A], self.sides[Side.B]
        remote = self._read_answer(Side.B, answer)
        if caller.remote is None:  # A offered nothing: it gets what B accepted as our offer, in the 200
            # One codec, so that A has no choice that B would not know of.
            sdp = self._offer_to(Side.A, replace(remote, codecs=remote.codecs[:1]))
        else:
            sdp = self._answer_to(Side.A, caller.remote, remote)
        callee.remote = remote
        await self._point_relay(Side.B)
        await self._follow_hold()
        return sdp

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

    async def _point_relay(self, side: Side) -> None:
        media = self.sides[side]
        party = self._party(media.remote)
        assert party is not None
        if party != media.party:
            await self.relay.connect(self.call_id, side, party)
            media.party = party

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

    def _offer_to(self, side: Side, source: RemoteDescription | None) -> bytes:
        media = self.sides[side]
        address, port = self._address(side)
        local = build_offer_from(
            source,
            self.policy.codecs,
            address=address,
            port=port,
            session_id=media.session_id,
            version=media.version,
        )
        return self._say(media, local)

    def _answer_to(self, side: Side, offer: RemoteDescription, answer: RemoteDescription) -> bytes:
        media = self.sides[side]
        address, port = self._address(side)
        local = build_answer_to(
            offer, answer, address=address, port=port, session_id=media.session_id, version=media.version
        )
        return self._say(media, local)

    @staticmethod
    def _say(media: _SideMedia, local: LocalDescription) -> bytes:
        """Render `local`, built under the version last used; a change counts up (RFC 8866 section 5.2)."""
        if media.local is not None and local != media.local:
            media.version += 1
            local = replace(local, version=media.version)
        media.local = local
        return render_sdp(local)

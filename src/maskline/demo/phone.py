"""A small SIP phone for the demonstration: real SIP and RTP on a loopback address of its own.

It registers, dials, rings, answers, sends one tone and keeps every byte it was sent, so that what it could know of
the other party can be searched.
"""

import asyncio
import os
from dataclasses import dataclass, field
from typing import Any, cast

from maskline.core.numbers import E164
from maskline.demo.audio import Audio
from maskline.engine.ports import Cancellable
from maskline.engine.runner import AsyncioRunner
from maskline.media.g711 import Law
from maskline.media.sdp import RemoteDescription, build_answer_to, build_offer_from, parse_sdp, render_sdp
from maskline.sip import events as sip
from maskline.sip.events import Flow, LegID
from maskline.sip.uri import SIPURI
from maskline.sip.user_agent import UserAgent
from maskline.sip.user_agent_types import OutgoingInvite, OutgoingRequest, UserAgentSettings

Address = tuple[str, int]

CODECS = ("PCMU", "PCMA")
RING_S = 0.2  # how long the demonstration lets a phone ring
ANSWER_TIMEOUT_S = 8.0  # far more than a call takes on one machine
REGISTER_EXPIRES_S = 600


@dataclass(frozen=True, slots=True)
class Shown:
    """What an arriving call shows its callee."""

    from_user: str
    asserted_users: tuple[str, ...]


@dataclass(slots=True)
class Timings:
    """Monotonic instants of a dialled call."""

    invited_s: float
    ringing_s: float | None = None
    answered_s: float | None = None
    failed_status: int | None = None


@dataclass(slots=True)
class Received:
    """Everything a phone was ever sent."""

    sip: list[bytes] = field(default_factory=list)
    rtp: list[bytes] = field(default_factory=list)

    def contains(self, needle: bytes) -> bool:
        """Whether `needle` stands in any of it."""
        return any(needle in data for data in (*self.sip, *self.rtp))


class Phone(asyncio.DatagramProtocol):
    """One phone at `host`, registered under `number` at `carrier`; it sends a tone of `tone_hz`."""

    def __init__(
        self, *, name: str, number: E164, host: str, carrier: Address, tone_hz: int, runner: AsyncioRunner
    ) -> None:
        self.name = name
        self.number = number
        self.host = host
        self.received = Received()
        self.shown: list[Shown] = []
        self.audio = Audio(host, tone_hz, self.received.rtp.append)
        self.timings: Timings | None = None
        self._carrier = carrier
        self._runner = runner
        self._transport: asyncio.DatagramTransport | None = None
        self._agent: UserAgent
        self._leg: LegID | None = None
        self._offer: RemoteDescription | None = None
        self._wake: Cancellable | None = None
        self._waiting: dict[type, asyncio.Future[Any]] = {}

    # --- life -----------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Bind both sockets."""
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(self.host, 0))
        self._transport = transport
        settings = UserAgentSettings(
            advertised=self._address, extra_headers_allowed=True, product=f"{self.name}'s phone"
        )
        self._agent = UserAgent(settings, random_bytes=os.urandom, is_trusted=lambda _: True)
        await self.audio.open()

    def close(self) -> None:
        """Close both sockets."""
        self.audio.close()
        if self._wake is not None:
            self._wake.cancel()
        if self._transport is not None:
            self._transport.close()

    @property
    def _address(self) -> Address:
        assert self._transport is not None
        name = self._transport.get_extra_info("sockname")
        return name[0], name[1]

    @property
    def _flow(self) -> Flow:
        return Flow("udp", self._address, self._carrier)

    def _uri(self, user: str) -> SIPURI:
        return SIPURI(scheme="sip", user=user, host=self._carrier[0], port=self._carrier[1])

    # --- what it does ---------------------------------------------------------------------------------------

    async def register(self) -> int:
        """Register at the carrier; return the status."""
        ours = self._uri(self.number.reveal())
        registrar = SIPURI(scheme="sip", host=self._carrier[0], port=self._carrier[1])
        request = OutgoingRequest(
            method="REGISTER",
            flow=self._flow,
            request_uri=registrar,
            from_uri=ours,
            to_uri=ours,
            contact_user=self.number.reveal(),
            expires_s=REGISTER_EXPIRES_S,
        )
        self._agent.send_request(request, self._runner.mono_s())
        event: sip.RequestAnswered = await self._wait_for(sip.RequestAnswered)
        return event.status

    async def dial(self, number: str) -> Timings:
        """Call `number`; return once it is answered or has failed."""
        offer = build_offer_from(
            None, CODECS, address=self.host, port=self.audio.port, session_id=1, version=1
        )
        invite = OutgoingInvite(
            flow=self._flow,
            request_uri=self._uri(number),
            from_uri=self._uri(self.number.reveal()),
            to_uri=self._uri(number),
            contact_user=self.number.reveal(),
            from_display=self.name,
            sdp=render_sdp(offer),
            max_forwards=70,
            extra_headers=(("Subject", f"{self.name} calling"),),
        )
        self.timings = Timings(self._runner.mono_s())
        self._leg = self._agent.originate(invite, self._runner.mono_s())
        await self._wait_for(sip.Answered, sip.Failed)
        return self.timings

    async def hang_up(self) -> None:
        """End the call and wait until nothing of it is left."""
        self.audio.stop()
        if self._leg is not None:
            self._agent.hang_up(self._leg, self._runner.mono_s())
            await self._wait_for(sip.Released)

    async def wait_for_end(self) -> None:
        """Wait until the other side has hung up."""
        if self._leg is not None:
            await self._wait_for(sip.Released)

    async def _wait_for(self, *kinds: type) -> Any:
        """Let bytes flow and return the first event of one of these kinds."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting = dict.fromkeys(kinds, future)
        self._pump()
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            return await future

    # --- what happens to it ---------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the socket."""
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Keep the bytes and let the user agent read them."""
        self.received.sip.append(data)
        self._agent.receive(data, Flow("udp", self._address, (addr[0], addr[1])), self._runner.mono_s())
        self._pump()

    def _pump(self) -> None:
        while (event := self._agent.next_event()) is not None:
            self._handle(event)
            future = self._waiting.get(type(event))
            if future is not None and not future.done():
                future.set_result(event)
        assert self._transport is not None
        for flow, data in self._agent.outgoing():
            self._transport.sendto(data, flow.remote)
        self._arm()

    def _arm(self) -> None:
        if self._wake is not None:
            self._wake.cancel()
        at = self._agent.next_timer()
        self._wake = None if at is None else self._runner.call_at_mono(at, self._woken)

    def _woken(self) -> None:
        self._agent.handle_timer(self._runner.mono_s())
        self._pump()

    def _handle(self, event: sip.Event) -> None:
        now = self._runner.mono_s()
        match event:
            case sip.IncomingInvite(leg=leg, invite=invite):
                self.shown.append(
                    Shown(invite.from_.uri.user or "", tuple(a.uri.user or "" for a in invite.asserted))
                )
                self._leg = leg
                self._offer = parse_sdp(invite.offer or b"")
                self._agent.ring(leg, now)
                self._runner.call_at_mono(now + RING_S, lambda: self._answer(leg))
            case sip.Progressed() if self.timings is not None and self.timings.ringing_s is None:
                self.timings.ringing_s = now
            case sip.Answered(sdp=sdp):
                assert self.timings is not None
                self.timings.answered_s = now
                self._talk(parse_sdp(sdp or b""))
            case sip.Failed(status=status):
                assert self.timings is not None
                self.timings.failed_status = status
            case sip.HungUp():
                self.audio.stop()
            case sip.Released(leg=leg) if leg == self._leg:
                self._leg = None
            case _:
                pass

    def _answer(self, leg: LegID) -> None:
        if self._leg != leg or self._offer is None:
            return
        ours = build_offer_from(
            self._offer, CODECS, address=self.host, port=self.audio.port, session_id=1, version=1
        )
        answer = build_answer_to(
            self._offer,
            parse_sdp(render_sdp(ours)),
            address=self.host,
            port=self.audio.port,
            session_id=1,
            version=1,
        )
        self._agent.answer(leg, render_sdp(answer), self._runner.mono_s())
        self._talk(self._offer)
        self._pump()

    def _talk(self, remote: RemoteDescription) -> None:
        self.audio.start((remote.address, remote.port), Law(remote.codecs[0].payload_type))

"""A user agent of ours on real sockets, without switch or database: it rings and answers whoever calls.

For what takes too long in the service (a session lives 90 s at least) and for peers that are no trunk.
"""

import asyncio
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from maskline.engine.sip_sockets import SipSockets
from maskline.sip import events as on
from maskline.sip.events import Event, Flow, LegID
from maskline.sip.uri import SIPURI
from maskline.sip.user_agent import OutgoingInvite, UserAgent, UserAgentSettings
from tests.certificates import Certificate
from tests.interop.waiting import wait_for

START_TIMEOUT_S = 5.0
T1_S = 0.05  # on one machine nothing is under way for long, and silence is believed after 3.2 s

E = TypeVar("E")


class Agent:
    """Runs in a thread of its own; `events` grows there and is read by the test."""

    def __init__(
        self, host: str, port: int, settings: UserAgentSettings, answer: bytes, peer_name: str | None
    ) -> None:
        self.address = (host, port)
        self.events: list[Event] = []
        self.flows: list[Flow] = []
        self._answer = answer
        self._loop = asyncio.new_event_loop()
        self._wake: asyncio.TimerHandle | None = None
        self.user_agent = UserAgent(settings, random_bytes=os.urandom, is_trusted=lambda _host: True)
        self.sockets = SipSockets(
            receive=self._receive,
            closed=self._closed,
            is_trusted=lambda _host: True,
            server_name=lambda _address: peer_name,
        )

    def event(self, kind: type[E], timeout_s: float = 10.0) -> E:
        """Wait for an event of that kind."""

        def found() -> E | None:
            return next((event for event in self.events if isinstance(event, kind)), None)

        return wait_for(found, timeout_s, f"{kind.__name__} at {self.address[0]}")

    def dial(self, transport: str, remote: tuple[str, int], user: str) -> None:
        """Call a peer."""
        invite = OutgoingInvite(
            flow=Flow(transport, self.sockets.local[transport, False], remote),
            request_uri=SIPURI(user=user, host=remote[0], port=remote[1]),
            from_uri=SIPURI(user="agent", host=self.address[0]),
            to_uri=SIPURI(user=user, host=remote[0]),
            contact_user="agent",
            sdp=self._answer,
            max_forwards=70,
        )
        self._do(lambda now: self.user_agent.originate(invite, now))

    def hang_up(self, leg: LegID) -> None:
        """End a call."""
        self._do(lambda now: self.user_agent.hang_up(leg, now))

    def _do(self, action: Callable[[float], object]) -> None:
        def act() -> None:
            action(self._loop.time())
            self._pump()

        self._loop.call_soon_threadsafe(act)

    async def listen(self, certificate: Certificate | None, authority: Path | None) -> None:
        """Bind UDP and TCP, and TLS on the next port when there is a certificate."""
        host, port = self.address
        await self.sockets.listen(host, port)
        if certificate is not None:
            await self.sockets.listen_tls(
                host, port + 1, certificate.cert_path, certificate.key_path, ca=authority
            )

    def run(self, started: threading.Event, certificate: Certificate | None, authority: Path | None) -> None:
        """Run until stopped."""
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self.listen(certificate, authority))
        started.set()
        self._loop.run_forever()
        self._loop.run_until_complete(self.sockets.close())
        self._loop.close()

    def stop(self) -> None:
        """End the thread's loop."""
        self._loop.call_soon_threadsafe(self._loop.stop)

    def _receive(self, data: bytes, flow: Flow) -> None:
        self.flows.append(flow)
        self.user_agent.receive(data, flow, self._loop.time())
        self._pump()

    def _closed(self, flow: Flow) -> None:
        self.user_agent.flow_closed(flow, self._loop.time())
        self._pump()

    def _pump(self) -> None:
        now = self._loop.time()
        while (event := self.user_agent.next_event()) is not None:
            self.events.append(event)
            match event:
                case on.IncomingInvite(leg=leg):
                    self.user_agent.ring(leg, now)
                    self.user_agent.answer(leg, self._answer, now)
                case on.OfferReceived(leg=leg):
                    self.user_agent.answer_offer(leg, self._answer, now)
        for flow, data in self.user_agent.outgoing():
            self.sockets.send(flow, data)
        if self._wake is not None:
            self._wake.cancel()
        at = self.user_agent.next_timer()
        self._wake = None if at is None else self._loop.call_at(at, self._woken)

    def _woken(self) -> None:
        self.user_agent.handle_timer(self._loop.time())
        self._pump()


@contextmanager
def agent(
    host: str,
    *,
    session_expires_s: int = 1800,
    peer_name: str | None = None,
    certificate: Certificate | None = None,
    authority: Path | None = None,
) -> Iterator[Agent]:
    """Run an agent at port 5060 of an address, with TLS at 5061 when it has a certificate.

    TLS peers that it calls have to be named `peer_name` by the authority.
    """
    settings = UserAgentSettings(
        advertised=(host, 5060),
        t1_s=T1_S,
        session_expires_s=session_expires_s,
        min_se_s=min(session_expires_s, 90),
    )
    sdp = (
        f"v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
        "m=audio 40000 RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\n"
    )
    running = Agent(host, 5060, settings, sdp.encode(), peer_name)
    started = threading.Event()
    thread = threading.Thread(target=running.run, args=(started, certificate, authority), daemon=True)
    thread.start()
    try:
        assert started.wait(START_TIMEOUT_S), "the agent listens"
        yield running
    finally:
        running.stop()
        thread.join(START_TIMEOUT_S)

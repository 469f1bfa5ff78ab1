"""A carrier's exchange that plays every subscriber: who answers, is busy, or dies in mid-call is drawn from a seed."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from random import Random

from maskline.sip import events as sip
from maskline.sip.events import Flow, LegID
from maskline.sip.uri import SIPURI
from maskline.sip.user_agent import UserAgent
from maskline.sip.user_agent_types import OutgoingInvite, UserAgentSettings
from maskline.testing.network import Address, VirtualNetwork

CODECS = ("0 8 101", "8 101", "9 0 8 101", "18 8", "0")
RTPMAPS = {
    "0": "PCMU/8000",
    "8": "PCMA/8000",
    "9": "G722/8000",
    "18": "G729/8000",
    "101": "telephone-event/8000",
}
MEDIA_HOST = "203.0.113.9"
TALK_S_MAX = 90.0


@dataclass(slots=True)
class Exchange:
    """One of the carrier's machines. It may crash: then it hears and says nothing, and forgets every call."""

    network: VirtualNetwork
    address: Address
    switch: Address
    dice: Random
    is_down: bool = False
    agent: UserAgent = field(init=False)

    def __post_init__(self) -> None:
        self.restart()
        self.network.attach(self, self.address, after=self._after)

    def restart(self) -> None:
        """Begin anew, without any memory."""
        settings = UserAgentSettings(advertised=self.address, extra_headers_allowed=True)
        seeded = Random(self.dice.random())
        self.agent = UserAgent(settings, random_bytes=seeded.randbytes, is_trusted=lambda _: True)
        self.is_down = False

    def crash(self) -> None:
        """Go dark."""
        self.is_down = True

    def dial(self, caller: str, number: str) -> None:
        """Let a subscriber call; it gives up, talks or forgets the call as the dice say."""
        if self.is_down:
            return
        dice = self.dice
        invite = OutgoingInvite(
            flow=Flow("udp", self.address, self.switch),
            request_uri=SIPURI(user=number, host=self.switch[0]),
            from_uri=SIPURI(user=caller, host=self.address[0]),
            to_uri=SIPURI(user=number, host=self.switch[0]),
            contact_user=caller.lstrip("+"),
            from_display=f"name of {caller}",
            sdp=None if dice.random() < 0.1 else self._sdp(),
            max_forwards=70,
            extra_headers=(("Subject", f"from {caller}"),),
        )
        leg = self.agent.originate(invite, self.network.now)
        if dice.random() < 0.9:
            self._later(dice.uniform(0.0, TALK_S_MAX), lambda agent: agent.hang_up(leg, self.network.now))

    # --- the interface of a node ----------------------------------------------------------------------------

    def receive(self, data: bytes, flow: Flow, now: float) -> None:
        """Take what arrived, unless dark."""
        if not self.is_down:
            self.agent.receive(data, flow, now)

    def outgoing(self) -> list[tuple[Flow, bytes]]:
        """Give what is to be sent, unless dark."""
        out = self.agent.outgoing()
        return [] if self.is_down else out

    def next_timer(self) -> float | None:
        """Say when to be woken."""
        return None if self.is_down else self.agent.next_timer()

    def handle_timer(self, now: float) -> None:
        """Do what is due."""
        self.agent.handle_timer(now)

    def flow_closed(self, flow: Flow, now: float) -> None:
        """Learn that a connection is gone."""
        self.agent.flow_closed(flow, now)

    # --- behaviour ------------------------------------------------------------------------------------------

    def _after(self, now: float) -> None:
        while (event := self.agent.next_event()) is not None:
            match event:
                case sip.IncomingInvite(leg=leg):
                    self._take_call(leg, now)
                case sip.OfferReceived(leg=leg):
                    self.agent.answer_offer(leg, self._sdp(), now)
                case sip.Answered(leg=leg, sdp=sdp):
                    if sdp is not None and self.dice.random() < 0.2:
                        self._later(self.dice.uniform(0.1, 5.0), partial(self._hold, leg))
                case _:
                    pass

    def _take_call(self, leg: LegID, now: float) -> None:
        dice, agent = self.dice, self.agent
        fate = dice.choice(["answer"] * 6 + ["at once", "busy", "declined", "congested", "rings", "mute"])
        if fate == "mute":
            agent.drop(leg, now)
        elif fate == "busy":
            agent.refuse(leg, 486, now)
        elif fate == "declined":
            agent.refuse(leg, 603, now)
        elif fate == "congested":
            agent.refuse(leg, 503, now)
        elif fate == "at once":
            self._answer(agent, leg)
        else:
            agent.ring(leg, now)
            if fate == "answer":
                self._later(dice.uniform(0.05, 20.0), lambda a: self._answer(a, leg))

    def _answer(self, agent: UserAgent, leg: LegID) -> None:
        agent.answer(leg, self._sdp(), self.network.now)
        if self.dice.random() < 0.5:
            self._later(self.dice.uniform(0.0, TALK_S_MAX), lambda a: a.hang_up(leg, self.network.now))

    def _hold(self, leg: LegID, agent: UserAgent) -> None:
        agent.send_offer(leg, self._sdp("sendonly"), self.network.now)

    def _later(self, delay_s: float, action: Callable[[UserAgent], None]) -> None:
        agent = self.agent

        def act() -> None:
            if agent is self.agent and not self.is_down:  # else the call was forgotten
                action(agent)

        self.network.call_at(self.network.now + delay_s, act)

    def _sdp(self, direction: str = "sendrecv") -> bytes:
        formats = self.dice.choice(CODECS)
        lines = [f"a=rtpmap:{number} {RTPMAPS[number]}" for number in formats.split()]
        return "\r\n".join(
            [
                "v=0",
                f"o=secret 1 1 IN IP4 {MEDIA_HOST}",
                "s=-",
                f"c=IN IP4 {MEDIA_HOST}",
                "t=0 0",
                f"m=audio {self.dice.randrange(10_000, 60_000, 2)} RTP/AVP {formats}",
                *lines,
                f"a={direction}",
                "",
            ]
        ).encode()

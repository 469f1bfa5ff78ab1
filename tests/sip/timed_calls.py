"""Calls with session timers against a hand-written peer, for the tests of refreshes."""

from tests.sip.rig import ANSWER, Party, Wire, calling, wired

from maskline.sip import events as on
from maskline.sip.message import Request, Response
from maskline.sip.user_agent import Credentials, LegID
from maskline.testing.network import VirtualNetwork

SDP = "v=0"
UPDATES = "Allow: INVITE, ACK, BYE, UPDATE\n"
TIMER = "Supported: timer\n"
OURS = "Supported: timer\nSession-Expires: 1800;refresher=uas\n"
THEIRS = "Supported: timer\nSession-Expires: 1800;refresher=uac\n"
# From the agreement to the refresh, and to the end without one.
HALF_S, LIFE_S = 900.0, 1768.0
TIMEOUT_S = 32.0


def timer_fields(message: Request | Response) -> tuple[str | None, ...]:
    """What a message says about timers."""
    return tuple(message.headers.get(name) for name in ("Session-Expires", "Min-SE", "Require", "Supported"))


def received(extra: str) -> tuple[VirtualNetwork, Wire, Party, LegID, str]:
    """A call that came in with these fields and was answered and acknowledged; the last value is our tag."""
    network, wire, party = wired()
    wire.invite(party, extra=extra)
    network.run(until=0)
    leg = party.take(on.IncomingInvite).leg
    party.agent.answer(leg, ANSWER, network.now)
    network.run(until=0)
    tag = wire.last_response().to.tag or ""
    wire.request("ACK", party, to_tag=tag, branch="z9hG4bKack")
    network.run(until=0)
    party.take(on.Acknowledged)
    return network, wire, party, leg, tag


def sent(
    extra: str, *, credentials: Credentials | None = None
) -> tuple[VirtualNetwork, Wire, Party, LegID, str]:
    """A call of ours that was answered with these fields; the last value is our tag."""
    network, wire, party, leg, invite = calling(credentials=credentials)
    wire.answer(party, 200, invite, body=SDP, extra=extra)
    network.run(until=0)
    party.take(on.Answered)
    return network, wire, party, leg, invite.from_.tag or ""


def new_lines(wire: Wire) -> list[str]:
    """What arrived since the last look, in short."""
    lines = wire.lines()
    wire.received.clear()
    return lines


def peer_sends(
    wire: Wire, party: Party, tag: str, method: str, *, seq: int = 2, extra: str = THEIRS, body: str = ""
) -> None:
    """A request of the caller within its call."""
    kind = "Content-Type: application/sdp\n" if body else ""
    contact = "Contact: <sip:wire@192.0.2.7:5060>\n"
    wire.request(
        method, party, seq=seq, branch=f"z9hG4bK{seq}", to_tag=tag, extra=contact + kind + extra, body=body
    )

"""What the user agent tells its owner: a closed set of values, one leg each.

Nothing here holds a received message: an event carries only the facts that another layer may act on, so what
crosses from one leg to another is decided by whoever reads these fields.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, NewType

from maskline.sip.headers import NameAddr
from maskline.sip.uri import SIPURI

LegID = NewType("LegID", int)
RequestID = NewType("RequestID", int)


class Flow(NamedTuple):
    """Where bytes came from or go to: one UDP socket pair or one connection.

    `transport` is `"udp"`, `"tcp"` or `"tls"`; addresses are IP addresses as text (IPv6 without brackets) with a
    port. For a connection that is still to be made, `local` names the interface and the driver picks the port.
    """

    transport: str
    local: tuple[str, int]
    remote: tuple[str, int]

    @property
    def is_reliable(self) -> bool:
        """Whether the transport itself repeats what is lost (RFC 3261, 17: no retransmission timers then)."""
        return self.transport != "udp"


class HangUpCause(StrEnum):
    """Why an established leg ended without our asking for it."""

    BYE = "bye"
    """The peer sent BYE."""
    ACK_TIMEOUT = "ack_timeout"
    """Our 2xx, or a reliable 180, was never acknowledged within 64*T1 (RFC 3261, 13.3.1.4; RFC 3262, 3)."""
    TRANSPORT = "transport"
    """The peer stopped answering, or its connection was lost."""
    PROTOCOL = "protocol"
    """The peer no longer knows the dialog (481)."""
    EXPIRED = "expired"
    """The session was not refreshed in its time, or the peer did not answer a refresh (RFC 4028, 10)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InviteFacts:
    """What an INVITE says, parsed; no other part of it leaves the user agent."""

    request_uri: SIPURI
    to: NameAddr
    from_: NameAddr
    asserted: tuple[NameAddr, ...]
    """Every P-Asserted-Identity value, in order."""
    privacy: frozenset[str]
    """Tokens of all Privacy fields, in lower case."""
    max_forwards: int
    edge_source: str | None
    """X-Maskline-Source; whether to believe it is for the owner to decide."""
    offer: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IncomingInvite:
    """A new incoming leg; `trying`, `ring`, `answer`, `refuse` or `drop` it."""

    leg: LegID
    flow: Flow
    invite: InviteFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled:
    """The caller gave up before our final answer; it has been answered already."""

    leg: LegID


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledged:
    """Our 2xx was acknowledged; `sdp` is the peer's answer when the 2xx carried an offer."""

    leg: LegID
    sdp: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Progressed:
    """A provisional answer (100 to 199) to our INVITE; `sdp` is early media, if any."""

    leg: LegID
    status: int
    sdp: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """The first 2xx to our INVITE.

    It is acknowledged already, unless the INVITE carried no offer: then `sdp` is the peer's offer and
    `acknowledge` has to be called with the answer.
    """

    leg: LegID
    sdp: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """Our INVITE ended without an answer.

    `is_local` says that the status was not received but stands for what happened here: 408 nobody answered,
    503 the transport failed, 487 our hang-up crossed a 2xx.
    """

    leg: LegID
    status: int
    retry_after_s: int | None
    q850: int | None
    is_local: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class HungUp:
    """An established leg ended from the other side; or an incoming one whose 180 had to be acknowledged."""

    leg: LegID
    cause: HangUpCause
    q850: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferReceived:
    """A re-INVITE or UPDATE waits for `answer_offer` or `reject_offer`.

    `sdp` None means a re-INVITE without offer: our answer then carries the offer, and the peer's answer arrives
    as `Acknowledged`.
    """

    leg: LegID
    sdp: bytes | None
    is_update: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferAnswered:
    """The peer accepted our re-INVITE or UPDATE with this answer."""

    leg: LegID
    sdp: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferRejected:
    """The peer refused our re-INVITE or UPDATE; the session goes on as it was.

    491 also stands for an offer we could not send because another one is under way.
    """

    leg: LegID
    status: int


@dataclass(frozen=True, slots=True, kw_only=True)
class InfoReceived:
    """An INFO with a DTMF body, answered 200 already."""

    leg: LegID
    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestAnswered:
    """The final status of an out-of-dialog request; 408 stands for silence too, 503 for a broken transport.

    Of what an answer says beyond its status: how long the registrar keeps our Contact, how long it must be asked
    to at least (423), and when to come again.
    """

    request: RequestID
    status: int
    expires_s: int | None = None
    min_expires_s: int | None = None
    retry_after_s: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """The last event of every leg, exactly once: nothing of it is left but absorbing transactions."""

    leg: LegID


Event = (
    IncomingInvite
    | Cancelled
    | Acknowledged
    | Progressed
    | Answered
    | Failed
    | HungUp
    | OfferReceived
    | OfferAnswered
    | OfferRejected
    | InfoReceived
    | RequestAnswered
    | Released
)

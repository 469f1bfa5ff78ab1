"""A leg: one side's INVITE and the dialog that came of it, as plain state.

A leg refers to its own dialog and transactions and to nothing that other legs share, so that whatever is
reachable from it came in on this leg or was given to it by the owner of the user agent.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from maskline.sip.dialog import Dialog
from maskline.sip.events import Flow, LegID
from maskline.sip.session_timer import MIN_SE_S_DEFAULT, NO_WISH, Wish
from maskline.sip.timers import Timer
from maskline.sip.transaction_client import ClientTransaction
from maskline.sip.transaction_server import ServerTransaction
from maskline.sip.user_agent_auth import Authenticator
from maskline.sip.user_agent_messages import Items


class LegState(StrEnum):
    """The life of a leg; incoming ones begin as received, outgoing ones as calling."""

    RECEIVED = "received"
    """An INVITE waits for our final answer."""
    ANSWERED = "answered"
    """Our 2xx waits for its ACK."""
    CALLING = "calling"
    """Our INVITE waits for a final answer."""
    CANCELLING = "cancelling"
    """The same, after we gave it up."""
    UNACKNOWLEDGED = "unacknowledged"
    """A 2xx with an offer waits for our ACK with the answer."""
    ESTABLISHED = "established"
    ENDING = "ending"
    """Our BYE waits for its answer."""
    ENDED = "ended"


CONFIRMED = frozenset({LegState.ANSWERED, LegState.UNACKNOWLEDGED, LegState.ESTABLISHED})


@dataclass(slots=True)
class Unacknowledged:
    """A 2xx of ours to an INVITE or re-INVITE, sent again until its ACK comes (RFC 3261, 13.3.1.4)."""

    seq: int
    flow: Flow
    data: bytes
    interval_s: float
    is_offer: bool
    repetition: Timer[Any] | None = None
    wait: Timer[Any] | None = None


@dataclass(slots=True)
class ReliableProvisional:
    """A 180 of ours that is sent again until its PRACK comes (RFC 3262, 3)."""

    rseq: int
    flow: Flow
    data: bytes
    interval_s: float
    is_acknowledged: bool = False
    repetition: Timer[Any] | None = None
    wait: Timer[Any] | None = None


@dataclass(slots=True)
class SessionTimer:
    """How long an established leg lives without a refresh (RFC 4028)."""

    interval_s: int = 0
    is_ours: bool = True
    """Whether the refresh is our task."""
    due_at: float = 0.0
    """When something is to be done next, a refresh or the end."""
    ends_at: float = 0.0
    """When the session ends without a refresh; infinite when the peer has promised none."""
    alarm: Timer[Any] | None = None
    refresh: ClientTransaction | None = None
    """Our refresh waiting for an answer."""
    has_met_glare: bool = False
    """Whether a refresh got 491 since the last one that succeeded."""


@dataclass(slots=True, eq=False)
class Leg:
    """One leg; `dialog` is there from the INVITE on for incoming legs, from the first 2xx on for outgoing ones."""

    id: LegID
    state: LegState
    flow: Flow
    call_id: str
    local_tag: str
    contact: str
    hosts: frozenset[str] = frozenset()
    """Addresses its peer may speak from, as registered with the user agent."""
    dialog: Dialog | None = None
    early: dict[str, Dialog] = field(default_factory=dict)
    """Early dialogs of an outgoing leg, by remote tag: a forked INVITE has several."""
    invite_server: ServerTransaction | None = None
    invite_client: ClientTransaction | None = None
    invite_seq: int = 0
    """The number of the INVITE received."""
    record_routes: Items = ()
    has_remote_offer: bool = False
    """Whether the INVITE received carried an offer, so that our 2xx carries an answer."""
    has_rung: bool = False
    provisional: Timer[Any] | None = None
    authenticator: Authenticator | None = None
    unacknowledged: Unacknowledged | None = None
    offer_in: ServerTransaction | None = None
    """A re-INVITE or UPDATE of the peer waiting for our answer."""
    offer_in_seq: int = 0
    is_offer_in_update: bool = False
    is_offer_in_empty: bool = False
    offer_out: ClientTransaction | None = None
    """Our re-INVITE or UPDATE waiting for an answer."""
    is_hang_up_wanted: bool = False
    """Hung up at an instant when the protocol does not allow saying so yet."""
    q850: int | None = None
    """The cause to give when hanging up later."""
    is_cancel_sent: bool = False
    is_100rel_wanted: bool = False
    """Whether the peer insists on reliable provisional answers, ours or its own."""
    reliable: ReliableProvisional | None = None
    local_sdp: bytes = b""
    """The description last sent that took effect: what a refresh by re-INVITE repeats."""
    is_update_allowed: bool = False
    wish: Wish = NO_WISH
    """What the INVITE, re-INVITE or UPDATE that waits for our 2xx says about the session timer."""
    min_se_s: int = MIN_SE_S_DEFAULT
    """The shortest interval the peer's side accepts, as far as we were told."""
    is_interval_raised: bool = False
    session_timer: SessionTimer | None = None

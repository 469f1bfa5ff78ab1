"""A leg: one side's INVITE and the dialog that came of it, as plain state.

A leg refers to its own dialog and transactions and to nothing that other legs share, so that whatever is
reachable from it came in on this leg or was given to it by the owner of the user agent.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from maskline.sip.dialog import Dialog
from maskline.sip.events import Flow, LegID
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


EARLY = frozenset({LegState.RECEIVED, LegState.CALLING, LegState.CANCELLING})
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

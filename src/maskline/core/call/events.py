"""What can happen to a call, as the call machine sees it."""

from dataclasses import dataclass
from enum import StrEnum

from maskline.core.call_record import Side


class Timer(StrEnum):
    """The clocks of one call."""

    STEP = "step"  # database or relay owe an answer
    RING = "ring"  # B has rung long enough
    WINDOW = "window"  # the masking session ends before the bridge
    LIMIT_A = "limit_a"  # call time limit of leg A, from its answer
    LIMIT_B = "limit_b"


class ClaimRefusal(StrEnum):
    """Why a session could not be claimed for a call."""

    BUSY = "busy"  # the session has another call
    ENDED = "ended"  # the session ended since it was routed
    UNAVAILABLE = "unavailable"  # the database did not take it


class MediaRefusal(StrEnum):
    """Why there is no relay for a call."""

    FULL = "full"
    UNAVAILABLE = "unavailable"
    NO_COMMON_CODEC = "no_common_codec"


class BridgeRefusal(StrEnum):
    """Why an answered leg B is not joined to leg A."""

    WINDOW = "window"  # the session ended, or was deleted, while B rang
    ANSWER = "answer"  # B's description is of no use
    MEDIA = "media"  # the relay is gone


class LegEnd(StrEnum):
    """How a side ended its leg."""

    BYE = "bye"
    CANCEL = "cancel"  # the caller gave up before an answer
    ACK_TIMEOUT = "ack_timeout"
    TRANSPORT = "transport"
    PROTOCOL = "protocol"


@dataclass(frozen=True, slots=True)
class CallClaimed:
    """The session is ours for this call; the claim is on disk. `window_ends_at` as read again just then."""

    window_ends_at: int


@dataclass(frozen=True, slots=True)
class ClaimRefused:
    """The session is not ours."""

    reason: ClaimRefusal


@dataclass(frozen=True, slots=True)
class MediaOpened:
    """The relay has ports for both sides and leg B can be offered."""


@dataclass(frozen=True, slots=True)
class MediaRefused:
    """No relay, or nothing to offer leg B."""

    reason: MediaRefusal


@dataclass(frozen=True, slots=True)
class LegProgressed:
    """Leg B is ringing, or sends early media (180 to 183)."""

    status: int


@dataclass(frozen=True, slots=True)
class LegAnswered:
    """Leg B answered; A still waits."""


@dataclass(frozen=True, slots=True)
class LegFailed:
    """Leg B ended without an answer. `is_local`: we made up the status (time-out, transport)."""

    status: int
    q850: int | None = None
    is_local: bool = False


@dataclass(frozen=True, slots=True)
class LegEnded:
    """A side hung up, or its leg broke."""

    side: Side
    cause: LegEnd
    q850: int | None = None


@dataclass(frozen=True, slots=True)
class BridgePrepared:
    """The relay knows both sides and the session was seen live once more."""


@dataclass(frozen=True, slots=True)
class BridgeRefused:
    """The two legs may not, or cannot, be joined."""

    reason: BridgeRefusal


@dataclass(frozen=True, slots=True)
class TimerFired:
    """A timer armed earlier ran out."""

    timer: Timer


@dataclass(frozen=True, slots=True)
class MediaTimedOut:
    """No packet came from either side for the relay's time to live."""


@dataclass(frozen=True, slots=True)
class MediaLost:
    """The relay process died, and this call's ports with it."""


@dataclass(frozen=True, slots=True)
class SessionRevoked:
    """The masking session was deleted, or its end moved before now."""


@dataclass(frozen=True, slots=True)
class SwitchStopping:
    """The switch goes down and takes its calls along."""


@dataclass(frozen=True, slots=True)
class Broken:
    """Something of ours failed that the machine does not foresee: this call cannot go on."""


@dataclass(frozen=True, slots=True)
class LegReleased:
    """Nothing remains of this leg."""

    side: Side


Event = (
    CallClaimed
    | ClaimRefused
    | MediaOpened
    | MediaRefused
    | LegProgressed
    | LegAnswered
    | LegFailed
    | LegEnded
    | BridgePrepared
    | BridgeRefused
    | TimerFired
    | MediaTimedOut
    | MediaLost
    | SessionRevoked
    | SwitchStopping
    | Broken
    | LegReleased
)

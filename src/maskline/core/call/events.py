"""What can happen to a call, as the call machine sees it."""

from dataclasses import dataclass
from enum import StrEnum

from maskline.core.call_record import Side
from maskline.core.routing import Connect
from maskline.core.secret import Secret


class Timer(StrEnum):
    """The clocks of one call."""

    STEP = "step"  # what the phase waits for should have come
    RING = "ring"  # a party has been called long enough
    WINDOW = "window"  # the masking session ends before the bridge
    LIMIT_A = "limit_a"  # call time limit of leg A, from its answer
    LIMIT_B = "limit_b"


class PromptKind(StrEnum):
    """What a party hears from us."""

    CALLER = "caller"  # before the callee is dialled
    CALLEE = "callee"  # before the bridge
    PIN = "pin"
    PIN_WRONG = "pin-wrong"
    ANNOUNCEMENT = "announcement"  # to a caller who is not put through
    RINGBACK = "ringback"  # while the callee's phone rings and the caller's leg stands already
    SILENCE = "silence"  # to a callee that is not joined yet, so that it does not hear the caller


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
    EXPIRED = "expired"  # its session timer ran out: the peer is dead


class PinRefusal(StrEnum):
    """Why a PIN opened nothing."""

    WRONG = "wrong"
    LOCKED = "locked"  # too many wrong ones: this one was not looked at
    UNAVAILABLE = "unavailable"  # the database did not answer


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
class PromptReady:
    """The prompt asked for is on disk and can be played."""


@dataclass(frozen=True, slots=True)
class PromptFailed:
    """A prompt cannot be had, or not be played. `failure` says why in a word or two, with hyphens."""

    prompt: PromptKind
    failure: str
    is_built_in: bool = False


@dataclass(frozen=True, slots=True)
class PromptFinished:
    """The prompt that played on this side is over."""

    side: Side


@dataclass(frozen=True, slots=True)
class CallerReady:
    """Leg A stands, and the relay knows where its audio goes."""


@dataclass(frozen=True, slots=True)
class CalleeReady:
    """The relay can play to B; nothing B sends is let in yet."""


@dataclass(frozen=True, slots=True)
class DigitPressed:
    """A pressed a key: 0-9, *, #, A-D."""

    digit: Secret


@dataclass(frozen=True, slots=True)
class PinAccepted:
    """The PIN opens a session."""

    connect: Connect


@dataclass(frozen=True, slots=True)
class PinRefused:
    """The PIN opens nothing."""

    reason: PinRefusal


@dataclass(frozen=True, slots=True)
class LegProgressed:
    """A leg we dialled was heard of (100), rings, or sends early media (180 to 183)."""

    side: Side
    status: int


@dataclass(frozen=True, slots=True)
class LegAnswered:
    """A leg we dialled answered."""

    side: Side


@dataclass(frozen=True, slots=True)
class LegFailed:
    """A leg we dialled ended without an answer. `is_local`: we made up the status (time-out, transport)."""

    side: Side
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
class WindowMoved:
    """The masking session ends at another instant than was read before: it was prolonged, or cut."""

    window_ends_at: int


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
    | PromptReady
    | PromptFailed
    | PromptFinished
    | CallerReady
    | CalleeReady
    | DigitPressed
    | PinAccepted
    | PinRefused
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
    | WindowMoved
    | SwitchStopping
    | Broken
    | LegReleased
)

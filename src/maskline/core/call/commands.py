"""What the call machine asks its driver to do."""

from dataclasses import dataclass

from maskline.core.call.events import Timer
from maskline.core.call_record import CallRecord, RefusedCall, Side


@dataclass(frozen=True, slots=True)
class ClaimSession:
    """Take the session for this call; nothing may ring before it is on disk."""


@dataclass(frozen=True, slots=True)
class OpenMedia:
    """Get relay ports for both sides and work out what leg B is offered."""


@dataclass(frozen=True, slots=True)
class Originate:
    """Send leg B's INVITE."""


@dataclass(frozen=True, slots=True)
class RingCaller:
    """180 to leg A; sent once."""


@dataclass(frozen=True, slots=True)
class PrepareBridge:
    """Tell the relay where B is and read the session's window once more."""


@dataclass(frozen=True, slots=True)
class AnswerCaller:
    """200 to leg A with what B accepted; both dialogs are stored."""


@dataclass(frozen=True, slots=True)
class RefuseCaller:
    """A final failure to leg A, which was not answered."""

    status: int
    retry_after_s: int | None = None


@dataclass(frozen=True, slots=True)
class HangUp:
    """End a leg, whatever state it is in."""

    side: Side
    q850: int


@dataclass(frozen=True, slots=True)
class CloseMedia:
    """Give the relay ports back."""


@dataclass(frozen=True, slots=True)
class ArmTimer:
    """Ask for `TimerFired(timer)` at `at` (microseconds UTC)."""

    timer: Timer
    at: int


@dataclass(frozen=True, slots=True)
class CancelTimer:
    """The timer is not wanted any more."""

    timer: Timer


@dataclass(frozen=True, slots=True)
class WriteRecord:
    """The call is over: store its record, free its session."""

    record: CallRecord


@dataclass(frozen=True, slots=True)
class WriteRefusal:
    """The session was not to be had: keep that the call was tried."""

    refused: RefusedCall


@dataclass(frozen=True, slots=True)
class Forget:
    """Both legs are gone: drop the call."""


Command = (
    ClaimSession
    | OpenMedia
    | Originate
    | RingCaller
    | PrepareBridge
    | AnswerCaller
    | RefuseCaller
    | HangUp
    | CloseMedia
    | ArmTimer
    | CancelTimer
    | WriteRecord
    | WriteRefusal
    | Forget
)

"""What the call machine asks its driver to do."""

from dataclasses import dataclass

from maskline.core.call.events import PromptKind, Timer
from maskline.core.call_record import CallRecord, RefusedCall, Side
from maskline.core.events import NewEvent
from maskline.core.secret import Secret


@dataclass(frozen=True, slots=True)
class ClaimSession:
    """Take the session for this call; nothing may ring before it is on disk."""


@dataclass(frozen=True, slots=True)
class OpenMedia:
    """Get relay ports for both sides; see that there is something to offer."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """Something to play. `url` "" stands for the built-in one."""

    kind: PromptKind
    url: str = ""


@dataclass(frozen=True, slots=True)
class FetchPrompt:
    """Get a prompt before anybody is answered for its sake."""

    prompt: Prompt


@dataclass(frozen=True, slots=True)
class Play:
    """Play a prompt to one side; the other hears nothing of it."""

    side: Side
    prompt: Prompt
    repeats: bool = False


@dataclass(frozen=True, slots=True)
class StopPlaying:
    """Let a side hear the other again."""

    side: Side


@dataclass(frozen=True, slots=True)
class TakeDigits:
    """Report what A presses and keep it from B."""


@dataclass(frozen=True, slots=True)
class PassDigits:
    """Let A's keys through to B."""


@dataclass(frozen=True, slots=True)
class CheckPin:
    """Look up what was entered."""

    digits: Secret


@dataclass(frozen=True, slots=True)
class Originate:
    """Send a leg's INVITE, to its next target."""

    side: Side


@dataclass(frozen=True, slots=True)
class ConnectCaller:
    """Leg A, which we dialled, answered: tell the relay where it is."""


@dataclass(frozen=True, slots=True)
class ConnectCallee:
    """Tell the relay where B is, for playing to it alone."""


@dataclass(frozen=True, slots=True)
class Abandon:
    """Give up the INVITE that is out on this side; what becomes of it is of no interest any more."""

    side: Side


@dataclass(frozen=True, slots=True)
class RingCaller:
    """180 to leg A; sent once."""


@dataclass(frozen=True, slots=True)
class PrepareBridge:
    """Tell the relay where B is and read the session's window once more."""


@dataclass(frozen=True, slots=True)
class AnswerCaller:
    """200 to leg A: with what B accepted, or, before B is dialled, with what we can play."""


@dataclass(frozen=True, slots=True)
class SaveDialogs:
    """Keep what a successor needs to hang up the legs that stand."""


@dataclass(frozen=True, slots=True)
class StartRecording:
    """Capture both sides from now on."""


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
class CancelTimers:
    """No timer is wanted any more."""


@dataclass(frozen=True, slots=True)
class Report:
    """Tell whoever listens of a step of the call."""

    event: NewEvent


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
    | FetchPrompt
    | Play
    | StopPlaying
    | TakeDigits
    | PassDigits
    | CheckPin
    | Originate
    | ConnectCaller
    | ConnectCallee
    | Abandon
    | RingCaller
    | PrepareBridge
    | AnswerCaller
    | SaveDialogs
    | StartRecording
    | RefuseCaller
    | HangUp
    | CloseMedia
    | ArmTimer
    | CancelTimer
    | CancelTimers
    | Report
    | WriteRecord
    | WriteRefusal
    | Forget
)

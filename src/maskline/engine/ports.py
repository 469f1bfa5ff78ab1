"""What the switch needs of the world, so that a test can give it a virtual one."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from maskline.core.call.state import CallPlan
from maskline.core.call_record import CallClaim, CallRecord, OrphanCall, RefusedCall
from maskline.core.events import NewEvent
from maskline.core.inventory import Trunk
from maskline.core.numbers import DID, E164
from maskline.core.recording import CapturedLeg, NewRecording, RecordingFailure
from maskline.core.routing import CallOrder, Connect, PinDialogue, PinOutcome, RouteFacts
from maskline.core.secret import Secret
from maskline.prompts.types import BuiltIn, PromptFile

T = TypeVar("T")


class Cancellable(Protocol):
    """A callback that has not run yet."""

    def cancel(self) -> None:
        """Never run it."""


class Runner(Protocol):
    """Runs what takes time and calls back on the switch's own thread."""

    def run(self, work: Coroutine[Any, Any, T], done: Callable[[T | Exception], None]) -> None:
        """Run `work` beside the switch; `done` gets its value or its error."""

    def call_at(self, at: int, callback: Callable[[], None]) -> Cancellable:
        """Call back at `at` (microseconds UTC)."""

    def call_at_mono(self, at_mono_s: float, callback: Callable[[], None]) -> Cancellable:
        """Call back at `at_mono_s` of the monotonic clock."""


class SwitchClock(Protocol):
    """Both clocks: UTC for what is stored, monotonic for protocol timers."""

    def now_us(self) -> int:
        """Microseconds UTC."""

    def mono_s(self) -> float:
        """Seconds of a clock that never jumps."""


class SwitchStore(Protocol):
    """The database as the switch sees it; each call is one transaction."""

    async def load_trunks(self) -> tuple[Trunk, ...]:
        """Every trunk as it stands."""

    async def route(self, dialled: str, caller: E164 | None, now: int) -> RouteFacts:
        """What the two numbers mean at `now`."""

    async def claim(self, plan: CallPlan, connect: Connect, lease_until: int, now: int) -> CallClaim:
        """Take the session; on disk when this returns."""

    async def check_pin(
        self, number: DID, caller: E164 | None, digits: Secret, dialogue: PinDialogue, now: int
    ) -> PinOutcome:
        """Look up what a caller entered, and count it when it is wrong."""

    async def take_orders(self, now: int, count_max: int) -> tuple[CallOrder, ...]:
        """Take the calls that the service owes, as many as there is room for."""

    async def report(self, event: NewEvent) -> None:
        """Write an event of a call."""

    async def start_recording(self, new: NewRecording) -> None:
        """Note a capture that begins."""

    async def fail_recording(self, new: NewRecording, failure: RecordingFailure, now: int) -> None:
        """Note that a capture did not begin."""

    async def note_codecs(self, recording_id: str, legs: tuple[CapturedLeg, ...], now: int) -> None:
        """Note what payload types of a capture mean from now on."""

    async def is_session_open(self, session_id: str, now: int) -> bool:
        """Whether the session may still be bridged."""

    async def save_dialogs(self, call_id: str, a: str | None, b: str | None, now: int) -> None:
        """Keep what a successor needs to hang up the legs that stand."""

    async def finish(self, record: CallRecord) -> None:
        """Store the record and free the session."""

    async def record_refusal(self, refused: RefusedCall) -> None:
        """Keep (or, in a flood, count) a call that reached no session."""

    async def orphans(self, now: int) -> tuple[OrphanCall, ...]:
        """The calls an earlier life of this switch left behind."""

    async def finish_orphan(self, orphan: OrphanCall, now: int) -> None:
        """End such a call's record."""

    async def end_lost_calls(self, now: int) -> tuple[str, ...]:
        """Account for calls of switches that never came back; their ids."""

    async def renew_leases(self, until: int, now: int) -> None:
        """Keep this switch's sessions claimed."""

    async def windows(self, session_ids: Sequence[str], now: int) -> Mapping[str, int | None]:
        """Until when these sessions stand (µs UTC); None for one that is over."""


class PromptSource(Protocol):
    """Where prompts come from. Both methods raise `PromptUnavailable`."""

    async def fetch(self, url: str, codec: str) -> PromptFile:
        """The audio behind a URL, in one of the codecs PCMU, PCMA and G722."""

    async def built_in(self, name: BuiltIn, codec: str, *, country: str = "") -> PromptFile:
        """A prompt of our own; ringback as it sounds in `country`."""

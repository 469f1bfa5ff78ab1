"""The switch's database: workflows on the store's threads."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol, TypeVar

from maskline.core.call.state import CallPlan
from maskline.core.call_record import CallClaim, CallRecord, NewCall, OrphanCall, RefusedCall
from maskline.core.events import NewEvent
from maskline.core.inventory import Trunk
from maskline.core.numbers import DID, E164
from maskline.core.pin import PIN_LIMITS, PinLimits
from maskline.core.recording import CapturedLeg, NewRecording, RecordingFailure
from maskline.core.routing import CallOrder, Connect, PinDialogue, PinOutcome, RouteFacts
from maskline.core.secret import Secret
from maskline.workflows.check_pin import check_pin
from maskline.workflows.claim_call import claim_call
from maskline.workflows.finish_call import finish_call
from maskline.workflows.load_ended_sessions import load_ended_sessions
from maskline.workflows.load_session_windows import load_session_windows
from maskline.workflows.orphan_calls import end_lost_calls, finish_orphan_call, load_orphan_calls
from maskline.workflows.record_refused_call import record_refused_call
from maskline.workflows.recordings import fail_recording, note_recording_codecs, start_recording
from maskline.workflows.renew_leases import renew_leases
from maskline.workflows.report_event import report_event
from maskline.workflows.route_call import route_call
from maskline.workflows.save_dialogs import save_dialogs
from maskline.workflows.take_call_orders import are_call_orders_open, take_call_orders
from maskline.workflows.trunks import load_trunks

T = TypeVar("T")

CLAIM_PATIENCE_S = 0.01  # claims share 100 commits a second at most; after a pause a claim waits for none
PATIENCE_S = 0.05  # what nobody waits for shares a commit; a claim that comes meanwhile takes it along


class Threads(Protocol):
    """Runs workflows on the store's threads."""

    async def read(self, work: Callable[..., T], /, *args: Any) -> T:
        """Call `work(tx, *args)` on a reading connection."""

    async def look_up(self, work: Callable[..., T], /, *args: Any) -> T:
        """Call `work(tx, *args)`, one indexed statement, the quickest way there is."""

    async def write(self, work: Callable[..., T], /, *args: Any) -> T:
        """Call `work(tx, *args)` in a write transaction; returns after its commit."""

    async def write_within(self, patience_s: float, work: Callable[..., T], /, *args: Any) -> T:
        """Do as `write`, but begin only `patience_s` after the last commit began, or with another; in order."""


class WorkflowStore:
    """The `SwitchStore` of the switch called `switch_id`."""

    def __init__(self, threads: Threads, switch_id: str, *, pin_limits: PinLimits = PIN_LIMITS) -> None:
        self._threads = threads
        self._switch_id = switch_id
        self._pin_limits = pin_limits

    async def load_trunks(self) -> tuple[Trunk, ...]:
        """Every trunk as it stands."""
        return await self._threads.read(load_trunks)

    async def route(self, dialled: str, caller: E164 | None, now: int) -> RouteFacts:
        """What the two numbers mean at `now`."""
        return await self._threads.look_up(route_call, dialled, caller, now)

    async def claim(self, plan: CallPlan, connect: Connect, lease_until: int, now: int) -> CallClaim:
        """Take the session; on disk when this returns."""
        new = NewCall(
            call_id=plan.call_id,
            switch_id=self._switch_id,
            session_id=connect.session_id,
            account_id=connect.account_id,
            number=plan.number,
            caller=plan.caller,
            callee=connect.callee,
            role=connect.caller_role,
            started_at=plan.started_at,
            lease_until=lease_until,
            is_service_initiated=plan.is_service_initiated,
        )
        return await self._threads.write_within(CLAIM_PATIENCE_S, claim_call, new, now)

    async def check_pin(
        self, number: DID, caller: E164 | None, digits: Secret, dialogue: PinDialogue, now: int
    ) -> PinOutcome:
        """Look up what a caller entered, and count it when it is wrong."""
        work = partial(
            check_pin,
            number=number,
            caller=caller,
            digits=digits,
            dialogue=dialogue,
            now=now,
            limits=self._pin_limits,
        )
        return await self._threads.write(work)

    async def take_orders(self, now: int, count_max: int) -> tuple[CallOrder, ...]:
        """Take the calls that the service owes, as many as there is room for."""
        if not await self._threads.look_up(are_call_orders_open, now):
            return ()
        return await self._threads.write(take_call_orders, self._switch_id, now, count_max)

    async def report(self, event: NewEvent) -> None:
        """Write an event of a call."""
        await self._threads.write_within(PATIENCE_S, report_event, event, event.occurred_at)

    async def start_recording(self, new: NewRecording) -> None:
        """Note a capture that begins."""
        await self._threads.write_within(PATIENCE_S, start_recording, new, new.started_at)

    async def fail_recording(self, new: NewRecording, failure: RecordingFailure, now: int) -> None:
        """Note that a capture did not begin."""
        await self._threads.write_within(PATIENCE_S, fail_recording, new, failure, now)

    async def note_codecs(self, recording_id: str, legs: tuple[CapturedLeg, ...], now: int) -> None:
        """Note what payload types of a capture mean from now on."""
        await self._threads.write_within(PATIENCE_S, note_recording_codecs, recording_id, legs, now)

    async def is_session_open(self, session_id: str, now: int) -> bool:
        """Whether the session may still be bridged."""
        return not await self._threads.look_up(load_ended_sessions, (session_id,), now)

    async def save_dialogs(self, call_id: str, a: str | None, b: str | None, now: int) -> None:
        """Keep what a successor needs to hang up the legs that stand."""
        await self._threads.write_within(PATIENCE_S, save_dialogs, call_id, a, b, now)

    async def finish(self, record: CallRecord) -> None:
        """Store the record and free the session."""
        await self._threads.write_within(PATIENCE_S, finish_call, record, record.ended_at)

    async def record_refusal(self, refused: RefusedCall) -> None:
        """Keep (or, in a flood, count) a call that reached no session."""
        await self._threads.write_within(PATIENCE_S, record_refused_call, refused, refused.ended_at)

    async def orphans(self, now: int) -> tuple[OrphanCall, ...]:
        """The calls an earlier life of this switch left behind."""
        return await self._threads.read(load_orphan_calls, self._switch_id, now)

    async def finish_orphan(self, orphan: OrphanCall, now: int) -> None:
        """End such a call's record."""
        await self._threads.write(finish_orphan_call, orphan, now)

    async def end_lost_calls(self, now: int) -> tuple[str, ...]:
        """Account for calls of switches that never came back; their ids."""
        return await self._threads.write(end_lost_calls, now)

    async def renew_leases(self, until: int, now: int) -> None:
        """Keep this switch's sessions claimed."""
        await self._threads.write_within(PATIENCE_S, renew_leases, self._switch_id, until, now)

    async def windows(self, session_ids: Sequence[str], now: int) -> Mapping[str, int | None]:
        """Until when these sessions stand (µs UTC); None for one that is over."""
        return await self._threads.read(load_session_windows, tuple(session_ids), now)

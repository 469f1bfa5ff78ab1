"""What every part of the call machine uses: the shape of a step, its patience, timers, and telling of it."""

from collections.abc import Callable
from typing import Any, Final

from maskline.core.call import commands as do
from maskline.core.call.events import Timer
from maskline.core.call.state import CallState
from maskline.core.call_record import Side
from maskline.core.events import EventKind, EventValue, NewEvent
from maskline.core.masking import Role

Step = tuple[CallState, tuple[do.Command, ...]]
Handler = Callable[[CallState, Any, int], Step]

US_PER_S: Final = 1_000_000
STEP_TIMEOUT_S: Final = 8
"""Database and relay answer in milliseconds; a caller who hears nothing waits about this long."""
FETCH_TIMEOUT_S: Final = 6
"""A prompt not on disk yet is fetched while the caller hears nothing: longer than the fetch's own five seconds."""
PROMPT_TIMEOUT_S: Final = 130
"""The longest prompt is 120 s; whatever the relay says, no call hangs on one."""
CANCEL: Final = {timer: do.CancelTimer(timer) for timer in Timer}


class ImpossibleEventError(AssertionError):
    """The driver reported something that cannot happen in this phase: a bug, which ends this one call."""


def arm(timer: Timer, now: int, seconds: float) -> do.ArmTimer:
    """Ask for `timer` in so many seconds."""
    return do.ArmTimer(timer, now + int(seconds * US_PER_S))


def limit(state: CallState, side: Side, answered_at: int) -> do.ArmTimer:
    """Bound a leg that was answered then: its time runs whether or not the other side is there yet."""
    assert state.connect is not None
    timer = Timer.LIMIT_A if side is Side.A else Timer.LIMIT_B
    return do.ArmTimer(timer, answered_at + state.connect.call_time_limit_s * US_PER_S)


def report(state: CallState, kind: EventKind, now: int, **facts: EventValue) -> tuple[do.Command, ...]:
    """Tell of a step, if anybody listens."""
    asked = state.connect or state.plan.dialogue
    if asked is None or not asked.is_reported:
        return ()
    return (
        do.Report(
            NewEvent(
                kind=kind,
                account_id=asked.account_id,
                session_id=asked.session_id,
                call_id=state.plan.call_id,
                occurred_at=now,
                facts=facts,
            )
        ),
    )


def tell(
    state: CallState, kind: EventKind, side: Side, now: int, **facts: EventValue
) -> tuple[do.Command, ...]:
    """Tell of what the party on `side` did or had done to it."""
    assert state.connect is not None
    if not state.connect.is_reported:
        return ()
    return report(state, kind, now, role=role_of(state, side).value, **facts)


def role_of(state: CallState, side: Side) -> Role:
    """Who the party on `side` is."""
    assert state.connect is not None
    return state.connect.caller_role if side is Side.A else state.connect.callee_role


def check_side(state: CallState, side: Side, expected: Side) -> None:
    """Raise `ImpossibleEventError` where a leg is heard of that is not being dialled."""
    if side is not expected:
        raise ImpossibleEventError(f"leg {side} while {state.phase}")

"""How a call gets its session: by claiming it, and by the PIN that names it."""

from typing import Final, assert_never

import structlog

from maskline.core.call import events as on
from maskline.core.call.state import CallPlan
from maskline.core.call_record import CallClaimed, SessionBusy, SessionEnded
from maskline.core.routing import Connect, PinAccepted, PinLocked, PinWrong
from maskline.core.secret import Secret
from maskline.engine.ports import SwitchStore

_log = structlog.get_logger(__name__)

LEASE_US: Final = 30_000_000
"""How long a dead switch keeps a session busy."""


async def claim_session(store: SwitchStore, plan: CallPlan, connect: Connect, now: int) -> on.Event:
    """Claim the session; a database that does not answer is an answer too."""
    try:
        outcome = await store.claim(plan, connect, now + LEASE_US, now)
    except Exception:  # noqa: BLE001  # however it failed, the call has to hear an answer to its claim
        _log.exception("call.claim_failed", call_id=plan.call_id)
        return on.ClaimRefused(on.ClaimRefusal.UNAVAILABLE)
    match outcome:
        case CallClaimed(ends_at=ends_at):
            return on.CallClaimed(ends_at)
        case SessionBusy():
            return on.ClaimRefused(on.ClaimRefusal.BUSY)
        case SessionEnded():
            return on.ClaimRefused(on.ClaimRefusal.ENDED)
        case _:
            assert_never(outcome)


async def check_entered_pin(store: SwitchStore, plan: CallPlan, digits: Secret, now: int) -> on.Event:
    """Look up what was entered; a database that does not answer is an answer too."""
    assert plan.dialogue is not None
    try:
        outcome = await store.check_pin(plan.number, plan.caller, digits, plan.dialogue, now)
    except Exception:  # noqa: BLE001  # whoever entered a PIN hears an answer
        _log.exception("call.pin_check_failed", call_id=plan.call_id)
        return on.PinRefused(on.PinRefusal.UNAVAILABLE)
    match outcome:
        case PinAccepted(connect=connect):
            return on.PinAccepted(connect)
        case PinWrong():
            return on.PinRefused(on.PinRefusal.WRONG)
        case PinLocked():
            return on.PinRefused(on.PinRefusal.LOCKED)
        case _:
            assert_never(outcome)

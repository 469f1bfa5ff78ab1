"""How a call gets its session: every answer of the database becomes an event, and so does none."""

from dataclasses import dataclass, field, replace
from typing import cast

import pytest

from maskline.core.call import events as on
from maskline.core.call_record import CallClaim, CallClaimed, SessionBusy, SessionEnded
from maskline.core.routing import PinAccepted, PinLocked, PinOutcome, PinWrong
from maskline.core.secret import Secret
from maskline.engine.call_session import LEASE_US, check_entered_pin, claim_session
from maskline.engine.ports import SwitchStore
from maskline.store.engine import StoreUnavailableError
from tests.core.call.plans import CONNECT, PLAIN, PLANS, PROMPTED, START

PIN = Secret("4711")


@dataclass
class FakeStore:
    """A database with one answer; None is none."""

    answer: CallClaim | PinOutcome | None
    asked: list[tuple[object, ...]] = field(default_factory=list)

    async def claim(self, *what: object) -> CallClaim:
        """Take what is asked."""
        return cast("CallClaim", self._answer(*what))

    async def check_pin(self, *what: object) -> PinOutcome:
        """Take what is asked."""
        return cast("PinOutcome", self._answer(*what))

    def _answer(self, *what: object) -> object:
        self.asked.append(what)
        if self.answer is None:
            raise StoreUnavailableError
        return self.answer


@pytest.mark.parametrize(
    ("answer", "event"),
    [
        (CallClaimed(ends_at=CONNECT.ends_at + 1), on.CallClaimed(CONNECT.ends_at + 1)),
        (SessionBusy(), on.ClaimRefused(on.ClaimRefusal.BUSY)),
        (SessionEnded(), on.ClaimRefused(on.ClaimRefusal.ENDED)),
        (None, on.ClaimRefused(on.ClaimRefusal.UNAVAILABLE)),
    ],
)
async def test_a_claim_is_always_answered(answer: CallClaim | None, event: on.Event) -> None:
    """The window that was read with it comes along; a database that is away is an answer too."""
    store = FakeStore(answer)
    assert await claim_session(cast("SwitchStore", store), PLAIN, CONNECT, START) == event
    assert store.asked == [(PLAIN, CONNECT, START + LEASE_US, START)]


@pytest.mark.parametrize(
    ("answer", "event"),
    [
        (PinAccepted(connect=PROMPTED), on.PinAccepted(PROMPTED)),
        (PinWrong(), on.PinRefused(on.PinRefusal.WRONG)),
        (PinLocked(), on.PinRefused(on.PinRefusal.LOCKED)),
        (None, on.PinRefused(on.PinRefusal.UNAVAILABLE)),
    ],
)
async def test_a_pin_is_always_answered(
    answer: PinOutcome | None, event: on.Event, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is looked up for this number, caller and dialogue; a failure is logged without it."""
    store = FakeStore(answer)
    plan = replace(PLANS["pin"])
    assert await check_entered_pin(cast("SwitchStore", store), plan, PIN, START) == event
    assert store.asked == [(plan.number, plan.caller, PIN, plan.dialogue, START)]
    captured = capsys.readouterr()
    assert "4711" not in captured.out + captured.err

"""Claims and PINs: every answer of the database in the call machine's words, and none of it in the log."""

import io
import logging
from collections.abc import Iterator
from typing import cast

import pytest
import structlog

from maskline.core.call import events as on
from maskline.core.call.state import CallPlan
from maskline.core.call_record import CallClaim, CallClaimed, SessionBusy, SessionEnded
from maskline.core.numbers import DID, E164
from maskline.core.routing import Connect, PinAccepted, PinDialogue, PinLocked, PinOutcome, PinWrong
from maskline.core.secret import Secret
from maskline.engine.call_session import LEASE_US, check_entered_pin, claim_session
from maskline.engine.ports import SwitchStore
from maskline.observability import configure_logging
from tests.core.call.plans import CONNECT, PLAIN, PLANS, START

PIN = "47110815"


class AnsweringStore:
    """A database with one answer; it fails where it has none."""

    def __init__(self, answer: CallClaim | PinOutcome | None = None) -> None:
        self.answer = answer
        self.asked: list[tuple[object, ...]] = []

    async def claim(self, plan: CallPlan, connect: Connect, lease_until: int, now: int) -> CallClaim:
        self.asked.append((plan, connect, lease_until, now))
        if not isinstance(self.answer, CallClaimed | SessionBusy | SessionEnded):
            raise OSError("away")
        return self.answer

    async def check_pin(
        self, number: DID, caller: E164 | None, digits: Secret, dialogue: PinDialogue, now: int
    ) -> PinOutcome:
        self.asked.append((number, caller, digits, dialogue, now))
        entered = digits.reveal()  # as the look-up has it: in a local variable of a frame that fails
        if not isinstance(self.answer, PinAccepted | PinWrong | PinLocked):
            raise OSError(f"away, {len(entered)} digits or not")
        return self.answer


def store_that(answers: CallClaim | PinOutcome | None) -> SwitchStore:
    return cast("SwitchStore", AnsweringStore(answers))


@pytest.mark.parametrize(
    ("answer", "event"),
    [
        (CallClaimed(ends_at=7), on.CallClaimed(7)),
        (SessionBusy(), on.ClaimRefused(on.ClaimRefusal.BUSY)),
        (SessionEnded(), on.ClaimRefused(on.ClaimRefusal.ENDED)),
        (None, on.ClaimRefused(on.ClaimRefusal.UNAVAILABLE)),
    ],
)
async def test_every_answer_to_a_claim_is_told(answer: CallClaim | None, event: on.Event) -> None:
    """Also that there was none: the call waits for it."""
    assert await claim_session(store_that(answer), PLAIN, CONNECT, START) == event


async def test_claim_holds_for_a_lease_from_now() -> None:
    """A switch that dies frees its sessions when the lease runs out."""
    store = AnsweringStore(SessionBusy())
    await claim_session(cast("SwitchStore", store), PLAIN, CONNECT, START)
    assert store.asked == [(PLAIN, CONNECT, START + LEASE_US, START)]


@pytest.mark.parametrize(
    ("answer", "event"),
    [
        (PinAccepted(connect=CONNECT), on.PinAccepted(CONNECT)),
        (PinWrong(), on.PinRefused(on.PinRefusal.WRONG)),
        (PinLocked(), on.PinRefused(on.PinRefusal.LOCKED)),
        (None, on.PinRefused(on.PinRefusal.UNAVAILABLE)),
    ],
)
async def test_every_answer_to_a_pin_is_told(answer: PinOutcome | None, event: on.Event) -> None:
    """Right, wrong, locked, or nobody there to look it up."""
    assert await check_entered_pin(store_that(answer), PLANS["pin"], Secret(PIN), START) == event


@pytest.fixture
def _logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.mark.usefixtures("_logging_as_it_was")
@pytest.mark.parametrize("is_json", [True, False])
async def test_pin_of_a_look_up_that_fails_is_not_logged(is_json: bool) -> None:
    """The traceback is in the log in either format, the digits of its frames' local variables are not."""
    stream = io.StringIO()
    writer = configure_logging(is_json=is_json, stream=stream)
    await check_entered_pin(store_that(None), PLANS["pin"], Secret(PIN), START)
    writer.close()
    text = stream.getvalue()
    assert "call.pin_check_failed" in text
    assert "Traceback" in text
    assert "OSError" in text
    assert PIN not in text
    assert "9198" not in text

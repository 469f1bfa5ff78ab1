from dataclasses import replace
from uuid import UUID

import pytest

from maskline.core.call_record import CallRecord, Side, leg_id, leg_status
from maskline.core.masking import LegStatus, Role
from maskline.core.numbers import DID
from maskline.core.termination import Reason, terminate

RECORD = CallRecord(
    call_id="c",
    session_id="s",
    account_id=1,
    number=DID("+912200000000"),
    caller=None,
    callee=None,
    role=Role.FIRST,
    is_callee_dialled=True,
    started_at=0,
    ringing_at=None,
    answered_at=None,
    callee_answered_at=None,
    bridged_at=None,
    ended_at=10_000_000,
    termination=terminate(Reason.CALLER_HUNG_UP),
)


@pytest.mark.parametrize(
    ("answered_at", "seconds"),
    [
        (None, 0),
        (0, 10),
        (1, 10),
        (9_999_999, 1),
        (10_000_000, 0),
        (10_000_001, 0),
        (9_000_000, 1),
        (8_999_999, 2),
    ],
)
def test_a_started_second_counts_whole(answered_at: int | None, seconds: int) -> None:
    """Leg seconds are rounded up, never negative, and nothing for a leg not answered."""
    assert replace(RECORD, answered_at=answered_at).caller_leg_s == seconds
    assert replace(RECORD, callee_answered_at=answered_at).callee_leg_s == seconds


def test_leg_count() -> None:
    """A call has its A-leg, and a B-leg if one was placed."""
    assert RECORD.leg_count == 2
    assert replace(RECORD, is_callee_dialled=False).leg_count == 1


@pytest.mark.parametrize("reason", Reason)
def test_every_ending_says_what_became_of_each_leg(reason: Reason) -> None:
    """An answered leg is completed however the call ended; any other has a status of its own."""
    assert leg_status(reason, is_answered=True) is LegStatus.COMPLETED
    assert leg_status(reason, is_answered=False) is not LegStatus.COMPLETED


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        (Reason.CALLEE_BUSY, LegStatus.BUSY),
        (Reason.FIRST_BUSY, LegStatus.BUSY),
        (Reason.RING_TIMEOUT, LegStatus.NO_ANSWER),
        (Reason.CALLER_CANCELLED, LegStatus.CANCELLED),
        (Reason.CALLER_HUNG_UP, LegStatus.CANCELLED),
        (Reason.CALLEE_DECLINED, LegStatus.REJECTED),
        (Reason.CARRIER_CONGESTED, LegStatus.FAILED),
    ],
)
def test_what_became_of_an_unanswered_leg(reason: Reason, status: LegStatus) -> None:
    """The words of the vendor for what people see on their phones."""
    assert leg_status(reason, is_answered=False) is status


def test_leg_ids_are_different_uuids_that_do_not_show_the_call() -> None:
    """Each leg has an id of its own, the same whenever it is asked for."""
    a, b = leg_id("4bd1", Side.A), leg_id("4bd1", Side.B)
    assert a == leg_id("4bd1", Side.A)
    assert len({a, b, leg_id("4bd2", Side.A)}) == 3
    assert str(UUID(a)) == a
    assert UUID(a).version == 4
    assert UUID(a).variant == "specified in RFC 4122"
    assert "4bd1" not in a[:8]


def test_sides_are_each_others_other() -> None:
    """The far side of the far side is the near one."""
    assert {side: side.other for side in Side} == {Side.A: Side.B, Side.B: Side.A}

import pytest

from maskline.core.routing import RefusalReason
from maskline.core.termination import (
    TERMINATIONS,
    Reason,
    Result,
    Termination,
    terminate,
    terminate_callee_failure,
    terminate_first_failure,
)


def test_every_reason_has_its_row() -> None:
    """The table is complete, with causes and statuses that exist."""
    assert set(TERMINATIONS) == set(Reason)
    assert all(1 <= row.q850 <= 127 and 400 <= row.sip_status <= 699 for row in TERMINATIONS.values())


def test_every_refusal_can_be_recorded() -> None:
    """A refusal's reason is a reason of a termination, and all are answered alike."""
    assert {TERMINATIONS[Reason(reason.value)].sip_status for reason in RefusalReason} == {480}


def test_causes_from_the_wire_win_over_the_table() -> None:
    """What was seen is recorded; what was not is filled in."""
    assert terminate(Reason.CALLEE_BUSY) == Termination(
        result=Result.CALLEE, reason=Reason.CALLEE_BUSY, q850=17, sip_status=486
    )
    assert terminate(Reason.CALLEE_BUSY, q850=34, sip_status=600) == Termination(
        result=Result.CALLEE, reason=Reason.CALLEE_BUSY, q850=34, sip_status=600
    )


@pytest.mark.parametrize(
    ("reason", "cause", "code"),
    [
        (Reason.CALLER_HUNG_UP, "Normal Hangup", 4000),
        (Reason.CALLER_CANCELLED, "Canceled", 1000),
        (Reason.RING_TIMEOUT, "Ring Timeout Reached", 6010),
        (Reason.TIME_LIMIT, "Scheduled Hangup", 6000),
        (Reason.CALLEE_BUSY, "Busy Line", 3010),
        (Reason.SWITCH_LOST, "Unknown", 0),
        (Reason.PIN_FAILED, "Confirm Key Challenge Failed", 9110),
        (Reason.PIN_LOCKED, "Confirm Key Challenge Failed", 9110),
        (Reason.FIRST_RING_TIMEOUT, "Ring Timeout Reached", 6010),
    ],
)
def test_vendor_codes(reason: Reason, cause: str, code: int) -> None:
    """Plivo's text and number belong together."""
    termination = terminate(reason)
    assert (termination.plivo_cause, termination.plivo_code) == (cause, code)


@pytest.mark.parametrize(
    ("status", "q850", "is_local", "reason", "result"),
    [
        (486, None, False, Reason.CALLEE_BUSY, Result.CALLEE),
        (600, None, False, Reason.CALLEE_BUSY, Result.CALLEE),
        (603, None, False, Reason.CALLEE_DECLINED, Result.CALLEE),
        (480, None, False, Reason.CALLEE_NO_ANSWER, Result.CALLEE),
        (480, 17, False, Reason.CALLEE_BUSY, Result.CALLEE),
        (404, 17, False, Reason.CALLEE_UNALLOCATED, Result.CALLEE),
        (302, None, False, Reason.CALLEE_REDIRECTED, Result.CALLEE),
        (503, None, False, Reason.CARRIER_CONGESTED, Result.CARRIER),
        (503, 1, False, Reason.CALLEE_UNALLOCATED, Result.CALLEE),
        (599, None, False, Reason.CARRIER_FAILED, Result.CARRIER),
        (499, None, False, Reason.CARRIER_REJECTED, Result.CARRIER),
        (408, None, False, Reason.CARRIER_TIMEOUT, Result.CARRIER),
        (408, None, True, Reason.CARRIER_TIMEOUT, Result.CARRIER),
        (503, None, True, Reason.CARRIER_UNREACHABLE, Result.CARRIER),
    ],
)
def test_failures_of_the_callees_leg(
    status: int, q850: int | None, is_local: bool, reason: Reason, result: Result
) -> None:
    """A status, refined by a Q.850 cause where it says little, names who failed."""
    termination = terminate_callee_failure(status, q850=q850, is_local=is_local)
    assert (termination.reason, termination.result) == (reason, result)
    assert termination.sip_status == status


@pytest.mark.parametrize("status", range(300, 700))
def test_what_befalls_the_first_party_is_never_told_of_the_second(status: int) -> None:
    """In a call the service places, a failure of leg A is the caller's side's, or the carrier's as before."""
    callee, first = terminate_callee_failure(status, q850=17), terminate_first_failure(status, q850=17)
    assert first.result is (Result.CALLER if callee.result is Result.CALLEE else callee.result)
    assert (first.q850, first.sip_status) == (17, status)
    if first.result is Result.CALLER:
        assert (first.plivo_cause, first.plivo_code) == (callee.plivo_cause, callee.plivo_code)
        assert first.reason.value == callee.reason.value.replace("callee", "first")
    else:
        assert first == callee


@pytest.mark.parametrize("status", range(300, 700))
def test_every_failure_status_has_a_termination(status: int) -> None:
    """No final failure of leg B is without a row, and none counts as success."""
    termination = terminate_callee_failure(status)
    assert termination.result in {Result.CALLEE, Result.CARRIER}

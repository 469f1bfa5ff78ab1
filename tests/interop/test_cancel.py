"""Callers who give up."""

from collections.abc import Callable

import pytest

from tests.interop.stage import Stage
from tests.interop.waiting import wait_for

pytestmark = pytest.mark.sipp

Check = Callable[[], None]
CANCELLED = [("caller", "caller-cancelled")]


@pytest.mark.parametrize(
    ("uac", "uas"),
    [
        ("uac_cancels_before_ringing", "uas_tries_until_cancelled"),
        ("uac_cancels_before_ringing", "uas_silent_then_cancelled"),
        ("uac_cancels_ringing", "uas_rings_until_cancelled"),
    ],
    ids=["after 100", "before any provisional response", "while ringing"],
)
def test_cancel_reaches_the_callee(stage: Stage, uac: str, uas: str, is_all_over: Check) -> None:
    """CANCEL goes on to the callee, though not before the callee's side has answered provisionally."""
    stage.ground.add_session(stage.carrier)
    callee = stage.uas(uas)
    caller = stage.uac(uac).wait()
    callee.wait()
    order = [(text.method, text.status) for _, text in callee.trace()]
    assert order.index(("CANCEL", 0)) > min(i for i, (_, status) in enumerate(order) if 100 <= status < 200)
    stage.check_masked(caller, callee)
    assert stage.ground.wait_for_records(stage.carrier.virtual) == CANCELLED
    is_all_over()


def test_answer_that_crosses_a_cancel_is_hung_up(stage: Stage, is_all_over: Check) -> None:
    """A 200 that crosses the CANCEL is acknowledged and ended with BYE; the caller hears 487 alone."""
    stage.ground.add_session(stage.carrier)
    callee = stage.uas("uas_answers_as_cancelled")
    caller = stage.uac("uac_cancels_ringing").wait()
    callee.wait()
    stage.check_masked(caller, callee)
    assert [text.status for text in caller.received(method="INVITE", status=200)] == []
    assert stage.ground.wait_for_records(stage.carrier.virtual) == CANCELLED
    is_all_over()


def test_deletion_cancels_a_ringing_call_within_a_second(stage: Stage, is_all_over: Check) -> None:
    """When the session is deleted while the callee's phone rings, both legs end within a second."""
    session = stage.ground.add_session(stage.carrier)
    callee = stage.uas("uas_rings_until_cancelled")
    caller = stage.uac("uac_refused", values={"status": "480"})
    wait_for(lambda: caller.received(method="INVITE", status=180), 5.0, "the caller hears it ring")
    stage.ground.end_session(stage.carrier, session)
    wait_for(lambda: callee.received(method="CANCEL"), 1.0, "the callee's CANCEL after the deletion")
    wait_for(
        lambda: caller.received(method="INVITE", status=480), 0.5, "the caller's refusal after the deletion"
    )
    caller.wait()
    callee.wait()
    stage.check_masked(caller, callee)
    assert stage.ground.wait_for_records(stage.carrier.virtual) == [("us", "session-ended")]
    is_all_over()


def test_session_that_expires_cancels_a_ringing_call(stage: Stage, is_all_over: Check) -> None:
    """When the session's end comes while the callee's phone rings, both legs end at that instant."""
    stage.ground.add_session(stage.carrier, age_s=58, expires_in_s=60)
    callee = stage.uas("uas_rings_until_cancelled")
    caller = stage.uac("uac_refused", values={"status": "480"}).wait()
    callee.wait()
    stage.check_masked(caller, callee)
    assert stage.ground.wait_for_records(stage.carrier.virtual) == [("us", "session-ended")]
    is_all_over()


def test_nobody_answers(stage: Stage, is_all_over: Check) -> None:
    """When the ring timeout has passed the callee is cancelled and the caller hears 480."""
    stage.ground.add_session(stage.carrier, ring_timeout_s=1)
    callee = stage.uas("uas_rings_until_cancelled")
    caller = stage.uac("uac_refused", values={"status": "480"}).wait()
    callee.wait()
    stage.check_masked(caller, callee)
    assert stage.ground.wait_for_records(stage.carrier.virtual) == [("callee", "ring-timeout")]
    is_all_over()

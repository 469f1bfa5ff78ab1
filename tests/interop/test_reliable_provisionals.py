"""100rel where one side insists on it, the other never hears of it (RFC 3262)."""

import pytest

from tests.interop.stage import Stage

pytestmark = pytest.mark.sipp


def test_a_caller_that_requires_100rel(stage: Stage) -> None:
    """It acknowledges our 180; the callee's INVITE says nothing of that."""
    stage.ground.add_session(stage.carrier)
    callee = stage.uas("uas_answers", values={"ring_ms": "700"})
    caller = stage.uac("uac_requires_100rel", values={"noise": "Require: 100rel"}).wait()
    callee.wait()
    stage.check_masked(caller, callee)
    assert len(caller.received(method="PRACK", status=200)) == 1
    (invite,) = callee.received(method="INVITE")
    assert "100rel" not in invite.header("Supported")
    assert stage.ground.wait_for_records(stage.carrier.virtual) == [("success", "caller-hung-up")]


def test_a_callee_that_demands_100rel(stage: Stage) -> None:
    """Its 421 is met by a second INVITE, its 180 by PRACK; the caller hears a plain 180."""
    stage.ground.add_session(stage.carrier)
    callee = stage.uas("uas_demands_100rel")
    caller = stage.uac("uac_hangs_up").wait()
    callee.wait()
    stage.check_masked(caller, callee)
    assert len(callee.received(method="PRACK")) == 1
    (ringing,) = caller.received(method="INVITE", status=180)
    assert not ringing.has("RSeq")
    assert stage.ground.wait_for_records(stage.carrier.virtual) == [("success", "caller-hung-up")]


def test_both_sides_insist(stage: Stage) -> None:
    """Each side has its own acknowledgements; numbers of one are not those of the other."""
    stage.ground.add_session(stage.carrier)
    callee = stage.uas("uas_demands_100rel")
    caller = stage.uac("uac_requires_100rel", values={"noise": "Require: 100rel"}).wait()
    callee.wait()
    stage.check_masked(caller, callee)
    (ringing, *_) = caller.received(method="INVITE", status=180)
    assert ringing.header("RSeq") != "31847"
    assert stage.ground.wait_for_records(stage.carrier.virtual) == [("success", "caller-hung-up")]

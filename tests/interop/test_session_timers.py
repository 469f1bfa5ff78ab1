"""Session timers against sipp: peers that die, that refresh, that want other intervals (RFC 4028)."""

from pathlib import Path

import pytest

from maskline.sip import events as on
from tests.interop.agent import agent
from tests.interop.sipp import Sipp, start_sipp
from tests.interop.stage import Stage

pytestmark = pytest.mark.sipp

SHORT_S = 4  # far below what the service allows; that is why these talk to a user agent alone


def call(block: str, directory: Path, scenario: str, **values: str) -> Sipp:
    """Call the agent as a phone."""
    return start_sipp(
        scenario,
        directory=directory,
        local=(f"{block}.250.2", 5060),
        remote=(f"{block}.250.1", 5060),
        keys={"mine": "+14155550123", "dialled": "+14155550100"},
        values=values,
        media_host=f"{block}.250.2",
    )


@pytest.mark.parametrize("supported", ["timer", "replaces"])
@pytest.mark.parametrize(
    ("allow", "refresh"), [("INVITE, ACK, BYE, UPDATE", "UPDATE"), ("INVITE, ACK, BYE", "INVITE")]
)
def test_a_dead_peers_call_ends(block: str, tmp_path: Path, allow: str, refresh: str, supported: str) -> None:
    """A phone that answers no refresh is hung up on, whether it promised to live or knows no timers at all."""
    with agent(f"{block}.250.1", session_expires_s=SHORT_S) as ours:
        caller = call(block, tmp_path, "uac_dies", allow=allow, supported=supported, refresh=refresh)
        assert ours.event(on.HungUp).cause is on.HangUpCause.EXPIRED
        caller.wait()
        ours.event(on.Released)
    assert caller.received(method=refresh)


def test_a_phone_without_update_is_refreshed_by_reinvite(block: str, tmp_path: Path) -> None:
    """The call outlives its interval twice; the description stays what it was."""
    with agent(f"{block}.250.1", session_expires_s=SHORT_S) as ours:
        caller = call(block, tmp_path, "uac_is_refreshed", expires=str(SHORT_S)).wait()
        ours.event(on.Released)
        assert ours.event(on.HungUp).cause is on.HangUpCause.BYE
        assert {type(event) for event in ours.events} == {
            on.IncomingInvite,
            on.Acknowledged,
            on.HungUp,
            on.Released,
        }
    (answer,) = caller.received(method="INVITE", status=200)
    refreshes = caller.received(method="INVITE")
    assert len(refreshes) == 2
    assert {text.body for text in refreshes} == {answer.body}
    assert {text.header("Session-Expires") for text in refreshes} == {f"{SHORT_S};refresher=uac"}


def test_a_caller_that_refreshes(stage: Stage) -> None:
    """422 with our Min-SE, then a session that the caller keeps by UPDATE; the callee is told nothing of it."""
    stage.ground.add_session(stage.carrier)
    callee = stage.uas("uas_answers")
    caller = stage.uac("uac_asks_too_little", values={"ack_cseq": "31848"}).wait()
    callee.wait()
    stage.check_masked(caller, callee)
    (refused,) = caller.received(method="INVITE", status=422)
    assert refused.header("Min-SE") == "90"
    (answer,) = caller.received(method="INVITE", status=200)
    assert answer.header("Session-Expires") == "90;refresher=uac"
    assert [text.method for text in callee.received() if text.is_request] == ["INVITE", "ACK", "BYE"]
    assert callee.received(method="INVITE")[0].header("Session-Expires") == "1800"
    assert stage.ground.wait_for_records(stage.carrier.virtual)[-1:] == [("success", "caller-hung-up")]


def test_a_callee_that_wants_longer_sessions(stage: Stage) -> None:
    """Its 422 is met by a second INVITE; the caller notices nothing."""
    stage.ground.add_session(stage.carrier)
    callee = stage.uas("uas_wants_longer", values={"status": "422", "extra": "Min-SE: 3600"})
    caller = stage.uac("uac_hangs_up").wait()
    callee.wait()
    stage.check_masked(caller, callee)
    assert len(callee.received(method="INVITE")) == 2
    assert stage.ground.wait_for_records(stage.carrier.virtual) == [("success", "caller-hung-up")]

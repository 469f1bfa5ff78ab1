"""Messages that arrive twice or not at all."""

from collections.abc import Callable

import pytest

from tests.interop.stage import Stage

pytestmark = pytest.mark.sipp

Check = Callable[[], None]


def test_invite_that_arrives_again_is_the_same_call(stage: Stage, is_all_over: Check) -> None:
    """Retransmitted INVITEs make no second call, no second record, and get the same bytes again."""
    stage.ground.add_session(stage.carrier)
    uas = stage.uas("uas_answers", values={"ring_ms": "400"})
    uac = stage.uac(
        "uac_sends_invite_twice", values={"branch": "z9hG4bKqzalphafixed"}, handles_retransmissions=False
    ).wait()
    uas.wait()
    assert len(uas.received(method="INVITE")) == 1
    for status, count in ((100, 2), (180, 2), (200, 2)):
        found = [text.raw for text in uac.received(method="INVITE", status=status)]
        assert len(found) == count
        assert len(set(found)) == 1
    stage.check_masked(uac, uas)
    assert stage.ground.wait_for_records(stage.carrier.virtual) == [("success", "caller-hung-up")]
    is_all_over()


def test_answer_is_repeated_until_acknowledged(stage: Stage, is_all_over: Check) -> None:
    """While no ACK comes the 200 is sent again, byte for byte; then the call goes on as any other."""
    stage.ground.add_session(stage.carrier)
    uas = stage.uas("uas_answers")
    uac = stage.uac("uac_acknowledges_late", handles_retransmissions=False).wait()
    uas.wait()
    answers = [text.raw for text in uac.received(method="INVITE", status=200)]
    assert len(answers) == 3
    assert len(set(answers)) == 1
    stage.check_masked(uac, uas)
    assert stage.ground.wait_for_records(stage.carrier.virtual) == [("success", "caller-hung-up")]
    is_all_over()


@pytest.mark.long
@pytest.mark.timeout(90)
def test_call_that_is_never_acknowledged_ends(stage: Stage, is_all_over: Check) -> None:
    """Without an ACK both legs get BYE after 32 s (RFC 3261 section 13.3.1.4)."""
    stage.ground.add_session(stage.carrier)
    uas = stage.uas("uas_answers", timeout_s=60.0)
    uac = stage.uac("uac_never_acknowledges", handles_retransmissions=False, timeout_s=60.0).wait()
    uas.wait()
    stage.check_masked(uac, uas)
    assert stage.ground.wait_for_records(stage.carrier.virtual) == [("caller", "caller-gone")]
    is_all_over()


@pytest.mark.long
@pytest.mark.timeout(90)
def test_callee_carrier_that_never_answers(stage: Stage, is_all_over: Check) -> None:
    """A carrier that says nothing for 32 s has timed out; the INVITE was repeated with the same bytes."""
    stage.ground.add_session(stage.carrier)
    with stage.listener(stage.carrier.uas) as carrier:
        uac = stage.uac("uac_refused", values={"status": "408"}, timeout_s=60.0).wait()
        received = carrier.received()
    assert len(received) == 7
    assert len(set(received)) == 1
    assert uac.received(method="INVITE", status=408)
    assert stage.ground.wait_for_records(stage.carrier.virtual) == [("carrier", "carrier-timeout")]
    is_all_over()

"""What becomes of calls when the service goes: told to stop, or killed without a word."""

import pytest

from tests.interop.sipp import Sipp
from tests.interop.stage import Stage
from tests.interop.waiting import wait_for

pytestmark = pytest.mark.sipp


def talking(stage: Stage, uas: str = "uas_answers") -> tuple[Sipp, Sipp]:
    """Begin a call and return its ends once it stands and can be ended by whoever comes after us."""
    callee = stage.uas(uas)
    caller = stage.uac("uac_is_hung_up")
    wait_for(lambda: [text for text in caller.sent() if text.method == "ACK"], 8.0, "the call is answered")
    stored = (
        "SELECT count(*) FROM live_call WHERE dialog_a_sealed IS NOT NULL AND dialog_b_sealed IS NOT NULL"
    )
    wait_for(lambda: stage.ground.query(stored) == [(1,)], 5.0, "both dialogs are stored")
    return caller, callee


def check_ended(stage: Stage, caller: Sipp, callee: Sipp, records: list[tuple[str, str]]) -> None:
    """Both ends have got their BYE, and there are exactly these records."""
    caller.wait()
    callee.wait()
    for end in (caller, callee):
        assert [text.status for text in end.received(method="BYE")] == [0]
    stage.check_masked(caller, callee)
    assert stage.ground.wait_for_records(stage.carrier.virtual, len(records)) == records
    assert stage.ground.live_call_count() == 0


def test_killed_switch_s_calls_are_ended_by_its_successor(stage: Stage) -> None:
    """After kill -9 in mid-call the next start sends BYE to both ends, writes one record, and serves the session."""
    ground = stage.ground
    ground.add_session(stage.carrier)
    caller, callee = talking(stage)
    ports_of_a_call = ground.relay_port_count()
    ground.kill()
    wait_for(lambda: ground.relay_port_count() == 0, 5.0, "the media process follows its killed parent")
    ground.start()
    check_ended(stage, caller, callee, [("us", "switch-restarted")])
    assert ground.relay_port_count() < ports_of_a_call
    uas = stage.uas("uas_answers")
    stage.uac("uac_hangs_up").wait()
    uas.wait()
    records = ground.wait_for_records(stage.carrier.virtual, 2)
    assert records == [("us", "switch-restarted"), ("success", "caller-hung-up")]
    assert ground.errors_in_logs() == []


def test_killed_switch_s_ringing_call_frees_its_session(stage: Stage) -> None:
    """A call that rang at the kill leaves one record, and the session can be called again after the start."""
    ground = stage.ground
    ground.add_session(stage.carrier)
    callee = stage.uas("uas_rings_until_cancelled")
    caller = stage.uac("uac_refused", values={"status": "480"})
    wait_for(lambda: caller.received(method="INVITE", status=180), 8.0, "it rings")
    ground.kill()
    caller.stop()
    callee.stop()
    ground.start()
    assert ground.wait_for_records(stage.carrier.virtual) == [("us", "switch-restarted")]
    uas = stage.uas("uas_answers")
    stage.uac("uac_hangs_up").wait()
    uas.wait()
    records = ground.wait_for_records(stage.carrier.virtual, 2)
    assert records == [("us", "switch-restarted"), ("success", "caller-hung-up")]


def test_stopped_switch_ends_its_calls(stage: Stage) -> None:
    """Told to stop in mid-call, the service sends both ends BYE, writes one record and ends."""
    ground = stage.ground
    ground.add_session(stage.carrier)
    caller, callee = talking(stage)
    ground.stop()
    assert ground.process is not None
    assert ground.process.returncode == 0
    check_ended(stage, caller, callee, [("us", "switch-restarted")])
    assert ground.errors_in_logs() == []


def test_draining_service_lets_its_calls_end(stage: Stage) -> None:
    """After SIGTERM a running call goes on to its own end, a new one hears 503, and then the service is gone."""
    ground = stage.ground
    ground.add_session(stage.carrier)
    callee = stage.uas("uas_hangs_up", values={"talk_ms": "1500"})
    caller = stage.uac("uac_is_hung_up")
    wait_for(lambda: [text for text in caller.sent() if text.method == "ACK"], 8.0, "the call is answered")
    ground.drain()
    wait_for(lambda: "service.draining" in ground.log, 2.0, "it drains")
    elsewhere = (stage.carrier.uac[0], 5099)
    stage.uac("uac_refused", values={"status": "503"}, local=elsewhere).wait()
    caller.wait()
    callee.wait()
    assert ground.process is not None
    assert ground.process.wait(10.0) == 0
    assert ground.wait_for_records(stage.carrier.virtual) == [("success", "callee-hung-up")]
    assert ground.live_call_count() == 0
    assert ground.errors_in_logs() == []


def test_second_signal_ends_a_draining_service_at_once(stage: Stage) -> None:
    """Whoever asks twice does not want to wait: the call is ended as by a stop."""
    ground = stage.ground
    ground.add_session(stage.carrier)
    caller, callee = talking(stage)
    ground.drain()
    wait_for(lambda: "service.draining" in ground.log, 2.0, "it drains")
    ground.drain()
    check_ended(stage, caller, callee, [("us", "switch-restarted")])
    assert ground.process is not None
    assert ground.process.wait(10.0) == 0

"""How many calls, how long, and how many at once."""

from collections.abc import Callable

import pytest

from tests.interop.ground import Ground
from tests.interop.stage import Stage
from tests.interop.waiting import wait_for

pytestmark = pytest.mark.sipp

Check = Callable[[], None]
LOAD_CALL_COUNT = 200
LOAD_RATE_PER_S = 50


def test_second_call_of_a_session_is_busy(stage: Stage, is_all_over: Check) -> None:
    """While a session's call runs, another INVITE for it gets 486 and a record; the first call is not disturbed."""
    stage.ground.add_session(stage.carrier)
    uas = stage.uas("uas_answers")
    first = stage.uac("uac_hangs_up", values={"talk_ms": "2500"})
    wait_for(lambda: first.received(method="INVITE", status=200), 5.0, "the first call is answered")
    elsewhere = (stage.carrier.host(102), 5060)
    second = stage.uac("uac_refused", values={"status": "486"}, local=elsewhere).wait()
    stage.is_swapped = True
    third = stage.uac("uac_refused", values={"status": "486"}, local=(stage.carrier.host(103), 5060)).wait()
    stage.is_swapped = False
    first.wait()
    uas.wait()
    stage.check_masked(first, uas)
    assert not [text for call in (second, third) for text in call.received(method="INVITE", status=180)]
    records = stage.ground.wait_for_records(stage.carrier.virtual, 3)
    assert sorted(records) == [("caller", "session-busy")] * 2 + [("success", "caller-hung-up")]
    is_all_over()


def test_call_ends_at_its_time_limit(stage: Stage, is_all_over: Check) -> None:
    """When the session's limit on calls is reached both ends get BYE."""
    stage.ground.add_session(stage.carrier, call_time_limit_s=1)
    uas = stage.uas("uas_answers")
    uac = stage.uac("uac_is_hung_up").wait()
    uas.wait()
    stage.check_masked(uac, uas)
    assert stage.ground.wait_for_records(stage.carrier.virtual) == [("success", "time-limit")]
    is_all_over()


def test_two_hundred_calls_at_fifty_a_second(ground: Ground, set_stage: Callable[[str], Stage]) -> None:
    """None fails, nothing is sent twice, and afterwards there is no call and no media port left."""
    stage = set_stage("plain")
    ports_before = ground.relay_port_count()
    callers = [f"+9199{stage.carrier.index:03d}{number:05d}" for number in range(LOAD_CALL_COUNT)]
    for number, caller in enumerate(callers):
        ground.add_session(stage.carrier, first=caller, second=f"+9196{stage.carrier.index:03d}{number:05d}")
    uas = stage.uas("uas_load", calls=LOAD_CALL_COUNT, timeout_s=40.0, is_traced=False)
    uac = stage.uac(
        "uac_load",
        values={"talk_ms": "500"},
        calls=LOAD_CALL_COUNT,
        rate=LOAD_RATE_PER_S,
        injected="SEQUENTIAL\n" + "".join(f"{caller}\n" for caller in callers),
        timeout_s=40.0,
        is_traced=False,
    ).wait()
    uas.wait()
    for sipp in (uac, uas):
        counts = sipp.statistics
        assert counts["SuccessfulCall(C)"] == LOAD_CALL_COUNT
        assert counts["FailedCall(C)"] == 0
        assert counts["Retransmissions(C)"] == 0
    records = ground.wait_for_records(stage.carrier.virtual, LOAD_CALL_COUNT)
    assert set(records) == {("success", "caller-hung-up")}
    assert len(records) == LOAD_CALL_COUNT
    numbers = ",".join(f"'{number}'" for number in stage.carrier.numbers)
    live = (
        "SELECT count(*) FROM live_call l JOIN virtual_number n ON n.id = l.virtual_number_id"
        f" WHERE n.number IN ({numbers})"
    )
    assert ground.query(live) == [(0,)]
    wait_for(lambda: ground.relay_port_count() <= ports_before, 5.0, "the relay has no port left")

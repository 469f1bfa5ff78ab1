"""Trunks whose targets fail in other ways than in `test_targets`: refused connections, none left, one that rang."""

import time

import pytest

from maskline.core.inventory import Target, Transport
from tests.interop.ground import SIP_PORT
from tests.interop.stage import Stage

pytestmark = pytest.mark.sipp


def set_two_targets(stage: Stage, first: Transport = Transport.UDP) -> tuple[str, int]:
    """Give the carrier a target before its usual one; return the address of that."""
    ahead = stage.carrier.host(203), SIP_PORT
    usual = stage.carrier.uas
    stage.ground.set_targets(
        stage.carrier,
        Target(host=ahead[0], port=ahead[1], transport=first, priority=1),
        Target(host=usual[0], port=usual[1], priority=2),
    )
    return ahead


def test_target_nobody_listens_at_is_left_at_once(stage: Stage) -> None:
    """A TCP connection that is refused leads to the next target without a wait."""
    set_two_targets(stage, Transport.TCP)
    stage.ground.add_session(stage.carrier)
    uas = stage.uas("uas_answers")
    begun_at_s = time.monotonic()
    stage.uac("uac_hangs_up").wait()
    uas.wait()
    assert time.monotonic() - begun_at_s < 2.0
    assert stage.ground.wait_for_records(stage.carrier.virtual) == [("success", "caller-hung-up")]


def test_caller_hears_it_when_no_target_takes_the_call(stage: Stage) -> None:
    """With all targets congested the caller is told once, in words of ours, and the session is free again."""
    ahead = set_two_targets(stage)
    stage.ground.add_session(stage.carrier)
    ends = [
        stage.uas("uas_refuses", values={"status": "503"}, local=local)
        for local in (ahead, stage.carrier.uas)
    ]
    uac = stage.uac("uac_refused", values={"status": "503"}).wait()
    for end in ends:
        end.wait()
        assert len(end.received(method="INVITE")) == 1
    (refusal,) = uac.received(method="INVITE", status=503)
    assert refusal.start_line == "SIP/2.0 503 Service Unavailable"
    assert stage.ground.wait_for_records(stage.carrier.virtual) == [("carrier", "carrier-congested")]
    assert stage.ground.live_call_count() == 0


def test_ringing_target_keeps_the_call(stage: Stage) -> None:
    """Once a phone may have rung no other target is tried: nobody's phone rings twice for one call."""
    ahead = set_two_targets(stage)
    stage.ground.add_session(stage.carrier)
    ringing = stage.uas("uas_rings_and_refuses", values={"status": "503"}, local=ahead)
    with stage.listener(stage.carrier.uas) as other:
        stage.uac("uac_refused", values={"status": "503"}).wait()
        ringing.wait()
        assert other.received() == []
    assert stage.ground.wait_for_records(stage.carrier.virtual) == [("carrier", "carrier-congested")]

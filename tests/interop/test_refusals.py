"""Calls that are not for anyone: all refused alike, and no phone rings."""

import re
from collections.abc import Callable

import pytest

from tests.interop.ground import Carrier
from tests.interop.listener import render_request
from tests.interop.stage import Stage, check_tells_nothing
from tests.interop.wire import not_allowed

pytestmark = pytest.mark.sipp

STRANGER = "+919811122233"


def refused(stage: Stage, scenario: str = "uac_refused", **options: str) -> str:
    """Have a call refused while the callee's side listens; return the refusal without what is this call's own."""
    with stage.listener(stage.carrier.uas) as peer:
        uac = stage.uac(scenario, values={"status": "480"}, **options).wait()  # type: ignore[arg-type]  # texts only
        assert peer.received() == []
    (refusal,) = uac.received(method="INVITE", status=480)
    assert not_allowed(uac.received()) == []
    check_tells_nothing(uac.received(), stage.callee)
    text = re.sub(rb"(?m)^(Via|From|To|Call-ID|Record-Route):.*\r$", rb"\1\r", refusal.raw)
    return text.decode()


def unknown_caller(stage: Stage) -> str:
    stage.ground.add_session(stage.carrier)
    return refused(stage, caller=STRANGER)


def withheld_number(stage: Stage) -> str:
    stage.ground.add_session(stage.carrier)
    return refused(stage, scenario="uac_withholds")


def expired_session(stage: Stage) -> str:
    stage.ground.add_session(stage.carrier, age_s=120, expires_in_s=60)
    return refused(stage)


def deleted_session(stage: Stage) -> str:
    stage.ground.end_session(stage.carrier, stage.ground.add_session(stage.carrier))
    return refused(stage)


def free_number(stage: Stage) -> str:
    stage.ground.add_session(stage.carrier)
    return refused(stage, dialled=stage.carrier.numbers[1])


def number_of_nobody(stage: Stage) -> str:
    return refused(stage, dialled="+912269999999")


def virtual_caller(stage: Stage) -> str:
    stage.ground.add_session(stage.carrier)
    return refused(stage, caller=stage.carrier.numbers[1])


CASES = [
    unknown_caller, withheld_number, expired_session, deleted_session, free_number, number_of_nobody, virtual_caller,
]  # fmt: skip
EXPECTED = (
    "SIP/2.0 480 Temporarily Unavailable\r\nVia\r\nFrom\r\nTo\r\nCall-ID\r\nCSeq: 31847 INVITE\r\n"
    "Content-Length: 0\r\n\r\n"
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_every_refusal_is_the_same(stage: Stage, case: Callable[[Stage], str]) -> None:
    """Whatever the reason, the caller gets the same 480 and nothing is sent to anybody else."""
    assert case(stage) == EXPECTED


def test_trunk_that_does_not_have_the_number_gets_silence(stage: Stage, carrier: Carrier) -> None:
    """A number dialled from an address its own trunk does not accept is as if nobody were there."""
    stage.ground.add_session(stage.carrier)
    caller, dialled = stage.carrier.a.number, stage.carrier.virtual
    with stage.listener(stage.carrier.uas) as peer, stage.listener((carrier.host(150), 5060)) as sender:
        sender.send(
            render_request("INVITE", sender.address, stage.ground.address, user=dialled, caller=caller)
        )
        stage.wait_until_passed()
        assert sender.received() == []
        assert peer.received() == []


def test_stranger_gets_silence(stage: Stage) -> None:
    """An address no trunk accepts gets not one byte, whatever it asks."""
    stage.ground.add_session(stage.carrier)
    caller, dialled = stage.carrier.a.number, stage.carrier.virtual
    stranger = f"{stage.ground.block}.255.7"
    with stage.listener(stage.carrier.uas) as peer, stage.listener((stranger, 5060)) as sender:
        for method in ("INVITE", "OPTIONS", "REGISTER", "BYE", "CANCEL", "MESSAGE", "QZ"):
            sender.send(
                render_request(method, sender.address, stage.ground.address, user=dialled, caller=caller)
            )
        sender.send(b"\r\n\r\n")
        stage.wait_until_passed()
        assert sender.received() == []
        assert peer.received() == []
    assert stage.ground.records(stage.carrier.virtual) == []

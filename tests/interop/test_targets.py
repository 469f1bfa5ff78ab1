"""A trunk with several targets: the next one is tried, health is asked for; a trunk that registers."""

from collections.abc import Callable

import pytest

from maskline.core.inventory import Registration, Target
from tests.interop.ground import CREDENTIALS, SIP_PORT
from tests.interop.stage import Stage, check_tells_nothing
from tests.interop.waiting import wait_for
from tests.interop.wire import SIPText, not_allowed

pytestmark = pytest.mark.sipp

FIRST, SECOND = 203, 202  # hosts of a carrier's targets; the second is where its callee usually is
ASKED_WITHIN_S = 5.0  # a change is known within a second, and new targets are asked at once
UNHEALTHY_WITHIN_S = 20.0  # two checks of 4 s, 5 s between them, a second here and there
REGISTER_HEADERS = frozenset(
    {"Via", "Max-Forwards", "From", "To", "Call-ID", "CSeq", "Contact", "Expires", "Allow", "Content-Length"}
    | {"Authorization"}
)


def with_targets(stage: Stage, **changed: object) -> None:
    """Give the stage's trunk two targets, and wait until the service knows."""
    loaded_count = stage.ground.log.count("trunks.loaded")
    targets = tuple(
        Target(host=stage.carrier.host(last), port=SIP_PORT, priority=priority)
        for priority, last in enumerate((FIRST, SECOND))
    )
    stage.ground.change_trunk(stage.carrier, targets=targets, **changed)
    wait_for(
        lambda: stage.ground.log.count("trunks.loaded") > loaded_count, ASKED_WITHIN_S, "the trunk is known"
    )


@pytest.mark.parametrize("scenario", ["uas_overloaded", "uas_refuses"])
def test_a_call_goes_on_to_the_next_target(stage: Stage, scenario: str) -> None:
    """A target that is overloaded, at once or after a 100, is left for the next, and nobody notices."""
    stage.ground.add_session(stage.carrier)
    with_targets(stage)
    full = stage.uas(scenario, local=(stage.carrier.host(FIRST), SIP_PORT), values={"status": "503"})
    uas = stage.uas("uas_answers")
    uac = stage.uac("uac_hangs_up").wait()
    uas.wait()
    full.wait()
    stage.check_masked(uac, uas)
    (refused,) = full.received(method="INVITE")
    (taken,) = uas.received(method="INVITE")
    assert refused.header("Call-ID") != taken.header("Call-ID")
    assert refused.header("From").partition(";")[0] == taken.header("From").partition(";")[0]
    assert stage.ground.wait_for_records(stage.carrier.virtual) == [("success", "caller-hung-up")]


def test_a_silent_target_is_left_after_seconds(stage: Stage) -> None:
    """The INVITE is repeated for four seconds, then sent to the next target."""
    stage.ground.add_session(stage.carrier)
    with_targets(stage)
    with stage.listener((stage.carrier.host(FIRST), SIP_PORT)) as silent:
        uas = stage.uas("uas_answers")
        uac = stage.uac("uac_hangs_up", timeout_s=30).wait()
        uas.wait()
        invites = [text for raw in silent.received() if (text := SIPText(raw)).method == "INVITE"]
    stage.check_masked(uac, uas)
    assert 3 <= len(invites) <= 5
    assert len({text.header("Call-ID") for text in invites}) == 1
    assert stage.ground.wait_for_records(stage.carrier.virtual) == [("success", "caller-hung-up")]


def test_a_callee_who_declines_is_not_called_again(stage: Stage) -> None:
    """What a person decided at one target is not asked at another."""
    stage.ground.add_session(stage.carrier)
    with_targets(stage)
    uas = stage.uas("uas_refuses", local=(stage.carrier.host(FIRST), SIP_PORT), values={"status": "603"})
    with stage.listener((stage.carrier.host(SECOND), SIP_PORT)) as other:
        stage.uac("uac_refused", values={"status": "603"}).wait()
        assert other.received() == []
    uas.wait()
    assert stage.ground.wait_for_records(stage.carrier.virtual) == [("callee", "callee-declined")]


def test_targets_are_asked_whether_they_are_there(stage: Stage) -> None:
    """OPTIONS names nobody; a target that says 503 twice in a row is unhealthy."""
    uas = stage.uas("uas_options", values={"status": "503"}, calls=2, timeout_s=UNHEALTHY_WITHIN_S)
    stage.ground.change_trunk(stage.carrier, has_health_check=True)
    uas.wait()
    asked = uas.received(method="OPTIONS")
    assert len(asked) == 2
    assert not_allowed(asked) == []
    check_tells_nothing(asked, stage.caller)
    for text in asked:
        assert text.start_line == f"OPTIONS sip:{stage.carrier.host(SECOND)}:{SIP_PORT} SIP/2.0"
        assert text.header("From").startswith(f"<sip:{stage.ground.address[0]}>;tag=")
        assert not text.has("Contact")
    wait_for(lambda: _health_log(stage), ASKED_WITHIN_S, "the log says that the target is unhealthy")
    stage.ground.change_trunk(stage.carrier, has_health_check=False)


def _health_log(stage: Stage) -> bool:
    lines = stage.ground.log.splitlines()
    return any(
        "trunk.target_changed" in line and f'"{stage.carrier.host(SECOND)}"' in line and "false" in line
        for line in lines
    )


def test_a_trunk_registers_and_takes_it_back(set_stage: Callable[[str], Stage]) -> None:
    """A registrar's challenge is answered, sipp finds the answer right; the end of it is zero seconds."""
    stage = set_stage("asking")
    values = {"username": CREDENTIALS[0], "password": CREDENTIALS[1], "granted_s": "3600"}
    uas = stage.uas("uas_registers", values=values)
    stage.ground.change_trunk(stage.carrier, registration=Registration(expires_s=1800))
    wait_for(lambda: len(uas.received(method="REGISTER")) == 2, ASKED_WITHIN_S, "the trunk registers")
    registered = f'"registrar": "{stage.carrier.host(SECOND)}"'
    wait_for(
        lambda: any(
            "trunk.registered" in line and registered in line for line in stage.ground.log.splitlines()
        ),
        ASKED_WITHIN_S,
        "the log says so",
    )
    stage.ground.change_trunk(stage.carrier, registration=None)
    uas.wait()
    registers = uas.received(method="REGISTER")
    assert [text.header("Expires") for text in registers] == ["1800", "1800", "0", "0"]
    assert len({text.header("Call-ID") for text in registers}) == 1
    numbers = [int(text.header("CSeq").split()[0]) for text in registers]
    assert numbers == sorted(set(numbers))
    host = stage.carrier.host(SECOND)
    for text in registers:
        assert {name for name, _ in text.headers} <= REGISTER_HEADERS
        assert text.start_line == f"REGISTER sip:{host}:{SIP_PORT} SIP/2.0"
        assert text.header("To") == f"<sip:{CREDENTIALS[0]}@{host}>"
        assert text.header("From").startswith(f"<sip:{CREDENTIALS[0]}@{host}>;tag=")
        assert text.header("Contact") == f"<sip:{CREDENTIALS[0]}@{stage.ground.address[0]}:{SIP_PORT}>"
        assert CREDENTIALS[1].encode() not in text.raw
    assert [text.has("Authorization") for text in registers] == [False, True, False, True]

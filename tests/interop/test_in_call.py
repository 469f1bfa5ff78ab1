"""What happens within a call: hold, changed media, and requests that are not for a masked call."""

import pytest

from tests.interop.sipp import Sipp
from tests.interop.stage import Stage
from tests.interop.wire import SIPText

pytestmark = pytest.mark.sipp


def run(stage: Stage, uac: str, uas: str) -> tuple[Sipp, Sipp]:
    """Run a call to its end and check what must hold of every call."""
    stage.ground.add_session(stage.carrier)
    callee = stage.uas(uas)
    caller = stage.uac(uac).wait()
    callee.wait()
    stage.check_masked(caller, callee)
    assert stage.ground.wait_for_records(stage.carrier.virtual) == [("success", "caller-hung-up")]
    return caller, callee


def directions(messages: list[SIPText]) -> list[str]:
    """The media direction in each description."""
    return [
        line for text in messages for line in text.sdp if line in {"a=sendrecv", "a=sendonly", "a=recvonly"}
    ]


def check_versions(messages: list[SIPText]) -> None:
    """Descriptions of one leg keep their session id and count their version up by one."""
    origins = [line.split() for text in messages for line in text.sdp if line.startswith("o=")]
    assert len({origin[1] for origin in origins}) == 1
    versions = [int(origin[2]) for origin in origins]
    assert versions == list(range(versions[0], versions[0] + len(versions)))


def test_caller_holds_and_resumes(stage: Stage) -> None:
    """The caller's re-INVITEs reach the callee as offers of ours, and the answers come back as answers of ours."""
    caller, callee = run(stage, "uac_holds", "uas_is_held")
    offers = callee.received(method="INVITE")
    assert directions(offers) == ["a=sendrecv", "a=sendonly", "a=sendrecv"]
    check_versions(offers)
    answers = caller.received(method="INVITE", status=200)
    assert directions(answers) == ["a=sendrecv", "a=recvonly", "a=sendrecv"]
    check_versions(answers)


def test_callee_holds_and_resumes(stage: Stage) -> None:
    """The callee's re-INVITEs reach the caller likewise, inside the caller's own dialog."""
    caller, callee = run(stage, "uac_is_held", "uas_holds")
    offers = caller.received(method="INVITE")
    assert directions(offers) == ["a=sendonly", "a=sendrecv"]
    assert {text.header("Call-ID") for text in offers} == {caller.sent()[0].header("Call-ID")}
    assert directions(callee.received(method="INVITE", status=200)) == ["a=recvonly", "a=sendrecv"]


def test_update_is_passed_as_update(stage: Stage) -> None:
    """An UPDATE with an offer reaches the callee as UPDATE."""
    caller, callee = run(stage, "uac_updates", "uas_is_updated")
    assert directions(callee.received(method="UPDATE")) == ["a=sendonly"]
    assert directions(caller.received(method="UPDATE", status=200)) == ["a=recvonly"]


def test_offers_that_cross_get_491(stage: Stage) -> None:
    """While the caller's offer waits at the callee, an offer of the callee is refused with 491, the first goes on."""
    caller, callee = run(stage, "uac_holds_once", "uas_offers_as_offered")
    assert callee.received(method="INVITE", status=491)
    assert caller.received(method="INVITE") == []
    assert directions(caller.received(method="INVITE", status=200)) == ["a=sendrecv", "a=recvonly"]


def test_invite_without_offer(stage: Stage) -> None:
    """An INVITE without SDP: the callee is offered the trunk's codecs, the caller gets an offer in the 200."""
    caller, callee = run(stage, "uac_offers_nothing", "uas_answers")
    (invite,) = callee.received(method="INVITE")
    names = {line.split()[1].split("/")[0] for line in invite.sdp if line.startswith("a=rtpmap:")}
    assert names == {"PCMU", "PCMA", "G722", "opus", "G729", "telephone-event"}
    (answer,) = caller.received(method="INVITE", status=200)
    assert [line.split(" ", 2)[2] for line in answer.sdp if line.startswith("m=")] == ["RTP/AVP 8 101"]


def test_requests_that_could_tell_are_refused(stage: Stage) -> None:
    """REFER, MESSAGE and INFO with a foreign body are refused in the call and never reach the callee."""
    _, callee = run(stage, "uac_refers", "uas_answers")
    assert {text.method for text in callee.received() if text.is_request} == {"INVITE", "ACK", "BYE"}

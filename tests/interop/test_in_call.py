"""What happens within a call: hold, changed media, and requests that are not for a masked call."""

import pytest

from tests.interop.ground import Carrier
from tests.interop.listener import Listener
from tests.interop.sipp import Sipp
from tests.interop.stage import Stage
from tests.interop.waiting import wait_for
from tests.interop.wire import SIPText

pytestmark = pytest.mark.sipp


def run(stage: Stage, uac: str, uas: str, *, status: str = "200") -> tuple[Sipp, Sipp]:
    """Run a call to its end and check what must hold of every call."""
    stage.ground.add_session(stage.carrier)
    callee = stage.uas(uas, values={"status": status})
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


@pytest.mark.parametrize("status", ["488", "606", "403"])
def test_hold_that_is_refused_leaves_the_call_as_it_was(stage: Stage, status: str) -> None:
    """When the callee refuses a new offer the caller hears 488 in our words, and the call goes on."""
    run(stage, "uac_hold_is_refused", "uas_refuses_hold", status=status)


def test_hang_ups_that_cross(stage: Stage) -> None:
    """A BYE of the callee that crosses ours is answered 200, and there is one record (RFC 5407 section 3.2.1)."""
    run(stage, "uac_hangs_up", "uas_hangs_up_too")


@pytest.mark.parametrize("host", ["stranger", "other trunk", "own trunk"])
def test_forged_bye_does_not_end_the_call(stage: Stage, carrier: Carrier, host: str) -> None:
    """A BYE that knows Call-ID but not our tag ends nothing; one that knows all, from a foreign host, neither."""
    stage.ground.add_session(stage.carrier)
    callee = stage.uas("uas_answers")
    caller = stage.uac("uac_hangs_up", values={"talk_ms": "1000"})
    (answer,) = wait_for(lambda: caller.received(method="INVITE", status=200), 8.0, "the call is answered")
    forger = {
        "stranger": f"{stage.ground.block}.255.9",
        "other trunk": carrier.host(150),
        "own trunk": stage.carrier.host(150),
    }[host]
    own_tag = (
        answer.header("To") if host != "own trunk" else answer.header("To").rpartition("=")[0] + "=guessed"
    )
    with stage.listener((forger, 5060)) as sender:
        sender.send(forge_bye(sender, answer, own_tag))
        stage.wait_until_passed()
        assert {SIPText(data).status for data in sender.received()} <= {481}
        if host == "stranger":
            assert sender.received() == []
    caller.wait()
    callee.wait()
    assert stage.ground.wait_for_records(stage.carrier.virtual) == [("success", "caller-hung-up")]


def forge_bye(sender: Listener, answer: SIPText, to: str) -> bytes:
    """A BYE in the caller's dialog from somebody else."""
    host, port = sender.address
    lines = (
        f"BYE sip:{sender.peer[0]}:{sender.peer[1]} SIP/2.0",
        f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bKforged",
        f"From: {answer.header('From')}",
        f"To: {to}",
        f"Call-ID: {answer.header('Call-ID')}",
        "CSeq: 900000 BYE",
        "Max-Forwards: 70",
        "Content-Length: 0",
        "",
        "",
    )
    return "\r\n".join(lines).encode()

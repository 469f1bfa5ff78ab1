"""Whole calls between two ends of a carrier played by sipp; every one is also checked for what each end learnt."""

from collections.abc import Callable

import pytest

from tests.interop.stage import Stage
from tests.interop.wire import SIPText

pytestmark = pytest.mark.sipp

Check = Callable[[], None]


def check_sdp(text: SIPText, host: str) -> None:
    """A description of ours names the relay and nobody else."""
    assert [line for line in text.sdp if line.startswith("c=")] == [f"c=IN IP4 {host}"]
    assert next(line for line in text.sdp if line.startswith("o=")).endswith(f" IN IP4 {host}")


@pytest.mark.parametrize("is_swapped", [False, True], ids=["first calls second", "second calls first"])
def test_each_party_reaches_the_other(stage: Stage, is_swapped: bool, is_all_over: Check) -> None:
    """Either party dials the virtual number, is put through, and neither learns anything of the other."""
    stage.is_swapped = is_swapped
    stage.ground.add_session(stage.carrier)
    uas = stage.uas("uas_answers")
    uac = stage.uac("uac_hangs_up").wait()
    uas.wait()
    (invite,) = uas.received(method="INVITE")
    assert invite.start_line == f"INVITE sip:{stage.callee.number}@{stage.carrier.uas[0]}:5060 SIP/2.0"
    assert invite.header("From").startswith(f"<sip:{stage.carrier.virtual}@")
    assert invite.header("P-Asserted-Identity").startswith(f"<sip:{stage.carrier.virtual}@")
    assert invite.header("Max-Forwards") == "69"
    host = stage.ground.address[0]
    check_sdp(invite, host)
    check_sdp(uac.received(method="INVITE", status=200)[0], host)
    stage.check_masked(uac, uas)
    assert stage.ground.wait_for_records(stage.carrier.virtual) == [("success", "caller-hung-up")]
    is_all_over()


def test_leg_b_is_offered_what_leg_a_offered_in_our_order(stage: Stage) -> None:
    """Leg B's offer is written anew: common codecs in one order, our own origin line, one audio stream."""
    stage.ground.add_session(stage.carrier)
    uas = stage.uas("uas_answers")
    stage.uac("uac_hangs_up").wait()
    uas.wait()
    (invite,) = uas.received(method="INVITE")
    media = [line for line in invite.sdp if line.startswith("m=")]
    assert [line.split(" ", 2)[2] for line in media] == ["RTP/AVP 0 8 101"]
    assert [line for line in invite.sdp if line.startswith("s=")] == ["s=-"]


def test_callee_answers_without_ringing(stage: Stage) -> None:
    """A 200 without anything before it joins the two all the same."""
    stage.ground.add_session(stage.carrier)
    uas = stage.uas("uas_answers_at_once")
    uac = stage.uac("uac_is_answered_at_once").wait()
    uas.wait()
    stage.check_masked(uac, uas)
    assert stage.ground.wait_for_records(stage.carrier.virtual) == [("success", "caller-hung-up")]


def test_callee_hangs_up(stage: Stage, is_all_over: Check) -> None:
    """The callee's BYE ends the caller's leg, without the callee's words."""
    stage.ground.add_session(stage.carrier)
    uas = stage.uas("uas_hangs_up")
    uac = stage.uac("uac_is_hung_up").wait()
    uas.wait()
    stage.check_masked(uac, uas)
    assert stage.ground.wait_for_records(stage.carrier.virtual) == [("success", "callee-hung-up")]
    is_all_over()


def test_caller_hangs_up_at_once(stage: Stage, is_all_over: Check) -> None:
    """A BYE on the heels of the ACK ends both legs and leaves one record."""
    stage.ground.add_session(stage.carrier)
    uas = stage.uas("uas_answers")
    uac = stage.uac("uac_hangs_up", values={"talk_ms": "0"}).wait()
    uas.wait()
    stage.check_masked(uac, uas)
    assert stage.ground.wait_for_records(stage.carrier.virtual) == [("success", "caller-hung-up")]
    is_all_over()


def test_early_media_is_kept_from_the_caller(stage: Stage) -> None:
    """A 183 with a description makes the caller's phone ring, and carries no description on."""
    stage.ground.add_session(stage.carrier)
    uas = stage.uas("uas_sends_early_media")
    uac = stage.uac("uac_hangs_up").wait()
    uas.wait()
    ringing = [text for text in uac.received() if 101 <= text.status < 200]
    assert [(text.status, text.body) for text in ringing] == [(180, b"")]
    stage.check_masked(uac, uas)


REFUSALS = [
    ("486", "486", ("callee", "callee-busy")),
    ("600", "486", ("callee", "callee-busy")),
    ("603", "603", ("callee", "callee-declined")),
    ("404", "404", ("callee", "callee-unallocated")),
    ("480", "480", ("callee", "callee-no-answer")),
    ("488", "488", ("callee", "callee-not-acceptable")),
    ("403", "480", ("carrier", "carrier-rejected")),
    ("500", "503", ("carrier", "carrier-failed")),
    ("503", "503", ("carrier", "carrier-congested")),
]


@pytest.mark.parametrize("refusal", REFUSALS, ids=[row[0] for row in REFUSALS])
@pytest.mark.parametrize("scenario", ["uas_refuses", "uas_rings_and_refuses"], ids=["at once", "ringing"])
def test_refusal_of_the_callee_is_told_in_our_words(
    stage: Stage, scenario: str, refusal: tuple[str, str, tuple[str, str]], is_all_over: Check
) -> None:
    """The caller hears the status our table gives, with our phrase, and the call record says whose doing it was."""
    status, told, record = refusal
    stage.ground.add_session(stage.carrier)
    uas = stage.uas(scenario, values={"status": status})
    uac = stage.uac("uac_refused", values={"status": told}).wait()
    uas.wait()
    stage.check_masked(uac, uas)
    assert stage.ground.wait_for_records(stage.carrier.virtual) == [record]
    is_all_over()


@pytest.mark.parametrize("status", ["301", "302", "305"])
def test_redirection_is_not_followed(stage: Stage, status: str) -> None:
    """A redirection is a refusal: nothing is sent to the contact in it, and the caller does not see it."""
    stage.ground.add_session(stage.carrier)
    elsewhere = stage.carrier.host(203)
    uas = stage.uas(
        "uas_refuses",
        values={"status": status, "extra": f"Contact: <sip:{stage.callee.number}@{elsewhere}:5060>"},
    )
    with stage.listener((elsewhere, 5060)) as listener:
        uac = stage.uac("uac_refused", values={"status": "480"}).wait()
        uas.wait()
        assert listener.received() == []
    stage.check_masked(uac, uas)
    assert stage.ground.wait_for_records(stage.carrier.virtual) == [("callee", "callee-redirected")]


def test_one_of_two_answering_phones_is_joined(stage: Stage, is_all_over: Check) -> None:
    """When leg B forks and two phones answer, one is joined; the other is acknowledged and hung up on."""
    stage.ground.add_session(stage.carrier)
    uas = stage.uas("uas_forks")
    uac = stage.uac("uac_hangs_up", values={"talk_ms": "400"}).wait()
    uas.wait()
    stage.check_masked(uac, uas)
    assert len(uac.received(method="INVITE", status=200)) == 1
    assert stage.ground.wait_for_records(stage.carrier.virtual) == [("success", "caller-hung-up")]
    is_all_over()


def test_call_over_tcp(set_stage: Callable[..., Stage], is_all_over: Check) -> None:
    """Both legs over TCP: the same call, and the same silence about the other end."""
    stage = set_stage("tcp")
    stage.ground.add_session(stage.carrier)
    uas = stage.uas("uas_answers")
    uac = stage.uac("uac_hangs_up").wait()
    uas.wait()
    stage.check_masked(uac, uas)
    assert stage.ground.wait_for_records(stage.carrier.virtual) == [("success", "caller-hung-up")]
    is_all_over()


def test_logs_tell_nothing_of_the_parties(stage: Stage) -> None:
    """Not at the level debug, either, does a log line hold the number, name or device of anyone."""
    stage.ground.add_session(stage.carrier)
    uas = stage.uas("uas_answers")
    stage.uac("uac_hangs_up").wait()
    uas.wait()
    stage.ground.wait_for_records(stage.carrier.virtual)
    assert stage.ground.told_in_logs() == []

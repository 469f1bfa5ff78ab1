import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.webhooks.builders import CALLEE, CALLER, NOW, SECOND, SESSION_ID, an_event, some_facts

from maskline.core.call_report import CallReport, ReportedLeg, ReportedRecording
from maskline.core.events import EventKind
from maskline.core.masking import LegStatus, RecordFormat
from maskline.core.numbers import E164
from maskline.core.recording import RecordingLink
from maskline.core.termination import TERMINATIONS, Reason, terminate
from maskline.webhooks.deepcall import ZERO_TIME, build_body

PUBLIC_URL = "https://maskline.example"
CALLED, REACHED, MASK = CALLER[1:], CALLEE[1:], "912200000000"
RECORDING_ID = "0123456789abcdef0123456789abcdef"
FIELDS = (
    "callId cType userId campId did DID cNumber masterNumCTC masterAgent masterAgentNumber masterGroupId "
    "contactListData excAdm api_para ivrSTime ivrETime ivrDuration talkDuration agentOnCallDuration firstAttended "
    "firstAnswerTime lastHangupTime lastFirstDuration custAnswerSTime custAnswerETime custAnswerDuration callStatus "
    "ivrExecuteFlow HangupBySourceDetected forward totalHoldDuration totalCreditsUsed ivrIdArr aAnsH aH nH "
    "recordings voiceMail DTMF cliArr aHDetail nHDetail modules callDisposition callBack eventId mask m1 m2 "
    "sessionId callResult callReason"
)
LEG_FIELDS = (
    "CTC status recording ping number visitId nodeId totalRingDuration totalHoldDuration talkDuration talkSTime "
    "talkETime answerSTime answerETime answerDuration cli retry recordingUrl"
)


WHOLE: dict[str, Any] = {
    "callId": "0b9a5a0e-6f1b-4a57-9d1e-0d5b7c7a1b11",
    "cType": "MASK",
    "userId": "12345678",
    "campId": "",
    "did": MASK,
    "DID": MASK,
    "cNumber": CALLED,
    "masterNumCTC": REACHED,
    "masterAgent": "",
    "masterAgentNumber": REACHED,
    "masterGroupId": "",
    "contactListData": [],
    "excAdm": "",
    "api_para": {},
    "ivrSTime": "2026-09-21 19:43:20",
    "ivrETime": "2026-09-21 19:43:35",
    "ivrDuration": 16,
    "talkDuration": 11,
    "agentOnCallDuration": 12,
    "firstAttended": REACHED,
    "firstAnswerTime": "2026-09-21 19:43:24",
    "lastHangupTime": "2026-09-21 19:43:35",
    "lastFirstDuration": 12,
    "custAnswerSTime": "2026-09-21 19:43:25",
    "custAnswerETime": "2026-09-21 19:43:35",
    "custAnswerDuration": 11,
    "callStatus": 3,
    "ivrExecuteFlow": [],
    "HangupBySourceDetected": "m1",
    "forward": "false",
    "totalHoldDuration": 0,
    "totalCreditsUsed": {"freeHit": 0, "paidHit": 0, "amount": 0},
    "ivrIdArr": [],
    "aAnsH": [],
    "aH": [],
    "nH": [CALLED, REACHED],
    "recordings": [],
    "voiceMail": [],
    "DTMF": [],
    "cliArr": {CALLED: [MASK], REACHED: [MASK]},
    "aHDetail": [],
    "modules": [],
    "callDisposition": [],
    "callBack": [],
    "eventId": "order 7",
    "mask": MASK,
    "m1": CALLED,
    "m2": REACHED,
    "sessionId": SESSION_ID,
    "callResult": "success",
    "callReason": "caller-hung-up",
}
ANSWERED_LEG: dict[str, Any] = {
    "CTC": 0,
    "status": "completed",
    "recording": 0,
    "ping": 0,
    "number": REACHED,
    "visitId": str((NOW + SECOND) // 1000),
    "nodeId": "",
    "totalRingDuration": 3,
    "totalHoldDuration": 0,
    "talkDuration": 11,
    "talkSTime": "2026-09-21 19:43:25",
    "talkETime": "2026-09-21 19:43:35",
    "answerSTime": "2026-09-21 19:43:24",
    "answerETime": "2026-09-21 19:43:35",
    "answerDuration": 12,
    "cli": MASK,
    "retry": 0,
    "recordingUrl": "",
}


def a_report(**changed: Any) -> CallReport:
    """The first party called: 4 s until the second answered, 1 s more until joined, 10.2 s of talk."""
    report = CallReport(
        user_id="12345678",
        timezone="Asia/Kolkata",
        reference="order 7",
        started_at=NOW,
        bridged_at=NOW + 5 * SECOND,
        ended_at=NOW + 15_200_000,
        caller=ReportedLeg(started_at=NOW, answered_at=NOW + 5 * SECOND, status=LegStatus.COMPLETED),
        callee=ReportedLeg(started_at=NOW + SECOND, answered_at=NOW + 4 * SECOND, status=LegStatus.COMPLETED),
        is_caller_first=True,
        is_service_initiated=False,
        termination=terminate(Reason.CALLER_HUNG_UP),
        recording=None,
    )
    return replace(report, **changed)


def build(report: CallReport | None = None, **facts: Any) -> dict[str, Any]:
    """The body as a receiver reads it."""
    event = an_event(EventKind.CALL_FINISHED)
    text = build_body(event, some_facts(report=report or a_report(), **facts), public_url=PUBLIC_URL)
    assert ", " not in text, "compact"
    found: dict[str, Any] = json.loads(text)
    return found


def unanswered(reason: Reason, **changed: Any) -> CallReport:
    """A call nobody took."""
    report = a_report()
    assert report.callee is not None
    return replace(
        report,
        bridged_at=None,
        termination=terminate(reason),
        caller=replace(report.caller, answered_at=None, status=LegStatus.CANCELLED),
        callee=replace(report.callee, answered_at=None, status=LegStatus.NO_ANSWER),
        **changed,
    )


def test_whole_report() -> None:
    """What a dialled call of an account in India is told as."""
    body = build()
    legs = body.pop("nHDetail")
    assert body == WHOLE
    assert [leg["number"] for leg in legs] == [CALLED, REACHED]
    assert legs[1] == ANSWERED_LEG


def test_second_party_calling() -> None:
    """Who called is the customer; m1 and m2 stay who they were when the mask was set."""
    body = build(a_report(is_caller_first=False))
    assert (body["cNumber"], body["m1"], body["m2"]) == (CALLED, REACHED, CALLED)
    assert body["HangupBySourceDetected"] == "m2"


def test_click_to_call() -> None:
    """The first called is the agent, the second the customer, and what was asked for is told again."""
    body = build(a_report(is_service_initiated=True))
    assert (body["cType"], body["cNumber"], body["masterNumCTC"]) == ("CTC", REACHED, CALLED)
    assert (body["custAnswerDuration"], body["agentOnCallDuration"]) == (12, 11)
    assert body["api_para"] == {
        "userId": "12345678",
        "fromType": "Number",
        "from": CALLED,
        "toType": "Number",
        "to": REACHED,
        "reqId": body["callId"],
    }
    assert {leg["CTC"] for leg in body["nHDetail"]} == {1}


def test_nobody_answered() -> None:
    """What did not happen has the zero time and no duration."""
    body = build(unanswered(Reason.CALLEE_NO_ANSWER))
    assert (body["callStatus"], body["talkDuration"], body["firstAttended"]) == (1, 0, "")
    zero = {name for name, value in body.items() if value == ZERO_TIME}
    assert zero == {"firstAnswerTime", "lastHangupTime", "custAnswerSTime", "custAnswerETime"}
    assert body["HangupBySourceDetected"] == ""
    assert [leg["status"] for leg in body["nHDetail"]] == ["cancelled", "no-answer"]
    assert [leg["totalRingDuration"] for leg in body["nHDetail"]] == [16, 15]


def test_caller_who_heard_only_a_prompt() -> None:
    """One side answered: a status of its own."""
    report = unanswered(Reason.CALLEE_BUSY)
    body = build(replace(report, caller=replace(report.caller, answered_at=NOW + SECOND)))
    assert (body["callStatus"], body["firstAttended"], body["talkDuration"]) == (2, CALLED, 0)
    assert body["nHDetail"][0]["talkSTime"] == ZERO_TIME


def test_callee_nobody_called() -> None:
    """A leg that was never placed is in no list."""
    body = build(replace(unanswered(Reason.PIN_FAILED), callee=None), callee=None)
    assert (body["nH"], body["masterNumCTC"], body["m2"]) == ([CALLED], "", "")
    assert len(body["nHDetail"]) == 1


def test_caller_without_number() -> None:
    """Who withheld the number and gave a PIN is nobody by number."""
    body = build(caller=None)
    assert (body["cNumber"], body["m1"], body["nH"]) == ("", "", [REACHED])
    assert body["talkDuration"] == 11


def test_recording_has_a_whole_url() -> None:
    """It is where the account's credentials open it, or whoever has the link that was made for it."""
    recorded = a_report(
        recording=ReportedRecording(
            id=RECORDING_ID, format=RecordFormat.WAV, started_at=NOW + 5 * SECOND, duration_ms=10_200
        )
    )
    path = f"{PUBLIC_URL}/v1/Account/MAXXXXXXXXXXXXXXXXXX/Recording/01234567-89ab-cdef-0123-456789abcdef.wav"
    body = build(recorded)
    assert body["recordings"] == [
        {"nodeid": "", "visitId": str(NOW // 1000 + 5000), "file": path, "time": "2026-09-21 19:43:25"}
    ]
    assert {(leg["recording"], leg["recordingUrl"]) for leg in body["nHDetail"]} == {(1, path)}
    link = RecordingLink(
        auth_id="MAXXXXXXXXXXXXXXXXXX",
        recording_id=RECORDING_ID,
        format=RecordFormat.WAV,
        expires_s=1_790_003_600,
        signature="signed",
    )
    linked = build(recorded, recording_link=link)["recordings"][0]["file"]
    assert linked == f"{path}?expires=1790003600&signature=signed"


@pytest.mark.parametrize(
    ("zone", "time"),
    [("UTC", "2026-09-21 14:13:20"), ("America/New_York", "2026-09-21 10:13:20")],
)
def test_times_are_the_account_s(zone: str, time: str) -> None:
    """As the clocks there show it, summer time included."""
    assert build(a_report(timezone=zone))["ivrSTime"] == time


@pytest.mark.parametrize("reason", list(TERMINATIONS))
def test_every_ending_has_a_report(reason: Reason) -> None:
    """Whatever ended the call, the fields are the same in the same order."""
    body = build(unanswered(reason))
    assert " ".join(body) == FIELDS
    assert [" ".join(leg) for leg in body["nHDetail"]] == [LEG_FIELDS, LEG_FIELDS]
    assert body["callReason"] == reason.value


@given(
    times=st.lists(st.integers(0, 10**12), min_size=4, max_size=4).map(sorted),
    has=st.tuples(st.booleans(), st.booleans(), st.booleans()),
)
def test_durations_fit_into_each_other(times: list[int], has: tuple[bool, bool, bool]) -> None:
    """However a call went, it talked no longer than it was answered, and was answered no longer than it lasted."""
    started_at, answered_at, bridged_at, ended_at = times
    is_answered, is_joined, is_initiated = has
    leg = ReportedLeg(
        started_at=started_at,
        answered_at=answered_at if is_answered else None,
        status=LegStatus.COMPLETED if is_answered else LegStatus.FAILED,
    )
    body = build(
        a_report(
            started_at=started_at,
            ended_at=ended_at,
            bridged_at=bridged_at if is_answered and is_joined else None,
            caller=leg,
            callee=leg,
            is_service_initiated=is_initiated,
        )
    )
    assert 0 <= body["talkDuration"] <= body["custAnswerDuration"] <= body["ivrDuration"]
    assert body["custAnswerDuration"] == body["agentOnCallDuration"] == body["lastFirstDuration"]


@pytest.mark.parametrize("field", [*FIELDS.split(), *LEG_FIELDS.split()])
def test_field_is_documented(field: str) -> None:
    """Readers find every field, and what it rests on."""
    page = Path(__file__).parents[2] / "docs" / "api" / "deepcall-push.md"
    rows = [line for line in page.read_text().splitlines() if line.startswith("| `")]
    assert any(f"`{field}`" in row.split("|")[1] for row in rows)


def test_numbers_are_digits() -> None:
    """With country code and without plus, wherever they stand."""
    assert "+" not in json.dumps(build(caller=E164("+14155550100")))

"""A finished call in the words of DeepCall's push report: one JSON object for each call.

Every field is always there and always in this order; where nothing happened stands an empty text, list or the
zero time. Field by field, with what is known and what is guessed: docs/api/deepcall-push.md.

Source: Sarv DeepCall, push report (2026), and one report as it was captured by a receiver.
"""

import json
from collections.abc import Mapping
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from maskline.clock import to_datetime
from maskline.core.call_report import CallReport, ReportedLeg
from maskline.core.delivery import DeliveryFacts
from maskline.core.events import DomainEvent
from maskline.core.masking import MICROSECONDS
from maskline.core.numbers import E164
from maskline.core.termination import Reason
from maskline.recordings.links import build_audio_path, build_linked_path

Value = str | int | list["Value"] | dict[str, "Value"]

ZERO_TIME: Final = "0000-00-00 00:00:00"
"""What stands where nothing happened, as receivers know it."""
STATUS_NOBODY: Final = 1
STATUS_ONE: Final = 2
STATUS_BOTH: Final = 3
"""`callStatus`: how many answered. Only that both is 3 was ever seen; the rest is ours."""
_HUNG_UP_BY_CALLER: Final = frozenset({Reason.CALLER_HUNG_UP, Reason.CALLER_CANCELLED, Reason.CALLER_GONE})
_HUNG_UP_BY_CALLEE: Final = frozenset({Reason.CALLEE_HUNG_UP, Reason.CALLEE_GONE})


def build_body(event: DomainEvent, facts: DeliveryFacts, *, public_url: str) -> str:
    """Build the report of a call. People's numbers are in it: it goes into the request and nowhere else.

    `event` is the one that completed what there is to say, `facts` has the report.
    """
    report = facts.report
    assert report is not None, "leased for a report"
    assert event.call_id is not None, "reports are of calls"
    told = _Told(
        call_id=event.call_id,
        session_id=event.session_id,
        report=report,
        caller=_digits(facts.caller),
        callee=_digits(facts.callee),
        mask=facts.virtual_number.removeprefix("+"),
        recording_url=_recording_url(facts, report, public_url),
        zone=ZoneInfo(report.timezone),
    )
    return json.dumps(_build(told), separators=(",", ":"))


class _Told(NamedTuple):
    """What a report is written from; numbers as it writes them, "" for one that is not known."""

    call_id: str
    session_id: str
    report: CallReport
    caller: str
    callee: str
    mask: str
    recording_url: str
    zone: ZoneInfo

    @property
    def legs(self) -> tuple[tuple[str, ReportedLeg], ...]:
        """Both legs by their numbers, without a caller who withheld it and a callee whom nobody called."""
        legs = ((self.caller, self.report.caller), (self.callee, self.report.callee))
        return tuple((number, leg) for number, leg in legs if leg is not None and number)

    def time(self, instant: int | None) -> str:
        """Write an instant as the account's clock on the wall shows it."""
        if instant is None:
            return ZERO_TIME
        return f"{to_datetime(instant).astimezone(self.zone):%Y-%m-%d %H:%M:%S}"

    def seconds(self, from_: int | None) -> int:
        """Seconds until the end, a started one counting whole, as everywhere in the service; 0 without beginning."""
        return _seconds(from_, self.report.ended_at)

    def end_of(self, begun_at: int | None) -> str:
        """When what began then ended: with the call, if it began at all."""
        return self.time(None if begun_at is None else self.report.ended_at)


def _build(told: _Told) -> dict[str, Value]:
    report, legs = told.report, told.legs
    caller, callee = told.caller, told.callee
    # Of a call the service placed the first called is the agent, and the second the customer.
    customer, agent = (callee, caller) if report.is_service_initiated else (caller, callee)
    m1, m2 = (caller, callee) if report.is_caller_first else (callee, caller)
    return {
        "callId": told.call_id,
        "cType": "CTC" if report.is_service_initiated else "MASK",
        "userId": report.user_id,
        "campId": "",
        "did": told.mask,
        "DID": told.mask,
        "cNumber": customer,
        "masterNumCTC": agent,
        "masterAgent": "",
        "masterAgentNumber": agent,
        "masterGroupId": "",
        "contactListData": [],
        "excAdm": "",
        "api_para": _api_para(told),
        **_times(told),
        "callStatus": _status(report),
        "ivrExecuteFlow": [],
        "HangupBySourceDetected": _hung_up_by(report),
        "forward": "false",
        "totalHoldDuration": 0,
        "totalCreditsUsed": {"freeHit": 0, "paidHit": 0, "amount": 0},
        "ivrIdArr": [],
        "aAnsH": [],
        "aH": [],
        "nH": [number for number, _ in legs],
        "recordings": _recordings(told),
        "voiceMail": [],
        "DTMF": [],
        "cliArr": {number: [told.mask] for number, _ in legs},
        "aHDetail": [],
        "nHDetail": [_leg_detail(told, number, leg) for number, leg in legs],
        "modules": [],
        "callDisposition": [],
        "callBack": [],
        "eventId": report.reference or "",
        "mask": told.mask,
        "m1": m1,
        "m2": m2,
        "sessionId": told.session_id,
        "callResult": report.termination.result.value,
        "callReason": report.termination.reason.value,
    }


def _api_para(told: _Told) -> dict[str, Value]:
    """What was asked of click to call; empty for calls that somebody dialled."""
    if not told.report.is_service_initiated:
        return {}
    return {
        "userId": told.report.user_id,
        "fromType": "Number",
        "from": told.caller,
        "toType": "Number",
        "to": told.callee,
        "reqId": told.call_id,
    }


def _times(told: _Told) -> Mapping[str, Value]:
    report = told.report
    answers = [(leg.answered_at, number) for number, leg in told.legs if leg.answered_at is not None]
    first = min(answers, default=None)
    first_at, first_number = (None, "") if first is None else first
    caller_at = report.caller.answered_at
    callee_at = None if report.callee is None else report.callee.answered_at
    customer_at, agent_at = (callee_at, caller_at) if report.is_service_initiated else (caller_at, callee_at)
    return {
        "ivrSTime": told.time(report.started_at),
        "ivrETime": told.time(report.ended_at),
        "ivrDuration": told.seconds(report.started_at),
        "talkDuration": told.seconds(report.bridged_at),
        "agentOnCallDuration": told.seconds(agent_at),
        "firstAttended": first_number,
        "firstAnswerTime": told.time(first_at),
        "lastHangupTime": told.end_of(first_at),
        "lastFirstDuration": told.seconds(first_at),
        "custAnswerSTime": told.time(customer_at),
        "custAnswerETime": told.end_of(customer_at),
        "custAnswerDuration": told.seconds(customer_at),
    }


def _status(report: CallReport) -> int:
    if report.bridged_at is not None:
        return STATUS_BOTH
    legs = (report.caller, report.callee)
    has_answer = any(leg is not None and leg.answered_at is not None for leg in legs)
    return STATUS_ONE if has_answer else STATUS_NOBODY


def _hung_up_by(report: CallReport) -> str:
    """Whose doing the end was: m1, m2, or nobody's, as with a time limit."""
    reason = report.termination.reason
    if reason in _HUNG_UP_BY_CALLER:
        return "m1" if report.is_caller_first else "m2"
    if reason in _HUNG_UP_BY_CALLEE:
        return "m2" if report.is_caller_first else "m1"
    return ""


def _leg_detail(told: _Told, number: str, leg: ReportedLeg) -> Value:
    report = told.report
    talk_at = None if leg.answered_at is None else report.bridged_at
    rung_until = report.ended_at if leg.answered_at is None else leg.answered_at
    url = "" if talk_at is None else told.recording_url
    return {
        "CTC": 1 if report.is_service_initiated else 0,
        "status": leg.status.value,
        "recording": 1 if url else 0,
        "ping": 0,
        "number": number,
        "visitId": _visit_id(leg.started_at),
        "nodeId": "",
        "totalRingDuration": _seconds(leg.started_at, rung_until),
        "totalHoldDuration": 0,
        "talkDuration": told.seconds(talk_at),
        "talkSTime": told.time(talk_at),
        "talkETime": told.end_of(talk_at),
        "answerSTime": told.time(leg.answered_at),
        "answerETime": told.end_of(leg.answered_at),
        "answerDuration": told.seconds(leg.answered_at),
        "cli": told.mask,
        "retry": 0,
        "recordingUrl": url,
    }


def _recordings(told: _Told) -> list[Value]:
    recording = told.report.recording
    if recording is None:
        return []
    return [
        {
            "nodeid": "",
            "visitId": _visit_id(recording.started_at),
            "file": told.recording_url,
            "time": told.time(recording.started_at),
        }
    ]


def _recording_url(facts: DeliveryFacts, report: CallReport, public_url: str) -> str:
    recording = report.recording
    if recording is None:
        return ""
    link = facts.recording_link
    if link is not None:
        return public_url + build_linked_path(link)
    return public_url + build_audio_path(facts.auth_id, recording.id, recording.format)


def _visit_id(instant: int) -> str:
    """The vendor's are milliseconds since 1970."""
    return str(instant // 1000)


def _seconds(from_: int | None, until: int) -> int:
    return 0 if from_ is None else max(0, -((from_ - until) // MICROSECONDS))


def _digits(number: E164 | None) -> str:
    return "" if number is None else number.reveal().removeprefix("+")

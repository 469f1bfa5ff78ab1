"""A finished call in the words of DeepCall's push report: one JSON object for each call.

Every field is always there and always in this order; where nothing happened stands an empty text, list or the
zero time. Field by field, with what is known and what is guessed: docs/api/deepcall-push.md.

Source: Sarv DeepCall, push report (2026), and one report as it was captured by a receiver.
"""

import json
from collections.abc import Mapping
from typing import Final, NamedTuple

from maskline.core.call_report import CallReport, ReportedLeg
from maskline.core.delivery import DeliveryFacts
from maskline.core.events import DomainEvent
from maskline.core.termination import Reason
from maskline.recordings.links import build_offered_path

from .deepcall_words import (
    STATUS_BOTH,
    STATUS_NOBODY,
    STATUS_ONE,
    count_seconds,
    name_call_type,
    render_digits,
    render_time,
)

Value = str | int | list["Value"] | dict[str, "Value"]

ZERO_TIME: Final = "0000-00-00 00:00:00"
"""What stands where nothing happened, as receivers know it."""
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
        caller=render_digits(facts.caller),
        callee=render_digits(facts.callee),
        mask=render_digits(facts.virtual_number),
        recording_url=_recording_url(facts, report, public_url),
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

    @property
    def legs(self) -> tuple[tuple[str, ReportedLeg], ...]:
        """Both legs by their numbers, without a caller who withheld it and a callee whom nobody called."""
        legs = ((self.caller, self.report.caller), (self.callee, self.report.callee))
        return tuple((number, leg) for number, leg in legs if leg is not None and number)

    def time(self, instant: int | None) -> str:
        """Write an instant as the account's clock on the wall shows it."""
        return ZERO_TIME if instant is None else render_time(instant, self.report.timezone)

    def seconds(self, from_: int | None) -> int:
        """Seconds until the end; 0 without beginning."""
        return 0 if from_ is None else count_seconds(from_, self.report.ended_at)

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
        "cType": name_call_type(is_service_initiated=report.is_service_initiated),
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
        "totalRingDuration": count_seconds(leg.started_at, rung_until),
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
    return public_url + build_offered_path(
        facts.auth_id, recording.id, recording.format, facts.recording_link
    )


def _visit_id(instant: int) -> str:
    """The vendor's are milliseconds since 1970."""
    return str(instant // 1000)

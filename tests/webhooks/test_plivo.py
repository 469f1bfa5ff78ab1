from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.webhooks.builders import NOW, SECOND, SESSION_ID, an_event, some_facts

from maskline.core.delivery import Callbacks, choose_receivers
from maskline.core.events import EventKind
from maskline.core.masking import CallbackMethod, RecordFormat
from maskline.core.recording import RecordingLink
from maskline.core.termination import TERMINATIONS, Reason
from maskline.webhooks.plivo import EVENT_NAMES, build_fields, event_name

PUBLIC_URL = "https://maskline.example"
ROLES = st.sampled_from(["first", "second", "anyone", None])
SESSION_NAMES = [
    "EventName",
    "EventTimestamp",
    "SessionUUID",
    "From",
    "To",
    "VirtualNumber",
    "PinAuthenticationStatus",
    "PinRetryCounter",
    "Amount",
    "BilledDuration",
    "Duration",
    "PlivoHangupCause",
    "PlivoHangupCauseCode",
    "SequenceNumber",
]
RECORDING_NAMES = [
    *SESSION_NAMES[:6],
    "RecordingUUID",
    "RecordingURL",
    "RecordingResourceURL",
    "RecordingDuration",
    "RecordingStartTime",
    "RecordingEndTime",
    "RecordingFormat",
    "SequenceNumber",
]
COMMON = {
    "EventTimestamp": "2026-09-21 14:13:20",
    "SessionUUID": SESSION_ID,
    "From": "919812300001",
    "To": "919812300002",
    "VirtualNumber": "912200000000",
    "SequenceNumber": "3",
}


def _told(kind: EventKind, **facts: Any) -> dict[str, str]:
    """The fields that are not empty, without those that every event of a call has."""
    fields = dict(build_fields(an_event(kind, **facts), some_facts(), public_url=PUBLIC_URL))
    assert {name: fields[name] for name in COMMON} == COMMON
    return {name: value for name, value in fields.items() if value and name not in COMMON}


@pytest.mark.parametrize(
    ("kind", "facts", "told"),
    [
        (EventKind.PARTY_ANSWERED, {"role": "first"}, {"EventName": "SessionFirstPartyAnswer"}),
        (EventKind.PARTY_RINGING, {"role": "second"}, {"EventName": "SessionSecondPartyRing"}),
        (EventKind.PARTY_ANSWERED, {"role": "second"}, {"EventName": "SessionSecondPartyAnswer"}),
        (
            EventKind.PARTY_HUNG_UP,
            {"role": "first", "duration_s": 12, "reason": "caller-hung-up", "q850": 16},
            {
                "EventName": "SessionFirstPartyHangup",
                "Amount": "0",
                "Duration": "12",
                "BilledDuration": "12",
                "PlivoHangupCause": "Normal Hangup",
                "PlivoHangupCauseCode": "4000",
            },
        ),
        (
            EventKind.PARTY_HUNG_UP,
            {"role": "second", "duration_s": 0, "reason": "callee-busy"},
            {
                "EventName": "SessionSecondPartyHangup",
                "Amount": "0",
                "Duration": "0",
                "BilledDuration": "0",
                "PlivoHangupCause": "Busy Line",
                "PlivoHangupCauseCode": "3010",
            },
        ),
        (
            EventKind.CALL_FINISHED,
            {"caller_leg_s": 11, "callee_leg_s": 10, "reason": "time-limit", "result": "success"},
            {
                "EventName": "SessionPartiesHangup",
                "Amount": "0",
                "Duration": "21",
                "BilledDuration": "21",
                "PlivoHangupCause": "Scheduled Hangup",
                "PlivoHangupCauseCode": "6000",
            },
        ),
        (
            EventKind.PIN_CHECKED,
            {"result": "accepted", "attempt": 2},
            {
                "EventName": "SessionPinAuthenticationStatus",
                "PinAuthenticationStatus": "success",
                "PinRetryCounter": "2",
            },
        ),
        (
            EventKind.PIN_CHECKED,
            {"result": "wrong", "attempt": 1},
            {
                "EventName": "SessionPinAuthenticationStatus",
                "PinAuthenticationStatus": "failed",
                "PinRetryCounter": "1",
            },
        ),
        (
            EventKind.PIN_CHECKED,
            {"result": "locked", "attempt": 3},
            {
                "EventName": "SessionPinAuthenticationStatus",
                "PinAuthenticationStatus": "failed",
                "PinRetryCounter": "3",
            },
        ),
        (
            EventKind.PIN_CHECKED,
            {"result": "authorized"},
            {
                "EventName": "SessionPinAuthenticationStatus",
                "PinAuthenticationStatus": "AuthorizedCaller",
                "PinRetryCounter": "0",
            },
        ),
        (EventKind.SESSION_EXPIRED, {}, {"EventName": "SessionTimeout"}),
    ],
)
def test_session_events(kind: EventKind, facts: dict[str, Any], told: dict[str, str]) -> None:
    """Each event of the vendor's first table, with what is known of it and nothing else."""
    assert _told(kind, **facts) == told


RECORDING = {
    "recording_id": "0123456789abcdef0123456789abcdef",
    "format": "mp3",
    "started_at": NOW - 20 * SECOND,
    "ended_at": NOW - 5 * SECOND,
}
RECORDING_TOLD = {
    "RecordingUUID": "01234567-89ab-cdef-0123-456789abcdef",
    "RecordingStartTime": "2026-09-21 14:13:00",
    "RecordingFormat": ".mp3",
}
RESOURCE = (
    "https://maskline.example/v1/Account/MAXXXXXXXXXXXXXXXXXX/Recording/01234567-89ab-cdef-0123-456789abcdef"
)


@pytest.mark.parametrize(
    ("kind", "facts", "told"),
    [
        (
            EventKind.RECORDING_STARTED,
            {"ended_at": None},
            {"EventName": "SessionRecordingInitiated"},
        ),
        (
            EventKind.RECORDING_COMPLETED,
            {"duration_s": 15, "duration_ms": 15_020},
            {
                "EventName": "SessionRecordingCompleted",
                "RecordingURL": f"{RESOURCE}.mp3",
                "RecordingResourceURL": f"{RESOURCE}/",
                "RecordingDuration": "15",
                "RecordingEndTime": "2026-09-21 14:13:15",
            },
        ),
        (
            EventKind.RECORDING_FAILED,
            {"failure": "no-room"},
            {"EventName": "SessionRecordingFailed", "RecordingEndTime": "2026-09-21 14:13:15"},
        ),
    ],
)
def test_recording_events(kind: EventKind, facts: dict[str, Any], told: dict[str, str]) -> None:
    """Each event of the vendor's second table; addresses are given once there is something to fetch."""
    assert _told(kind, **{**RECORDING, **facts}) == {**RECORDING_TOLD, **told}


def test_a_link_needs_no_credentials() -> None:
    """With links on, the address of the audio carries its own permission."""
    link = RecordingLink(
        auth_id="MAXXXXXXXXXXXXXXXXXX",
        recording_id=str(RECORDING["recording_id"]),
        format=RecordFormat.MP3,
        expires_s=1_790_003_600,
        signature="5" * 64,
    )
    event = an_event(EventKind.RECORDING_COMPLETED, **RECORDING, duration_s=1)
    fields = dict(build_fields(event, some_facts(recording_link=link), public_url=PUBLIC_URL))
    assert fields["RecordingURL"] == f"{RESOURCE}.mp3?expires=1790003600&signature={'5' * 64}"
    assert fields["RecordingResourceURL"] == f"{RESOURCE}/"


@pytest.mark.parametrize("kind", list(EventKind))
@pytest.mark.parametrize("role", ["first", "second"])
def test_every_field_is_always_there_in_its_order(kind: EventKind, role: str) -> None:
    """Receivers read by name without looking whether a field is there."""
    event = an_event(kind, **RECORDING, role=role)
    if event_name(event, has_first=True) is None:
        return
    names = [name for name, _ in build_fields(event, some_facts(), public_url=PUBLIC_URL)]
    assert names == (RECORDING_NAMES if kind.value.startswith("recording.") else SESSION_NAMES)


@pytest.mark.parametrize(
    ("role", "has_first", "name"),
    [
        ("anyone", True, "SessionSecondPartyAnswer"),
        ("anyone", False, "SessionFirstPartyAnswer"),
        ("first", False, "SessionFirstPartyAnswer"),
    ],
)
def test_a_stranger_stands_where_a_party_is_missing(role: str, has_first: bool, name: str) -> None:
    """In a one-party session the caller from outside is the person that the session does not name."""
    assert event_name(an_event(EventKind.PARTY_ANSWERED, role=role), has_first=has_first) == name


@given(kind=st.sampled_from(EventKind), role=ROLES, has_first=st.booleans())
def test_what_has_a_name_has_a_receiver_and_nothing_else(
    kind: EventKind, role: str | None, has_first: bool
) -> None:
    """Who chooses receivers and who writes the fields agree on which events the vendor knows."""
    event = an_event(kind, role=role)
    callbacks = Callbacks(
        url="https://a.example/",
        method=CallbackMethod.POST,
        recording_url="https://b.example/",
        recording_method=CallbackMethod.POST,
        has_first=has_first,
    )
    name = event_name(event, has_first=has_first)
    if role is None and kind in (EventKind.PARTY_ANSWERED, EventKind.PARTY_HUNG_UP):
        return  # always told with a role
    assert (name is not None) == bool(choose_receivers(event, callbacks, ()))


def test_every_name_of_the_reference_is_made() -> None:
    """The eight session events and three recording events of the newest documentation."""
    assert set(EVENT_NAMES) == {
        "SessionFirstPartyAnswer",
        "SessionSecondPartyRing",
        "SessionSecondPartyAnswer",
        "SessionFirstPartyHangup",
        "SessionSecondPartyHangup",
        "SessionPinAuthenticationStatus",
        "SessionTimeout",
        "SessionPartiesHangup",
        "SessionRecordingInitiated",
        "SessionRecordingCompleted",
        "SessionRecordingFailed",
    }


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_the_vendors_words(reason: Reason) -> None:
    """Hang-up cause and code come from the one table."""
    told = _told(EventKind.CALL_FINISHED, reason=reason.value)
    row = TERMINATIONS[reason]
    assert told["PlivoHangupCause"] == row.plivo_cause
    assert told["PlivoHangupCauseCode"] == str(row.plivo_code)


@pytest.mark.parametrize("reason", ["of-a-later-release", None])
def test_an_unknown_reason_is_told_as_such(reason: str | None) -> None:
    """A worker of the previous release does not fail on an event of the next one."""
    told = _told(EventKind.CALL_FINISHED, reason=reason)
    assert (told["PlivoHangupCause"], told["PlivoHangupCauseCode"]) == ("Unknown", "0")


def test_erased_and_absent_parties_are_empty() -> None:
    """Without a number the field is there and empty."""
    facts = replace(some_facts(), caller=None, callee=None)
    fields = dict(build_fields(an_event(EventKind.SESSION_EXPIRED), facts, public_url=PUBLIC_URL))
    assert (fields["From"], fields["To"]) == ("", "")

"""Events in the words of Plivo's callbacks: from an event to its form fields.

First and second are persons, whoever of them called. Every field is always there, empty where it has no sense.

Source: Plivo, session status callback and recording callback (2026); docs/flows/events.md has our choices.
"""

from typing import Final
from urllib.parse import urlencode

from maskline.clock import to_datetime
from maskline.core.delivery import DeliveryFacts, person_of
from maskline.core.events import DomainEvent, EventKind, EventValue
from maskline.core.masking import RecordFormat, Role
from maskline.core.numbers import E164
from maskline.core.recording import render_recording_uuid
from maskline.core.termination import TERMINATIONS, Reason
from maskline.recordings.links import build_offered_path, build_resource_path

Fields = tuple[tuple[str, str], ...]

_BY_PERSON: Final = {
    (EventKind.PARTY_ANSWERED, Role.FIRST): "SessionFirstPartyAnswer",
    (EventKind.PARTY_RINGING, Role.SECOND): "SessionSecondPartyRing",
    (EventKind.PARTY_ANSWERED, Role.SECOND): "SessionSecondPartyAnswer",
    (EventKind.PARTY_HUNG_UP, Role.FIRST): "SessionFirstPartyHangup",
    (EventKind.PARTY_HUNG_UP, Role.SECOND): "SessionSecondPartyHangup",
}
_BY_KIND: Final = {
    EventKind.PIN_CHECKED: "SessionPinAuthenticationStatus",
    EventKind.SESSION_EXPIRED: "SessionTimeout",
    EventKind.CALL_FINISHED: "SessionPartiesHangup",
    EventKind.RECORDING_STARTED: "SessionRecordingInitiated",
    EventKind.RECORDING_COMPLETED: "SessionRecordingCompleted",
    EventKind.RECORDING_FAILED: "SessionRecordingFailed",
}
EVENT_NAMES: Final = (*_BY_PERSON.values(), *_BY_KIND.values())
_PIN_STATUSES: Final = {
    "accepted": "success",
    "wrong": "failed",
    "locked": "failed",
    "authorized": "AuthorizedCaller",
}
_HANG_UPS: Final = frozenset({EventKind.PARTY_HUNG_UP, EventKind.CALL_FINISHED})
_RECORDINGS: Final = frozenset(
    {EventKind.RECORDING_STARTED, EventKind.RECORDING_COMPLETED, EventKind.RECORDING_FAILED}
)
_AMOUNT: Final = "0"  # calls cost the account nothing here


def event_name(event: DomainEvent, *, has_first: bool) -> str | None:
    """Name an event as the vendor does; None for one it does not know."""
    role = event.facts.get("role")
    if event.kind in _BY_KIND:
        return _BY_KIND[event.kind]
    if role is None:
        return None
    return _BY_PERSON.get((event.kind, person_of(Role(str(role)), has_first=has_first)))


def build_fields(event: DomainEvent, facts: DeliveryFacts, *, public_url: str) -> Fields:
    """Build the form fields of an event in the vendor's order; it must be one that `event_name` knows.

    People's numbers are in the result: it goes into the request and nowhere else.
    """
    name = event_name(event, has_first=facts.has_first)
    assert name is not None, "only told events have deliveries"
    common = (
        ("EventName", name),
        ("EventTimestamp", _time(event.occurred_at)),
        ("SessionUUID", event.session_id),
        ("From", _digits(facts.caller)),
        ("To", _digits(facts.callee)),
        ("VirtualNumber", facts.virtual_number.removeprefix("+")),
    )
    own = _recording(event, facts, public_url) if event.kind in _RECORDINGS else _session(event)
    return (*common, *own, ("SequenceNumber", str(event.sequence)))


def add_query(url: str, fields: Fields) -> str:
    """Add fields to a URL's own query; the URL has no fragment."""
    if url.endswith(("?", "&")):
        return url + urlencode(fields)
    return url + ("&" if "?" in url else "?") + urlencode(fields)


def _session(event: DomainEvent) -> Fields:
    facts = event.facts
    pin_status = pin_tries = amount = duration = cause = code = ""
    if event.kind is EventKind.PIN_CHECKED:
        pin_status = _PIN_STATUSES.get(str(facts.get("result")), "failed")
        pin_tries = str(_int(facts.get("attempt")))
    if event.kind in _HANG_UPS:
        amount = _AMOUNT
        duration = str(_duration_s(event))
        cause, code = _hangup(facts.get("reason"))
    return (
        ("PinAuthenticationStatus", pin_status),
        ("PinRetryCounter", pin_tries),
        ("Amount", amount),
        ("BilledDuration", duration),
        ("Duration", duration),
        ("PlivoHangupCause", cause),
        ("PlivoHangupCauseCode", code),
    )


def _recording(event: DomainEvent, facts: DeliveryFacts, public_url: str) -> Fields:
    recording_id = str(event.facts.get("recording_id", ""))
    format_ = RecordFormat(str(event.facts.get("format", RecordFormat.MP3)))
    audio = resource = ""
    is_there = event.kind is EventKind.RECORDING_COMPLETED
    if is_there:
        audio = public_url + build_offered_path(facts.auth_id, recording_id, format_, facts.recording_link)
        resource = public_url + build_resource_path(facts.auth_id, recording_id)
    return (
        ("RecordingUUID", render_recording_uuid(recording_id)),
        ("RecordingURL", audio),
        ("RecordingResourceURL", resource),
        ("RecordingDuration", str(_int(event.facts.get("duration_s"))) if is_there else ""),
        ("RecordingStartTime", _time(event.facts.get("started_at"))),
        ("RecordingEndTime", _time(event.facts.get("ended_at"))),
        ("RecordingFormat", f".{format_.value}"),
    )


def _duration_s(event: DomainEvent) -> int:
    """Seconds of one leg, or of both for the whole call, as the API's interactions have it."""
    if event.kind is EventKind.CALL_FINISHED:
        return _int(event.facts.get("caller_leg_s")) + _int(event.facts.get("callee_leg_s"))
    return _int(event.facts.get("duration_s"))


def _hangup(reason: EventValue) -> tuple[str, str]:
    try:
        row = TERMINATIONS[Reason(str(reason))]
    except (ValueError, KeyError):  # of a later release, or not told
        return "Unknown", "0"
    return row.plivo_cause, str(row.plivo_code)


def _digits(number: E164 | None) -> str:
    return "" if number is None else number.reveal().removeprefix("+")


def _time(instant: EventValue) -> str:
    return f"{to_datetime(instant):%Y-%m-%d %H:%M:%S}" if isinstance(instant, int) else ""


def _int(value: EventValue) -> int:
    return value if isinstance(value, int) else 0

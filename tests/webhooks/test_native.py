import json
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.webhooks.builders import CALLEE, CALLER, NOW, SESSION_ID, an_event, some_facts

from maskline.core.events import EventKind
from maskline.webhooks.native import build_body


def _data(*, sends_numbers: bool = False, kind: EventKind = EventKind.PARTY_ANSWERED, **facts: Any) -> Any:
    body = json.loads(build_body(an_event(kind, **facts), some_facts(sends_numbers=sends_numbers)))
    return body["data"]


def test_the_standards_structure() -> None:
    """Type, the event's own time and data, as the standard has them."""
    body = json.loads(build_body(an_event(EventKind.CALL_FINISHED, reason="time-limit"), some_facts()))
    assert body == {
        "type": "call.finished",
        "timestamp": "2026-09-21T14:13:20.000000Z",
        "data": {
            "account": "MAXXXXXXXXXXXXXXXXXX",
            "session_id": SESSION_ID,
            "call_id": "0b9a5a0e-6f1b-4a57-9d1e-0d5b7c7a1b11",
            "sequence": 3,
            "virtual_number": "+912200000000",
            "role": "first",
            "reason": "time-limit",
        },
    }


def test_instants_are_written_for_people() -> None:
    """Facts that are instants become RFC 3339 texts, absent ones null."""
    data = _data(bridged_at=NOW + 1, locked_until=NOW, ended_at=None, duration_s=4)
    assert data["locked_until"] == "2026-09-21T14:13:20.000000Z"
    assert data["bridged_at"] == "2026-09-21T14:13:20.000001Z"
    assert data["ended_at"] is None
    assert data["duration_s"] == 4


def test_numbers_are_told_only_where_they_were_asked_for() -> None:
    """An endpoint that did not ask sees roles and ids; one that did sees who calls whom."""
    assert CALLER not in json.dumps(_data())
    asked = _data(sends_numbers=True)
    assert (asked["caller"], asked["callee"]) == (CALLER, CALLEE)


def test_an_event_of_no_call_has_no_parties() -> None:
    """There is nobody to name when a session expires."""
    event = replace(an_event(EventKind.SESSION_EXPIRED), facts={}, call_id=None)
    body = json.loads(build_body(event, some_facts(sends_numbers=True, caller=None, callee=None)))
    assert not {"caller", "callee"} & body["data"].keys()
    assert body["data"]["call_id"] is None


@given(kind=st.sampled_from(EventKind), sends_numbers=st.booleans())
def test_no_reference_leaves_the_service(kind: EventKind, sends_numbers: bool) -> None:
    """References mean nothing outside, and would let two receivers compare notes about people."""
    event = an_event(kind, first="c" * 32, second="d" * 32)
    body = build_body(event, some_facts(sends_numbers=sends_numbers))
    assert not any(letter * 32 in body for letter in "abcd")

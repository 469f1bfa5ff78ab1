from dataclasses import asdict, replace
from typing import Any

import pytest
from tests.world import World

from maskline.api.native.errors import NativeError
from maskline.api.native.models.sessions import NewSession, SessionUpdate
from maskline.api.native.session_mapping import (
    build_changes,
    build_new_session,
    change_refusal,
    creation_refusal,
    render_session,
)
from maskline.core.allocation import ExhaustionReason, PoolExhausted
from maskline.core.masking import (
    PartyIsVirtual,
    PartyOccupied,
    PinSettings,
    Role,
    SessionAlreadyExpired,
    SessionChanges,
    SessionEndCause,
    SessionNotFound,
    SessionStatus,
)
from maskline.core.secret import Secret
from maskline.workflows.own_sessions import (
    ChangeRefused,
    CreationRefused,
    EndOutOfRange,
    PartyFixed,
    PoolUnknown,
    SubaccountUnknown,
)

FIRST, SECOND = "+912025550000", "+912025551111"
PAIR = {"first": FIRST, "second": SECOND}
URLS = {
    "recording_callback_url": "recording_callback_url",
    "callback_url": "callback_url",
    "first_prompt_url": "first_play_url",
    "second_prompt_url": "second_play_url",
    "unknown_caller_prompt_url": "unknown_caller_url",
}


@pytest.mark.parametrize(
    ("pin", "parties", "expected"),
    [
        ({}, PAIR, (True, None, None)),
        ({"generate": True}, PAIR, (True, None, None)),
        ({"first": "4711", "second": "4712"}, PAIR, (False, "4711", "4712")),
        ({"first": "4711"}, {"first": FIRST}, (False, "4711", None)),
        ({"generate": True, "first": "4711"}, PAIR, "/pin/generate"),
        ({"generate": False}, PAIR, "/pin/first"),
        ({"first": "4711"}, PAIR, "/pin/second"),
        ({"second": "4711"}, PAIR, "/pin/first"),
        ({"first": "4711", "second": "4711"}, PAIR, "/pin/second"),
    ],
)
def test_pins_are_given_or_drawn(pin: dict[str, Any], parties: dict[str, str], expected: object) -> None:
    """Drawn unless some are given; given ones are there for each party, and differ."""
    wanted = NewSession.model_validate({**parties, "pin": pin})
    if isinstance(expected, str):
        with pytest.raises(NativeError) as refused:
            build_new_session(wanted)
        assert [it.pointer for it in refused.value.errors] == [expected]
        return
    built = build_new_session(wanted).pin
    assert built is not None
    texts = [None if it is None else it.reveal() for it in (built.first, built.second)]
    assert (built.is_generated, *texts) == expected


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({}, "/first"),
        ({"first": FIRST, "second": FIRST}, "/second"),
        ({**PAIR, "expires_in_s": 60, "ends_at": "2030-01-01T00:00:00Z"}, "/ends_at"),
        ({"first": FIRST, "call_first_party": True}, "/call_first_party"),
    ],
)
def test_what_makes_no_session(fields: dict[str, Any], pointer: str) -> None:
    """The refusal points at what does not fit."""
    with pytest.raises(NativeError) as refused:
        build_new_session(NewSession.model_validate(fields))
    assert [it.pointer for it in refused.value.errors] == [pointer]


@pytest.mark.parametrize(("name", "ours"), [*URLS.items(), ("reference", "reference")])
def test_null_takes_away_what_may_be_absent(name: str, ours: str) -> None:
    """Null, absence and a value are three things."""
    assert build_changes(SessionUpdate()) == SessionChanges()
    cleared = build_changes(SessionUpdate.model_validate({name: None}))
    assert {key: value for key, value in asdict(cleared).items() if value is not None} == {ours: ""}
    url = "https://example.com/a"
    assert getattr(build_changes(SessionUpdate.model_validate({name: url})), ours) == url


@pytest.mark.parametrize(
    ("outcome", "code", "pointers", "members"),
    [
        (
            PoolExhausted(reason=ExhaustionReason.NO_NUMBERS, needed=3),
            "pool-exhausted",
            [],
            {"reason": "no-numbers", "needed": 3},
        ),
        (PoolUnknown(), "invalid", ["/pool"], {}),
        (SubaccountUnknown(), "invalid", ["/subaccount"], {}),
        (PartyIsVirtual(role=Role.SECOND), "party-is-virtual", ["/second"], {}),
        (EndOutOfRange(), "invalid", ["/ends_at"], {}),
    ],
)
def test_refused_creations(
    outcome: CreationRefused, code: str, pointers: list[str], members: dict[str, object]
) -> None:
    """Each is a problem that says where and why."""
    refusal = creation_refusal(outcome)
    assert (refusal.code, [it.pointer for it in refusal.errors], refusal.members) == (code, pointers, members)


@pytest.mark.parametrize(
    ("outcome", "code", "pointers"),
    [
        (SessionNotFound(), "not-found", []),
        (SessionAlreadyExpired(), "session-ended", []),
        (PartyOccupied(role=Role.FIRST), "party-occupied", ["/first"]),
        (PartyFixed(role=Role.SECOND), "party-fixed", ["/second"]),
        (PartyIsVirtual(role=Role.FIRST), "party-is-virtual", ["/first"]),
        (EndOutOfRange(), "invalid", ["/ends_at"]),
    ],
)
def test_refused_changes(outcome: ChangeRefused, code: str, pointers: list[str]) -> None:
    """Likewise."""
    refusal = change_refusal(outcome)
    assert (refusal.code, [it.pointer for it in refusal.errors]) == (code, pointers)


def test_a_session_is_over_at_its_end_and_not_before(world: World) -> None:
    """By its clock alone: nobody need have marked it as ended."""
    session = world.create(1, 2)
    before = render_session(session, session.ends_at - 1, shows_pins=False)
    assert (before.status, before.ended_at, before.end_cause) == (SessionStatus.ACTIVE, None, None)
    at_end = render_session(session, session.ends_at, shows_pins=False)
    assert (at_end.status, at_end.ended_at) == (SessionStatus.EXPIRED, at_end.ends_at)
    assert at_end.end_cause == SessionEndCause.EXPIRED.value


@pytest.mark.parametrize("shows_pins", [True, False])
def test_pins_are_shown_to_who_may_see_them(world: World, shows_pins: bool) -> None:
    """The dialogue itself is told to everybody."""
    pin = PinSettings(first=Secret("4711"), second=Secret("4712"))
    told = render_session(replace(world.create(1, 2), pin=pin), world.now, shows_pins=shows_pins).pin
    assert told is not None
    assert (told.first is not None, told.second is not None) == (shows_pins, shows_pins)
    assert told.retry_count == pin.retry_count

"""Legs of calls in the vendor's words."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.api.plivo import call_mapping
from maskline.core.call_leg import CallLeg, LiveLeg
from maskline.core.call_record import Side, leg_id
from maskline.core.numbers import DID, E164
from maskline.core.termination import TERMINATIONS, Reason, Result, terminate

AT = 1_767_225_600_000_000  # 2026-01-01
SECOND = 1_000_000
NUMBER, PARTY = DID("+912212345678"), E164("+919812345678")


def leg(**changed: Any) -> CallLeg:
    given: dict[str, Any] = {
        "call_id": "c",
        "side": Side.A,
        "number": NUMBER,
        "party": PARTY,
        "is_service_initiated": False,
        "started_at": AT,
        "answered_at": AT + 3 * SECOND,
        "ended_at": AT + 12 * SECOND + 1,
        "termination": terminate(Reason.CALLEE_HUNG_UP),
    }
    return CallLeg(**given | changed)


@pytest.mark.parametrize("reason", Reason)
def test_every_ending_has_a_source(reason: Reason) -> None:
    """One of the vendor's, never the customer's XML or API; and the filters find it again."""
    source = call_mapping.hangup_source(reason)
    assert source in set(call_mapping.HANGUP_SOURCES) - {"Answer XML", "API Request"}
    assert reason in call_mapping.reasons_of_source(source)
    assert reason in call_mapping.reasons_of_code(terminate(reason).plivo_code)
    if TERMINATIONS[reason].result is Result.INDETERMINATE:
        assert source == "Unknown"


@pytest.mark.parametrize(
    ("side", "is_service_initiated", "direction", "numbers"),
    [
        (Side.A, False, "inbound", (PARTY.reveal(), NUMBER)),
        (Side.B, False, "outbound", (NUMBER, PARTY.reveal())),
        (Side.A, True, "outbound", (NUMBER, PARTY.reveal())),
        (Side.B, True, "outbound", (NUMBER, PARTY.reveal())),
    ],
)
def test_directions(side: Side, is_service_initiated: bool, direction: str, numbers: tuple[str, str]) -> None:
    """A phone that calls us dials the virtual number; one that we call is shown it. Leg B has a parent."""
    shown = call_mapping.render_leg(leg(side=side, is_service_initiated=is_service_initiated), "MA")
    running = call_mapping.render_live_leg(
        LiveLeg(
            call_id="c",
            side=side,
            number=NUMBER,
            party=PARTY,
            is_service_initiated=is_service_initiated,
            started_at=AT,
            is_answered=True,
        )
    )
    assert (shown["call_direction"], running["direction"]) == (direction, direction)
    expected = tuple(number.removeprefix("+") for number in numbers)
    assert (shown["from_number"], shown["to_number"]) == (running["from"], running["to"]) == expected
    parent = leg_id("c", Side.A) if side is Side.B else None
    assert (shown["parent_call_uuid"], running["parent_call_uuid"]) == (parent, parent)
    assert running["call_status"] == "in-progress"


def test_times_and_durations() -> None:
    """Whole seconds in UTC with an offset; a started second counts; never answered is null and 0."""
    shown = call_mapping.render_leg(leg(), "MA")
    assert (shown["initiation_time"], shown["answer_time"], shown["end_time"]) == (
        "2026-01-01 00:00:00+00:00",
        "2026-01-01 00:00:03+00:00",
        "2026-01-01 00:00:12+00:00",
    )
    assert (shown["call_duration"], shown["bill_duration"], shown["billed_duration"]) == (10, 10, 10)
    never = call_mapping.render_leg(leg(answered_at=None, termination=terminate(Reason.CALLEE_BUSY)), "MA")
    assert (never["answer_time"], never["call_duration"], never["call_state"]) == (None, 0, "BUSY")


@given(
    st.sampled_from(Reason),
    st.sampled_from(Side),
    st.booleans(),
    st.none() | st.just(AT + SECOND),
    st.none() | st.just(PARTY),
)
def test_every_leg_can_be_shown(
    reason: Reason, side: Side, is_service_initiated: bool, answered_at: int | None, party: E164 | None
) -> None:
    """Whatever became of it, no key is missing and no number has a plus."""
    shown = call_mapping.render_leg(
        leg(
            side=side,
            is_service_initiated=is_service_initiated,
            answered_at=answered_at,
            party=party,
            termination=terminate(reason),
        ),
        "MA",
    )
    assert list(shown) == sorted(shown)
    assert "+9" not in f"{shown['from_number']}{shown['to_number']}"
    assert (shown["call_state"] == "ANSWER") is (answered_at is not None)

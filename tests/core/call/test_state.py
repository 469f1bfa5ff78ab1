"""What is known of one call."""

import itertools

import pytest
from tests.core.call.plans import PLAIN, PLANS, START

from maskline.core.call.state import CallState, Claim, Phase
from maskline.core.call_record import Side
from maskline.core.masking import Role


@pytest.mark.parametrize(
    ("plan", "session_id", "role"),
    [
        ("plain", "s1", Role.FIRST),
        ("prompted", "s1", Role.SECOND),
        ("pin", "s0", None),
        ("announced", "s1", None),
        ("ordered", "s1", Role.SECOND),
    ],
)
def test_a_plan_names_its_session_and_who_is_known(plan: str, session_id: str, role: Role | None) -> None:
    """A stranger has no role before its PIN, and none at all where it only hears a prompt."""
    assert (PLANS[plan].session_id, PLANS[plan].role) == (session_id, role)


def test_a_call_is_forgotten_when_nothing_more_can_happen() -> None:
    """Ended, its claim answered, and every leg it ever had let go; each of these alone is not enough."""
    for phase, claim, released, has_leg_b in itertools.product(
        (Phase.BRIDGED, Phase.ENDED),
        Claim,
        (frozenset[Side](), frozenset({Side.A}), frozenset(Side)),
        (False, True),
    ):
        state = CallState(plan=PLAIN, phase=phase, claim=claim, released=released, has_leg_b=has_leg_b)
        legs = {Side.A, Side.B} if has_leg_b else {Side.A}
        is_over = phase is Phase.ENDED and claim is not Claim.ASKED and legs <= released
        assert state.is_forgotten is is_over
        assert state.legs == legs


def test_a_caller_is_on_the_line_once_answered_or_dialled_by_us() -> None:
    """Then leg A ends by hanging up, not by a refusal."""
    assert not CallState(plan=PLAIN).is_caller_on_the_line
    assert CallState(plan=PLAIN, answered_at=START).is_caller_on_the_line
    assert CallState(plan=PLANS["ordered"]).is_caller_on_the_line


def test_an_order_that_was_not_placed_has_no_legs() -> None:
    """There is nobody to be waited for."""
    state = CallState(plan=PLANS["ordered"], phase=Phase.ENDED, claim=Claim.SETTLED, has_leg_a=False)
    assert state.legs == frozenset()
    assert state.is_forgotten

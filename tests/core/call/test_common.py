"""What the parts of the call machine share."""

from dataclasses import replace

import pytest
from tests.core.call.plans import CONNECT, PLAIN, PLANS, PROMPTED, START, S

from maskline.core.call import commands as do
from maskline.core.call.common import CANCEL, ImpossibleEventError, arm, check_side, limit, report, tell
from maskline.core.call.events import Timer
from maskline.core.call.state import CallState
from maskline.core.call_record import Side
from maskline.core.events import EventKind


def test_timers_are_armed_in_microseconds_of_utc() -> None:
    """A span in seconds, fractions included, counts from now; every timer can be cancelled."""
    assert arm(Timer.STEP, START, 1.5) == do.ArmTimer(Timer.STEP, START + 1_500_000)
    assert set(CANCEL) == set(Timer)


def test_each_leg_has_its_limit_from_its_own_answer() -> None:
    """The two timers differ, and both are the session's time after the answer."""
    state = CallState(plan=PLAIN, connect=CONNECT)
    end = START + 7 * S + CONNECT.call_time_limit_s * S
    assert limit(state, Side.A, START + 7 * S) == do.ArmTimer(Timer.LIMIT_A, end)
    assert limit(state, Side.B, START + 7 * S) == do.ArmTimer(Timer.LIMIT_B, end)


def test_steps_are_told_where_somebody_listens() -> None:
    """Otherwise nothing is written; before there is a session, the dialogue's one is told."""
    silent = CallState(plan=PLAIN, connect=CONNECT)
    assert report(silent, EventKind.PROMPT_FAILED, START, prompt="caller") == ()
    assert tell(silent, EventKind.PARTY_ANSWERED, Side.A, START) == ()
    asked = CallState(plan=PLANS["pin"])
    (told,) = report(asked, EventKind.PIN_CHECKED, START, result="wrong", attempt=0)
    assert isinstance(told, do.Report)
    assert (told.event.session_id, told.event.facts) == ("s0", {"result": "wrong", "attempt": 0})
    unheard = CallState(plan=replace(PLANS["announced"]))
    assert report(unheard, EventKind.PROMPT_FAILED, START, prompt="unknown-caller") == ()


def test_parties_are_told_of_by_their_roles() -> None:
    """Whoever calls is on side A, whether it is the first party or the second."""
    state = CallState(plan=PLANS["prompted"], connect=PROMPTED)
    roles = []
    for side in Side:
        (told,) = tell(state, EventKind.PARTY_ANSWERED, side, START)
        assert isinstance(told, do.Report)
        roles.append(told.event.facts["role"])
    assert roles == ["second", "first"]


def test_a_leg_that_is_not_being_dialled_cannot_be_heard_of() -> None:
    """It is a bug of the driver, and said so."""
    state = CallState(plan=PLAIN)
    check_side(state, Side.B, Side.B)
    with pytest.raises(ImpossibleEventError, match="claiming"):
        check_side(state, Side.A, Side.B)

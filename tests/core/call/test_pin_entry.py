"""The PIN dialogue, step by step."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.call.plans import ACCEPTED, CLAIMED, DIALOGUE, PLANS, PROMPTED, START, S, of_type, run

from maskline.core.call import commands as do
from maskline.core.call import events as on
from maskline.core.call.events import PromptKind, Timer
from maskline.core.call.joining import KEY_UP_S
from maskline.core.call.machine import step
from maskline.core.call.pin_entry import DIGIT_TIMEOUT_S, ENTRY_TIMEOUT_S
from maskline.core.call.state import Phase
from maskline.core.call_record import Side
from maskline.core.events import EventKind
from maskline.core.masking import PIN_LENGTH_MAX
from maskline.core.secret import Secret
from maskline.core.termination import Reason

PIN = PLANS["pin"]
ASKED: tuple[on.Event, ...] = (on.MediaOpened(), on.CallerReady())
WRONG = on.PinRefused(on.PinRefusal.WRONG)
OVER = on.PromptFinished(Side.A)


def press(keys: str) -> tuple[on.Event, ...]:
    return tuple(on.DigitPressed(Secret(key)) for key in keys)


def entered(said: list[do.Command]) -> list[str]:
    return [command.digits.reveal() for command in of_type(said, do.CheckPin)]


def test_caller_is_answered_and_asked() -> None:
    """The caller is answered first, its keys are kept from the other side, then the session's prompt plays."""
    state, said = run(*ASKED, plan=PIN)
    assert state.phase is Phase.PIN_PROMPTING
    kinds = [type(command) for command in said]
    assert kinds.index(do.AnswerCaller) < kinds.index(do.TakeDigits) < kinds.index(do.Play)
    assert of_type(said, do.Play) == [do.Play(Side.A, do.Prompt(PromptKind.PIN, DIALOGUE.prompt_url))]


def test_first_digit_interrupts_the_prompt() -> None:
    """Whoever knows the PIN need not listen to the end."""
    _, said = run(*ASKED, *press("1"), plan=PIN)
    assert of_type(said, do.StopPlaying) == [do.StopPlaying(Side.A)]
    _, said = run(*ASKED, OVER, *press("1"), plan=PIN)
    assert not of_type(said, do.StopPlaying)


def test_hash_ends_and_star_begins_anew() -> None:
    """`#` sends what was entered since the last `*`; letters are no digits."""
    _, said = run(*ASKED, *press("98*12A34#"), plan=PIN)
    assert entered(said) == ["1234"]


def test_pause_ends_too() -> None:
    """After the time between two digits what there is counts; after none at all it was wrong."""
    _, said = run(*ASKED, *press("1234"), on.TimerFired(Timer.STEP), plan=PIN)
    assert entered(said) == ["1234"]
    assert of_type(said, do.ArmTimer)[-2] == do.ArmTimer(Timer.STEP, START + (6 + DIGIT_TIMEOUT_S) * S)
    state, said = run(*ASKED, OVER, on.TimerFired(Timer.STEP), plan=PIN)
    assert entered(said) == []
    assert state.phase is Phase.PIN_CORRECTING


@given(st.text("0123456789", min_size=PIN_LENGTH_MAX, max_size=40))
def test_longest_pin_ends_by_itself(keys: str) -> None:
    """More digits than any PIN has are not waited for."""
    _, said = run(*ASKED, *press(keys), plan=PIN)
    assert entered(said) == [keys[:PIN_LENGTH_MAX]]


def test_nobody_holds_the_line_by_beginning_anew() -> None:
    """However often `*` is pressed, or a key that means nothing, the entry ends after a minute."""
    state, said = run(*ASKED, *press("*A" * 40), plan=PIN)
    assert state.phase is Phase.PIN_COLLECTING
    armed = [command.at for command in of_type(said, do.ArmTimer) if command.timer is Timer.STEP]
    assert max(armed[-80:]) == START + (3 + ENTRY_TIMEOUT_S) * S
    again = (on.TimerFired(Timer.STEP), OVER, on.TimerFired(Timer.STEP), *press("1"))
    _, said = run(*ASKED, *press("*A" * 40), *again, plan=PIN)
    last = of_type(said, do.ArmTimer)[-1]
    assert last == do.ArmTimer(Timer.STEP, START + (2 + 80 + len(again) + DIGIT_TIMEOUT_S) * S)


def test_right_pin_claims_the_session_it_names() -> None:
    """The call goes on as for the party whose PIN it was: its prompt, then the other party."""
    state, said = run(*ASKED, *press("1234#"), ACCEPTED, CLAIMED, plan=PIN)
    assert state.connect == PROMPTED
    assert state.phase is Phase.PROMPTING
    assert of_type(said, do.ClaimSession) == [do.ClaimSession()]
    told = [command.event.kind for command in of_type(said, do.Report)]
    assert EventKind.PIN_CHECKED in told
    assert EventKind.PARTY_ANSWERED in told


def test_wrong_pin_is_asked_for_again_and_then_no_more() -> None:
    """The wrong-PIN prompt, the wait, another try; after the last retry the call ends."""
    again = (*press("1#"), WRONG, OVER)
    state, said = run(*ASKED, *again, on.TimerFired(Timer.STEP), plan=PIN)
    assert state.phase is Phase.PIN_PROMPTING
    assert of_type(said, do.ArmTimer)[-2] == do.ArmTimer(Timer.STEP, START + (6 + DIALOGUE.retry_wait_s) * S)
    state, said = run(*ASKED, *again, on.TimerFired(Timer.STEP), *again, plan=PIN)
    assert state.phase is Phase.ENDED
    assert state.termination is not None
    assert state.termination.reason is Reason.PIN_FAILED
    assert of_type(said, do.HangUp)[0].side is Side.A
    (refusal,) = of_type(said, do.WriteRefusal)
    assert refusal.refused.answered_at is not None
    results = [c.event.facts["result"] for c in of_type(said, do.Report)]
    assert results == ["wrong", "wrong"]


def test_locked_out_caller_hears_what_a_wrong_pin_hears() -> None:
    """A lock is no louder than a wrong PIN, and ends the dialogue whatever tries are left."""
    _, wrong = run(*ASKED, *press("1#"), WRONG, plan=PIN)
    locked_state, locked = run(*ASKED, *press("1#"), on.PinRefused(on.PinRefusal.LOCKED), plan=PIN)
    assert of_type(locked, do.Play) == of_type(wrong, do.Play)
    state, _ = run(*ASKED, *press("1#"), on.PinRefused(on.PinRefusal.LOCKED), OVER, plan=PIN)
    assert locked_state.phase is Phase.PIN_CORRECTING
    assert state.termination is not None
    assert state.termination.reason is Reason.PIN_LOCKED


def test_keys_while_it_is_not_their_turn_mean_nothing() -> None:
    """What is pressed during look-up, correction and wait is no part of the next try."""
    state, said = run(*ASKED, *press("1#23"), WRONG, *press("4"), OVER, *press("5"), plan=PIN)
    assert state.phase is Phase.PIN_WAITING
    assert entered(said) == ["1"]
    assert state.entry.digits == ""


@pytest.mark.parametrize("failed_count", [1, 2])
def test_missing_prompt_gives_way_to_ours_then_to_silence(failed_count: int) -> None:
    """A session's own PIN prompt that cannot be played is reported, ours plays; without ours digits still count."""
    failures = (
        on.PromptFailed(PromptKind.PIN, "not-found"),
        on.PromptFailed(PromptKind.PIN, "relay", is_built_in=True),
    )
    state, said = run(*ASKED, *failures[:failed_count], plan=PIN)
    assert of_type(said, do.Play)[-1] == do.Play(Side.A, do.Prompt(PromptKind.PIN))
    assert state.phase is (Phase.PIN_PROMPTING if failed_count == 1 else Phase.PIN_COLLECTING)
    kinds = [command.event.kind for command in of_type(said, do.Report)]
    assert kinds == [EventKind.PROMPT_FAILED] * failed_count


def test_database_that_does_not_answer_ends_the_call() -> None:
    """A PIN nobody can look up is neither right nor wrong."""
    state, _ = run(*ASKED, *press("1#"), on.PinRefused(on.PinRefusal.UNAVAILABLE), plan=PIN)
    assert state.termination is not None
    assert state.termination.reason is Reason.OVERLOADED


def test_caller_who_hangs_up_while_the_session_is_claimed_is_told_of() -> None:
    """The PIN's session turns out to have been had: its events tell of the leg that stood, as its record does."""
    gone = (on.LegEnded(Side.A, on.LegEnd.BYE), on.LegReleased(Side.A))
    _, said = run(*ASKED, *press("1#"), ACCEPTED, *gone, CLAIMED, plan=PIN)
    assert [command.event.kind for command in of_type(said, do.Report)] == [
        EventKind.PIN_CHECKED,
        EventKind.PARTY_ANSWERED,
        EventKind.PARTY_HUNG_UP,
    ]
    assert [type(command) for command in said[-2:]] == [do.WriteRecord, do.Forget]
    _, said = run(*ASKED, *press("1#"), ACCEPTED, *gone, on.ClaimRefused(on.ClaimRefusal.BUSY), plan=PIN)
    assert [command.event.kind for command in of_type(said, do.Report)] == [EventKind.PIN_CHECKED]


def test_keys_pass_a_moment_after_the_bridge() -> None:
    """Once joined, the caller's keys are the other party's to hear; the last one of the PIN may still be down then."""
    bridged = (
        *ASKED,
        *press("1#"),
        ACCEPTED,
        CLAIMED,
        OVER,
        on.LegProgressed(Side.B, 180),
        on.LegAnswered(Side.B),
        on.CalleeReady(),
        on.PromptFinished(Side.B),
        on.BridgePrepared(),
    )
    state, said = run(*bridged, plan=PIN)
    assert state.phase is Phase.BRIDGED
    kinds = [type(command) for command in said]
    assert do.PassDigits not in kinds
    until = of_type(said, do.ArmTimer)[-1]
    assert until.timer is Timer.STEP
    assert state.bridged_at is not None
    assert until.at == state.bridged_at + KEY_UP_S * S
    later, passing = step(state, on.TimerFired(Timer.STEP), until.at)
    assert passing == (do.PassDigits(),)
    assert later.phase is Phase.BRIDGED
    assert kinds.index(do.StartRecording) > kinds.index(do.PrepareBridge)
    assert do.StopPlaying(Side.A) in said[kinds.index(do.PrepareBridge) :]

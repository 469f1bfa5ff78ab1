"""The PIN dialogue: prompt, digits, look-up, and as many retries as the session allows.

Source: docs/flows/pin.md; Plivo, PIN based authentication.
"""

from typing import Final

from maskline.core.call import commands as do
from maskline.core.call import events as on
from maskline.core.call.common import PROMPT_TIMEOUT_S, STEP_TIMEOUT_S, US_PER_S, Step, arm, limit, report
from maskline.core.call.ending import end_for
from maskline.core.call.events import PinRefusal, PromptKind, Timer
from maskline.core.call.state import CallState, Claim, Phase
from maskline.core.call_record import Side
from maskline.core.events import EventKind
from maskline.core.masking import PIN_LENGTH_MAX
from maskline.core.secret import Secret
from maskline.core.termination import Reason

DIGIT_TIMEOUT_S: Final = 5
"""Between two digits, and from the end of the prompt to the first."""
ENTRY_TIMEOUT_S: Final = 60
"""For one PIN, however often it is begun anew: nobody holds a line by pressing `*`."""
_PROMPTS: Final = {PromptKind.PIN: Phase.PIN_PROMPTING, PromptKind.PIN_WRONG: Phase.PIN_CORRECTING}


def ask_for_pin(state: CallState, now: int) -> Step:
    """Begin a try: the prompt, which the first digit interrupts."""
    assert state.plan.dialogue is not None
    return _play(state, do.Prompt(PromptKind.PIN, state.plan.dialogue.prompt_url), now)


def _play(state: CallState, prompt: do.Prompt, now: int) -> Step:
    playing = state._replace(phase=_PROMPTS[prompt.kind], entry=state.entry._replace(digits=""))
    return playing, (arm(Timer.STEP, now, PROMPT_TIMEOUT_S), do.Play(Side.A, prompt))


def pin_prompt_failed(state: CallState, event: on.PromptFailed, now: int) -> Step:
    """The session's own prompt cannot be played: ours takes its place; without that one the dialogue goes on mute."""
    assert state.plan.dialogue is not None
    if _PROMPTS.get(event.prompt) is not state.phase:
        return state, ()
    told = report(state, EventKind.PROMPT_FAILED, now, prompt=event.prompt.value, failure=event.failure)
    is_asking = state.phase is Phase.PIN_PROMPTING
    url = state.plan.dialogue.prompt_url if is_asking else state.plan.dialogue.incorrect_url
    if url and not event.is_built_in:
        after, commands = _play(state, do.Prompt(PromptKind.PIN if is_asking else PromptKind.PIN_WRONG), now)
    elif is_asking:
        after, commands = await_digits(state, None, now)
    else:
        after, commands = corrected(state, None, now)
    return after, (*told, *commands)


def await_digits(state: CallState, _event: object, now: int) -> Step:
    """The prompt is over and nothing was pressed yet."""
    return _collecting(state, now), (arm(Timer.STEP, now, DIGIT_TIMEOUT_S),)


def _collecting(state: CallState, now: int) -> CallState:
    if state.phase is Phase.PIN_COLLECTING:
        return state
    entry = state.entry._replace(ends_at=now + ENTRY_TIMEOUT_S * US_PER_S)
    return state._replace(phase=Phase.PIN_COLLECTING, entry=entry)


def digit_pressed(state: CallState, event: on.DigitPressed, now: int) -> Step:
    """Take a key: `#` ends, `*` begins anew, letters mean nothing."""
    key = event.digit.reveal()
    silence: tuple[do.Command, ...] = ()
    if state.phase is Phase.PIN_PROMPTING:
        silence = (do.StopPlaying(Side.A),)
    digits = "" if key == "*" else state.entry.digits + (key if key in "0123456789" else "")
    collecting = _collecting(state, now)
    collecting = collecting._replace(entry=collecting.entry._replace(digits=digits))
    if key == "#" or len(digits) >= PIN_LENGTH_MAX:
        after, commands = entered(collecting, now)
        return after, (*silence, *commands)
    patience = do.ArmTimer(Timer.STEP, min(now + DIGIT_TIMEOUT_S * US_PER_S, collecting.entry.ends_at))
    return collecting, (*silence, patience)


def entered(state: CallState, now: int) -> Step:
    """Nothing more comes: look the digits up; none at all are wrong."""
    if not state.entry.digits:
        return pin_refused(state, on.PinRefused(PinRefusal.WRONG), now)
    checking = state._replace(phase=Phase.PIN_CHECKING, entry=state.entry._replace(digits=""))
    return checking, (arm(Timer.STEP, now, STEP_TIMEOUT_S), do.CheckPin(Secret(state.entry.digits)))


def pin_accepted(state: CallState, event: on.PinAccepted, now: int) -> Step:
    """The PIN opens a session: from here the call goes on as for one who needed none."""
    connect = event.connect
    assert state.answered_at is not None
    known = state._replace(
        phase=Phase.CLAIMING, connect=connect, claim=Claim.ASKED, window_ends_at=connect.ends_at
    )
    told = report(
        known,
        EventKind.PIN_CHECKED,
        now,
        result="accepted",
        attempt=state.entry.wrong_count,
        role=connect.caller_role.value,
    )
    return known, (
        do.ArmTimer(Timer.WINDOW, connect.ends_at),
        arm(Timer.STEP, now, STEP_TIMEOUT_S),
        limit(known, Side.A, state.answered_at),
        do.ClaimSession(),
        *told,
    )


def pin_refused(state: CallState, event: on.PinRefused, now: int) -> Step:
    """Say that it was wrong; being locked out sounds no different."""
    if event.reason is PinRefusal.UNAVAILABLE:
        return end_for(state, now, Reason.OVERLOADED)
    assert state.plan.dialogue is not None
    is_locked = event.reason is PinRefusal.LOCKED
    told = report(
        state,
        EventKind.PIN_CHECKED,
        now,
        result="locked" if is_locked else "wrong",
        attempt=state.entry.wrong_count,
    )
    entry = state.entry._replace(wrong_count=state.entry.wrong_count + 1, is_locked_out=is_locked)
    counted = state._replace(entry=entry)
    after, commands = _play(counted, do.Prompt(PromptKind.PIN_WRONG, state.plan.dialogue.incorrect_url), now)
    return after, (*told, *commands)


def corrected(state: CallState, _event: object, now: int) -> Step:
    """A heard that it was wrong: pause and ask again, or give up."""
    assert state.plan.dialogue is not None
    if state.entry.is_locked_out:
        return end_for(state, now, Reason.PIN_LOCKED)
    if state.entry.wrong_count > state.plan.dialogue.retry_count:
        return end_for(state, now, Reason.PIN_FAILED)
    return state._replace(phase=Phase.PIN_WAITING), (arm(Timer.STEP, now, state.plan.dialogue.retry_wait_s),)

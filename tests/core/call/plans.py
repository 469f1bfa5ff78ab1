"""Example calls, one for each end a call can be admitted for, and the events that lead them anywhere."""

import itertools
from typing import TypeVar

from maskline.core.call import commands as do
from maskline.core.call import events as on
from maskline.core.call.events import PromptKind, Timer
from maskline.core.call.machine import begin, step
from maskline.core.call.state import CallPlan, CallState, Phase
from maskline.core.call_record import Side
from maskline.core.masking import Role
from maskline.core.numbers import DID, E164
from maskline.core.routing import Announce, Connect, PinDialogue, PinStanding, RefusalReason
from maskline.core.secret import Secret

T = TypeVar("T")

S = 1_000_000
START = 1_800_000_000 * S
NUMBER = DID("+912249370001")

CONNECT = Connect(
    session_id="s1",
    account_id=1,
    caller_role=Role.FIRST,
    callee_role=Role.SECOND,
    callee=E164("+919812300002"),
    presented=NUMBER,
    trunk_id=1,
    ends_at=START + 1800 * S,
    ring_timeout_s=45,
    call_time_limit_s=3600,
    is_recorded=False,
)
PROMPTED = Connect(
    session_id="s1",
    account_id=1,
    caller_role=Role.SECOND,
    callee_role=Role.FIRST,
    callee=E164("+919812300002"),
    presented=NUMBER,
    trunk_id=1,
    ends_at=START + 1800 * S,
    ring_timeout_s=45,
    call_time_limit_s=3600,
    is_recorded=True,
    caller_play_url="https://a.example/caller.mp3",
    callee_play_url="https://a.example/callee.mp3",
    is_reported=True,
    pin=PinStanding.AUTHORIZED,
)
DIALOGUE = PinDialogue(
    session_id="s0",
    account_id=1,
    prompt_url="https://a.example/pin.mp3",
    incorrect_url="",
    retry_count=1,
    retry_wait_s=5,
    is_reported=True,
)


def _plan(**purpose: object) -> CallPlan:
    return CallPlan(
        call_id="c1",
        account_id=1,
        number=NUMBER,
        caller=E164("+919812300001"),
        started_at=START,
        recording_id="r1",
        **purpose,  # type: ignore[arg-type]
    )


PLAIN = _plan(connect=CONNECT)
PLANS: dict[str, CallPlan] = {
    "plain": PLAIN,
    "prompted": _plan(connect=PROMPTED, target_count=3),
    "pin": _plan(dialogue=DIALOGUE, target_count=2),
    "announced": _plan(
        announcement=Announce(
            url="https://a.example/sorry.mp3",
            reason=RefusalReason.NO_SESSION,
            account_id=1,
            session_id="s1",
            number=NUMBER,
            trunk_id=1,
        )
    ),
    "ordered": _plan(connect=PROMPTED, is_service_initiated=True, target_count=2),
}

CLAIMED = on.CallClaimed(CONNECT.ends_at)
ACCEPTED = on.PinAccepted(PROMPTED)

# One example of every event a call can meet.
EVENTS: tuple[on.Event, ...] = (
    CLAIMED,
    *(on.ClaimRefused(reason) for reason in on.ClaimRefusal),
    on.MediaOpened(),
    *(on.MediaRefused(reason) for reason in on.MediaRefusal),
    on.PromptReady(),
    *(on.PromptFailed(kind, "not-found") for kind in PromptKind),
    on.PromptFailed(PromptKind.PIN, "relay", is_built_in=True),
    *(on.PromptFinished(side) for side in Side),
    on.CallerReady(),
    on.CalleeReady(),
    *(on.DigitPressed(Secret(key)) for key in "07*#A"),
    ACCEPTED,
    *(on.PinRefused(reason) for reason in on.PinRefusal),
    *(on.LegProgressed(side, status) for side, status in itertools.product(Side, (100, 180, 181))),
    *(on.LegAnswered(side) for side in Side),
    *(on.LegFailed(side, status) for side, status in itertools.product(Side, (486, 503))),
    *(on.LegFailed(side, 408, is_local=True) for side in Side),
    *(on.LegEnded(side, cause) for side, cause in itertools.product(Side, on.LegEnd)),
    on.BridgePrepared(),
    *(on.BridgeRefused(reason) for reason in on.BridgeRefusal),
    *(on.TimerFired(timer) for timer in Timer),
    on.MediaTimedOut(),
    on.MediaLost(),
    on.SessionRevoked(),
    on.WindowMoved(CONNECT.ends_at + 60_000_000),
    on.WindowMoved(CONNECT.ends_at - 60_000_000),
    on.SwitchStopping(),
    on.Broken(),
    *(on.LegReleased(side) for side in Side),
)

_RUNG = (CLAIMED, on.MediaOpened(), on.LegProgressed(Side.B, 180))
_HEARD = (CLAIMED, on.MediaOpened(), on.PromptReady(), on.CallerReady())
_MET = (*_HEARD, on.PromptFinished(Side.A), on.LegAnswered(Side.B))
_ASKED = (on.MediaOpened(), on.CallerReady())
_ENTERED = (*_ASKED, on.DigitPressed(Secret("7")), on.DigitPressed(Secret("#")))

# A way into every phase.
PATHS: dict[Phase, tuple[str, tuple[on.Event, ...]]] = {
    Phase.CLAIMING: ("plain", ()),
    Phase.OPENING: ("plain", (CLAIMED,)),
    Phase.FETCHING: ("prompted", (CLAIMED, on.MediaOpened())),
    Phase.CALLING: ("ordered", (CLAIMED, on.MediaOpened())),
    Phase.ANSWERING: ("prompted", (CLAIMED, on.MediaOpened(), on.PromptReady())),
    Phase.ANNOUNCING: ("announced", (on.MediaOpened(), on.PromptReady(), on.CallerReady())),
    Phase.PIN_PROMPTING: ("pin", _ASKED),
    Phase.PIN_COLLECTING: ("pin", (*_ASKED, on.DigitPressed(Secret("7")))),
    Phase.PIN_CHECKING: ("pin", _ENTERED),
    Phase.PIN_CORRECTING: ("pin", (*_ENTERED, on.PinRefused(on.PinRefusal.WRONG))),
    Phase.PIN_WAITING: (
        "pin",
        (*_ENTERED, on.PinRefused(on.PinRefusal.WRONG), on.PromptFinished(Side.A)),
    ),
    Phase.PROMPTING: ("prompted", _HEARD),
    Phase.DIALLING: ("plain", _RUNG[:2]),
    Phase.RINGING: ("plain", _RUNG),
    Phase.MEETING: ("prompted", _MET),
    Phase.GREETING: ("prompted", (*_MET, on.CalleeReady())),
    Phase.JOINING: ("plain", (*_RUNG, on.LegAnswered(Side.B))),
    Phase.BRIDGED: ("plain", (*_RUNG, on.LegAnswered(Side.B), on.BridgePrepared())),
    Phase.ENDED: ("plain", (on.LegEnded(Side.A, on.LegEnd.CANCEL),)),
}


def at(phase: Phase) -> CallState:
    """A call that has come this far."""
    plan, events = PATHS[phase]
    state, _ = run(*events, plan=PLANS[plan])
    assert state.phase is phase
    return state


def run(*events: on.Event, plan: CallPlan = PLAIN) -> tuple[CallState, list[do.Command]]:
    """A call that met these events, a second apart, and all that it asked for."""
    state, commands = begin(plan)
    said = list(commands)
    for second, event in enumerate(events, start=1):
        state, commands = step(state, event, START + second * S)
        said += commands
    return state, said


def of_type(commands: list[do.Command] | tuple[do.Command, ...], kind: type[T]) -> list[T]:
    """The commands of one kind."""
    return [command for command in commands if isinstance(command, kind)]

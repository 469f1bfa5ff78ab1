"""The call machine: every cell of its table, every way out, and random walks."""

import itertools
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.core.call import commands as do
from maskline.core.call import events as on
from maskline.core.call.events import Timer
from maskline.core.call.machine import TABLE, ImpossibleEventError, begin, step
from maskline.core.call.state import CallPlan, CallState, Phase
from maskline.core.call_record import Side
from maskline.core.masking import Role
from maskline.core.numbers import DID, E164
from maskline.core.termination import TERMINATIONS, Reason, Result

T = TypeVar("T")

S = 1_000_000
START = 1_800_000_000 * S

PLAN = CallPlan(
    call_id="c1",
    account_id=1,
    session_id="s1",
    role=Role.FIRST,
    number=DID("+912249370001"),
    caller=E164("+919812300001"),
    callee=E164("+919812300002"),
    started_at=START,
    window_ends_at=START + 1800 * S,
    ring_timeout_s=45,
    call_time_limit_s=3600,
)

CLAIMED = on.CallClaimed(PLAN.window_ends_at)

# One example of every event a call can meet.
EVENTS: tuple[on.Event, ...] = (
    CLAIMED,
    *(on.ClaimRefused(reason) for reason in on.ClaimRefusal),
    on.MediaOpened(),
    *(on.MediaRefused(reason) for reason in on.MediaRefusal),
    on.LegProgressed(180),
    on.LegProgressed(181),
    on.LegAnswered(),
    on.LegFailed(486),
    on.LegFailed(408, is_local=True),
    *(on.LegEnded(side, cause) for side, cause in itertools.product(Side, on.LegEnd)),
    on.BridgePrepared(),
    *(on.BridgeRefused(reason) for reason in on.BridgeRefusal),
    *(on.TimerFired(timer) for timer in Timer),
    on.MediaTimedOut(),
    on.MediaLost(),
    on.SessionRevoked(),
    on.SwitchStopping(),
    on.Broken(),
    *(on.LegReleased(side) for side in Side),
)

PATH: dict[Phase, tuple[on.Event, ...]] = {
    Phase.CLAIMING: (),
    Phase.OPENING: (CLAIMED,),
    Phase.DIALLING: (CLAIMED, on.MediaOpened()),
    Phase.RINGING: (CLAIMED, on.MediaOpened(), on.LegProgressed(180)),
    Phase.JOINING: (CLAIMED, on.MediaOpened(), on.LegProgressed(180), on.LegAnswered()),
    Phase.BRIDGED: (
        CLAIMED,
        on.MediaOpened(),
        on.LegProgressed(180),
        on.LegAnswered(),
        on.BridgePrepared(),
    ),
    Phase.ENDED: (on.LegEnded(Side.A, on.LegEnd.CANCEL),),
}


def at(phase: Phase) -> CallState:
    state, _ = begin(PLAN)
    for event in PATH[phase]:
        state, _ = step(state, event, START + S)
    assert state.phase is phase
    return state


def run(*events: on.Event) -> tuple[CallState, list[do.Command]]:
    state, commands = begin(PLAN)
    said = list(commands)
    for second, event in enumerate(events, start=1):
        state, commands = step(state, event, START + second * S)
        said += commands
    return state, said


def of_type(commands: list[do.Command] | tuple[do.Command, ...], kind: type[T]) -> list[T]:
    return [command for command in commands if isinstance(command, kind)]


def test_plain_call_follows_its_ladder() -> None:
    """A call is claimed, given media, dialled, rung, checked once more and only then answered."""
    _, said = run(*PATH[Phase.BRIDGED])
    assert said == [
        do.ArmTimer(Timer.WINDOW, PLAN.window_ends_at),
        do.ArmTimer(Timer.STEP, START + 8 * S),
        do.ClaimSession(),
        do.OpenMedia(),
        do.CancelTimer(Timer.STEP),
        do.Originate(),
        do.ArmTimer(Timer.RING, START + 2 * S + 45 * S),
        do.RingCaller(),
        do.CancelTimer(Timer.RING),
        do.ArmTimer(Timer.STEP, START + 4 * S + 8 * S),
        do.PrepareBridge(),
        do.CancelTimer(Timer.STEP),
        do.CancelTimer(Timer.WINDOW),
        do.AnswerCaller(),
        do.ArmTimer(Timer.LIMIT_A, START + 5 * S + 3600 * S),
        do.ArmTimer(Timer.LIMIT_B, START + 4 * S + 3600 * S),
    ]


def test_caller_hears_ringing_once() -> None:
    """However often and however B rings, A gets one 180."""
    _, said = run(*PATH[Phase.RINGING], on.LegProgressed(183), on.LegProgressed(180))
    assert of_type(said, do.RingCaller) == [do.RingCaller()]


def test_record_holds_every_instant() -> None:
    """The record of a bridged call has its six instants in order."""
    _, said = run(*PATH[Phase.BRIDGED], on.LegEnded(Side.B, on.LegEnd.BYE))
    (written,) = of_type(said, do.WriteRecord)
    record = written.record
    instants = [
        record.started_at,
        record.ringing_at,
        record.callee_answered_at,
        record.answered_at,
        record.bridged_at,
        record.ended_at,
    ]
    assert instants == [START, START + 3 * S, START + 4 * S, START + 5 * S, START + 5 * S, START + 6 * S]
    assert record.termination.reason is Reason.CALLEE_HUNG_UP
    assert record.is_callee_dialled


@pytest.mark.parametrize(
    ("phase", "event", "reason"),
    [
        (Phase.CLAIMING, on.ClaimRefused(on.ClaimRefusal.BUSY), Reason.SESSION_BUSY),
        (Phase.CLAIMING, on.ClaimRefused(on.ClaimRefusal.ENDED), Reason.SESSION_ENDED),
        (Phase.CLAIMING, on.ClaimRefused(on.ClaimRefusal.UNAVAILABLE), Reason.OVERLOADED),
        (Phase.OPENING, on.MediaRefused(on.MediaRefusal.FULL), Reason.OVERLOADED),
        (Phase.OPENING, on.MediaRefused(on.MediaRefusal.NO_COMMON_CODEC), Reason.CALLER_NOT_ACCEPTABLE),
        (Phase.OPENING, on.MediaRefused(on.MediaRefusal.UNAVAILABLE), Reason.MEDIA_LOST),
        (Phase.DIALLING, on.LegFailed(486), Reason.CALLEE_BUSY),
        (Phase.DIALLING, on.LegFailed(302), Reason.CALLEE_REDIRECTED),
        (Phase.DIALLING, on.LegFailed(408, is_local=True), Reason.CARRIER_TIMEOUT),
        (Phase.RINGING, on.LegFailed(603), Reason.CALLEE_DECLINED),
        (Phase.RINGING, on.LegFailed(480, q850=17), Reason.CALLEE_BUSY),
        (Phase.RINGING, on.TimerFired(Timer.RING), Reason.RING_TIMEOUT),
        (Phase.RINGING, on.TimerFired(Timer.WINDOW), Reason.SESSION_ENDED),
        (Phase.RINGING, on.SessionRevoked(), Reason.SESSION_ENDED),
        (Phase.RINGING, on.LegEnded(Side.A, on.LegEnd.CANCEL), Reason.CALLER_CANCELLED),
        (Phase.JOINING, on.BridgeRefused(on.BridgeRefusal.WINDOW), Reason.SESSION_ENDED),
        (Phase.JOINING, on.BridgeRefused(on.BridgeRefusal.ANSWER), Reason.CALLEE_NOT_ACCEPTABLE),
        (Phase.JOINING, on.BridgeRefused(on.BridgeRefusal.MEDIA), Reason.MEDIA_LOST),
        (Phase.JOINING, on.LegEnded(Side.B, on.LegEnd.BYE), Reason.CALLEE_GONE),
        (Phase.RINGING, on.LegEnded(Side.A, on.LegEnd.BYE), Reason.CALLER_CANCELLED),
        (Phase.CLAIMING, on.TimerFired(Timer.STEP), Reason.OVERLOADED),
        (Phase.JOINING, on.TimerFired(Timer.STEP), Reason.OVERLOADED),
        (Phase.BRIDGED, on.LegEnded(Side.A, on.LegEnd.BYE), Reason.CALLER_HUNG_UP),
        (Phase.BRIDGED, on.LegEnded(Side.A, on.LegEnd.ACK_TIMEOUT), Reason.CALLER_GONE),
        (Phase.BRIDGED, on.LegEnded(Side.B, on.LegEnd.TRANSPORT), Reason.CALLEE_GONE),
        (Phase.BRIDGED, on.TimerFired(Timer.LIMIT_A), Reason.TIME_LIMIT),
        (Phase.BRIDGED, on.TimerFired(Timer.LIMIT_B), Reason.TIME_LIMIT),
        (Phase.BRIDGED, on.MediaTimedOut(), Reason.MEDIA_TIMEOUT),
        (Phase.BRIDGED, on.MediaLost(), Reason.MEDIA_LOST),
        (Phase.BRIDGED, on.SwitchStopping(), Reason.SWITCH_RESTARTED),
        (Phase.RINGING, on.Broken(), Reason.INTERNAL_ERROR),
    ],
)
def test_every_way_out_has_its_reason(phase: Phase, event: on.Event, reason: Reason) -> None:
    """Each ending names its reason, and tells the side that is still there."""
    before = at(phase)
    state, commands = step(before, event, START + 9 * S)
    assert state.termination is not None
    assert state.termination.reason is reason
    gone = event.side if isinstance(event, on.LegEnded) else None
    told = {command.side for command in of_type(commands, do.HangUp)}
    if of_type(commands, do.RefuseCaller):
        told.add(Side.A)
    assert told == before.legs - {gone}


def test_answered_caller_is_hung_up_and_unanswered_refused() -> None:
    """Before the bridge leg A gets a final status, afterwards a BYE."""
    _, commands = step(at(Phase.RINGING), on.LegFailed(486), START)
    assert of_type(commands, do.RefuseCaller) == [do.RefuseCaller(486)]
    _, commands = step(at(Phase.BRIDGED), on.LegEnded(Side.B, on.LegEnd.BYE), START)
    assert not of_type(commands, do.RefuseCaller)
    assert of_type(commands, do.HangUp) == [do.HangUp(Side.A, 16)]


def test_what_the_caller_hears_comes_from_the_table() -> None:
    """Whatever status the carrier invents, leg A gets one of our own list."""
    for status in range(300, 700):
        _, commands = step(at(Phase.RINGING), on.LegFailed(status), START)
        (refusal,) = of_type(commands, do.RefuseCaller)
        assert refusal.status in {row.sip_status for row in TERMINATIONS.values()}
        assert (refusal.retry_after_s is not None) == (refusal.status == 503)


def test_bridged_call_outlives_its_session() -> None:
    """The end of the session cancels a call in set-up and leaves a bridged one alone (I2)."""
    bridged = at(Phase.BRIDGED)
    assert step(bridged, on.SessionRevoked(), START) == (bridged, ())
    assert step(bridged, on.TimerFired(Timer.WINDOW), START) == (bridged, ())


def test_other_progress_does_not_ring() -> None:
    """Only 180 and 183 of B ring A; a forwarding or a released early dialog does not."""
    dialling = at(Phase.DIALLING)
    for status in (181, 182, 199):
        assert step(dialling, on.LegProgressed(status), START) == (dialling, ())


def test_busy_session_is_a_refusal() -> None:
    """A call that got no session leaves a refusal and no record."""
    _, said = run(on.ClaimRefused(on.ClaimRefusal.BUSY))
    assert len(of_type(said, do.WriteRefusal)) == 1
    assert not of_type(said, do.WriteRecord)


@pytest.mark.parametrize(
    ("answer", "written"),
    [
        (CLAIMED, do.WriteRecord),
        (on.ClaimRefused(on.ClaimRefusal.BUSY), do.WriteRefusal),
        (on.ClaimRefused(on.ClaimRefusal.UNAVAILABLE), do.WriteRecord),
    ],
)
def test_call_that_ends_while_it_claims_waits_for_the_claim(answer: on.Event, written: type) -> None:
    """Whether a cancelled call had its session, and so a record, is known when the claim is answered."""
    state, said = run(on.LegEnded(Side.A, on.LegEnd.CANCEL), on.LegReleased(Side.A))
    assert not of_type(said, do.WriteRecord)
    assert not of_type(said, do.WriteRefusal)
    assert not of_type(said, do.Forget)
    state, commands = step(state, answer, START + 9 * S)
    assert [type(command) for command in commands] == [written, do.Forget]
    assert state.is_forgotten


def test_window_read_at_the_claim_is_the_one_that_counts() -> None:
    """A session prolonged between look-up and claim moves the call's window."""
    later = PLAN.window_ends_at + 60 * S
    _, said = run(on.CallClaimed(later))
    assert of_type(said, do.ArmTimer)[-1] == do.ArmTimer(Timer.WINDOW, later)


def test_every_cell_is_defined_or_refused() -> None:
    """A pair in the table leads to a phase; one outside raises and leaves the state as it was."""
    for phase, event in itertools.product(Phase, EVENTS):
        before = at(phase)
        kept = before._replace()
        early_limit = isinstance(event, on.TimerFired) and event.timer in (Timer.LIMIT_A, Timer.LIMIT_B)
        if type(event) not in TABLE[phase] or (early_limit and phase not in (Phase.BRIDGED, Phase.ENDED)):
            with pytest.raises(ImpossibleEventError):
                step(before, event, START)
        else:
            after, _ = step(before, event, START + 2 * S)
            assert after.phase in Phase
        assert before == kept


def test_every_phase_is_reached() -> None:
    """No phase of the machine is dead."""
    reached = {state.phase for state in map(at, Phase)}
    assert reached == set(Phase)


@given(st.lists(st.sampled_from(EVENTS), max_size=40))
def test_any_order_of_events_ends_once(events: list[on.Event]) -> None:
    """Whatever happens in whatever order: one ending, one record, both legs let go (I4)."""
    state, commands = begin(PLAN)
    said = list(commands)
    for index, event in enumerate(
        [*events, on.SwitchStopping(), CLAIMED, on.LegReleased(Side.A), on.LegReleased(Side.B)]
    ):
        try:
            state, commands = step(state, event, START + index)
        except ImpossibleEventError:
            continue
        said += commands
    assert state.phase is Phase.ENDED
    assert len(of_type(said, do.WriteRecord)) + len(of_type(said, do.WriteRefusal)) == 1
    assert len(of_type(said, do.Forget)) >= 1
    assert state.is_forgotten
    armed = {command.timer for command in of_type(said, do.ArmTimer)}
    assert armed <= {command.timer for command in of_type(said, do.CancelTimer)}
    assert bool(of_type(said, do.Originate)) <= bool(of_type(said, do.CloseMedia))
    assert state.termination is not None
    assert state.termination.result in Result


@given(st.lists(st.sampled_from(EVENTS), max_size=40))
def test_nothing_is_answered_without_claim_and_check(events: list[on.Event]) -> None:
    """The caller is answered only after the claim and after the session was looked at again (I2)."""
    state, commands = begin(PLAN)
    order: list[type] = [type(command) for command in commands]
    for event in events:
        try:
            state, commands = step(state, event, START)
        except ImpossibleEventError:
            continue
        order += [type(command) for command in commands]
        order.append(type(event))
    if do.AnswerCaller in order:
        position = order.index(do.AnswerCaller)
        assert order.index(on.CallClaimed) < order.index(do.PrepareBridge) < position
        assert on.BridgePrepared in order

"""The call machine: every cell of its table, every way out, and random walks."""

import itertools
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.call.plans import ACCEPTED, CLAIMED, CONNECT, EVENTS, PATHS, PLANS, START, S, at, of_type, run

from maskline.core.call import commands as do
from maskline.core.call import events as on
from maskline.core.call.events import PromptKind, Timer
from maskline.core.call.machine import OUT_OF_PATIENCE, TABLE, ImpossibleEventError, begin, step
from maskline.core.call.state import Claim, Phase
from maskline.core.call_record import Side
from maskline.core.secret import Secret
from maskline.core.termination import TERMINATIONS, Reason, Result

PATH = {phase: events for phase, (_, events) in PATHS.items()}


def test_plain_call_follows_its_ladder() -> None:
    """A call is claimed, given media, dialled, rung, checked once more and only then answered."""
    _, said = run(*PATH[Phase.BRIDGED])
    assert said == [
        do.ArmTimer(Timer.WINDOW, CONNECT.ends_at),
        do.ArmTimer(Timer.STEP, START + 8 * S),
        do.ClaimSession(),
        do.OpenMedia(),
        do.CancelTimer(Timer.STEP),
        do.Originate(Side.B),
        do.ArmTimer(Timer.RING, START + 2 * S + 45 * S),
        do.RingCaller(),
        do.CancelTimer(Timer.RING),
        do.ArmTimer(Timer.STEP, START + 4 * S + 8 * S),
        do.ArmTimer(Timer.LIMIT_B, START + 4 * S + 3600 * S),
        do.PrepareBridge(),
        do.CancelTimer(Timer.STEP),
        do.CancelTimer(Timer.WINDOW),
        do.AnswerCaller(),
        do.ArmTimer(Timer.LIMIT_A, START + 5 * S + 3600 * S),
        do.SaveDialogs(),
    ]


def test_caller_hears_ringing_once() -> None:
    """However often and however B rings, A gets one 180."""
    _, said = run(*PATH[Phase.RINGING], on.LegProgressed(Side.B, 183), on.LegProgressed(Side.B, 180))
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
        (Phase.DIALLING, on.LegFailed(Side.B, 486), Reason.CALLEE_BUSY),
        (Phase.DIALLING, on.LegFailed(Side.B, 302), Reason.CALLEE_REDIRECTED),
        (Phase.DIALLING, on.LegFailed(Side.B, 408, is_local=True), Reason.CARRIER_TIMEOUT),
        (Phase.RINGING, on.LegFailed(Side.B, 603), Reason.CALLEE_DECLINED),
        (Phase.RINGING, on.LegFailed(Side.B, 480, q850=17), Reason.CALLEE_BUSY),
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
    _, commands = step(at(Phase.RINGING), on.LegFailed(Side.B, 486), START)
    assert of_type(commands, do.RefuseCaller) == [do.RefuseCaller(486)]
    _, commands = step(at(Phase.BRIDGED), on.LegEnded(Side.B, on.LegEnd.BYE), START)
    assert not of_type(commands, do.RefuseCaller)
    assert of_type(commands, do.HangUp) == [do.HangUp(Side.A, 16)]


def test_what_the_caller_hears_comes_from_the_table() -> None:
    """Whatever status the carrier invents, leg A gets one of our own list."""
    for status in range(300, 700):
        _, commands = step(at(Phase.RINGING), on.LegFailed(Side.B, status), START)
        (refusal,) = of_type(commands, do.RefuseCaller)
        assert refusal.status in {row.sip_status for row in TERMINATIONS.values()}
        assert (refusal.retry_after_s is not None) == (refusal.status == 503)


def test_bridged_call_outlives_its_session() -> None:
    """The end of the session cancels a call in set-up and leaves a bridged one alone (I2)."""
    bridged = at(Phase.BRIDGED)
    assert step(bridged, on.SessionRevoked(), START) == (bridged, ())
    assert step(bridged, on.TimerFired(Timer.WINDOW), START) == (bridged, ())


def test_nothing_is_bridged_at_the_end_of_the_window() -> None:
    """The session was open when it was looked at, and is over by now: its own timer may be a moment late (I2)."""
    joining = at(Phase.JOINING)
    state, commands = step(joining, on.BridgePrepared(), CONNECT.ends_at)
    assert state.bridged_at is None
    assert state.termination is not None
    assert state.termination.reason is Reason.SESSION_ENDED
    assert not of_type(commands, do.AnswerCaller)
    state, _ = step(joining, on.BridgePrepared(), CONNECT.ends_at - 1)
    assert state.phase is Phase.BRIDGED


@pytest.mark.parametrize(("name", "phase"), [("prompted", Phase.PROMPTING), ("prompted", Phase.GREETING)])
def test_leg_that_waits_too_long_for_the_other_has_had_its_time(name: str, phase: Phase) -> None:
    """The limit of a leg counts from its own answer, and ends the call before the bridge too: no success then."""
    state, said = run(*PATHS[phase][1], plan=PLANS[name])
    limits = {command.timer: command.at for command in of_type(said, do.ArmTimer)}
    assert state.answered_at is not None
    assert limits[Timer.LIMIT_A] == state.answered_at + 3600 * S
    if state.callee_answered_at is not None:
        assert limits[Timer.LIMIT_B] == state.callee_answered_at + 3600 * S
    ended, _ = step(state, on.TimerFired(Timer.LIMIT_A), limits[Timer.LIMIT_A])
    assert ended.termination is not None
    assert ended.termination.reason is Reason.TIME_LIMIT
    assert ended.termination.result is Result.US


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase not in {Phase.FETCHING, Phase.ENDED}])
def test_prompt_that_fails_late_changes_nothing(phase: Phase) -> None:
    """What is told of a prompt that was cut off, or of ringback, neither ends a call nor skips another prompt."""
    playing = {
        Phase.PROMPTING: PromptKind.CALLER,
        Phase.GREETING: PromptKind.CALLEE,
        Phase.PIN_PROMPTING: PromptKind.PIN,
        Phase.PIN_CORRECTING: PromptKind.PIN_WRONG,
        Phase.ANNOUNCING: PromptKind.ANNOUNCEMENT,
    }.get(phase)
    before = at(phase)
    for kind in PromptKind:
        if kind is not playing and phase is not Phase.ANNOUNCING:
            assert step(before, on.PromptFailed(kind, "timeout"), START) == (before, ())


@pytest.mark.parametrize(
    "phase", [Phase.DIALLING, Phase.RINGING, Phase.MEETING, Phase.GREETING, Phase.BRIDGED]
)
def test_prompt_that_comes_after_its_time_is_not_played(phase: Phase) -> None:
    """The caller was put through without its prompt: that it is there now ends no call."""
    before = at(phase)
    assert step(before, on.PromptReady(), START) == (before, ())


def test_other_progress_does_not_ring() -> None:
    """Only 180 and 183 of B ring A; a forwarding or a released early dialog does not."""
    dialling = at(Phase.DIALLING)
    for status in (181, 182, 199):
        assert step(dialling, on.LegProgressed(Side.B, status), START) == (dialling, ())


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
    later = CONNECT.ends_at + 60 * S
    _, said = run(on.CallClaimed(later))
    assert of_type(said, do.ArmTimer)[-1] == do.ArmTimer(Timer.WINDOW, later)


def test_every_cell_is_defined_or_refused() -> None:
    """A pair in the table leads to a phase; one outside raises and leaves the state as it was."""
    for phase, event in itertools.product(Phase, EVENTS):
        before = at(phase)
        kept = before._replace()
        other_leg = (
            isinstance(event, on.LegFailed | on.LegAnswered | on.LegProgressed)
            and phase in _DIALLED
            and event.side is not _DIALLED[phase]
            and not (phase is Phase.RINGING and isinstance(event, on.LegProgressed))
        )
        if type(event) not in TABLE[phase] or other_leg:
            with pytest.raises(ImpossibleEventError):
                step(before, event, START)
        else:
            after, _ = step(before, event, START + 2 * S)
            assert after.phase in Phase
        assert before == kept


_DIALLED = {Phase.CALLING: Side.A, Phase.DIALLING: Side.B, Phase.RINGING: Side.B}


def test_every_phase_is_reached() -> None:
    """No phase of the machine is dead, and each knows what to do when its patience ends."""
    assert {at(phase).phase for phase in Phase} == set(Phase) == set(TABLE)
    assert set(OUT_OF_PATIENCE) == set(Phase) - {Phase.ENDED}


def test_every_command_is_given() -> None:
    """No command is left that no call ever asks for."""
    to_the_bridge = (*PATH[Phase.GREETING], on.PromptFinished(Side.B), on.BridgePrepared())
    by_pin = (*PATH[Phase.PIN_CHECKING], ACCEPTED, CLAIMED, *to_the_bridge[4:])
    ways = [(name, events) for name, events in PATHS.values()]
    given_up = (CLAIMED, on.LegEnded(Side.A, on.LegEnd.CANCEL))
    ways += [("prompted", to_the_bridge), ("pin", by_pin), ("plain", given_up)]
    said: set[type] = set()
    for (name, events), last in itertools.product(ways, EVENTS):
        state, commands = begin(PLANS[name])
        said |= {type(command) for command in commands}
        for event in (*events, last):
            try:
                state, commands = step(state, event, START)
            except ImpossibleEventError:
                break
            said |= {type(command) for command in commands}
    assert said == set(get_args(do.Command))


@given(st.sampled_from(sorted(PLANS)), st.lists(st.sampled_from(EVENTS), max_size=60))
def test_any_order_of_events_ends_once(name: str, events: list[on.Event]) -> None:
    """Whatever happens in whatever order: one ending, one account, all legs let go (I4)."""
    state, commands = begin(PLANS[name])
    said = list(commands)
    last: list[on.Event] = [on.SwitchStopping(), CLAIMED, on.LegReleased(Side.A), on.LegReleased(Side.B)]
    for index, event in enumerate([*events, *last]):
        try:
            state, commands = step(state, event, START + index)
        except ImpossibleEventError:
            continue
        said += commands
    assert state.phase is Phase.ENDED
    assert len(of_type(said, do.WriteRecord)) + len(of_type(said, do.WriteRefusal)) == 1
    assert len(of_type(said, do.WriteRecord)) == (state.claim is Claim.HELD)
    assert len(of_type(said, do.Forget)) >= 1
    assert state.is_forgotten
    assert of_type(said, do.CancelTimers)
    assert bool(of_type(said, do.OpenMedia)) == bool(of_type(said, do.CloseMedia))
    assert state.termination is not None
    assert state.termination.result in Result
    assert state.entry.digits == ""


@given(st.sampled_from(sorted(PLANS)), st.lists(st.sampled_from(EVENTS), max_size=60))
def test_nothing_is_bridged_without_claim_and_check(name: str, events: list[on.Event]) -> None:
    """Two parties hear each other only after the claim and after the session was looked at again (I2)."""
    state, commands = begin(PLANS[name])
    order: list[type] = [type(command) for command in commands]
    for event in events:
        was_bridged = state.bridged_at is not None
        try:
            state, commands = step(state, event, START)
        except ImpossibleEventError:
            continue
        order.append(type(event))
        order += [type(command) for command in commands]
        if state.bridged_at is not None and not was_bridged:
            assert isinstance(event, on.BridgePrepared)
            assert (
                order.index(on.CallClaimed) < order.index(do.PrepareBridge) < order.index(on.BridgePrepared)
            )
    if do.StartRecording in order:
        assert order.index(do.StartRecording) > order.index(on.BridgePrepared)
    if PLANS[name].dialogue is not None and do.ClaimSession in order:
        assert order.index(on.PinAccepted) < order.index(do.ClaimSession)


def test_what_was_pressed_is_not_printed() -> None:
    """Neither a call's state nor its events and commands show a digit."""
    state, said = run(*PATH[Phase.PIN_COLLECTING], plan=PLANS["pin"])
    assert state.entry.digits == "7"
    _, commands = step(state, on.DigitPressed(Secret("#")), START)
    shown = repr((state, tuple(state), said, commands, on.DigitPressed(Secret("7"))))
    assert "'7'" not in shown

"""Prompts, PINs, announcements, calls of the service's own and several targets: the whole switch, virtually."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from maskline.core.call.state import Phase
from maskline.core.call_record import Side
from maskline.core.masking import NewMaskingSession, PinSettings
from maskline.core.numbers import E164
from maskline.core.secret import Secret
from maskline.core.termination import Reason
from maskline.engine.call import Call
from maskline.prompts.types import PromptFailure
from maskline.sip import events as sip
from maskline.store.engine import Store
from maskline.testing.virtual_switch import VirtualSwitch
from tests.engine.virtual_world import (
    ASHA,
    BILAL,
    EPOCH_US,
    LONG_S,
    SWITCH,
    World,
    assert_nothing_is_left,
    make_store,
    never_answer,
    prepare,
    reasons,
)

CALLER_URL, CALLEE_URL, PIN_URL = (f"https://a.example/{name}.mp3" for name in ("caller", "callee", "pin"))
STRANGER = E164("+919812399999")
PAIR = NewMaskingSession(first=ASHA.number, second=BILAL.number)
WITH_PIN = replace(
    PAIR,
    pin=PinSettings(
        first=Secret("1111"), second=Secret("2222"), prompt_url=PIN_URL, retry_count=1, retry_wait_s=5
    ),
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = make_store(tmp_path)
    yield made
    made.close()


def make_world(store: Store, session: NewMaskingSession) -> World:
    return World(store, prepare(store), session=session)


def only_call(world: World) -> Call:
    (call,) = world.node.switch.calls.values()
    return call


def finish_play(world: World, side: Side) -> None:
    world.node.relay.finish_play(only_call(world).plan.call_id, side)


def press(world: World, keys: str) -> None:
    for key in keys:
        world.node.relay.press(only_call(world).plan.call_id, Side.A, key)


def playing(world: World, side: Side) -> str | None:
    session = world.node.relay.sessions[only_call(world).plan.call_id]
    play = session.playing.get(side)
    return None if play is None else play.prompt.stem


def test_each_party_hears_its_own_prompt(store: Store) -> None:
    """A is answered and hears the caller's prompt, then ringback; B hears the callee's; then they are joined."""
    world = make_world(store, replace(PAIR, first_play_url=CALLER_URL, second_play_url=CALLEE_URL))
    prompts = world.node.prompts
    leg = world.asha.dial()
    world.run(1.0)
    assert world.asha.seen(sip.Answered)
    assert not world.bilal.legs
    assert playing(world, Side.A) == prompts.stem_of(CALLER_URL)
    finish_play(world, Side.A)
    world.run(0.3)
    assert playing(world, Side.A) == "/prompts/ringbackIN"
    world.run(1.0)
    call = only_call(world)
    relayed = world.node.relay.sessions[call.plan.call_id]
    assert call.state.phase is Phase.GREETING
    assert playing(world, Side.B) == prompts.stem_of(CALLEE_URL)
    assert Side.B in relayed.muted
    finish_play(world, Side.B)
    world.run(1.0)
    assert only_call(world).state.phase is Phase.BRIDGED
    assert not relayed.muted
    assert playing(world, Side.A) is None
    assert playing(world, Side.B) is None
    world.asha.agent.hang_up(leg, world.network.now)
    world.run(LONG_S)
    assert reasons(store) == [Reason.CALLER_HUNG_UP]
    assert_nothing_is_left(world)


def test_caller_on_the_line_is_let_go_by_a_successor(store: Store) -> None:
    """A switch that dies while B rings leaves a caller who was answered: the next one hangs it up."""
    world = make_world(store, replace(PAIR, first_play_url=CALLER_URL))
    world.bilal.on_invite = never_answer
    leg = world.asha.dial()
    world.run(1.0)
    finish_play(world, Side.A)
    world.run(2.0)
    assert only_call(world).state.phase is Phase.RINGING
    world.network.detach(SWITCH)
    world.node = VirtualSwitch(world.network, store, address=SWITCH, epoch_us=EPOCH_US, seed=9)
    assert world.node.start() == 1
    world.run(LONG_S)
    assert leg in world.asha.released
    assert reasons(store) == [Reason.SWITCH_RESTARTED]


def test_the_second_party_hears_the_second_prompt_as_a_caller_too(store: Store) -> None:
    """Prompts belong to persons, not to sides."""
    world = make_world(store, replace(PAIR, second_play_url=CALLER_URL))
    world.bilal.dial()
    world.run(1.0)
    assert playing(world, Side.A) == world.node.prompts.stem_of(CALLER_URL)


def test_caller_moves_while_it_hears_its_prompt(store: Store) -> None:
    """A carrier that changes where it wants the audio right after the answer is followed before there is a B."""
    world = make_world(store, replace(PAIR, first_play_url=CALLER_URL))
    leg = world.asha.dial()
    world.run(1.0)
    moved = world.asha.sdp().replace(b"m=audio 40000", b"m=audio 40002")
    world.asha.agent.send_offer(leg, moved, world.network.now)
    world.run(0.5)
    assert world.asha.seen(sip.OfferAnswered)
    relayed = world.node.relay.sessions[only_call(world).plan.call_id]
    assert relayed.parties[Side.A].port == 40_002
    assert playing(world, Side.A) == world.node.prompts.stem_of(CALLER_URL)
    assert not world.bilal.legs
    finish_play(world, Side.A)
    world.run(3.0)
    assert only_call(world).state.phase is Phase.BRIDGED


def test_missing_prompt_delays_nothing(store: Store) -> None:
    """The call is joined as without a prompt, A rung and not answered early."""
    world = make_world(store, replace(PAIR, first_play_url=CALLER_URL))
    world.node.prompts.fail(CALLER_URL, PromptFailure.NOT_FOUND)
    world.asha.dial()
    world.run(3.0)
    assert [type(event) for event in world.asha.events] == [sip.Progressed, sip.Answered]
    assert only_call(world).state.phase is Phase.BRIDGED


def test_stranger_with_a_pin_reaches_the_other_party(store: Store) -> None:
    """Who enters the second party's PIN is the second party: the first is called."""
    world = make_world(store, WITH_PIN)
    world.bilal.dial(caller=STRANGER.reveal())
    world.run(1.0)
    assert playing(world, Side.A) == world.node.prompts.stem_of(PIN_URL)
    press(world, "2222#")
    world.run(0.01)
    assert playing(world, Side.A) is None
    world.run(3.0)
    assert only_call(world).state.phase is Phase.BRIDGED
    assert b"sip:+919812300001@" in world.sent_to(world.bilal)  # the trunk of both is Bilal's port
    relayed = world.node.relay.sessions[only_call(world).plan.call_id]
    assert not relayed.watched[Side.A].is_hidden


def test_entry_without_digits_is_corrected_at_once(store: Store) -> None:
    """Stopping the prompt and playing the next one in the same moment leaves the next one playing."""
    world = make_world(store, WITH_PIN)
    world.asha.dial(caller=STRANGER.reveal())
    world.run(1.0)
    press(world, "#")
    world.run(0.5)
    assert only_call(world).state.phase is Phase.PIN_CORRECTING
    assert playing(world, Side.A) == "/prompts/pinwrong"


def test_wrong_pins_end_in_a_refusal(store: Store) -> None:
    """After the retries the call ends, and nobody was ever dialled."""
    world = make_world(store, WITH_PIN)
    world.asha.dial(caller=STRANGER.reveal())
    world.run(1.0)
    for _ in range(2):
        press(world, "9999#")
        world.run(0.5)
        assert playing(world, Side.A) == "/prompts/pinwrong"
        finish_play(world, Side.A)
        world.run(6.0)
    world.run(LONG_S)
    assert reasons(store) == [Reason.PIN_FAILED]
    assert not world.bilal.legs
    assert_nothing_is_left(world)


def test_forced_pin_is_asked_of_the_registered_party(store: Store) -> None:
    """With force even Asha has to enter a PIN, and any other session's would not do."""
    assert WITH_PIN.pin is not None
    world = make_world(store, replace(WITH_PIN, pin=replace(WITH_PIN.pin, is_forced=True)))
    world.asha.dial()
    world.run(1.0)
    assert not world.bilal.legs
    press(world, "1111#")
    world.run(3.0)
    assert only_call(world).state.phase is Phase.BRIDGED


def test_unknown_caller_hears_the_sessions_prompt(store: Store) -> None:
    """A stranger is answered, told, and hung up."""
    world = make_world(store, replace(PAIR, unknown_caller_url=CALLER_URL))
    world.asha.dial(caller=STRANGER.reveal())
    world.run(1.0)
    assert playing(world, Side.A) == world.node.prompts.stem_of(CALLER_URL)
    finish_play(world, Side.A)
    world.run(LONG_S)
    assert not world.bilal.legs
    assert len(reasons(store)) == 1
    assert_nothing_is_left(world)


def test_stranger_reaches_a_lone_party_who_can_call_back(store: Store) -> None:
    """A one-party session puts anybody through; its party calling in reaches who called last."""
    world = make_world(store, NewMaskingSession(first=BILAL.number, second=None, is_single_party=True))
    leg = world.asha.dial(caller=STRANGER.reveal())
    world.run(3.0)
    assert only_call(world).state.phase is Phase.BRIDGED
    world.asha.agent.hang_up(leg, world.network.now)
    world.run(LONG_S)
    world.bilal.dial()
    world.run(3.0)
    assert only_call(world).plan.connect is not None
    assert STRANGER.reveal().encode() in world.sent_to(world.bilal)


def test_service_calls_first_then_second(store: Store) -> None:
    """Both are called from the virtual number, and joined; the first hears ringback meanwhile."""
    world = make_world(store, replace(PAIR, calls_first=True))
    world.node.place_orders()
    world.run(0.3)
    assert only_call(world).state.phase is Phase.CALLING
    world.run(0.7)
    assert only_call(world).state.phase is Phase.RINGING
    world.run(2.0)
    call = only_call(world)
    assert call.state.phase is Phase.BRIDGED
    assert len(world.bilal.legs) == 2  # both parties' numbers are behind the one trunk
    world.bilal.agent.hang_up(world.bilal.legs[0], world.network.now)
    world.run(LONG_S)
    assert reasons(store) == [Reason.CALLER_HUNG_UP]
    assert_nothing_is_left(world)
    assert world.node.place_orders() == 0


def test_service_gives_up_a_first_party_that_does_not_answer(store: Store) -> None:
    """ring_timeout bounds leg A, and the second party hears nothing of it."""
    world = make_world(store, replace(PAIR, calls_first=True, ring_timeout_s=20))
    world.bilal.on_invite = never_answer
    world.node.place_orders()
    world.run(LONG_S)
    assert len(world.bilal.legs) == 1
    assert reasons(store) == [Reason.FIRST_RING_TIMEOUT]
    assert_nothing_is_left(world)


def test_recorded_call_is_captured_from_the_bridge(store: Store) -> None:
    """Capture begins with the bridge under an unguessable name, and its row ends with the call."""
    world = make_world(store, replace(PAIR, is_recorded=True))
    leg = world.asha.dial()
    world.run(0.4)
    assert world.node.relay.recordings == []
    world.run(2.0)
    call = only_call(world)
    assert world.node.relay.recordings == [call.plan.recording_id]
    world.asha.agent.hang_up(leg, world.network.now)
    world.run(LONG_S)
    assert [(row[0], row[1]) for row in recording_rows(store)] == [(call.plan.recording_id, "captured")]


def test_capture_that_cannot_begin_leaves_the_call_alone(store: Store) -> None:
    """A full disk fails the recording and nothing else."""
    world = make_world(store, replace(PAIR, is_recorded=True))
    world.node.relay.is_disk_full = True
    world.asha.dial()
    world.run(3.0)
    assert only_call(world).state.phase is Phase.BRIDGED
    assert [row[1] for row in recording_rows(store)] == ["failed"]


def recording_rows(store: Store) -> list[tuple[str, str]]:
    import sqlite3

    with sqlite3.connect(str(store.url.database)) as raw:
        return raw.execute("SELECT id, state FROM recording").fetchall()


def test_keys_arrive_as_info_too(store: Store) -> None:
    """A phone that sends keys in INFO gets through; a key sent both ways counts once."""
    world = make_world(store, WITH_PIN)
    world.asha.dial(caller=STRANGER.reveal())
    world.run(1.0)
    call = only_call(world)
    for key in "2222#":
        body = f"Signal={key}\r\nDuration=160\r\n".encode()
        call.informed(
            Side.A, sip.InfoReceived(leg=call.legs[Side.A], content_type="application/dtmf-relay", body=body)
        )
        press(world, key)
    world.run(3.0)
    assert only_call(world).state.phase is Phase.BRIDGED


def test_dead_target_is_passed_over(store: Store) -> None:
    """The call reaches the second target when the first says nothing, with four seconds lost."""
    world = make_world(store, PAIR)
    world.add_dead_target(priority=0)
    world.asha.dial()
    world.run(3.0)
    assert not world.bilal.legs
    world.run(3.0)
    assert only_call(world).state.phase is Phase.BRIDGED

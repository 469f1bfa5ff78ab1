"""The whole switch on a virtual network: calls, odd turns, bad networks, and what crosses between legs."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from maskline.core.call.commands import Command
from maskline.core.call.state import Phase
from maskline.core.masking import NewMaskingSession, SessionChanges
from maskline.core.termination import Reason
from maskline.engine.call import Call
from maskline.engine.switch import TELL
from maskline.engine.switch_settings import SwitchLimits, SwitchSettings
from maskline.sip import events as sip
from maskline.sip.events import LegID
from maskline.store.engine import Store, StoreUnavailableError
from maskline.testing.virtual_switch import VirtualSwitch
from maskline.workflows.update_masking_session import update_masking_session
from tests.engine.virtual_world import (
    ASHA,
    BILAL,
    EPOCH_US,
    LONG_S,
    VIRTUAL,
    VirtualPhone,
    World,
    assert_nothing_is_left,
    live_call_count,
    make_store,
    never_answer,
    prepare,
    reasons,
)

S = 1_000_000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = make_store(tmp_path)
    yield made
    made.close()


@pytest.fixture
def world(store: Store) -> World:
    return World(store, prepare(store))


def refuse_with(status: int) -> Callable[[VirtualPhone, LegID], None]:
    return lambda phone, leg: phone.agent.refuse(leg, status, phone.network.now)


def test_plain_call_is_joined_and_ends_by_either_side(world: World) -> None:
    """A dials, B rings and answers, A is answered then, B hangs up, and nothing is left."""
    leg = world.asha.dial()
    world.run(2.0)
    assert [type(event) for event in world.asha.events] == [sip.Progressed, sip.Answered]
    (call,) = world.node.switch.calls.values()
    assert call.state.phase is Phase.BRIDGED
    world.bilal.agent.hang_up(world.bilal.legs[0], world.network.now)
    world.run(LONG_S)
    assert leg in world.asha.released
    assert reasons(world.store) == [Reason.CALLEE_HUNG_UP]
    assert_nothing_is_left(world)


def test_peer_is_told_an_address_of_its_own_family() -> None:
    """Leg B names us by the family of the peer it goes to, as far as we have that family."""
    both = SwitchSettings(local={}, advertised=("192.0.2.1", 5060), advertised_v6=("2001:db8::1", 5060))
    assert both.host_towards("198.51.100.7") == "192.0.2.1"
    assert both.host_towards("2001:db8::7") == "2001:db8::1"
    assert replace(both, advertised_v6=None).host_towards("2001:db8::7") == "192.0.2.1"


def test_callee_is_shown_the_virtual_number(world: World) -> None:
    """The INVITE to B comes from the virtual number and goes to B's own."""
    world.asha.dial()
    world.run(1.0)
    (arrived,) = [event for event in world.bilal.events if isinstance(event, sip.IncomingInvite)]
    assert arrived.invite.from_.uri.user == VIRTUAL
    assert arrived.invite.request_uri.user == BILAL.number.reveal()
    assert arrived.invite.max_forwards == 69


@pytest.mark.parametrize(
    ("status", "heard", "reason"),
    [
        (486, 486, Reason.CALLEE_BUSY),
        (603, 603, Reason.CALLEE_DECLINED),
        (404, 404, Reason.CALLEE_UNALLOCATED),
        (302, 480, Reason.CALLEE_REDIRECTED),
        (488, 488, Reason.CALLEE_NOT_ACCEPTABLE),
        (500, 503, Reason.CARRIER_FAILED),
        (699, 503, Reason.CARRIER_FAILED),
    ],
)
def test_callee_failures_reach_the_caller_from_our_table(
    world: World, status: int, heard: int, reason: Reason
) -> None:
    """Whatever B's side says, A hears one of our own statuses and the record has the reason."""
    world.bilal.on_invite = refuse_with(status)
    world.asha.dial()
    world.run(LONG_S)
    (failed,) = [event for event in world.asha.events if isinstance(event, sip.Failed)]
    assert failed.status == heard
    assert reasons(world.store) == [reason]
    assert_nothing_is_left(world)


def test_unanswered_call_ends_at_the_ring_timeout(world: World) -> None:
    """After the session's ring timeout B's phone stops and A hears 480."""
    world.bilal.on_invite = never_answer
    world.asha.dial()
    world.run(44.5)
    assert not world.asha.seen(sip.Failed)
    world.run(1.0)
    assert [event.status for event in world.asha.events if isinstance(event, sip.Failed)] == [480]
    assert len(world.bilal.seen(sip.Cancelled)) == 1
    world.run(LONG_S)
    assert reasons(world.store) == [Reason.RING_TIMEOUT]
    assert_nothing_is_left(world)


def test_caller_who_gives_up_stops_the_ringing(world: World) -> None:
    """A's CANCEL becomes a CANCEL to B."""
    world.bilal.on_invite = never_answer
    leg = world.asha.dial()
    world.run(3.0)
    world.asha.agent.hang_up(leg, world.network.now)
    world.run(LONG_S)
    assert len(world.bilal.seen(sip.Cancelled)) == 1
    assert reasons(world.store) == [Reason.CALLER_CANCELLED]
    assert_nothing_is_left(world)


@pytest.mark.parametrize("delay_ms", range(0, 40, 2))
def test_caller_may_give_up_at_any_moment(store: Store, delay_ms: int) -> None:
    """A CANCEL at any instant of the set-up leaves one record and nothing else."""
    world = World(store, prepare(store))
    world.bilal.on_invite = lambda phone, leg: phone.agent.answer(leg, phone.sdp(), phone.network.now)
    leg = world.asha.dial()
    world.network.call_at(delay_ms / 1000, lambda: world.asha.agent.hang_up(leg, world.network.now))
    world.run(LONG_S)
    assert len(reasons(store)) == 1
    assert_nothing_is_left(world)


@pytest.mark.parametrize("caller", ["+919812300099", "anonymous", VIRTUAL, "not-a-number"])
def test_strangers_are_refused_alike(world: World, caller: str) -> None:
    """Unknown, withheld, looping and nameless callers all hear 480, and B's phone stays silent."""
    world.asha.dial(caller=caller)
    world.run(LONG_S)
    assert [event.status for event in world.asha.events if isinstance(event, sip.Failed)] == [480]
    assert world.bilal.events == []
    assert len(reasons(world.store)) == 1
    assert_nothing_is_left(world)


def test_free_number_and_ended_session_are_refused_alike(world: World) -> None:
    """A number nobody has and an ended session sound the same, after the same time, in the same bytes."""
    world.asha.dial("+912249379999")
    world.run(5.0)
    world.delete_session()
    world.asha.dial()
    world.run(LONG_S)
    assert [event.status for event in world.asha.events if isinstance(event, sip.Failed)] == [480, 480]
    assert world.bilal.events == []
    assert_nothing_is_left(world)


def test_second_call_of_a_session_is_busy(world: World) -> None:
    """While a session has a call, a further INVITE hears 486 and leaves a record."""
    world.asha.dial()
    world.run(2.0)
    second = world.asha.dial()
    world.run(1.0)
    failed = [event for event in world.asha.events if isinstance(event, sip.Failed)]
    assert [(event.leg, event.status) for event in failed] == [(second, 486)]
    world.asha.agent.hang_up(world.asha.legs[0], world.network.now)
    world.run(1.0)
    third = world.asha.dial()
    world.run(2.0)
    assert any(isinstance(event, sip.Answered) and event.leg == third for event in world.asha.events)


def test_call_ends_at_its_time_limit(store: Store) -> None:
    """The limit counts from the answer and ends both legs."""
    account = prepare(store)
    session = NewMaskingSession(first=ASHA.number, second=BILAL.number, call_time_limit_s=60)
    world = World(store, account, session=session)
    world.asha.dial()
    world.run(59.5)
    assert not world.asha.seen(sip.HungUp)
    world.run(2.0)
    assert len(world.asha.seen(sip.HungUp)) == len(world.bilal.seen(sip.HungUp)) == 1
    world.run(LONG_S)
    assert reasons(store) == [Reason.TIME_LIMIT]
    assert_nothing_is_left(world)


def test_session_end_cancels_a_ringing_call_and_spares_a_bridged_one(store: Store) -> None:
    """At the end instant a call still ringing is cancelled; one already bridged runs on (I2)."""
    account = prepare(store)
    session = NewMaskingSession(first=ASHA.number, second=BILAL.number, expires_in_s=60, ring_timeout_s=120)
    world = World(store, account, session=session)
    world.bilal.on_invite = never_answer
    world.at(50.0, world.asha.dial)
    world.run(59.9)
    assert not world.asha.seen(sip.Failed)
    world.run(0.2)
    assert [event.status for event in world.asha.events if isinstance(event, sip.Failed)] == [480]
    world.run(LONG_S)
    assert reasons(store) == [Reason.SESSION_ENDED]


@pytest.mark.parametrize(("expires_in_s", "end_s"), [(60, 115.0), (5, 60.0)])
def test_call_in_setup_follows_its_session_s_end(store: Store, expires_in_s: int, end_s: float) -> None:
    """A session that is prolonged or cut while B rings cancels the call at its new end, once housekeeping sees it."""
    account = prepare(store)
    session = NewMaskingSession(first=ASHA.number, second=BILAL.number, expires_in_s=60, ring_timeout_s=120)
    world = World(store, account, session=session)
    world.bilal.on_invite = never_answer
    changes = SessionChanges(expires_in_s=expires_in_s)
    world.at(50.0, world.asha.dial)
    world.at(
        55.0,
        lambda: store.run(
            update_masking_session, account, world.session.id, changes, world.node.runner.now_us()
        ),
    )
    world.at(55.5, world.node.see_revocations)
    world.run(end_s - 0.1)
    assert not world.asha.seen(sip.Failed)
    world.run(0.2)
    assert [event.status for event in world.asha.events if isinstance(event, sip.Failed)] == [480]
    world.run(LONG_S)
    assert reasons(store) == [Reason.SESSION_ENDED]


def test_bridged_call_outlives_its_session(store: Store) -> None:
    """A call bridged before the end instant goes on after it."""
    account = prepare(store)
    session = NewMaskingSession(first=ASHA.number, second=BILAL.number, expires_in_s=60)
    world = World(store, account, session=session)
    world.at(55.0, world.asha.dial)
    world.run(100.0)
    assert not world.asha.seen(sip.HungUp)
    assert len(world.asha.seen(sip.Answered)) == 1


def test_deletion_cancels_a_ringing_call(world: World) -> None:
    """A DELETE while B rings cancels both legs once housekeeping sees it."""
    world.bilal.on_invite = never_answer
    world.asha.dial()
    world.run(2.0)
    world.delete_session()
    world.node.see_revocations()
    world.run(LONG_S)
    assert [event.status for event in world.asha.events if isinstance(event, sip.Failed)] == [480]
    assert reasons(world.store) == [Reason.SESSION_ENDED]
    assert_nothing_is_left(world)


def test_deletion_is_seen_before_the_bridge(world: World) -> None:
    """A DELETE that no poll has seen yet is seen when B answers: A is never answered (I2)."""
    world.asha.dial()
    world.at(0.3, world.delete_session)
    world.run(LONG_S)
    assert not world.asha.seen(sip.Answered)
    assert len(world.bilal.seen(sip.HungUp)) == 1
    assert reasons(world.store) == [Reason.SESSION_ENDED]
    assert_nothing_is_left(world)


def test_hold_passes_rebuilt(world: World) -> None:
    """A's hold reaches B as a new offer of ours, and B's answer comes back."""
    leg = world.asha.dial()
    world.run(2.0)
    world.asha.agent.send_offer(leg, world.asha.sdp("sendonly"), world.network.now)
    world.run(2.0)
    (offer,) = [event for event in world.bilal.events if isinstance(event, sip.OfferReceived)]
    assert offer.sdp is not None
    assert b"a=sendonly" in offer.sdp
    assert ASHA.media_host.encode() not in offer.sdp
    (answer,) = [event for event in world.asha.events if isinstance(event, sip.OfferAnswered)]
    assert b"a=recvonly" in answer.sdp
    (session,) = world.node.relay.sessions.values()
    assert session.is_held


def test_offers_of_both_sides_at_once_are_glare(world: World) -> None:
    """Two re-INVITEs that cross are both refused with 491, and the call goes on."""
    leg = world.asha.dial()
    world.run(2.0)
    world.asha.agent.send_offer(leg, world.asha.sdp("sendonly"), world.network.now)
    world.bilal.agent.send_offer(world.bilal.legs[0], world.bilal.sdp("sendonly"), world.network.now)
    world.run(5.0)
    statuses = {
        event.status
        for event in (*world.asha.events, *world.bilal.events)
        if isinstance(event, sip.OfferRejected)
    }
    assert statuses == {491}
    assert not world.asha.seen(sip.HungUp)


def test_invite_without_offer_gets_ours_in_the_answer(world: World) -> None:
    """An INVITE without SDP is answered with an offer; the ACK's answer connects the caller."""
    leg = world.asha.dial(sdp=b"")
    world.run(2.0)
    (answered,) = [event for event in world.asha.events if isinstance(event, sip.Answered)]
    assert answered.sdp is not None
    world.asha.agent.acknowledge(leg, world.asha.sdp(), world.network.now)
    world.run(1.0)
    (session,) = world.node.relay.sessions.values()
    assert {party.address for party in session.parties.values()} == {ASHA.media_host, BILAL.media_host}


def test_unusable_offers_are_refused(world: World) -> None:
    """SRTP or no audio is 488, and B's phone stays silent."""
    encrypted = world.asha.sdp().replace(b"RTP/AVP", b"RTP/SAVP")
    world.asha.dial(sdp=encrypted)
    world.run(LONG_S)
    assert [event.status for event in world.asha.events if isinstance(event, sip.Failed)] == [488]
    assert world.bilal.events == []
    assert_nothing_is_left(world)


def test_full_relay_refuses_with_a_time_to_come_back(store: Store) -> None:
    """Above the configured load an INVITE hears 503 with Retry-After."""
    world = World(store, prepare(store), limits=SwitchLimits(new_calls_per_s_max=0))
    world.asha.dial()
    world.run(LONG_S)
    (failed,) = [event for event in world.asha.events if isinstance(event, sip.Failed)]
    assert (failed.status, failed.retry_after_s) == (503, 5)


def test_media_timeout_and_loss_end_the_call(world: World) -> None:
    """Silence on both sides, or a dead relay, ends both legs."""
    world.asha.dial()
    world.run(2.0)
    (call_id,) = world.node.relay.sessions
    world.node.relay.time_out(call_id)
    world.run(2.0)
    world.asha.dial()
    world.run(2.0)
    world.node.relay.lose()
    world.node.relay.restart()
    world.run(LONG_S)
    assert reasons(world.store) == [Reason.MEDIA_TIMEOUT, Reason.MEDIA_LOST]
    assert len(world.asha.seen(sip.HungUp)) == len(world.bilal.seen(sip.HungUp)) == 2
    assert_nothing_is_left(world)


def test_restarted_switch_ends_its_predecessors_call(world: World) -> None:
    """A switch that died in a call is followed by one that hangs both legs up and writes the record."""
    world.asha.dial()
    world.run(2.0)
    # The old switch is gone without a word; its successor has another place on the network and the same database.
    successor = VirtualSwitch(
        world.network, world.store, address=("192.0.2.1", 5062), epoch_us=EPOCH_US, seed=9
    )
    assert successor.start() == 1
    world.run(LONG_S)
    assert len(world.asha.seen(sip.HungUp)) == len(world.bilal.seen(sip.HungUp)) == 1
    assert reasons(world.store)[0] == Reason.SWITCH_RESTARTED
    assert live_call_count(world.store) == 0


async def _unavailable(*_args: object) -> None:
    raise StoreUnavailableError


def test_database_away_at_the_claim_refuses_the_call(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A claim that the database does not take is 503 with a time to come back, and leaves a record once it is back."""
    monkeypatch.setattr(world.node.store, "claim", _unavailable)
    world.asha.dial()
    world.run(LONG_S)
    (failed,) = [event for event in world.asha.events if isinstance(event, sip.Failed)]
    assert (failed.status, failed.retry_after_s) == (503, 5)
    assert reasons(world.store) == [Reason.OVERLOADED]
    assert_nothing_is_left(world)


def test_database_away_during_a_call_does_not_end_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dialogs and record are written when the database is back; the parties talk on meanwhile."""
    monkeypatch.setattr(world.node.store, "save_dialogs", _unavailable)
    monkeypatch.setattr(world.node.store, "finish", _unavailable)
    leg = world.asha.dial()
    world.run(20.0)
    assert len(world.asha.seen(sip.Answered)) == 1
    assert not world.asha.seen(sip.HungUp)
    world.asha.agent.hang_up(leg, world.network.now)
    world.run(20.0)
    assert reasons(world.store) == []
    monkeypatch.undo()
    world.run(LONG_S)
    assert reasons(world.store) == [Reason.CALLER_HUNG_UP]
    assert_nothing_is_left(world)


def test_bug_in_one_call_spares_the_others(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of ours ends the call it happened in, with a record that says so."""
    monkeypatch.setattr(world.node.relay, "open", None)
    world.asha.dial()
    world.run(LONG_S)
    monkeypatch.undo()
    assert [event.status for event in world.asha.events if isinstance(event, sip.Failed)] == [500]
    world.asha.dial()
    world.run(2.0)
    assert len(world.asha.seen(sip.Answered)) == 1
    assert reasons(world.store) == [Reason.INTERNAL_ERROR]


@pytest.mark.parametrize("action", ["ring", "answer", "originate"])
def test_command_that_cannot_be_carried_out_ends_its_call(
    world: World, monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    """Nobody is left ringing or talking by half a command: both legs go, and the record says why."""

    def fail(*_args: object, **_kwargs: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(world.node.switch.user_agent, action, fail)
    world.asha.dial()
    world.run(5.0)
    monkeypatch.undo()
    world.run(LONG_S)
    assert world.asha.released == set(world.asha.legs)
    assert world.bilal.released == set(world.bilal.legs)
    assert reasons(world.store) == [Reason.INTERNAL_ERROR]
    assert_nothing_is_left(world)


def test_every_command_is_carried_out() -> None:
    """There is no command of the call machine that its driver does not know."""
    assert set(Call.PERFORM) == set(get_args(Command))


def test_every_event_of_a_leg_is_told() -> None:
    """What a leg says reaches its call, but for the two events that belong to no call."""
    assert set(TELL) == set(get_args(sip.Event)) - {sip.IncomingInvite, sip.RequestAnswered}

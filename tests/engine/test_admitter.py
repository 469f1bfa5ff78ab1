"""What is begun and what is not: room on the trunk, somewhere to go, and what is left of calls that are not placed."""

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from maskline.core.call_record import Side
from maskline.core.masking import NewMaskingSession, PinSettings
from maskline.core.pin import PinLimits, TryLimit
from maskline.core.secret import Secret
from maskline.sip import events as sip
from maskline.store.engine import Store
from maskline.workflows.trunks import change_trunk, load_trunks
from tests.engine.virtual_world import (
    ASHA,
    BILAL,
    World,
    assert_nothing_is_left,
    make_store,
    prepare,
    reasons,
)

STRANGER = "+919811100001"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A database of its own."""
    store = make_store(tmp_path)
    yield store
    store.close()


def make_world(store: Store, **session: object) -> World:
    new = NewMaskingSession(first=ASHA.number, second=BILAL.number)
    return World(store, prepare(store), session=replace(new, **session))  # type: ignore[arg-type]


def set_trunk(world: World, **changed: object) -> None:
    (trunk,) = world.store.read(load_trunks)
    assert world.store.run(change_trunk, replace(trunk, **changed))  # type: ignore[arg-type]
    world.node.refresh_trunks()


def refusals_of_orders(store: Store) -> list[tuple[str, str, bool]]:
    with sqlite3.connect(str(store.url.database)) as raw:
        rows = raw.execute("SELECT session_id, reason, is_service_initiated FROM call_record").fetchall()
    return [(session_id, reason, bool(flag)) for session_id, reason, flag in rows]


@pytest.mark.parametrize(("limit", "is_taken"), [(1, False), (2, True)])
def test_a_call_needs_a_channel_for_each_leg(store: Store, limit: int, is_taken: bool) -> None:
    """A trunk without room for both refuses with a time to come back, before anybody's phone rings."""
    world = make_world(store)
    set_trunk(world, max_calls=limit)
    world.asha.dial()
    world.run(5.0)
    failed = world.asha.seen(sip.Failed)
    assert [event.status for event in failed if isinstance(event, sip.Failed)] == ([] if is_taken else [503])
    assert (b"Retry-After: " in world.sent_to(world.asha)) is not is_taken
    assert bool(world.bilal.legs) is is_taken
    if not is_taken:
        assert reasons(store) == ["carrier-congested"]


def test_channels_come_back_with_the_end_of_each_call(store: Store) -> None:
    """Call after call fits through a trunk with room for one."""
    world = make_world(store)
    set_trunk(world, max_calls=2)
    for _ in range(3):
        leg = world.asha.dial()
        world.run(2.0)
        world.asha.agent.hang_up(leg, world.network.now)
        world.run(40.0)
    assert reasons(store) == ["caller-hung-up"] * 3
    assert_nothing_is_left(world)


def test_a_trunk_that_leads_nowhere_is_said_at_once(store: Store) -> None:
    """Without a target this switch can reach, the caller hears 503 and no relay is asked."""
    world = make_world(store)
    (trunk,) = world.store.read(load_trunks)
    (target,) = trunk.targets
    set_trunk(world, targets=(replace(target, host="2001:db8::7"),))
    world.asha.dial()
    world.run(5.0)
    assert [event.status for event in world.asha.seen(sip.Failed) if isinstance(event, sip.Failed)] == [503]
    assert reasons(store) == ["carrier-unreachable"]
    assert world.node.relay.sessions == {}


def test_an_order_that_cannot_be_placed_leaves_a_record(store: Store) -> None:
    """The session it was for, that it was the service's own, and why there was no call."""
    world = make_world(store, calls_first=True)
    set_trunk(world, max_calls=1)
    assert world.node.place_orders() == 1
    world.run(5.0)
    assert refusals_of_orders(store) == [(world.session.id, "carrier-congested", True)]
    assert world.asha.legs == []
    assert world.node.place_orders() == 0


def test_a_locked_caller_is_refused_as_the_settings_say(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where one wrong PIN is too many, the second call of a stranger is not even answered."""
    limits = PinLimits(caller=TryLimit(wrong_count_max=1, window_s=600))
    pin = PinSettings(first=Secret("4711"), second=Secret("4712"), retry_count=0)
    world = make_world(store, pin=pin)
    switch = world.node.switch
    monkeypatch.setattr(switch._admitter, "_settings", replace(switch.settings, pin_limits=limits))
    world.asha.dial(caller=STRANGER)
    world.run(1.0)
    (call,) = switch.calls.values()
    for key in "1111#":
        world.node.relay.press(call.plan.call_id, Side.A, key)
    world.run(60.0)
    world.asha.dial(caller=STRANGER)
    world.run(5.0)
    assert reasons(store)[-1] == "pin-locked"
    assert [event.status for event in world.asha.seen(sip.Failed) if isinstance(event, sip.Failed)] == [480]

"""What is begun and what is not: room on the trunk, somewhere to go, and what is left of calls that are not placed."""

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from maskline.core.call_record import Side
from maskline.core.inventory import Target, TrunkSettings
from maskline.core.masking import NewMaskingSession, PinSettings
from maskline.core.pin import PinLimits, TryLimit
from maskline.core.secret import Secret
from maskline.engine import admitter
from maskline.sip import events as sip
from maskline.store.engine import Store
from maskline.workflows.trunks import TrunkExists, add_trunk, change_trunk, load_trunks
from tests.engine.virtual_world import (
    ASHA,
    BILAL,
    EPOCH_US,
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


@pytest.mark.parametrize("has_room", [True, False])
def test_a_call_that_is_owed_has_its_id_from_the_order_on(store: Store, has_room: bool) -> None:
    """Whoever asked for it was told; it holds for the call, and for the record of one that could not begin."""
    world = make_world(store, calls_first=True)
    if not has_room:
        set_trunk(world, max_calls=1)
    with sqlite3.connect(str(store.url.database)) as raw:
        ((ordered,),) = raw.execute("SELECT call_id FROM call_order").fetchall()
        world.node.place_orders()
        world.run(5.0)
        table = "live_call" if has_room else "call_record"
        assert raw.execute(f"SELECT call_id FROM {table}").fetchall() == [(ordered,)]


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


def test_a_call_that_cannot_be_built_keeps_no_channel(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug on the way to a call refuses that call, and the trunk has all its room again."""
    world = make_world(store, calls_first=True)
    (trunk,) = world.node.switch.trunks.trunks

    def fail(*_args: object, **_kwargs: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(admitter, "CallMedia", fail)
    world.asha.dial()
    world.run(5.0)
    assert [event.status for event in world.asha.seen(sip.Failed) if isinstance(event, sip.Failed)] == [503]
    world.node.place_orders()
    world.run(5.0)
    assert refusals_of_orders(store) == [(world.session.id, "internal-error", True)]
    assert world.node.switch.trunks.channel_count(trunk.id) == 0


def test_a_switch_takes_orders_only_while_it_has_room(store: Store) -> None:
    """A full switch, or one that ends, leaves them for another."""
    world = make_world(store, calls_first=True)
    switch = world.node.switch
    switch.settings = replace(switch.settings, limits=replace(switch.settings.limits, call_count_max=1))
    world.asha.dial()
    world.run(2.0)
    assert switch.room_count == 0
    assert world.node.place_orders() == 0
    switch.stop()
    world.run(60.0)
    assert switch.room_count == 0


def test_what_another_trunks_number_was_dialled_for_leaves_no_trace(store: Store) -> None:
    """A caller who gives up while a number is looked up that its carrier may not dial: nothing of it is kept."""
    world = make_world(store)
    other = TrunkSettings(
        name="other", targets=(Target(host="198.51.100.200"),), accept=("198.51.100.200/32",)
    )
    added = store.run(add_trunk, other, EPOCH_US)
    assert not isinstance(added, TrunkExists)
    world.node.refresh_trunks()
    with sqlite3.connect(str(store.url.database)) as raw:
        raw.execute("UPDATE virtual_number SET trunk_id = ?", (added.id,))
    world.node.runner.work_s = 1.0
    leg = world.asha.dial()
    world.run(0.5)
    world.asha.agent.hang_up(leg, world.network.now)
    world.run(60.0)
    assert reasons(store) == []


def test_a_call_that_is_being_looked_up_when_the_switch_stops_does_not_begin(store: Store) -> None:
    """It is counted as running until then, and hears 503."""
    world = make_world(store)
    world.node.runner.work_s = 1.0
    world.asha.dial()
    world.run(0.5)
    assert world.node.switch.live_count == 1
    world.node.switch.stop()
    world.run(60.0)
    assert [event.status for event in world.asha.seen(sip.Failed) if isinstance(event, sip.Failed)] == [503]
    assert world.bilal.legs == []
    assert_nothing_is_left(world)

import threading
from dataclasses import replace
from pathlib import Path

import pytest
from tests.world import SECOND, World, person, virtual

from maskline.core.event_stream import EventFilter, EventPage
from maskline.core.events import EventKind, EventValue
from maskline.core.inventory import Subaccount
from maskline.core.numbers import E164
from maskline.store import events, outbox
from maskline.store.engine import Store, Tx
from maskline.store.setup import open_store
from maskline.workflows.accounts import create_subaccount
from maskline.workflows.end_masking_session import end_masking_session
from maskline.workflows.events import FOLLOWED_S, follow_accounts, forget_followers
from maskline.workflows.finish_call import finish_call
from maskline.workflows.route_call import route_call
from maskline.workflows.take_deliveries import publish_events


def _publish(world: World) -> None:
    while world.store.run(publish_events, world.now):
        pass


def _read(world: World, **wanted: object) -> EventPage:
    filter_ = replace(EventFilter(account_id=world.account.id), **wanted)  # type: ignore[arg-type]
    return world.store.read(events.load_events, filter_)


def test_events_come_in_their_order(world: World) -> None:
    """Oldest first, page by page; what is not published is not there yet."""
    made = [world.create(1, other).id for other in (2, 3, 4)]
    assert _read(world) == EventPage(events=(), position=0, has_more=False)
    _publish(world)
    first = _read(world, limit=2)
    assert ([it.event.session_id for it in first.events], first.has_more) == (made[:2], True)
    second = _read(world, after=first.position)
    assert ([it.event.session_id for it in second.events], second.has_more) == (made[2:], False)
    assert _read(world, after=second.position).events == ()


def test_kinds_and_subaccounts_are_filtered(world: World) -> None:
    """What is passed over is not looked at again."""
    made = world.store.run(create_subaccount, world.account, "branch", world.now)
    assert isinstance(made, Subaccount)
    world.add_numbers(virtual(10), subaccount_id=made.id)
    own = world.create(1, 2, subaccount_id=made.id)
    other = world.create(1, 3)
    world.store.run(end_masking_session, world.account, other.id, world.now)
    _publish(world)
    branch = _read(world, subaccount_id=made.id)
    assert ([it.event.session_id for it in branch.events], branch.position) == ([own.id], 3)
    ended = _read(world, kinds=frozenset({EventKind.SESSION_ENDED}))
    assert ([it.event.session_id for it in ended.events], ended.position) == ([other.id], 3)
    assert _read(world, kinds=frozenset({EventKind.PIN_ALARM})).position == 3


def test_numbers_are_unsealed_when_asked_for(world: World) -> None:
    """They are there with the flag, and without it nowhere."""
    session = world.create(1, 2)
    world.claim(session)
    world.store.run(finish_call, world.record(session), world.now)
    _publish(world)
    finished = frozenset({EventKind.CALL_FINISHED})
    [hidden] = _read(world, kinds=finished).events
    assert (hidden.caller, hidden.callee, hidden.sends_numbers) == (None, None, False)
    [shown] = _read(world, kinds=finished, has_numbers=True).events
    assert (shown.caller, shown.callee) == (person(1), person(2))


def test_a_party_is_looked_up_once_a_page(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many events name it."""
    for other in (2, 3, 4):
        session = world.create(1, other)
        world.claim(session, f"c{other}")
        world.store.run(finish_call, world.record(session, f"c{other}"), world.now)
    _publish(world)
    asked: list[object] = []

    def load(tx: Tx, account_id: int, fact: EventValue) -> E164 | None:
        asked.append(fact)
        return outbox.load_party(tx, account_id, fact)

    monkeypatch.setattr(events, "load_party", load)
    page = _read(world, kinds=frozenset({EventKind.CALL_FINISHED}), has_numbers=True)
    told = {it.caller for it in page.events} | {it.callee for it in page.events}
    assert (len(page.events), len(asked), told) == (3, 4, {person(it) for it in (1, 2, 3, 4)})


def test_places_outlive_events(world: World) -> None:
    """When every event was pruned, the next one's place is still a later one."""
    world.create(1, 2)
    _publish(world)
    before = _read(world).position

    def forget(tx: Tx) -> None:
        tx.command("DELETE FROM delivery")
        tx.command("DELETE FROM outbox")

    world.store.run(forget)
    world.create(1, 3)
    _publish(world)
    assert [it.position for it in _read(world, after=before).events] == [before + 1]


def test_newest_places(world: World) -> None:
    """Of each account asked for, 0 where nothing is published."""
    world.create(1, 2)
    _publish(world)
    ids = (world.account.id, world.account.id + 1)
    assert world.store.read(events.load_newest_positions, ids) == {ids[0]: 1, ids[1]: 0}


@pytest.mark.postgresql
def test_who_commits_late_is_not_missed(postgresql_url: str, key_path: Path) -> None:
    """A transaction that drew its event's id first and commits last: its event comes behind all that were seen."""
    store = open_store(postgresql_url, key_path)
    try:
        _race(store)
    finally:
        store.close()


def _race(store: Store) -> None:
    world = World(store)
    has_written, may_commit = threading.Event(), threading.Event()
    slow_ids: list[str] = []

    def create_slowly(tx: Tx) -> None:
        slow_ids.append(world.ask_in(tx, 1, 2).session.id)  # type: ignore[union-attr]
        has_written.set()
        assert may_commit.wait(20)

    slow = threading.Thread(target=lambda: store.run(create_slowly))
    slow.start()
    assert has_written.wait(20)
    quick = world.create(3, 4)
    _publish(world)
    seen = _read(world)
    assert [it.event.session_id for it in seen.events] == [quick.id]
    may_commit.set()
    slow.join(20)
    _publish(world)
    late = _read(world, after=seen.position)
    assert [it.event.session_id for it in late.events] == slow_ids
    assert late.events[0].event.id < seen.events[0].event.id, "it had drawn its id before"
    assert store.read(outbox.load_last_position) == late.position


def test_followed_accounts_have_the_steps_of_their_calls_written(world: World) -> None:
    """From when a stream is open until it was not seen for a minute."""
    session = world.create(1, 2)

    def is_reported() -> bool:
        facts = world.store.read(route_call, session.virtual_number, person(1), world.now)
        assert facts.session is not None
        return facts.session.is_reported

    assert not is_reported()
    world.store.run(follow_accounts, [world.account.id], world.now)
    assert is_reported()
    world.now += FOLLOWED_S * SECOND - 1
    assert world.store.run(forget_followers, world.now) == 0
    assert is_reported()
    world.now += 1
    assert world.store.run(forget_followers, world.now) == 1
    assert not is_reported()
    assert world.store.run(forget_followers, world.now) == 0

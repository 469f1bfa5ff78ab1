from tests.world import World, poke

from maskline.core.delivery import Callbacks
from maskline.core.events import DomainEvent, EventKind
from maskline.core.masking import CallbackMethod
from maskline.store import outbox


def test_events_come_back_as_they_were_written(world: World) -> None:
    """Facts of every kind survive, and the oldest unpublished events come first."""
    session = world.create()
    poke(world.store, "UPDATE outbox SET published_at = 1")
    facts = {"caller": "a" * 32, "callee": None, "is_new": True, "ends_at": 1_790_000_000_000_000}
    for sequence in (2, 3):
        world.store.run(
            outbox.insert_event,
            EventKind.CALL_STARTED,
            account_id=world.account.id,
            session_id=session.id,
            sequence=sequence,
            occurred_at=world.now,
            call_id="c1",
            facts=facts,
        )
    [(first, callbacks), (second, _)] = world.store.read(outbox.load_unpublished, 10)
    assert first == DomainEvent(
        id=first.id,
        account_id=world.account.id,
        session_id=session.id,
        call_id="c1",
        kind=EventKind.CALL_STARTED,
        sequence=2,
        occurred_at=world.now,
        facts=facts,
    )
    assert second.sequence == 3
    assert world.store.read(outbox.load_unpublished, 1) == ((first, callbacks),)


def test_published_events_are_not_loaded_again(world: World) -> None:
    """An event is unpublished until somebody says that its deliveries are made."""
    world.create()
    assert world.store.read(outbox.has_unpublished)
    [(event, _)] = world.store.read(outbox.load_unpublished, 10)
    world.store.run(outbox.mark_published, event.id, 1, world.now)
    assert not world.store.read(outbox.has_unpublished)
    assert world.store.read(outbox.load_unpublished, 10) == ()


def test_an_event_comes_with_its_sessions_callbacks_as_they_stand(world: World) -> None:
    """What a later update of the session says is what holds, also for events from before."""
    world.create(callback_url="https://a.example/1")
    world.create(
        callback_url="https://b.example/2",
        callback_method=CallbackMethod.GET,
        recording_callback_url="https://c.example/3",
    )
    assert {callbacks for _, callbacks in world.store.read(outbox.load_unpublished, 10)} == {
        Callbacks(
            url="https://b.example/2",
            method=CallbackMethod.GET,
            recording_url="https://c.example/3",
            recording_method=CallbackMethod.POST,
            has_first=True,
        )
    }


def test_places_in_a_sequence_are_taken_one_by_one(world: World) -> None:
    """Each taker gets the next place of its own session."""
    one, two = world.create(1, 2), world.create(3, 4)
    taken = [world.store.run(outbox.take_sequence, id_) for id_ in (one.id, one.id, two.id, one.id)]
    assert taken == [2, 3, 2, 4]

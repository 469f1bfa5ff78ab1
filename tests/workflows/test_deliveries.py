import pytest
from tests.world import NOW, SECOND, World, peek, poke

from maskline.core.delivery import (
    Delivery,
    DeliveryFilter,
    DeliveryNotFound,
    DeliveryState,
    DeliveryUnfinished,
    EndpointUnavailable,
    NewEndpoint,
)
from maskline.core.inventory import NewAccount
from maskline.workflows.deliveries import (
    RETENTION_S,
    list_deliveries,
    load_delivery,
    prune_deliveries,
    replay_dead_deliveries,
    replay_delivery,
)
from maskline.workflows.take_deliveries import publish_events
from maskline.workflows.webhook_endpoints import create_endpoint, remove_endpoint

HOOK = "https://hooks.example.com/"


def _deliveries(world: World, count: int) -> tuple[Delivery, ...]:
    """Deliveries of as many sessions to one endpoint, oldest first."""
    world.store.run(create_endpoint, world.account.id, NewEndpoint(url=HOOK), NOW)
    for index in range(count):
        world.create(2 * index + 1, 2 * index + 2)
    world.store.run(publish_events, NOW)
    return tuple(reversed(world.store.read(list_deliveries, DeliveryFilter())))


def _set(world: World, delivery: Delivery, state: str, at: int = NOW) -> None:
    poke(
        world.store,
        "UPDATE delivery SET state = ?, finished_at = ?, attempt_count = 20 WHERE id = ?",
        state,
        at,
        delivery.id,
    )


def test_a_listed_delivery_tells_all_but_numbers(world: World) -> None:
    """Which event, to whom, how it stands."""
    [delivery] = _deliveries(world, 1)
    [session] = peek(world.store, "SELECT id FROM masking_session")
    assert (delivery.kind, delivery.session_id, delivery.sequence) == ("session.created", session[0], 1)
    assert (delivery.url, delivery.method, delivery.state) == (HOOK, "POST", DeliveryState.PENDING)
    assert (delivery.attempt_count, delivery.last_status, delivery.finished_at) == (0, None, None)
    assert delivery.auth_id == world.account.auth_id
    assert world.store.read(load_delivery, delivery.message_id, world.account.id) == delivery


def test_pages_are_newest_first(world: World) -> None:
    """Each page begins where the last one ended, also while new deliveries are made."""
    oldest_first = _deliveries(world, 5)
    first = world.store.read(list_deliveries, DeliveryFilter(limit=2))
    second = world.store.read(list_deliveries, DeliveryFilter(limit=2, before=first[-1].id))
    assert [*first, *second] == list(reversed(oldest_first))[:4]


def test_lists_are_of_one_account_and_one_state(world: World) -> None:
    """Filters leave out what does not match."""
    one, two, _ = _deliveries(world, 3)
    _set(world, one, "dead")
    _set(world, two, "delivered")
    other = World(world.store, number_count=0, account=NewAccount(name="Other"))

    def ids(**given: object) -> list[int]:
        return [it.id for it in world.store.read(list_deliveries, DeliveryFilter(**given))]  # type: ignore[arg-type]

    assert ids(state=DeliveryState.DEAD) == [one.id]
    assert ids(state=DeliveryState.DEAD, account_id=world.account.id) == [one.id]
    assert ids(state=DeliveryState.DELIVERED) == [two.id]
    assert ids(account_id=other.account.id) == []
    assert len(ids(account_id=world.account.id)) == 3


@pytest.mark.parametrize("state", ["dead", "cancelled", "delivered"])
def test_a_finished_delivery_is_sent_again_under_its_id(world: World, state: str) -> None:
    """It has the whole time before it again."""
    [delivery] = _deliveries(world, 1)
    _set(world, delivery, state)
    later = NOW + 100 * 3600 * SECOND
    again = world.store.run(replay_delivery, delivery.message_id, world.account.id, later)
    assert isinstance(again, Delivery)
    assert (again.message_id, again.state, again.next_at) == (
        delivery.message_id,
        DeliveryState.PENDING,
        later,
    )
    assert (again.attempt_count, again.finished_at) == (0, None)
    assert peek(world.store, "SELECT give_up_at FROM delivery") == [(later + 72 * 3600 * SECOND,)]


def test_what_is_still_tried_is_not_replayed(world: World) -> None:
    """It is on its way already."""
    [delivery] = _deliveries(world, 1)
    found = world.store.run(replay_delivery, delivery.message_id, None, NOW)
    assert found == DeliveryUnfinished()


def test_other_accounts_deliveries_look_missing(world: World) -> None:
    """Nobody learns that an id exists in another account."""
    [delivery] = _deliveries(world, 1)
    _set(world, delivery, "dead")
    for id_, account_id in ((delivery.message_id, world.account.id + 1), ("msg_none", world.account.id)):
        assert world.store.run(replay_delivery, id_, account_id, NOW) == DeliveryNotFound()
        assert world.store.read(load_delivery, id_, account_id) == DeliveryNotFound()


def test_a_removed_endpoint_takes_no_replay(world: World) -> None:
    """There is nobody to send it to, and no secret to sign it with."""
    [delivery] = _deliveries(world, 1)
    _set(world, delivery, "dead")
    assert delivery.endpoint_id is not None
    world.store.run(remove_endpoint, world.account.id, delivery.endpoint_id, NOW)
    assert world.store.run(replay_delivery, delivery.message_id, None, NOW) == EndpointUnavailable()
    assert world.store.run(replay_dead_deliveries, None, NOW) == 0


def test_all_dead_are_replayed_at_once(world: World) -> None:
    """Of one account or of all; the others stay as they are."""
    one, two, three = _deliveries(world, 3)
    _set(world, one, "dead")
    _set(world, two, "dead")
    _set(world, three, "delivered")
    assert world.store.run(replay_dead_deliveries, world.account.id + 1, NOW) == 0
    assert world.store.run(replay_dead_deliveries, world.account.id, NOW) == 2
    _set(world, one, "dead")
    assert world.store.run(replay_dead_deliveries, None, NOW) == 1
    assert peek(world.store, "SELECT count(*) FROM delivery WHERE state = 'pending'") == [(2,)]


@pytest.mark.parametrize(("offset_us", "count"), [(-1, 1), (0, 0)])
def test_finished_deliveries_go_after_a_month(world: World, offset_us: int, count: int) -> None:
    """Delivered, dead and cancelled ones alike, and then their events; what is pending stays."""
    one, two, three, four = _deliveries(world, 4)
    for delivery, state in ((one, "delivered"), (two, "dead"), (three, "cancelled")):
        _set(world, delivery, state)
    pruned = world.store.run(prune_deliveries, NOW + RETENTION_S * SECOND + offset_us)
    assert pruned == (0 if count else 6)
    assert peek(world.store, "SELECT count(*) FROM delivery") == [(4 if count else 1,)]
    assert peek(world.store, "SELECT count(*) FROM outbox") == [(4 if count else 1,)]
    assert four.state is DeliveryState.PENDING


def test_unpublished_events_are_never_pruned(world: World) -> None:
    """However old they are: nobody was told of them yet."""
    world.create()
    assert world.store.run(prune_deliveries, NOW + 10 * RETENTION_S * SECOND) == 0

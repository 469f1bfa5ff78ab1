import pytest
from tests.world import NOW, World, peek, poke

from maskline.core.delivery import DeliveryState, NewEndpoint
from maskline.store import delivery_lists as rows
from maskline.store import webhook_endpoints
from maskline.workflows.take_deliveries import publish_events
from maskline.workflows.webhook_endpoints import create_endpoint


def _one(world: World) -> str:
    world.store.run(create_endpoint, world.account.id, NewEndpoint(url="https://a.example/"), NOW)
    world.create()
    world.store.run(publish_events, NOW)
    [(message_id,)] = peek(world.store, "SELECT message_id FROM delivery")
    return str(message_id)


def test_a_locked_delivery_says_whether_its_endpoint_is_there(world: World) -> None:
    """Disabled and removed endpoints take no replay."""
    message_id = _one(world)
    locked = world.store.run(rows.lock_delivery, message_id)
    assert locked is not None
    assert (locked.account_id, locked.state, locked.is_endpoint_gone) == (
        world.account.id,
        DeliveryState.PENDING,
        False,
    )
    [(endpoint_id,)] = peek(world.store, "SELECT id FROM webhook_endpoint")
    world.store.run(webhook_endpoints.disable, endpoint_id, NOW)
    locked = world.store.run(rows.lock_delivery, message_id)
    assert locked is not None
    assert locked.is_endpoint_gone
    assert world.store.run(rows.lock_delivery, "nothing") is None


def test_an_id_finds_its_delivery(world: World) -> None:
    """And an unknown one none."""
    found = world.store.read(rows.load_delivery, _one(world))
    assert found is not None
    assert found.state is DeliveryState.PENDING
    assert world.store.read(rows.load_delivery, "nothing") is None


@pytest.mark.parametrize("is_old", [True, False])
def test_an_event_goes_after_its_deliveries(world: World, is_old: bool) -> None:
    """An event with a delivery that is kept is kept with it."""
    _one(world)
    poke(world.store, "UPDATE outbox SET published_at = 1")
    poke(world.store, "UPDATE delivery SET state = 'dead', finished_at = ?", 1 if is_old else NOW)
    assert world.store.run(rows.prune, NOW - 1) == (2 if is_old else 0)
    assert peek(world.store, "SELECT count(*) FROM outbox") == [(0 if is_old else 1,)]

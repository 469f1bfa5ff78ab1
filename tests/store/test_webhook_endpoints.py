from tests.world import NOW, World, peek

from maskline.core.delivery import ENDPOINT_COUNT_MAX, WebhookEndpoint
from maskline.core.secret import Secret
from maskline.store import webhook_endpoints as rows


def _insert(world: World, id_: str) -> bool:
    endpoint = WebhookEndpoint(
        id=id_,
        account_id=world.account.id,
        url="https://a.example/",
        kinds=frozenset(),
        sends_numbers=True,
        created_at=NOW,
        disabled_at=None,
    )
    return world.store.run(rows.insert_endpoint, endpoint, Secret("whsec_abc"))


def test_slots_are_filled_from_the_first_free_one(world: World) -> None:
    """A removed endpoint's slot is the next one's."""
    assert all(_insert(world, f"e{index}") for index in range(ENDPOINT_COUNT_MAX))
    assert not _insert(world, "one too many")
    assert world.store.run(rows.remove, world.account.id, "e4", NOW)
    assert _insert(world, "new")
    assert peek(world.store, "SELECT slot FROM webhook_endpoint WHERE id = 'new'") == [(5,)]


def test_disabled_endpoints_are_listed_but_not_enabled(world: World) -> None:
    """Who looks after endpoints sees them; who publishes events does not."""
    assert _insert(world, "e1")
    assert _insert(world, "e2")
    assert world.store.run(rows.disable, "e1", NOW)
    listed = world.store.read(rows.load_endpoints, world.account.id)
    assert {it.id: it.disabled_at for it in listed} == {"e1": NOW, "e2": None}
    enabled = world.store.read(rows.load_endpoints, world.account.id, only_enabled=True)
    assert [it.id for it in enabled] == ["e2"]


def test_secrets_are_sealed_for_their_row(world: World) -> None:
    """What is sealed for one endpoint opens nowhere else."""
    assert _insert(world, "e1")
    [(sealed,)] = peek(world.store, "SELECT secret_sealed FROM webhook_endpoint")
    opened = world.store.read(lambda tx: tx.keys.unseal(bytes(sealed), rows.secret_place("e1")))
    assert opened == "whsec_abc"

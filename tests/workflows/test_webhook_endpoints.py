import threading

import pytest
from tests.world import NOW, World, peek

from maskline.core.delivery import (
    ENDPOINT_COUNT_MAX,
    EndpointCreated,
    EndpointURLRefused,
    NewEndpoint,
    TooManyEndpoints,
    WebhookEndpoint,
)
from maskline.core.events import EventKind
from maskline.core.inventory import NewAccount
from maskline.store import webhook_endpoints as rows
from maskline.workflows.webhook_endpoints import create_endpoint, list_endpoints, remove_endpoint

NEW = NewEndpoint(url="https://hooks.example.com/", kinds=frozenset({EventKind.CALL_FINISHED}))


def _create(world: World, new: NewEndpoint = NEW) -> EndpointCreated | EndpointURLRefused | TooManyEndpoints:
    return world.store.run(create_endpoint, world.account.id, new, NOW)


def _must_create(world: World) -> EndpointCreated:
    created = _create(world)
    assert isinstance(created, EndpointCreated)
    return created


def _has_webhooks(world: World) -> bool:
    [(flag,)] = peek(world.store, "SELECT has_webhooks FROM account WHERE id = ?", world.account.id)
    return bool(flag)


def test_an_endpoint_comes_with_a_secret_of_its_own(world: World) -> None:
    """256 random bits in the standard's form, sealed in the database, shown once."""
    one, two = _must_create(world), _must_create(world)
    assert one.secret.reveal().startswith("whsec_")
    assert one.secret != two.secret
    assert "whsec_" not in repr(one)
    [(sealed,), _] = peek(world.store, "SELECT secret_sealed FROM webhook_endpoint")
    assert one.secret.reveal().encode() not in bytes(sealed)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("ftp://hooks.example.com/", "scheme"),
        ("https://user:pass@hooks.example.com/", "url"),
        ("https://hooks.example.com:22/", "port"),
        ("hooks.example.com", "url"),
        ("https://hooks.example.com/#rc=1", "fragment"),
        ("https://hooks.example.com/" + "x" * 1000, "length"),
    ],
)
def test_a_url_nothing_is_sent_to_is_refused(world: World, url: str, reason: str) -> None:
    """Whoever makes an endpoint learns at once that its URL cannot work."""
    assert _create(world, NewEndpoint(url=url)) == EndpointURLRefused(reason=reason)
    assert world.store.read(list_endpoints, world.account.id) == ()


def test_endpoints_are_listed_as_made(world: World) -> None:
    """Oldest first, of the account alone."""
    created = _must_create(world)
    other = World(world.store, number_count=0, account=NewAccount(name="Other"))
    assert world.store.read(list_endpoints, world.account.id) == (created.endpoint,)
    assert world.store.read(list_endpoints, other.account.id) == ()
    assert created.endpoint == WebhookEndpoint(
        id=created.endpoint.id,
        account_id=world.account.id,
        url=NEW.url,
        kinds=NEW.kinds,
        sends_numbers=False,
        created_at=NOW,
        disabled_at=None,
    )


def test_an_account_has_ten_at_most(world: World) -> None:
    """A removed one makes room."""
    made = [_must_create(world) for _ in range(ENDPOINT_COUNT_MAX)]
    assert _create(world) == TooManyEndpoints()
    assert world.store.run(remove_endpoint, world.account.id, made[3].endpoint.id, NOW)
    assert isinstance(_create(world), EndpointCreated)
    assert _create(world) == TooManyEndpoints()


def test_many_at_once_make_ten(world: World) -> None:
    """The bound holds however many ask at the same moment: slots are unique."""
    results: list[object] = []

    def ask() -> None:
        results.append(_create(world))

    threads = [threading.Thread(target=ask) for _ in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 24
    assert sum(isinstance(it, EndpointCreated) for it in results) == ENDPOINT_COUNT_MAX


def test_the_account_says_whether_it_has_any(world: World) -> None:
    """What routing reads for each call follows every change."""
    assert not _has_webhooks(world)
    one, two = _must_create(world), _must_create(world)
    assert _has_webhooks(world)
    world.store.run(remove_endpoint, world.account.id, one.endpoint.id, NOW)
    assert _has_webhooks(world)
    assert world.store.run(rows.disable, two.endpoint.id, NOW)
    assert not _has_webhooks(world)
    assert not world.store.run(rows.disable, two.endpoint.id, NOW)


def test_removal_forgets_the_secret(world: World) -> None:
    """The row stays for its deliveries, without what it signed with; other accounts cannot remove it."""
    created = _must_create(world)
    assert not world.store.run(remove_endpoint, world.account.id + 1, created.endpoint.id, NOW)
    assert world.store.run(remove_endpoint, world.account.id, created.endpoint.id, NOW)
    assert not world.store.run(remove_endpoint, world.account.id, created.endpoint.id, NOW)
    assert peek(world.store, "SELECT secret_sealed FROM webhook_endpoint") == [(None,)]
    assert world.store.read(list_endpoints, world.account.id) == ()

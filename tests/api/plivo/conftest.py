"""What tests of the dialect share: the official Python client pointed here, and recordings to be had."""

from collections.abc import Iterator

import plivo
import plivo.rest.client
import pytest
from tests.api.plivo.sdk_cases import Ground, prepare_ground
from tests.api.plivo.shelf import Shelf
from tests.api.service import Service, Tenant


@pytest.fixture
def point_at(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lead the client here: it has no setting for its host, and these names are what it reads."""
    for name in ("API_VOICE_BASE_URI", "API_VOICE_BASE_URI_FALLBACK_1", "API_VOICE_BASE_URI_FALLBACK_2"):
        monkeypatch.setattr(plivo.rest.client, name, f"http://127.0.0.1:{service.port}/v1/Account")
    service.faults.reset()


@pytest.fixture
def client(point_at: None, tenant: Tenant) -> Iterator[plivo.RestClient]:
    """The client with the account's credentials."""
    with plivo.RestClient(tenant.auth_id, tenant.token) as client:
        yield client


@pytest.fixture
def shelf(service: Service) -> Shelf:
    """A fresh account, and recordings when its test asks for them."""
    return Shelf(service.new_account())


@pytest.fixture
def shelf_client(point_at: None, shelf: Shelf) -> Iterator[plivo.RestClient]:
    """The client with the credentials of an account that has recordings."""
    with plivo.RestClient(shelf.tenant.auth_id, shelf.tenant.token) as client:
        yield client


@pytest.fixture(scope="module")
def ground(service: Service) -> Ground:
    """Sessions to be found by lists; their tests leave the clock alone."""
    return prepare_ground(service.new_account())


@pytest.fixture
def ground_client(point_at: None, ground: Ground) -> Iterator[plivo.RestClient]:
    """The client with the credentials of the ground's account."""
    with plivo.RestClient(ground.tenant.auth_id, ground.tenant.token) as client:
        yield client

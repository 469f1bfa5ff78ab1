"""What tests of the dialect share: the official Python client pointed here, and recordings to be had."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import plivo
import plivo.rest.client
import pytest
from tests.api.plivo.sdk_cases import Ground, prepare_ground
from tests.api.plivo.shelf import Shelf
from tests.api.service import Service, Tenant
from tests.databases import PostgreSQLServer

from maskline.recordings.storage_local import LocalStorage


def point(monkeypatch: pytest.MonkeyPatch, service: Service) -> None:
    """Lead the client here: it has no setting for its host, and these names are what it reads."""
    for name in ("API_VOICE_BASE_URI", "API_VOICE_BASE_URI_FALLBACK_1", "API_VOICE_BASE_URI_FALLBACK_2"):
        monkeypatch.setattr(plivo.rest.client, name, f"http://127.0.0.1:{service.port}/v1/Account")


@pytest.fixture
def point_at(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client speaks to the service."""
    point(monkeypatch, service)
    service.faults.reset()


@pytest.fixture
def client(point_at: None, tenant: Tenant) -> Iterator[plivo.RestClient]:
    """The client with the account's credentials."""
    with plivo.RestClient(tenant.auth_id, tenant.token) as client:
        yield client


@pytest.fixture(scope="session", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def serving(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    sqlite_template: Path,
    key_path: Path,
) -> Iterator[Service]:
    """The HTTP side with recordings, over a database of each kind in turn."""
    directory = tmp_path_factory.mktemp("serving")
    if request.param == "sqlite":
        shutil.copy(sqlite_template, directory / "maskline.db")
        url = f"sqlite:///{directory / 'maskline.db'}"
    else:
        server: PostgreSQLServer = request.getfixturevalue("postgresql_server")
        url = server.new_database()
    storage = LocalStorage(directory / "recordings")
    storage._prepare()
    running = Service(url, key_path, recordings=storage)
    yield running
    running.close()
    if request.param == "postgresql":
        server.drop_database(url)


@pytest.fixture
def shelf(serving: Service) -> Shelf:
    return Shelf(serving.new_account())


@pytest.fixture
def shelf_client(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> Iterator[plivo.RestClient]:
    """The client with the credentials of an account that has recordings."""
    point(monkeypatch, shelf.service)
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

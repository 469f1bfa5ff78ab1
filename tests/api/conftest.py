import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.api.service import Service, Tenant
from tests.databases import PostgreSQLServer

from maskline.recordings.storage_local import LocalStorage


@pytest.fixture(scope="session", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def service(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    sqlite_template: Path,
    key_path: Path,
) -> Iterator[Service]:
    """The HTTP side over a database of each kind in turn; tests make accounts of their own in it."""
    directory = tmp_path_factory.mktemp("service")
    storage = LocalStorage(directory / "recordings")
    storage._prepare()
    if request.param == "sqlite":
        path = directory / "maskline.db"
        shutil.copy(sqlite_template, path)
        running = Service(f"sqlite:///{path}", key_path, recordings=storage)
        yield running
        running.close()
        return
    server: PostgreSQLServer = request.getfixturevalue("postgresql_server")
    url = server.new_database()
    running = Service(url, key_path, recordings=storage)
    yield running
    running.close()
    server.drop_database(url)


@pytest.fixture
def tenant(service: Service) -> Tenant:
    """A fresh account with five numbers."""
    return service.new_account()

"""Fixtures shared by all tests: a store on each database."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from maskline.store.engine import Store
from maskline.store.setup import init_database, open_store
from tests.databases import PostgreSQLServer
from tests.peers import need
from tests.world import World

for _name in [name for name in os.environ if name.startswith("MASKLINE_")]:
    del os.environ[_name]  # the tests decide what the service is told


@pytest.fixture(scope="session")
def key_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The key file of every database below; made with the first."""
    return tmp_path_factory.mktemp("keys") / "maskline.key"


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory, key_path: Path) -> Path:
    """A migrated SQLite file to copy."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    init_database(f"sqlite:///{path}", key_path)
    return path


@pytest.fixture(scope="session")
def postgresql_server(sqlite_template: Path, key_path: Path) -> Iterator[PostgreSQLServer]:
    """A PostgreSQL of the test run's own; without one the test is skipped (failed in CI)."""
    need("initdb")
    server = PostgreSQLServer(key_path)
    yield server
    server.stop()


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A fresh, migrated SQLite database."""
    path = tmp_path / "maskline.db"
    shutil.copy(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture
def postgresql_url(postgresql_server: PostgreSQLServer) -> Iterator[str]:
    """A fresh, migrated PostgreSQL database."""
    url = postgresql_server.new_database()
    yield url
    postgresql_server.drop_database(url)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def database_url(request: pytest.FixtureRequest) -> str:
    """A fresh, migrated database of each kind in turn."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def store(database_url: str, key_path: Path) -> Iterator[Store]:
    """A store on a fresh database of each kind in turn."""
    opened = open_store(database_url, key_path)
    yield opened
    opened.close()


@pytest.fixture
def world(store: Store) -> World:
    """An account with three numbers on each database in turn."""
    return World(store)

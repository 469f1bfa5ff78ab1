"""Throw-away databases for tests: SQLite files and a PostgreSQL cluster of the test run's own."""

from itertools import count
from pathlib import Path
from typing import Final

from maskline.store.setup import init_database
from maskline.testing.postgresql import PostgreSQLCluster

_TEMPLATE: Final = "template_maskline"


class PostgreSQLServer:
    """A cluster that lives as long as the test run, so nothing in it needs to survive anything."""

    def __init__(self, key_path: Path) -> None:
        self._cluster = PostgreSQLCluster(is_durable=False)
        self._serial = count(1)
        init_database(self._cluster.create_database(_TEMPLATE), key_path)

    def new_database(self, *, is_empty: bool = False) -> str:
        """Make a database, migrated unless it shall be empty; return its URL."""
        name = f"t{next(self._serial)}"
        return self._cluster.create_database(name, template="template0" if is_empty else _TEMPLATE)

    def drop_database(self, url: str) -> None:
        """Drop a database, whoever is still connected to it."""
        self._cluster.drop_database(url.partition("?")[0].rpartition("/")[2])

    def stop(self) -> None:
        self._cluster.stop()

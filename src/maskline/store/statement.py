"""Statements written once with SQLAlchemy and run as plain text.

A statement is compiled at its first use on each database; what runs afterwards is the driver's own
`execute` with a cached string, which is what the budget of a call allows.
"""

from enum import StrEnum
from typing import Any, Final

from sqlalchemy import ClauseElement, Table, bindparam
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite


class Database(StrEnum):
    """Which database a store is on."""

    SQLITE = "sqlite"
    POSTGRESQL = "postgresql"


_DIALECTS: Final[dict[Database, Any]] = {
    Database.SQLITE: SQLiteDialect_pysqlite(paramstyle="named"),
    Database.POSTGRESQL: PGDialect_psycopg(),  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it bare
}


class Statement:
    """One SQL statement of Core with named parameters. Made at import, shared by all threads.

    Values written into the statement as Python constants become parameters with that default.
    """

    __slots__ = ("_clause", "_compiled")

    def __init__(self, clause: ClauseElement) -> None:
        self._clause = clause
        self._compiled: dict[Database, tuple[str, dict[str, Any]]] = {}

    def compiled(self, database: Database) -> tuple[str, dict[str, Any]]:
        """Return the driver's text and the constants to add to the parameters."""
        found = self._compiled.get(database)
        if found is None:
            done: Any = self._clause.compile(dialect=_DIALECTS[database])
            # A constant may be None: it is told from a parameter by not being asked for.
            names = done.bind_names.items()
            constants = {name: bind.value for bind, name in names if not bind.required}
            found = self._compiled[database] = (str(done), constants)
        return found


def insert_row(table: Table, *columns: str) -> Insert:
    """Build an INSERT of one row with a parameter for each column, named like it.

    Add `.on_conflict_do_nothing()` to leave things as they are when any unique index objects: the
    PostgreSQL construct renders what both databases understand.
    """
    return insert(table).values({name: bindparam(name) for name in columns}).inline()

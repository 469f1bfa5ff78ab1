"""Statements written once with SQLAlchemy and run as plain text.

A statement is compiled at its first use on each database; what runs afterwards is the driver's own
`execute` with a cached string, which is what the budget of a call allows.
"""

from collections.abc import Callable
from enum import StrEnum
from operator import itemgetter
from typing import Any, Final, NamedTuple

from sqlalchemy import ClauseElement, Table, bindparam
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite


class Database(StrEnum):
    """Which database a store is on."""

    SQLITE = "sqlite"
    POSTGRESQL = "postgresql"


_DIALECTS: Final[dict[Database, Any]] = {
    Database.SQLITE: SQLiteDialect_pysqlite(paramstyle="qmark"),  # bound by place: half the cost of by name
    Database.POSTGRESQL: PGDialect_psycopg(),  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it bare
}


class Compiled(NamedTuple):
    """What the driver runs: `text` with what `bind` makes of the named `parameters`.

    `constants` are the values written into the statement; `bind` adds them.
    """

    text: str
    bind: Callable[[dict[str, Any]], Any]
    parameters: frozenset[str]
    constants: dict[str, Any]


class Statement:
    """One SQL statement of Core with named parameters. Made at import, shared by all threads.

    Values written into the statement as Python constants become parameters with that default.
    """

    __slots__ = ("_clause", "_compiled")

    def __init__(self, clause: ClauseElement) -> None:
        self._clause = clause
        self._compiled: dict[Database, Compiled] = {}

    def compiled(self, database: Database) -> Compiled:
        """Return the driver's text and how to bind parameters to it."""
        found = self._compiled.get(database)
        if found is None:
            done: Any = self._clause.compile(dialect=_DIALECTS[database])
            # A constant may be None: it is told from a parameter by not being asked for.
            names = done.bind_names.items()
            constants = {name: bind.value for bind, name in names if not bind.required}
            parameters = frozenset(done.bind_names.values()) - constants.keys()
            found = Compiled(str(done), _binder(done.positiontup, constants), parameters, constants)
            self._compiled[database] = found
        return found


def _binder(places: list[str] | None, constants: dict[str, Any]) -> Callable[[dict[str, Any]], Any]:
    """Make the function that turns named parameters into the driver's: a tuple by `places`, else a dict."""

    def add(params: dict[str, Any]) -> dict[str, Any]:
        return {**constants, **params} if constants else params

    if places is None:
        return add
    match len(places):
        case 0:
            return lambda _params: ()
        case 1:
            return lambda params: (add(params)[places[0]],)
    pick = itemgetter(*places)
    return (lambda params: pick(add(params))) if constants else pick


def insert_row(table: Table, *columns: str) -> Insert:
    """Build an INSERT of one row with a parameter for each column, named like it.

    Add `.on_conflict_do_nothing()` to leave things as they are when any unique index objects: the
    PostgreSQL construct renders what both databases understand.
    """
    return insert(table).values({name: bindparam(name) for name in columns}).inline()

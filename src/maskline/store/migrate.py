"""Bring a database to this release's schema, or say how far it is.

Revisions are `pre_NNNN` (safe while the previous release still runs) or `post_NNNN` (only after it is gone).
"""

import sqlite3
from enum import StrEnum
from pathlib import Path
from typing import Final

import psycopg
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from maskline.errors import DatabaseMissingError, DatabaseUnusableError

from .engine import connect, database_of
from .statement import Database

_MIGRATION_LOCK_ID: Final = 0x6D61736B  # any constant: one upgrade at a time on PostgreSQL
_DIRECTORY: Final = Path(__file__).parent / "migrations"


class SchemaState(StrEnum):
    """How a database stands to this release."""

    MISSING = "missing"
    """No database, or one without tables of ours."""
    BEHIND = "behind"
    CURRENT = "current"
    AHEAD = "ahead"
    """Made by a later release."""


def schema_state(url: URL) -> SchemaState:
    """Compare a database's revision with the newest known here."""
    try:
        with _engine(url).connect() as connection:
            found = MigrationContext.configure(connection).get_current_revision()
    except DatabaseMissingError:
        return SchemaState.MISSING
    except DBAPIError as error:
        raise DatabaseUnusableError(f"cannot use the database: {type(error.orig).__name__}") from None
    scripts = ScriptDirectory.from_config(_config())
    if found is None:
        return SchemaState.MISSING
    if found == scripts.get_current_head():
        return SchemaState.CURRENT
    known = {script.revision for script in scripts.walk_revisions()}
    return SchemaState.BEHIND if found in known else SchemaState.AHEAD


def upgrade_schema(url: URL, *, can_create: bool = False) -> None:
    """Run the missing migrations in one transaction; two at once wait for each other.

    Raises DatabaseMissingError when there is no SQLite file and `can_create` is False, and
    DatabaseUnusableError when the schema is of a later release.
    """
    if can_create and database_of(url) is Database.SQLITE:
        _create_sqlite(Path(str(url.database)))
    if schema_state(url) is SchemaState.AHEAD:
        raise DatabaseUnusableError("the database was made by a later release")
    with _engine(url).begin() as connection:
        if database_of(url) is Database.POSTGRESQL:
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK_ID})"))
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        if database_of(url) is Database.SQLITE and connection.execute(text("PRAGMA foreign_key_check")).all():
            raise DatabaseUnusableError("a migration left rows that refer to nothing")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_DIRECTORY))
    config.set_main_option("path_separator", "os")
    return config


def _engine(url: URL) -> Engine:
    """Build a SQLAlchemy engine over our own kind of connection, for DDL only."""
    engine = create_engine(url, poolclass=NullPool, creator=lambda: _connect_for_ddl(url))

    if database_of(url) is Database.SQLITE:

        @event.listens_for(engine, "begin")
        def _begin(connection: Connection) -> None:
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _connect_for_ddl(url: URL) -> sqlite3.Connection | psycopg.Connection:
    raw: sqlite3.Connection | psycopg.Connection = connect(url)
    if isinstance(raw, psycopg.Connection):
        raw.autocommit = False  # SQLAlchemy begins by the driver
    else:
        # SQLite alters a table by making another and dropping the first, which rows elsewhere refer to; what they
        # refer to is checked at the end instead (as SQLite's manual has it, ALTER TABLE, section 7).
        raw.execute("PRAGMA foreign_keys=OFF")
    return raw


def _create_sqlite(path: Path) -> None:
    """Make an empty file that only its owner reads, in a directory that is there."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600, exist_ok=True)
    except OSError as error:
        raise DatabaseUnusableError(f"cannot make the database {path}: {error.strerror}") from error

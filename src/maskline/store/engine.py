"""Open a database and run workflows in it, each as one transaction.

A workflow is a plain function whose first argument is a `Tx`. On SQLite a writing transaction begins
IMMEDIATE, so that it never fails half-way for want of the write lock; PostgreSQL runs READ COMMITTED
and leaves conflicts to unique indexes. Reads run without an explicit transaction.
"""

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

import psycopg
from sqlalchemy import text as sql_text
from sqlalchemy.engine import URL, make_url

from maskline.errors import AppError, DatabaseMissingError, DatabaseUnusableError

from .keys import Keys
from .statement import Database, Statement

P = ParamSpec("P")
T = TypeVar("T")
Row = tuple[Any, ...]

ATTEMPT_COUNT_MAX: Final = 5
"""Tries of one workflow that lost a deadlock, a serialisation or the write lock."""
BUSY_TIMEOUT_S: Final = 5.0
"""How long a statement waits for SQLite's one write lock or a PostgreSQL row; transactions take milliseconds."""
IDLE_CONNECTION_COUNT_MAX: Final = 8
"""Connections kept open between transactions; more than the threads one process runs workflows on."""
_STATEMENT_CACHE_SIZE: Final = 256  # more than the program has statements
_SQLITE_CACHE_KB: Final = 32_768
"""Pages a connection keeps: more than a group of workflows changes, or SQLite writes some of them twice."""
_SQLITE_LOG_PAGES_MAX: Final = 16_000
"""Length of the log, 64 MB, at which a writer empties it itself; `Store.checkpoint` does so before."""
_CONNECT_TIMEOUT_S: Final = 10


_CHECKPOINT: Final = Statement(sql_text("PRAGMA wal_checkpoint(PASSIVE)"))


class StoreConflictError(AppError):
    """The database stayed busy or contended; the same request may succeed now."""

    code = "store.conflict"
    is_retryable = True


class StoreUnavailableError(AppError):
    """The database cannot be reached or cannot write."""

    code = "store.unavailable"
    is_retryable = True


class RetryableError(Exception):
    """The transaction lost to another one and may be run again. Never leaves the store."""


class Tx:
    """The view a workflow has of its transaction: run statements, seal and draw.

    Used by one thread at a time; not to be kept after the workflow has returned.
    """

    __slots__ = ("_depth", "_raw", "database", "keys", "random_bytes")

    def __init__(
        self, raw: Any, database: Database, keys: Keys, random_bytes: Callable[[int], bytes]
    ) -> None:
        self._raw = raw
        self._depth = 0
        self.database = database
        self.keys = keys
        self.random_bytes = random_bytes

    def _execute(self, statement: Statement, params: dict[str, Any]) -> Any:
        compiled = statement.compiled(self.database)
        try:
            return self._raw.execute(compiled.text, compiled.bind(params))
        except (sqlite3.Error, psycopg.Error) as error:
            raise translate(error) from error

    def rows(self, statement: Statement, /, **params: Any) -> list[Row]:
        """Run a statement and return all its rows; the statement bounds how many."""
        found: list[Row] = self._execute(statement, params).fetchall()
        return found

    def row(self, statement: Statement, /, **params: Any) -> Row | None:
        """Run a statement and return its first row."""
        rows = self.rows(statement, **params)
        return rows[0] if rows else None

    def run(self, statement: Statement, /, **params: Any) -> int:
        """Run a statement and return how many rows it changed."""
        count: int = self._execute(statement, params).rowcount
        return count

    def command(self, text: str) -> None:
        """Run transaction control or a setting: fixed text without parameters."""
        try:
            self._raw.execute(text)
        except (sqlite3.Error, psycopg.Error) as error:
            raise translate(error) from error

    @contextmanager
    def savepoint(self) -> Iterator["Savepoint"]:
        """Open a savepoint; it is undone when its block raises or calls `undo`."""
        self._depth += 1
        name = f"s{self._depth}"  # few names, so that their statements stay prepared
        self.command(f"SAVEPOINT {name}")
        savepoint = Savepoint()
        try:
            yield savepoint
            if savepoint.is_undone:
                self.command(f"ROLLBACK TO SAVEPOINT {name}")
            self.command(f"RELEASE SAVEPOINT {name}")
        except RetryableError:
            raise  # the whole transaction goes
        except BaseException:
            self.command(f"ROLLBACK TO SAVEPOINT {name}")
            raise
        finally:
            self._depth -= 1


class Savepoint:
    """Whether the work since a savepoint shall stay."""

    __slots__ = ("is_undone",)

    def __init__(self) -> None:
        self.is_undone = False

    def undo(self) -> None:
        """Take back, at the end of the block, what was done in it."""
        self.is_undone = True


class Store:
    """One database. Thread-safe; each thread's transaction has a connection of its own."""

    def __init__(self, url: URL, keys: Keys, *, random_bytes: Callable[[int], bytes] = os.urandom) -> None:
        self.url = url
        self.database = database_of(url)
        self._keys = keys
        self._random_bytes = random_bytes
        self._idle: list[Tx] = []
        self._lock = threading.Lock()
        self._is_closed = False

    def run(self, work: Callable[Concatenate[Tx, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a workflow as one transaction, at most five times when it loses to others; durable on return.

        Raises StoreConflictError, StoreUnavailableError, and whatever the workflow raises.
        """
        for _ in range(ATTEMPT_COUNT_MAX):
            try:
                with self.transaction() as tx:
                    return work(tx, *args, **kwargs)
            except RetryableError:
                continue
        raise StoreConflictError

    def read(self, work: Callable[Concatenate[Tx, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a workflow that only reads; each statement sees what was committed when it began.

        Raises StoreConflictError, StoreUnavailableError, and whatever the workflow raises.
        """
        for _ in range(ATTEMPT_COUNT_MAX):
            tx = self._take()
            try:
                found = work(tx, *args, **kwargs)
            except BaseException as error:
                if _roll_back(tx):  # an interrupted read leaves no lock either
                    self._give_back(tx)
                if isinstance(error, RetryableError):
                    continue
                raise
            self._give_back(tx)
            return found
        raise StoreConflictError

    def checkpoint(self) -> None:
        """Move what was committed from SQLite's log into its file, beside writers and without keeping them waiting.

        Writers would otherwise do it in a commit, which then takes many times as long. On PostgreSQL the server does
        all this by itself. Raises StoreUnavailableError.
        """
        if self.database is Database.SQLITE:
            self.read(lambda tx: tx.rows(_CHECKPOINT))

    @contextmanager
    def transaction(self) -> Iterator[Tx]:
        """Begin a writing transaction, commit at the end of the block, roll back when it raises."""
        tx = self._take()
        try:
            tx.command("BEGIN IMMEDIATE" if self.database is Database.SQLITE else "BEGIN")
            yield tx
            tx.command("COMMIT")
        except BaseException:
            if _roll_back(tx):
                self._give_back(tx)
            raise
        self._give_back(tx)

    def _take(self) -> Tx:
        with self._lock:
            if self._is_closed:
                raise StoreUnavailableError("the store is closed")
            if self._idle:
                return self._idle.pop()
        return self.connect()

    def _give_back(self, tx: Tx) -> None:
        with self._lock:
            if not self._is_closed and len(self._idle) < IDLE_CONNECTION_COUNT_MAX:
                self._idle.append(tx)
                return
        close_tx(tx)

    def connect(self) -> Tx:
        """Open a connection of the caller's own, to be closed with `close_tx`."""
        raw = connect(self.url)
        return Tx(raw, self.database, self._keys, self._random_bytes)

    def close(self) -> None:
        """Close idle connections; those in use are closed when their transaction ends."""
        with self._lock:
            self._is_closed = True
            idle, self._idle = self._idle, []
        for tx in idle:
            close_tx(tx)


def close_tx(tx: Tx) -> None:
    """Close the connection under a `Tx`."""
    tx._raw.close()  # noqa: SLF001 - the same module owns both


def _roll_back(tx: Tx) -> bool:
    """End any open transaction; False when the connection is of no more use and was closed."""
    raw = tx._raw  # noqa: SLF001
    try:
        raw.rollback()
    except (sqlite3.Error, psycopg.Error):
        raw.close()
    return not (tx.database is Database.POSTGRESQL and raw.closed)


def database_of(url: URL) -> Database:
    """Return which database a URL names. Raises DatabaseUnusableError for any other."""
    match url.get_backend_name():
        case "sqlite":
            return Database.SQLITE
        case "postgresql":
            return Database.POSTGRESQL
        case name:
            raise DatabaseUnusableError(f"database URLs begin with sqlite or postgresql, not {name}")


def parse_database_url(text: str) -> URL:
    """Read a database URL; PostgreSQL always means psycopg. Raises DatabaseUnusableError."""
    try:
        url = make_url(text)
    except Exception as error:  # noqa: BLE001 - SQLAlchemy's ArgumentError quotes the URL, password included
        raise DatabaseUnusableError(f"not a database URL ({type(error).__name__})") from None
    if database_of(url) is Database.POSTGRESQL:
        return url.set(drivername="postgresql+psycopg")
    if not url.database or url.database == ":memory:":
        raise DatabaseUnusableError("a SQLite URL names a file: sqlite:////path/to/maskline.db")
    return url


def connect(url: URL) -> Any:
    """Open a driver connection in autocommit mode with our settings.

    Raises DatabaseMissingError when a SQLite file does not exist: nothing here creates one.
    """
    if database_of(url) is Database.SQLITE:
        return _connect_sqlite(str(url.database))
    try:
        connection = psycopg.connect(
            url.set(drivername="postgresql").render_as_string(hide_password=False),
            autocommit=True,
            connect_timeout=_CONNECT_TIMEOUT_S,
            application_name="maskline",
            options=f"-c lock_timeout={int(BUSY_TIMEOUT_S * 1000)} -c timezone=UTC",
        )
    except psycopg.OperationalError as error:
        raise StoreUnavailableError(f"cannot reach the database: {_first_line(error)}") from None
    # One execution in a hundred thousand is worth the plan of a statement that this program runs always.
    connection.prepare_threshold = 2
    return connection


def _connect_sqlite(path: str) -> sqlite3.Connection:
    if not os.path.exists(path):
        raise DatabaseMissingError(f"there is no database at {path}")
    try:
        raw = sqlite3.connect(
            path,
            timeout=BUSY_TIMEOUT_S,
            isolation_level=None,  # we write BEGIN ourselves
            check_same_thread=False,  # one thread at a time, but not always the same
            cached_statements=_STATEMENT_CACHE_SIZE,
        )
        # FULL: an acknowledged commit is on the disk. secure_delete: what is erased is gone from the file.
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "secure_delete=ON",
            "temp_store=MEMORY",
            f"cache_size=-{_SQLITE_CACHE_KB}",
            f"wal_autocheckpoint={_SQLITE_LOG_PAGES_MAX}",
        ):
            raw.execute(f"PRAGMA {pragma}")
    except sqlite3.Error as error:
        raise DatabaseUnusableError(f"cannot use the database {path}: {_first_line(error)}") from None
    return raw


def translate(error: Exception) -> Exception:
    """Turn a driver's error into one of ours; unknown ones are bugs and stay themselves.

    Messages of ours quote no parameter, since parameters may be references of people.
    """
    match error:
        case psycopg.errors.SerializationFailure() | psycopg.errors.DeadlockDetected():
            return RetryableError()
        case psycopg.errors.LockNotAvailable():
            return RetryableError()
        case psycopg.errors.UniqueViolation() if error.diag.constraint_name == "uq_masking_session_pair":
            # An update makes its session one of a pair that another transaction has just given one: the next look
            # sees it. Insertions never come here, they say ON CONFLICT.
            return RetryableError()
        case psycopg.OperationalError():
            return StoreUnavailableError(f"the database failed: {_first_line(error)}")
        case sqlite3.OperationalError():
            if error.sqlite_errorcode & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
                return RetryableError()
            if error.sqlite_errorcode & 0xFF in {
                sqlite3.SQLITE_FULL,
                sqlite3.SQLITE_IOERR,
                sqlite3.SQLITE_READONLY,
                sqlite3.SQLITE_CANTOPEN,
            }:
                return StoreUnavailableError(f"the database failed: {_first_line(error)}")
    return error


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]

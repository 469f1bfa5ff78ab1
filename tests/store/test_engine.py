import sqlite3
import threading
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import func, select
from tests.world import peek

from maskline.store import schema
from maskline.store.engine import (
    ATTEMPT_COUNT_MAX,
    RetryableError,
    Store,
    StoreConflictError,
    StoreUnavailableError,
    Tx,
    close_tx,
    connect,
    parse_database_url,
    translate,
)
from maskline.store.setup import open_store
from maskline.store.statement import Database, Statement, insert_row

INSERT = Statement(insert_row(schema.meta, "name", "value"))
COUNT = Statement(select(func.count()).select_from(schema.account))


def _insert(tx: Tx, name: str) -> None:
    tx.run(INSERT, name=name, value="v")


def _names(store: Store) -> list[str]:
    return [name for (name,) in peek(store, "SELECT name FROM meta WHERE value = 'v' ORDER BY name")]


def test_commits_at_the_end(store: Store) -> None:
    """What a workflow wrote is there for everybody when `run` returns."""
    store.run(_insert, "a")
    assert _names(store) == ["a"]


def test_rolls_back_when_the_workflow_raises(store: Store) -> None:
    """A workflow that fails leaves nothing, and the store goes on."""

    def fail(tx: Tx) -> None:
        _insert(tx, "a")
        raise LookupError

    with pytest.raises(LookupError):
        store.run(fail)
    store.run(_insert, "b")
    assert _names(store) == ["b"]


def test_repeats_a_workflow_that_lost_at_most_five_times(store: Store) -> None:
    """Losing four times is survived without a trace; losing five times is told to the caller."""
    tries: list[str] = []

    def lose(tx: Tx, name: str, times: int) -> str:
        tries.append("x")
        _insert(tx, f"{name} {len(tries)}")
        if len(tries) <= times:
            raise RetryableError
        return "done"

    assert store.run(lose, "won", ATTEMPT_COUNT_MAX - 1) == "done"
    assert _names(store) == ["won 5"]
    tries.clear()
    with pytest.raises(StoreConflictError):
        store.run(lose, "lost", ATTEMPT_COUNT_MAX)
    assert len(tries) == ATTEMPT_COUNT_MAX


def test_savepoints_undo_their_block_alone(store: Store) -> None:
    """A block that raises or asks for it is taken back; what was before and after stays; nesting works."""

    def fail(tx: Tx) -> None:
        with tx.savepoint():
            _insert(tx, "c")
            raise LookupError

    def work(tx: Tx) -> None:
        _insert(tx, "a")
        with tx.savepoint() as savepoint:
            _insert(tx, "b")
            savepoint.undo()
        with pytest.raises(LookupError):
            fail(tx)
        with tx.savepoint():
            with tx.savepoint() as inner:
                _insert(tx, "d")
                inner.undo()
            _insert(tx, "e")
        _insert(tx, "f")

    store.run(work)
    assert _names(store) == ["a", "e", "f"]


def test_error_of_the_database_in_a_savepoint_does_not_end_the_transaction(store: Store) -> None:
    """A violated constraint is survived by its savepoint's surroundings, on PostgreSQL too."""

    def work(tx: Tx) -> None:
        _insert(tx, "a")
        with pytest.raises((sqlite3.IntegrityError, psycopg.IntegrityError)), tx.savepoint():
            _insert(tx, "a")
        _insert(tx, "b")

    store.run(work)
    assert _names(store) == ["a", "b"]


def test_reads_see_what_is_committed_only(store: Store) -> None:
    """A reader beside an open transaction sees the state before it."""
    with store.transaction() as tx:
        _insert(tx, "a")
        assert _names(store) == []
    assert _names(store) == ["a"]


def test_connections_are_used_again(store: Store) -> None:
    """A connection goes back to the store, also after an error, and none is left over."""
    for _ in range(5):
        store.run(_insert, f"{_}")
        with pytest.raises((sqlite3.IntegrityError, psycopg.IntegrityError)):
            store.run(_insert, f"{_}")
    assert len(store._idle) == 1


def test_closed_store_serves_nobody(store: Store) -> None:
    """After `close` a workflow is refused."""
    store.close()
    with pytest.raises(StoreUnavailableError):
        store.read(lambda tx: tx.row(COUNT))


def test_store_survives_a_lost_connection(postgresql_url: str, key_path: Path) -> None:
    """When the server drops a connection the workflow fails as unavailable and the next one succeeds."""
    store = open_store(postgresql_url, key_path)

    def killed(tx: Tx) -> None:
        [(pid,)] = tx._raw.execute("SELECT pg_backend_pid()").fetchall()
        with psycopg.connect(
            store.url.set(drivername="postgresql").render_as_string(hide_password=False), autocommit=True
        ) as other:
            other.execute("SELECT pg_terminate_backend(%s)", [pid])
        _insert(tx, "a")

    with pytest.raises(StoreUnavailableError):
        store.run(killed)
    store.run(_insert, "b")
    assert _names(store) == ["b"]
    store.close()


def test_sqlite_is_set_to_lose_nothing(sqlite_url: str) -> None:
    """Commits are synced, the log is ahead, foreign keys hold, and erased bytes are wiped."""
    raw = connect(parse_database_url(sqlite_url))
    found = {
        pragma: raw.execute(f"PRAGMA {pragma}").fetchone()[0]
        for pragma in ("journal_mode", "synchronous", "foreign_keys", "secure_delete")
    }
    raw.close()
    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1}


def test_sqlite_writers_wait_for_each_other(sqlite_url: str, key_path: Path) -> None:
    """Transactions of several threads all succeed, one after the other."""
    store = open_store(sqlite_url, key_path)
    threads = [threading.Thread(target=store.run, args=(_insert, f"{index:02}")) for index in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert _names(store) == [f"{index:02}" for index in range(20)]
    store.close()


def test_own_connection(store: Store) -> None:
    """A connection of the caller's own reads until it is closed."""
    tx = store.connect()
    assert tx.row(COUNT) == (0,)
    close_tx(tx)
    with pytest.raises((sqlite3.ProgrammingError, StoreUnavailableError)):
        tx.row(COUNT)


def _sqlite_error(code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("x")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (_sqlite_error(sqlite3.SQLITE_BUSY), RetryableError),
        (_sqlite_error(sqlite3.SQLITE_BUSY_SNAPSHOT), RetryableError),
        (_sqlite_error(sqlite3.SQLITE_FULL), StoreUnavailableError),
        (_sqlite_error(sqlite3.SQLITE_IOERR_FSYNC), StoreUnavailableError),
        (_sqlite_error(sqlite3.SQLITE_ERROR), sqlite3.OperationalError),
        (psycopg.errors.DeadlockDetected(), RetryableError),
        (psycopg.errors.SerializationFailure(), RetryableError),
        (psycopg.errors.LockNotAvailable(), RetryableError),
        (psycopg.errors.AdminShutdown(), StoreUnavailableError),
        (psycopg.errors.UniqueViolation(), psycopg.errors.UniqueViolation),
    ],
)
def test_errors_are_sorted(error: Exception, kind: type[Exception]) -> None:
    """Lost races are repeated, failures of the machine are reported, bugs stay bugs."""
    assert type(translate(error)) is kind


def test_database_is_known_from_the_url(store: Store) -> None:
    """A store says which database it is on."""
    assert store.database is (Database.SQLITE if "sqlite" in str(store.url) else Database.POSTGRESQL)


def test_reads_that_lose_are_repeated_too(store: Store) -> None:
    """A read that finds the database busy tries again, and says so in our own words when it stays busy."""
    tries: list[str] = []

    def lose(tx: Tx, times: int) -> str:
        tries.append("x")
        if len(tries) <= times:
            raise RetryableError
        return "done"

    assert store.read(lose, 1) == "done"
    with pytest.raises(StoreConflictError):
        store.read(lose, 100)


def test_checkpoint_moves_the_log_into_the_file(store: Store) -> None:
    """Afterwards nothing of SQLite's log waits to be moved; PostgreSQL is left alone."""
    store.run(lambda tx: tx.run(INSERT, name="logged", value="v"))
    store.checkpoint()
    if store.database is Database.SQLITE:
        path = Path(str(store.url.database))
        alone = sqlite3.connect(f"file:{path}?immutable=1", uri=True)  # reads the file without its log
        assert alone.execute("SELECT value FROM meta WHERE name = 'logged'").fetchall() == [("v",)]
        alone.close()

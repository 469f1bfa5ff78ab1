"""The throw-away cluster: what it leaves behind, and what it says where there is no PostgreSQL."""

import tempfile
from pathlib import Path

import psycopg
import pytest
from tests.peers import need

from maskline.testing import postgresql
from maskline.testing.postgresql import PostgreSQLCluster, PostgreSQLMissingError


def _ask(cluster: PostgreSQLCluster, name: str, question: str) -> object:
    with psycopg.connect(cluster.url(name).replace("+psycopg", "")) as connection:
        row = connection.execute(question.encode()).fetchone()
    assert row is not None
    return row[0]


@pytest.mark.postgresql
@pytest.mark.parametrize(("is_durable", "expected"), [(True, "on"), (False, "off")])
def test_databases_are_copied_and_nothing_is_left_behind(*, is_durable: bool, expected: str) -> None:
    """A copy holds what its template held, commits wait for the disk as asked, and the directory goes."""
    need("initdb")
    with PostgreSQLCluster(is_durable=is_durable, settings="-c autovacuum_naptime=7s") as cluster:
        url = cluster.create_database("first")
        with psycopg.connect(url.replace("+psycopg", "")) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 7 AS value")
        cluster.analyse("first")
        cluster.create_database("second", template="first")
        cluster.drop_database("first")
        assert _ask(cluster, "second", "SELECT value FROM kept") == 7
        assert _ask(cluster, "second", "SELECT reltuples FROM pg_class WHERE relname = 'kept'") == 1
        assert _ask(cluster, "second", "SHOW autovacuum_naptime") == "7s"
        assert _ask(cluster, "second", "SHOW fsync") == expected
        assert _ask(cluster, "second", "SHOW synchronous_commit") == expected
        assert Path(f"/proc/{cluster.pid}/comm").read_text().strip() == "postgres"
        directory = cluster.directory
    assert not directory.exists()


def test_without_its_programs_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without PostgreSQL is told the command that fetches it."""
    monkeypatch.setattr(postgresql, "find_program", lambda _name: None)
    with pytest.raises(PostgreSQLMissingError, match="sudo apt-get install postgresql"):
        PostgreSQLCluster(is_durable=False)


@pytest.mark.postgresql
def test_a_cluster_that_cannot_start_leaves_no_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What was made before the failure is removed again."""
    need("initdb")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(PostgreSQLCluster, "_run", _fail)
    with pytest.raises(RuntimeError, match="will not"):
        PostgreSQLCluster(is_durable=False)
    assert list(tmp_path.iterdir()) == []


def _fail(*_arguments: object) -> None:
    raise RuntimeError("will not")

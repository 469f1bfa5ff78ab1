import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.engine import URL
from tests.databases import PostgreSQLServer

import maskline.store
from maskline.store import schema
from maskline.store.engine import Store, database_of, parse_database_url
from maskline.store.migrate import _config, _engine, upgrade_schema
from maskline.store.statement import Database

VERSIONS = Path(maskline.store.__file__).parent / "migrations" / "versions"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> URL:
    """A database without tables."""
    if request.param == "sqlite":
        (tmp_path / "empty.db").touch()
        return parse_database_url(f"sqlite:///{tmp_path / 'empty.db'}")
    server: PostgreSQLServer = request.getfixturevalue("postgresql_server")
    return parse_database_url(server.new_database(is_empty=True))


def _catalogue(url: URL) -> list[tuple[object, ...]]:
    """Everything the database says of its tables, columns, constraints and indexes, but Alembic's own."""
    with _engine(url).connect() as connection:
        return sorted(_objects(connection, database_of(url)), key=str)


def _objects(connection: Connection, database: Database) -> Iterator[tuple[object, ...]]:
    if database is Database.SQLITE:
        rows = connection.execute(text("SELECT type, name, tbl_name, sql FROM sqlite_schema"))
        # Columns and constraints of a table in any order, whitespace aside: SQLite keeps the words of CREATE, and
        # puts a column added later behind the others.
        yield from (
            (type_, name, table, sorted(_parts(sql or "")))
            for type_, name, table, sql in rows
            if table != "alembic_version"
        )
        return
    for query in (
        (
            "SELECT table_name, column_name, data_type, character_maximum_length, is_nullable, column_default "
            "FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'alembic_version'"
        ),
        "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'alembic_version'",
        (
            "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint "
            "WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text <> 'alembic_version'"
        ),
    ):
        yield from (tuple(row) for row in connection.execute(text(query)))


def _parts(sql: str) -> list[str]:
    """Split a statement at the commas of its outermost list."""
    head, _, body = " ".join(sql.split()).partition("(")
    parts, depth = [head.replace('"', "").strip(), ""], 0  # a table made anew has its name in quotes
    for character in body:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if (character, depth) in {(",", 0), (")", -1)}:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]


def test_schema_equals_migrations(store: Store, empty_url: URL) -> None:
    """A database built from the tables in code is the same, catalogue for catalogue, as one migrated to the end."""
    if database_of(empty_url) is not store.database:
        pytest.skip("compared on its own database")
    with _engine(empty_url).begin() as connection:
        schema.metadata.create_all(connection)
    assert _catalogue(store.url) == _catalogue(empty_url)
    assert len(_catalogue(store.url)) > len(schema.metadata.tables)


def test_nothing_is_left_to_migrate(store: Store) -> None:
    """Alembic's own comparison of a migrated database with the code finds no difference."""
    with _engine(store.url).connect() as connection:
        context = MigrationContext.configure(connection, opts={"target_metadata": schema.metadata})
        assert compare_metadata(context, schema.metadata) == []


def test_file_names_say_when_a_migration_may_run() -> None:
    """Revisions are pre_NNNN or post_NNNN, numbered without a gap, and named by what they do."""
    names = sorted(path.stem for path in VERSIONS.glob("*.py") if path.stem != "__init__")
    matches = [re.fullmatch(r"(pre|post)_(\d{4})_[a-z_]+", name) for name in names]
    assert all(matches)
    numbers = sorted(int(match.group(2)) for match in matches if match)
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize(
    ("index", "table"),
    [
        ("uq_binding_party", "binding"),
        ("uq_binding_pin", "binding"),
        ("uq_binding_code", "binding"),
        ("uq_masking_session_pair", "masking_session"),
        ("uq_number_lease_open", "number_lease"),
        ("uq_live_call_busy_session_id", "live_call"),
    ],
)
def test_invariants_are_unique_indexes(store: Store, index: str, table: str) -> None:
    """What must not happen twice is forbidden by the database itself."""
    with _engine(store.url).connect() as connection:
        if store.database is Database.POSTGRESQL:
            found = connection.execute(
                text("SELECT indexdef FROM pg_indexes WHERE indexname = :name"), {"name": index}
            ).scalar_one()
            assert "UNIQUE" in found
        else:
            rows = connection.execute(text(f"PRAGMA index_list({table})")).all()
            # SQLite names a constraint's own index by itself.
            assert any(row[2] for row in rows if row[1] == index or row[1].startswith("sqlite_autoindex"))


FIRST_ROWS = (
    "INSERT INTO account VALUES (1, 'MA1', 'demo', 'IN', 'UTC', :sealed, 'first_fit', 'party', 1)",
    """
    INSERT INTO trunk (
        id, name, peer_host, peer_port, transport, accept, media_networks, country, codecs,
        is_trusted_for_identity, dialled_from, sends_asserted, number_format, created_at
    ) VALUES (1, 't', '192.0.2.1', 5060, 'udp', '[]', '[]', 'IN', '[]', (1 = 1), 'request_uri', (1 = 0), 'plus', 1)
    """,
    """
    INSERT INTO virtual_number (id, number, ref, country, trunk_id, capabilities, health, created_at)
    VALUES (1, '+912200000000', 'r', 'IN', 1, 'voice', 'healthy', 1)
    """,
    """
    INSERT INTO call_record (
        call_id, account_id, virtual_number_id, is_callee_dialled, started_at, ended_at, result, reason
    ) VALUES ('c', 1, 1, (1 = 0), 1, 2, 'caller', 'pin-required')
    """,
)


def test_rows_of_the_first_release_are_kept(empty_url: URL) -> None:
    """What is there when a database is upgraded stays, with what its account and calls never said filled in."""
    with _engine(empty_url).begin() as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "pre_0001")
        for statement in FIRST_ROWS:
            values = {"sealed": b"x"} if ":sealed" in statement else {}
            connection.execute(text(statement), values)
    upgrade_schema(empty_url)
    with _engine(empty_url).connect() as connection:
        account = text("SELECT name, refusal_prompt_url, has_webhooks, has_strict_pins FROM account")
        assert connection.execute(account).all() == [("demo", "", 0, 0)]
        record = text("SELECT call_id, reason, is_service_initiated FROM call_record")
        assert connection.execute(record).all() == [("c", "pin-failed", 0)]

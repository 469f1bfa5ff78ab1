"""A trunk of an earlier schema keeps its peer as its first target."""

import pytest
from alembic import command
from sqlalchemy import text
from sqlalchemy.engine import URL
from tests.databases import PostgreSQLServer

from maskline.errors import DatabaseUnusableError
from maskline.store import migrate
from maskline.store.engine import database_of, parse_database_url
from maskline.store.migrate import SchemaState, schema_state, upgrade_schema
from maskline.store.statement import Database

OLD = (
    "INSERT INTO trunk (id, name, peer_host, peer_port, transport, accept, media_networks, country, codecs, "
    "is_trusted_for_identity, dialled_from, sends_asserted, number_format, created_at) VALUES "
    "(7, 'old', 'sip.example', 5080, 'tcp', '[]', '[]', 'IN', '[]', (1 = 1), 'to', (1 = 0), 'plus', 1)"
)
NUMBER = (
    "INSERT INTO virtual_number (id, number, ref, country, trunk_id, capabilities, health, created_at) VALUES "
    "(3, '+912249370001', 'r', 'IN', {trunk}, 'voice', 'healthy', 1)"
)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def old_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> URL:
    """A database as the migration before left it, with a trunk and a number that refers to it."""
    if request.param == "sqlite":
        path = tmp_path_factory.mktemp("old") / "old.db"
        path.touch()
        url = parse_database_url(f"sqlite:///{path}")
    else:
        server: PostgreSQLServer = request.getfixturevalue("postgresql_server")
        url = parse_database_url(server.new_database(is_empty=True))
    with migrate._engine(url).begin() as connection:
        config = migrate._config()
        config.attributes["connection"] = connection
        command.upgrade(config, "pre_0002")
        connection.execute(text(OLD))
        connection.execute(text(NUMBER.format(trunk=7)))
    return url


def test_the_peer_becomes_the_first_target(old_url: URL) -> None:
    """With its port and transport; numbers go on belonging to the trunk."""
    upgrade_schema(old_url)
    assert schema_state(old_url) is SchemaState.CURRENT
    with migrate._engine(old_url).connect() as connection:
        targets = connection.execute(text("SELECT * FROM trunk_target")).all()
        assert [tuple(row) for row in targets] == [(7, 0, "calls", "sip.example", 5080, "tcp", 10, 10)]
        trunks = connection.execute(
            text(
                "SELECT t.name, t.dialled_from, t.has_health_check, t.dial_prefix, t.registration_s, n.number "
                "FROM trunk t JOIN virtual_number n ON n.trunk_id = t.id"
            )
        ).all()
        assert [tuple(row) for row in trunks] == [("old", "to", True, "", None, "+912249370001")]


def test_a_migration_leaves_no_row_that_refers_to_nothing(old_url: URL) -> None:
    """SQLite does not look while tables are made anew; it is asked at the end, and nothing is changed."""
    if database_of(old_url) is Database.POSTGRESQL:
        pytest.skip("PostgreSQL looks all the time")
    with migrate._engine(old_url).begin() as connection:
        connection.execute(
            text(NUMBER.format(trunk=99).replace("(3,", "(4,").replace("0001", "0002").replace("'r'", "'s'"))
        )
    with pytest.raises(DatabaseUnusableError, match="refer to nothing"):
        upgrade_schema(old_url)
    assert schema_state(old_url) is SchemaState.BEHIND

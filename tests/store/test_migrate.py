from pathlib import Path

import pytest
from tests.world import poke

from maskline.errors import DatabaseMissingError
from maskline.store.engine import Store, parse_database_url
from maskline.store.migrate import SchemaState, schema_state, upgrade_schema


def test_states(store: Store) -> None:
    """A migrated database is current; a later revision is ahead; none of ours is missing."""
    assert schema_state(store.url) is SchemaState.CURRENT
    poke(store, "UPDATE alembic_version SET version_num = 'pre_9999'")
    assert schema_state(store.url) is SchemaState.AHEAD
    poke(store, "DELETE FROM alembic_version")
    assert schema_state(store.url) is SchemaState.MISSING


def test_upgrading_a_current_database_does_nothing(store: Store) -> None:
    """The command can be given at any time."""
    upgrade_schema(store.url)
    assert schema_state(store.url) is SchemaState.CURRENT


def test_upgrade_makes_no_file_unless_told(tmp_path: Path) -> None:
    """Only initialising creates a SQLite file."""
    url = parse_database_url(f"sqlite:///{tmp_path / 'maskline.db'}")
    assert schema_state(url) is SchemaState.MISSING
    with pytest.raises(DatabaseMissingError):
        upgrade_schema(url)
    assert list(tmp_path.iterdir()) == []
    upgrade_schema(url, can_create=True)
    assert schema_state(url) is SchemaState.CURRENT

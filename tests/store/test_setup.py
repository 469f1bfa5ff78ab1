import os
import shutil
import stat
from pathlib import Path

import pytest
from tests.databases import PostgreSQLServer
from tests.world import poke

from maskline.core.inventory import NewAccount
from maskline.errors import DatabaseMissingError, DatabaseUnusableError
from maskline.store.engine import Store, parse_database_url
from maskline.store.keys import KeyFileError, load_key_file, make_key_file
from maskline.store.setup import init_database, name_place, open_store
from maskline.workflows.accounts import create_account, list_accounts


def _fresh(tmp_path: Path) -> tuple[str, Path]:
    return f"sqlite:///{tmp_path / 'var' / 'maskline.db'}", tmp_path / "var" / "maskline.key"


def test_makes_database_and_key_for_the_owner_alone(tmp_path: Path) -> None:
    """On an empty place both files appear, 0600 in a 0700 directory, and the store opens with them."""
    url, key_path = _fresh(tmp_path)
    init_database(url, key_path)
    store = open_store(url, key_path)
    store.run(create_account, NewAccount(name="A"), 1)
    store.close()
    names = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "var").iterdir()}
    assert names["maskline.key"] == names["maskline.db"] == 0o600
    assert stat.S_IMODE((tmp_path / "var").stat().st_mode) == 0o700


def test_doing_it_again_changes_nothing(tmp_path: Path) -> None:
    """A second run keeps the key and the data."""
    url, key_path = _fresh(tmp_path)
    init_database(url, key_path)
    key = key_path.read_bytes()
    store = open_store(url, key_path)
    store.run(create_account, NewAccount(name="A"), 1)
    store.close()
    init_database(url, key_path)
    assert key_path.read_bytes() == key
    store = open_store(url, key_path)
    assert [account.name for account in store.read(list_accounts)] == ["A"]
    store.close()


def test_lost_key_file_is_not_replaced(tmp_path: Path) -> None:
    """With a database that was in use a missing key is an error: a new one would open nothing."""
    url, key_path = _fresh(tmp_path)
    init_database(url, key_path)
    key_path.unlink()
    with pytest.raises(KeyFileError, match="is missing"):
        init_database(url, key_path)
    with pytest.raises(KeyFileError):
        open_store(url, key_path)
    assert not key_path.exists()


def test_another_databases_key_is_refused(tmp_path: Path) -> None:
    """Start-up compares the check value and refuses a key that is not this database's."""
    url, key_path = _fresh(tmp_path)
    init_database(url, key_path)
    key_path.unlink()
    make_key_file(key_path)
    with pytest.raises(KeyFileError, match="not the one of this database"):
        open_store(url, key_path)
    with pytest.raises(KeyFileError, match="not the one of this database"):
        init_database(url, key_path)


def test_check_value_is_asked_for_on_both_databases(store: Store, key_path: Path) -> None:
    """A database without its check value is refused like one with another."""
    poke(store, "DELETE FROM meta")
    with pytest.raises(KeyFileError):
        open_store(store.url.render_as_string(hide_password=False), load_key_file(key_path))


def test_opening_creates_nothing(tmp_path: Path, key_path: Path) -> None:
    """Commands other than those that make a database never leave one behind."""
    with pytest.raises(DatabaseMissingError, match=r"maskline\.db; `maskline db init` makes one"):
        open_store(f"sqlite:///{tmp_path / 'maskline.db'}", key_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("sqlite:////srv/maskline.db", "/srv/maskline.db"),
        ("postgresql://me:secret@db.example:5433/masks", "db.example/masks"),
        ("postgresql:///masks?host=/run/postgresql", "masks"),
    ],
)
def test_a_place_is_named_without_credentials(text: str, place: str) -> None:
    """Also that of a PostgreSQL database behind a local socket, whose URL names no host."""
    assert name_place(parse_database_url(text)) == place


def test_empty_file_is_no_database(tmp_path: Path, key_path: Path) -> None:
    """A file without our tables counts as missing."""
    (tmp_path / "maskline.db").touch()
    with pytest.raises(DatabaseMissingError):
        open_store(f"sqlite:///{tmp_path / 'maskline.db'}", key_path)


def test_file_of_something_else_is_not_a_database(tmp_path: Path, key_path: Path) -> None:
    """A file that SQLite cannot read is named as unusable."""
    (tmp_path / "maskline.db").write_bytes(b"not a database" * 100)
    with pytest.raises(DatabaseUnusableError):
        open_store(f"sqlite:///{tmp_path / 'maskline.db'}", key_path)


@pytest.mark.parametrize("revision", ["pre_9999", "elsewhere"])
def test_later_schema_is_refused(store: Store, key_path: Path, revision: str) -> None:
    """A database of a later release is neither opened nor migrated."""
    poke(store, "UPDATE alembic_version SET version_num = ?", revision)
    url = store.url.render_as_string(hide_password=False)
    with pytest.raises(DatabaseUnusableError, match="later release"):
        open_store(url, key_path)
    with pytest.raises(DatabaseUnusableError, match="later release"):
        init_database(url, key_path)


@pytest.mark.parametrize("text", ["mysql://a/b", "sqlite://", "sqlite:///:memory:", "not a url", ""])
def test_urls_of_other_things_are_refused(text: str, key_path: Path) -> None:
    """Only files of SQLite and servers of PostgreSQL are databases here."""
    with pytest.raises(DatabaseUnusableError):
        open_store(text, key_path)


@pytest.mark.postgresql
def test_empty_postgresql_is_missing_then_made(postgresql_server: PostgreSQLServer, key_path: Path) -> None:
    """A PostgreSQL database without our tables is reported as missing until it is initialised."""
    url = postgresql_server.new_database(is_empty=True)
    with pytest.raises(DatabaseMissingError):
        open_store(url, key_path)
    init_database(url, key_path)
    open_store(url, key_path).close()


def test_unreachable_postgresql_is_an_error_that_names_no_password(key_path: Path, tmp_path: Path) -> None:
    """A server that is not there fails with its reason, without the credentials of the URL."""
    url = f"postgresql://maskline:hunter2@/maskline?host={tmp_path}"
    with pytest.raises(Exception) as caught:
        open_store(url, key_path)
    assert "hunter2" not in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_place_that_cannot_be_written(tmp_path: Path) -> None:
    """A directory without write permission is reported, not raised as it comes."""
    tmp_path.chmod(0o500)
    with pytest.raises(DatabaseUnusableError):
        init_database(*_fresh(tmp_path))
    tmp_path.chmod(0o700)


def test_copied_database_opens_with_a_copy_of_its_key(tmp_path: Path) -> None:
    """Backups are the two files."""
    url, key_path = _fresh(tmp_path)
    init_database(url, key_path)
    shutil.copytree(tmp_path / "var", tmp_path / "backup")
    open_store(
        f"sqlite:///{tmp_path / 'backup' / 'maskline.db'}", tmp_path / "backup" / "maskline.key"
    ).close()

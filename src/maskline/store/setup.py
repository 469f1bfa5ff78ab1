"""Open the store of a database with its key file, or make both."""

from pathlib import Path
from typing import Final

from sqlalchemy import URL, bindparam, select

from maskline.errors import DatabaseMissingError, DatabaseUnusableError

from . import schema
from .engine import Store, Tx, parse_database_url
from .keys import KeyFileError, Keys, load_key_file, make_key_file
from .migrate import SchemaState, schema_state, upgrade_schema
from .statement import Statement, insert_row

_CHECK_NAME: Final = "key_check"
_SELECT_META: Final = Statement(select(schema.meta.c.value).where(schema.meta.c.name == bindparam("name")))
_INSERT_META: Final = Statement(insert_row(schema.meta, "name", "value").on_conflict_do_nothing())


def init_database(url_text: str, key_path: Path) -> None:
    """Make the database and its key file where they are missing, and bring the schema up to date.

    The key file is made only when the database holds no data yet: a new key would make what is there unreadable.
    Raises DatabaseUnusableError, KeyFileError.
    """
    url = parse_database_url(url_text)
    upgrade_schema(url, can_create=True)
    if key_path.exists():
        keys = load_key_file(key_path)
    else:
        # Read with keys that open nothing: only the check value's absence is asked for.
        blank = Keys(seal_keys={0: bytes(32)}, current_id=0, ref_key=bytes(32))
        store = Store(url, blank)
        try:
            if store.read(_load_check) is not None:
                raise KeyFileError(f"the database has data, but its key file {key_path} is missing")
        finally:
            store.close()
        keys = make_key_file(key_path)
    store = Store(url, keys)
    try:
        store.run(_adopt_keys)
    finally:
        store.close()


def open_store(url_text: str, keys: Keys | Path) -> Store:
    """Open an existing, current database with its own keys; creates nothing.

    Raises DatabaseMissingError, DatabaseUnusableError (schema behind or ahead), KeyFileError.
    """
    url = parse_database_url(url_text)
    match schema_state(url):
        case SchemaState.MISSING:
            msg = f"there is no Maskline database at {name_place(url)}; `maskline db init` makes one"
            raise DatabaseMissingError(msg)
        case SchemaState.BEHIND:
            raise DatabaseUnusableError("the database needs `maskline db upgrade`")
        case SchemaState.AHEAD:
            raise DatabaseUnusableError("the database was made by a later release")
        case SchemaState.CURRENT:
            pass
    store = Store(url, load_key_file(keys) if isinstance(keys, Path) else keys)
    try:
        store.read(_check_keys)
    except BaseException:
        store.close()
        raise
    return store


def name_place(url: URL) -> str:
    """Say where a database is, without credentials; one behind a local socket has no host."""
    return f"{url.host}/{url.database}" if url.host else str(url.database)


def _load_check(tx: Tx) -> str | None:
    row = tx.row(_SELECT_META, name=_CHECK_NAME)
    return None if row is None else str(row[0])


def _adopt_keys(tx: Tx) -> None:
    tx.run(_INSERT_META, name=_CHECK_NAME, value=tx.keys.check_value)
    _check_keys(tx)


def _check_keys(tx: Tx) -> None:
    if _load_check(tx) != tx.keys.check_value:
        raise KeyFileError("the key file is not the one of this database")

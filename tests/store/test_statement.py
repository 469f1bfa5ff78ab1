from sqlalchemy import bindparam, select, update

from maskline.store.schema import meta
from maskline.store.statement import Database, Statement, insert_row


def test_text_is_the_drivers_own() -> None:
    """Each database gets its own spelling of parameters, compiled once."""
    statement = Statement(select(meta.c.value).where(meta.c.name == bindparam("name")))
    sqlite, _ = statement.compiled(Database.SQLITE)
    postgresql, _ = statement.compiled(Database.POSTGRESQL)
    assert ":name" in sqlite
    assert "%(name)s" in postgresql
    assert statement.compiled(Database.SQLITE) is statement.compiled(Database.SQLITE)


def test_constants_are_told_from_parameters() -> None:
    """Values written into the statement are supplied with it, None among them; parameters are not."""
    statement = Statement(
        update(meta).where(meta.c.name == bindparam("which")).values(value=None).where(meta.c.value == "old")
    )
    _, constants = statement.compiled(Database.SQLITE)
    assert sorted(constants.values(), key=str) == [None, "old"]
    assert "which" not in constants


def test_insert_names_its_parameters_like_its_columns() -> None:
    """An INSERT takes exactly the columns named."""
    text, constants = Statement(insert_row(meta, "name", "value")).compiled(Database.SQLITE)
    assert ":name" in text
    assert ":value" in text
    assert "RETURNING" not in text
    assert constants == {}

import pytest
from sqlalchemy import String, bindparam, select, update

from maskline.store.schema import meta
from maskline.store.statement import Database, Statement, insert_row


def test_text_is_the_drivers_own() -> None:
    """Each database gets its own spelling of parameters, compiled once."""
    statement = Statement(select(meta.c.value).where(meta.c.name == bindparam("name")))
    sqlite = statement.compiled(Database.SQLITE)
    postgresql = statement.compiled(Database.POSTGRESQL)
    assert "name = ?" in sqlite.text
    assert sqlite.bind({"name": "x"}) == ("x",)
    assert "%(name)s" in postgresql.text
    assert postgresql.bind({"name": "x"}) == {"name": "x"}
    assert statement.compiled(Database.SQLITE) is statement.compiled(Database.SQLITE)


def test_constants_are_told_from_parameters() -> None:
    """Values written into the statement are supplied with it, None among them; parameters are not."""
    statement = Statement(
        update(meta).where(meta.c.name == bindparam("which")).values(value=None).where(meta.c.value == "old")
    )
    compiled = statement.compiled(Database.SQLITE)
    assert sorted(compiled.constants.values(), key=str) == [None, "old"]
    assert compiled.parameters == {"which"}


def test_parameters_are_bound_where_they_stand() -> None:
    """SQLite gets a tuple in the order of the text, with one place for each mention."""
    asked = bindparam("asked", type_=String)
    thrice = Statement(
        select(meta.c.value).where(meta.c.name == "c", meta.c.value == asked, meta.c.name < asked)
    )
    assert thrice.compiled(Database.SQLITE).bind({"asked": "p"}) == ("c", "p", "p")
    constants = thrice.compiled(Database.POSTGRESQL).constants
    assert thrice.compiled(Database.POSTGRESQL).bind({"asked": "p"}) == {**constants, "asked": "p"}
    assert Statement(select(meta.c.name)).compiled(Database.SQLITE).bind({}) == ()


@pytest.mark.parametrize("database", list(Database))
def test_two_parameters_keep_their_names_order(database: Database) -> None:
    """Which of the given parameters comes first in the call does not matter."""
    compiled = Statement(insert_row(meta, "name", "value")).compiled(database)
    assert compiled.bind({"value": "v", "name": "n"}) == compiled.bind({"name": "n", "value": "v"})
    with pytest.raises(KeyError):
        Statement(insert_row(meta, "name", "value")).compiled(Database.SQLITE).bind({"name": "n"})


def test_insert_names_its_parameters_like_its_columns() -> None:
    """An INSERT takes exactly the columns named."""
    compiled = Statement(insert_row(meta, "name", "value")).compiled(Database.SQLITE)
    assert compiled.parameters == {"name", "value"}
    assert "RETURNING" not in compiled.text
    assert compiled.constants == {}

"""What the tables are declared with: names, column types, indexes over some of the rows."""

from typing import Any, Final

from sqlalchemy import BigInteger, Index, Integer, MetaData, String, text

# SQLite numbers rows by itself only in a column declared exactly INTEGER.
ID: Final = BigInteger().with_variant(Integer, "sqlite")
INSTANT: Final = BigInteger
REF: Final = String(32)  # PartyRef
CALL_ID: Final = String(36)
URL: Final = String(1000)

metadata: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def unique_while(name: str, condition: str, *columns: Any) -> Index:
    """Build a unique index over the rows that meet `condition`, spelled alike for both databases."""
    where = text(condition)
    return Index(name, *columns, unique=True, sqlite_where=where, postgresql_where=where)


def index_while(name: str, condition: str, *columns: Any) -> Index:
    """Build an index over the rows that meet `condition`, spelled alike for both databases."""
    where = text(condition)
    return Index(name, *columns, sqlite_where=where, postgresql_where=where)

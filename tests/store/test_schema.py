import sqlite3
from typing import Any

import psycopg
import pytest
from sqlalchemy import Boolean, Index
from tests.world import World, peek, poke

from maskline.store import schema
from maskline.store.engine import Store

CONDITIONAL = [
    index
    for table in schema.metadata.tables.values()
    for index in table.indexes
    if index.dialect_options["sqlite"]["where"] is not None
]


@pytest.mark.parametrize("index", CONDITIONAL, ids=lambda it: it.name)
def test_conditions_of_indexes_are_the_same_on_both_databases(index: Index) -> None:
    """A partial index means the same everywhere."""
    where = {name: str(index.dialect_options[name]["where"]) for name in ("sqlite", "postgresql")}
    assert where["sqlite"] == where["postgresql"]


def test_every_instant_is_a_big_integer() -> None:
    """Columns named as instants hold microseconds, which four bytes do not."""
    instants = [
        column
        for table in schema.metadata.tables.values()
        for column in table.columns
        if column.name.endswith("_at") or column.name == "lease_until"
    ]
    assert len(instants) > 30
    assert {str(column.type) for column in instants} == {"BIGINT"}


def test_names_tell_yes_or_no() -> None:
    """Columns that are true or false are named like questions."""
    names = {
        column.name
        for table in schema.metadata.tables.values()
        for column in table.columns
        if isinstance(column.type, Boolean)
    }
    verbs = ("is_", "has_", "can_", "sends_", "calls_", "answers_", "pin_is_")
    assert {name for name in names if not name.startswith(verbs)} == set()


def test_longest_index_name_fits_postgresql() -> None:
    """No name is cut at 63 bytes, where two could become one."""
    items = [it for table in schema.metadata.tables.values() for it in (*table.indexes, *table.constraints)]
    names = [str(getattr(it, "name", None) or "") for it in items]
    assert max(len(name) for name in names) <= 63


@pytest.mark.parametrize(
    ("statement", "params"),
    [
        ("UPDATE masking_session SET start_at = end_at + 1", ()),
        ("UPDATE masking_session SET ended_at = end_at", ()),
        ("UPDATE masking_session SET ended_at = end_at - 1, end_cause = 'expired'", ()),
        ("UPDATE masking_session SET first_ref = NULL, second_ref = NULL", ()),
        ("UPDATE masking_session SET kind = 'other'", ()),
        ("UPDATE masking_session SET virtual_number_id = 999", ()),
        ("UPDATE binding SET released_at = free_at - 1", ()),
        ("UPDATE binding SET party_ref = NULL", ()),
        ("UPDATE account SET policy = 'whatever'", ()),
        ("UPDATE trunk SET number_format = 'plain'", ()),
        ("UPDATE trunk_target SET port = 0", ()),
        ("UPDATE trunk_target SET transport = 'sctp'", ()),
        ("UPDATE virtual_number SET health = 'ill'", ()),
        ("UPDATE number_lease SET ended_at = started_at - 1", ()),
        ("UPDATE outbox SET sequence = 1", ()),
        ("DELETE FROM masking_session", ()),
    ],
)
def test_constraints_hold(world: World, statement: str, params: tuple[Any, ...]) -> None:
    """What must never be is refused by the database, whatever the program does."""
    world.create()
    world.ask()
    with pytest.raises((sqlite3.IntegrityError, psycopg.IntegrityError)):
        poke(world.store, statement, *params)


def test_schema_carries_what_comes_later(store: Store) -> None:
    """Numbers per party, one way, groups and extension codes need no other tables."""
    world = World(store)
    session = world.create()
    poke(
        store,
        "UPDATE masking_session SET kind = 'group', pair_key = NULL, first_ref = NULL, second_ref = NULL",
    )
    poke(store, "UPDATE binding SET virtual_number_id = 2, can_call = (1 = 0) WHERE role = 'second'")
    insert = (
        "INSERT INTO binding (virtual_number_id, party_ref, session_id, role, can_call, start_at, end_at, free_at, "
        "code, answers_strangers) VALUES (3, ?, ?, 'member', (1 = 1), 1, 2, 3, ?, (1 = 0))"
    )
    poke(store, insert, "c" * 32, session.id, "101")
    poke(store, insert, "d" * 32, session.id, "102")
    with pytest.raises((sqlite3.IntegrityError, psycopg.IntegrityError)):
        poke(store, insert, "e" * 32, session.id, "102")
    assert peek(store, "SELECT count(*) FROM binding") == [(4,)]

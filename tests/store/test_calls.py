import re
from typing import Any

import pytest
from tests.world import World, person, poke, virtual

from maskline.core.masking import Role
from maskline.store import calls
from maskline.store.engine import Store, Tx
from maskline.store.statement import Database, Statement

ROUTE_TABLES = {"virtual_number", "number_lease", "binding", "masking_session", "party"}


def _plan(tx: Tx, statement: Statement, params: dict[str, Any]) -> str:
    compiled = statement.compiled(tx.database)
    prefix = "EXPLAIN QUERY PLAN " if tx.database is Database.SQLITE else "EXPLAIN "
    rows = tx._raw.execute(prefix + compiled.text, compiled.bind(params)).fetchall()
    return "\n".join(str(row[-1]) for row in rows)


def _scans(database: Database, plan: str) -> list[str]:
    """Lines of a plan that read a whole table."""
    if database is Database.SQLITE:
        return [line for line in plan.splitlines() if line.startswith("SCAN") and "CONSTANT ROW" not in line]
    return [line for line in plan.splitlines() if "Seq Scan" in line]


@pytest.fixture
def busy(world: World) -> World:
    """Enough rows that a planner would use indexes by itself, with statistics."""
    with world.store.transaction() as tx:
        for index in range(400):
            world.ask_in(tx, 1000 + index, 5000 + index)
    poke(world.store, "ANALYZE")
    return world


def test_route_is_one_statement_on_indexes(busy: World) -> None:
    """The look-up of an INVITE reads five tables by index only, and never what was released."""
    store = busy.store
    params = {
        "dialled": virtual(0),
        "caller_ref": store.read(lambda tx: tx.keys.ref(person(1000))),
        "anyone": "anyone",
        "now": busy.now,
    }

    def plan(tx: Tx) -> str:
        if tx.database is Database.POSTGRESQL:
            # Three virtual numbers fit one page, which PostgreSQL rightly reads whole; with a
            # stock of thousands it does not. Whether the index can serve is what is asked.
            tx._raw.execute("SET enable_seqscan = off")
        return _plan(tx, calls.ROUTE, params)

    found = store.read(plan)
    assert _scans(store.database, found) == []
    assert "ix_binding_route" in found
    text = calls.ROUTE.compiled(store.database).text
    assert "released_at" not in text
    assert text.count("SELECT") == 2  # one inside: whether the caller is one of our numbers
    assert {name for name in ROUTE_TABLES if re.search(rf"\b{name}\b", text)} == ROUTE_TABLES


def test_route_reads_few_pages_among_many_sessions(busy: World) -> None:
    """On PostgreSQL the plan chosen by itself looks bindings up by index."""
    if busy.store.database is not Database.POSTGRESQL:
        pytest.skip("SQLite's planner has no costs to be swayed by")
    params = {
        "dialled": virtual(0),
        "caller_ref": busy.store.read(lambda tx: tx.keys.ref(person(1000))),
        "anyone": "anyone",
        "now": busy.now,
    }
    found = busy.store.read(_plan, calls.ROUTE, params)
    assert not [line for line in _scans(busy.store.database, found) if "binding" in line or "party" in line]


@pytest.mark.parametrize(
    "name", ["_CLAIM", "_FREE_DEAD", "_OPEN_EVENT", "_DELETE_LIVE", "_ADD_TOTALS", "_RENEW"]
)
def test_statements_of_every_call_use_indexes(busy: World, name: str) -> None:
    """Nothing a call writes looks for its row by reading a table."""
    statement: Statement = getattr(calls, name)
    asked = statement.compiled(busy.store.database).parameters
    numbers = {"now", "lease_until", "started_at", "until", "leg_count", "duration_s", "ended_at"}
    params = {key: 1 if key in numbers else "x" for key in asked}

    def plan(tx: Tx) -> str:
        if tx.database is Database.POSTGRESQL:
            tx._raw.execute("SET LOCAL enable_seqscan = off")
        return _plan(tx, statement, params)

    assert _scans(busy.store.database, busy.store.run(plan)) == []


def test_route_prefers_the_callers_own_binding(store: Store) -> None:
    """Of the two rows the look-up may find, the caller's own speaks, in whatever order they come."""
    world = World(store)
    world.create(1, None)
    world.create(8, 9)
    for _ in range(3):
        facts = store.read(calls.load_route, virtual(0), person(8), world.now)
        assert facts.session is not None
        assert facts.session.role is Role.FIRST

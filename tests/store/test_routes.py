import re
from typing import Any

import pytest
from tests.store.plans import plan_of, scans
from tests.world import World, person, poke, virtual

from maskline.core.inventory import NewAccount
from maskline.core.masking import PinSettings, Role
from maskline.core.routing import StrangerFacts
from maskline.store import routes
from maskline.store.engine import Store, Tx
from maskline.store.statement import Database, Statement
from maskline.workflows.accounts import create_account
from maskline.workflows.route_call import route_call

ROUTE_TABLES = {"virtual_number", "number_lease", "account", "binding", "masking_session", "party"}


@pytest.fixture
def busy(world: World) -> World:
    """Enough rows that a planner would use indexes by itself, with statistics."""
    with world.store.transaction() as tx:
        for index in range(400):
            heard = "https://example.test/a.mp3" if index % 4 == 0 else ""
            pin = PinSettings(is_generated=True, length=9) if index % 4 == 1 else None
            world.ask_in(tx, 1000 + index, 5000 + index, unknown_caller_url=heard, pin=pin)
    for index in range(20):
        world.store.run(create_account, NewAccount(name=f"other {index}"), world.now)
    poke(world.store, "ANALYZE")
    return world


def _plan_without_scans(world: World, statement: Statement, params: dict[str, Any]) -> str:
    def plan(tx: Tx) -> str:
        if tx.database is Database.POSTGRESQL:
            # Three virtual numbers fit one page, which PostgreSQL rightly reads whole; with a
            # stock of thousands it does not. Whether the index can serve is what is asked.
            tx._raw.execute("SET enable_seqscan = off")
        return plan_of(tx, statement, params)

    return world.store.read(plan)


def _route_params(world: World) -> dict[str, Any]:
    ref = world.store.read(lambda tx: tx.keys.ref(person(1000)))
    return {"dialled": virtual(0), "caller_ref": ref, "anyone": "anyone", "now": world.now}


def test_route_is_one_statement_on_indexes(busy: World) -> None:
    """The look-up of an INVITE reads six tables by index only, and never what was released."""
    found = _plan_without_scans(busy, routes.ROUTE, _route_params(busy))
    assert scans(busy.store.database, found) == []
    assert "ix_binding_route" in found
    text = routes.ROUTE.compiled(busy.store.database).text
    assert "released_at" not in text
    assert text.count("SELECT") == 2  # one inside: whether the caller is one of our numbers
    assert {name for name in ROUTE_TABLES if re.search(rf"\b{name}\b", text)} == ROUTE_TABLES


def test_route_reads_few_pages_among_many_sessions(busy: World) -> None:
    """On PostgreSQL the plan chosen by itself looks bindings up by index."""
    if busy.store.database is not Database.POSTGRESQL:
        pytest.skip("SQLite's planner has no costs to be swayed by")
    found = busy.store.read(plan_of, routes.ROUTE, _route_params(busy))
    assert not [line for line in scans(busy.store.database, found) if "binding" in line or "party" in line]


@pytest.mark.parametrize(
    ("name", "indexes"),
    [
        ("STRANGERS", {"ix_binding_open_pin", "ix_binding_open_strangers"}),
        ("COUNTERPART", {"ix_interaction_session_id"}),
    ],
)
def test_what_few_calls_ask_is_on_indexes_too(busy: World, name: str, indexes: set[str]) -> None:
    """Strangers may come in numbers: nothing they ask reads a table, and the newest is found without sorting."""
    statement: Statement = getattr(routes, name)
    asked = statement.compiled(busy.store.database).parameters
    params = {key: 1 if key in {"now", "virtual_number_id"} else "x" for key in asked}
    found = _plan_without_scans(busy, statement, params)
    assert scans(busy.store.database, found) == []
    assert {index for index in indexes if index in found} == indexes
    assert "TEMP B-TREE" not in found
    assert "Sort Key: binding" not in found


@pytest.mark.parametrize(
    ("caller", "statement_count"),
    [(1, 1), (2, 1), (9, 2), (None, 2)],
    ids=["first", "second", "stranger", "?"],
)
def test_parties_cost_one_statement_and_strangers_two(
    world: World, monkeypatch: pytest.MonkeyPatch, caller: int | None, statement_count: int
) -> None:
    """What most calls ask is answered at once, with PIN on or off."""
    world.create(pin=PinSettings(is_generated=True))
    asked: list[Statement] = []
    rows = Tx.rows

    def count(tx: Tx, statement: Statement, /, **params: Any) -> list[tuple[Any, ...]]:
        asked.append(statement)
        return rows(tx, statement, **params)

    monkeypatch.setattr(Tx, "rows", count)
    world.store.read(route_call, virtual(0), None if caller is None else person(caller), world.now)
    assert len(asked) == statement_count


def test_route_prefers_the_callers_own_binding(store: Store) -> None:
    """Of the two rows the look-up may find, the caller's own speaks, in whatever order they come."""
    world = World(store)
    world.create(1, None)
    world.create(8, 9)
    for _ in range(3):
        facts = store.read(routes.load_route, virtual(0), person(8), world.now)
        assert facts.session is not None
        assert facts.session.role is Role.FIRST


def test_newest_of_many_is_the_strangers(world: World) -> None:
    """Of equally new sessions it is the one made last; one with PIN goes before newer ones that only play."""

    def strangers() -> StrangerFacts | None:
        return world.store.read(routes.load_route, virtual(0), person(99), world.now).strangers

    assert strangers() is None
    pins = [world.create(index, 50 + index, pin=PinSettings(is_generated=True)) for index in (1, 2, 3)]
    world.create(4, 54, unknown_caller_url="https://example.test/a.mp3")
    found = strangers()
    assert found is not None
    assert found.session_id == pins[-1].id
    assert found.dialogue is not None

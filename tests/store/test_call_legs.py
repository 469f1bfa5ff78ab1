from dataclasses import replace

import pytest
from tests.store.plans import plan_of, scans
from tests.world import World, poke

from maskline.core.call_record import Side
from maskline.store import call_legs
from maskline.store.engine import Tx
from maskline.store.statement import Database, Statement
from maskline.workflows.finish_call import finish_call


@pytest.fixture
def busy(world: World) -> World:
    """Enough calls that a planner would use indexes by itself, with statistics."""
    session = world.create()
    with world.store.transaction() as tx:
        for index in range(400):
            finish_call(tx, replace(world.record(session), call_id=f"c{index}"), world.now)
    poke(world.store, "ANALYZE")
    return world


@pytest.mark.parametrize("name", ["A", "B", "page", "count", "parent"])
def test_legs_are_found_by_index(busy: World, name: str) -> None:
    """Neither one leg nor a page within a window reads all calls there are."""
    names = frozenset({"parent_leg"}) if name == "parent" else frozenset({"ended_from", "ended_until"})
    page, count = call_legs._list_statements(names)
    statements: dict[str, Statement] = {
        "A": call_legs._SELECT_ONE[Side.A],
        "B": call_legs._SELECT_ONE[Side.B],
        "page": page,
        "count": count,
        "parent": page,
    }
    statement = statements[name]
    asked = statement.compiled(busy.store.database).parameters
    params: dict[str, object] = {key: "x" if key in {"leg_a_id", "parent_leg"} else 1 for key in asked}

    def plan(tx: Tx) -> str:
        if tx.database is Database.POSTGRESQL:
            tx._raw.execute("SET LOCAL enable_seqscan = off")
        return plan_of(tx, statement, params)

    found = scans(busy.store.database, busy.store.run(plan))
    assert not [it for it in found if "call_record" in it]

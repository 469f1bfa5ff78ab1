import pytest
from tests.store.plans import plan_of, scans
from tests.world import World, poke

from maskline.store import calls
from maskline.store.engine import Tx
from maskline.store.statement import Database, Statement


@pytest.fixture
def busy(world: World) -> World:
    """Enough rows that a planner would use indexes by itself, with statistics."""
    with world.store.transaction() as tx:
        for index in range(400):
            world.ask_in(tx, 1000 + index, 5000 + index)
    poke(world.store, "ANALYZE")
    return world


@pytest.mark.parametrize(
    "name", ["_CLAIM", "_FREE_DEAD", "_OPEN_EVENT", "_DELETE_LIVE", "_ADD_TOTALS", "_RENEW"]
)
def test_statements_of_every_call_use_indexes(busy: World, name: str) -> None:
    """Nothing a call writes looks for its row by reading a table."""
    statement: Statement = getattr(calls, name)
    asked = statement.compiled(busy.store.database).parameters
    numbers = {"now", "lease_until", "started_at", "until", "leg_count", "duration_s", "ended_at"}
    params: dict[str, object] = {key: 1 if key in numbers else "x" for key in asked}
    if "is_service_initiated" in asked:
        params["is_service_initiated"] = False

    def plan(tx: Tx) -> str:
        if tx.database is Database.POSTGRESQL:
            tx._raw.execute("SET LOCAL enable_seqscan = off")
        return plan_of(tx, statement, params)

    assert scans(busy.store.database, busy.store.run(plan)) == []

from typing import Any

import pytest
from tests.store.plans import plan_of, scans
from tests.world import World, person, poke, virtual

from maskline.core.masking import Role
from maskline.store import call_orders
from maskline.store.engine import Tx
from maskline.store.statement import Database, Statement


@pytest.mark.parametrize("name", ["_HAS_OPEN", "_TAKE"])
def test_open_orders_are_found_by_index(world: World, name: str) -> None:
    """Every switch asks twice a second: what was taken, months of it, is not looked at."""
    statement: Statement = getattr(call_orders, name)
    session = world.create()
    with world.store.transaction() as tx:
        for _ in range(400):
            call_orders.insert_order(tx, session.id, Role.FIRST, world.now)
    poke(world.store, "UPDATE call_order SET taken_at = 1, switch_id = 'x'")
    poke(world.store, "ANALYZE")
    params: dict[str, Any] = {"now": 1, "by": "x", "count_max": 5}

    def plan(tx: Tx) -> str:
        if tx.database is Database.POSTGRESQL:
            tx._raw.execute("SET LOCAL enable_seqscan = off")
        return plan_of(tx, statement, params)

    found = world.store.run(plan)
    read_whole = [line for line in scans(world.store.database, found) if "ix_call_order_open" not in line]
    assert read_whole == []
    assert "ix_call_order_open" in found


def test_order_is_open_until_it_is_taken(world: World) -> None:
    """It is given to one switch with what it was written with."""
    session = world.create()
    assert not world.store.read(call_orders.has_open_order)
    world.store.run(call_orders.insert_order, session.id, Role.SECOND, world.now)
    assert world.store.read(call_orders.has_open_order)
    [taken] = world.store.run(call_orders.take_orders, "switch-1", world.now)
    assert (taken.session_id, taken.role, taken.created_at) == (session.id, Role.SECOND, world.now)
    assert not world.store.read(call_orders.has_open_order)
    assert world.store.run(call_orders.take_orders, "switch-1", world.now) == ()


def test_no_more_orders_are_taken_than_there_is_room_for(world: World) -> None:
    """The oldest are taken; the rest is left to whoever has room."""
    session = world.create()
    for age in range(3):
        world.store.run(call_orders.insert_order, session.id, Role.FIRST, world.now - age)
    taken = world.store.run(call_orders.take_orders, "switch-1", world.now, 2)
    assert {order.created_at for order in taken} == {world.now - 1, world.now - 2}
    assert world.store.run(call_orders.take_orders, "switch-1", world.now, 0) == ()
    assert len(world.store.run(call_orders.take_orders, "switch-2", world.now)) == 1


def test_ordered_session_is_seen_from_who_is_called_first(world: World) -> None:
    """The first called is the caller; a removed number, or another's, is not the account's any more."""
    session = world.create()
    world.store.run(call_orders.insert_order, session.id, Role.SECOND, world.now)
    [taken] = world.store.run(call_orders.take_orders, "switch-1", world.now)
    found = world.store.read(call_orders.load_ordered_session, taken)
    assert (found.caller, found.facts.callee, found.facts.role) == (person(2), person(1), Role.SECOND)
    assert (found.number, found.trunk_id, found.is_leased) == (virtual(0), world.trunk.id, True)
    poke(world.store, "UPDATE virtual_number SET removed_at = 1")
    assert not world.store.read(call_orders.load_ordered_session, taken).is_leased

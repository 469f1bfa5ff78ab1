import re
import sqlite3
from typing import Any

import psycopg
import pytest
from tests.store.plans import plan_of, scans
from tests.world import NOW, World, peek, virtual

from maskline.core.numbers import ANYONE
from maskline.store import bindings
from maskline.store.engine import Store, Tx
from maskline.store.statement import Database
from maskline.workflows.numbers import drain_number


def _insert(tx: Tx, /, session_id: str, **changed: Any) -> bool:
    columns: dict[str, Any] = {
        "virtual_number_id": 1,
        "party_ref": "a" * 32,
        "session_id": session_id,
        "role": "first",
        "can_call": True,
        "start_at": NOW,
        "end_at": NOW + 10,
        "free_at": NOW + 20,
        "pin_hash": None,
        "answers_strangers": False,
        "pin_length": None,
    }
    return bindings.insert_binding(tx, **(columns | changed))


def test_place_of_a_party_is_taken_once(world: World) -> None:
    """A second unreleased binding of one party on one number is refused by the index, whoever asks (I1)."""
    session = world.create()
    assert world.store.run(_insert, session.id)
    assert not world.store.run(_insert, session.id, start_at=NOW + 30, end_at=NOW + 40, free_at=NOW + 40)
    assert world.store.run(_insert, session.id, virtual_number_id=2)
    assert world.store.run(_insert, session.id, party_ref=ANYONE)


def test_place_of_a_pin_is_taken_once(world: World) -> None:
    """A PIN is unique among the unreleased bindings of its number; none is not."""
    session = world.create()
    assert world.store.run(_insert, session.id, party_ref="b" * 32, pin_hash="p")
    assert not world.store.run(_insert, session.id, party_ref="c" * 32, pin_hash="p")
    assert world.store.run(_insert, session.id, party_ref="d" * 32, pin_hash="p", virtual_number_id=2)
    assert world.store.run(_insert, session.id, party_ref="e" * 32)


def test_released_place_can_be_taken_again(world: World) -> None:
    """Releasing at the end of the cool-off, not before, makes room."""
    session = world.create()
    world.store.run(_insert, session.id)
    world.store.run(bindings.release_parties, "a" * 32, "f" * 32, NOW + 19)
    assert not world.store.run(_insert, session.id)
    world.store.run(bindings.release_parties, "f" * 32, "a" * 32, NOW + 20)
    assert world.store.run(_insert, session.id)


@pytest.mark.parametrize("changed", [{"end_at": NOW - 1}, {"free_at": NOW + 9}, {"role": "nobody"}])
def test_impossible_bindings_are_refused(world: World, changed: dict[str, Any]) -> None:
    """A binding that ends before it starts, or is free before it ends, cannot be written."""
    session = world.create()
    with pytest.raises((sqlite3.IntegrityError, psycopg.IntegrityError)):
        world.store.run(_insert, session.id, **changed)


@pytest.mark.parametrize("is_open", [False, True])
def test_draining_number_is_not_held(world: World, is_open: bool) -> None:
    """Where writers run side by side, a number that began to drain after it was chosen is not used."""
    [(id_,)] = peek(world.store, "SELECT id FROM virtual_number WHERE number = ?", virtual(0))
    wish = bindings.Wish(
        account_id=world.account.id,
        subaccount_id=None,
        country=None,
        first_ref="a" * 32,
        second_ref="b" * 32,
        pair_key="k",
        rules=bindings.Rules(is_open=is_open, answers_strangers=False, is_cooloff_for_all=False),
    )
    assert world.store.run(bindings.hold_number, wish, id_, now=NOW)
    world.store.run(drain_number, virtual(0), world.now)
    is_held = world.store.run(bindings.hold_number, wish, id_, now=NOW)
    assert is_held is (world.store.database == "sqlite")  # there the write lock is enough


def test_release_takes_whom_it_concerns(store: Store) -> None:
    """Releasing two parties' lapsed bindings leaves everybody else's alone."""
    world = World(store)
    for first in (1, 3, 5):
        world.create(first, first + 1, expires_in_s=60)
    refs = [row[0] for row in peek(store, "SELECT party_ref FROM binding ORDER BY id")]
    store.run(bindings.release_parties, refs[0], refs[2], NOW + 3600 * 1_000_000)
    assert {row[0] for row in peek(store, "SELECT party_ref FROM binding WHERE released_at IS NOT NULL")} == {
        refs[0],
        refs[2],
    }


def test_an_empty_number_is_found_by_one_probe_each(world: World) -> None:
    """The bindings of a number are looked at only until one is live, and those of other numbers never."""
    rules = bindings.Rules(False, False, False, is_alone=True)
    statement = bindings._candidates(rules, has_history=False)
    given = {
        "account_id": world.account.id,
        "subaccount_id": 0,
        "pool_id": 0,
        "country": "",
        "first_ref": "a" * 32,
        "second_ref": "b" * 32,
        "after_id": 0,
        "count_max": 8,
        "now": NOW,
    }

    def explain(tx: Tx) -> str:
        if tx.database is Database.POSTGRESQL:
            tx._raw.execute("SET enable_seqscan = off")  # tables of a few rows are rightly read whole
        return plan_of(tx, statement, given)

    plan = world.store.read(explain)
    assert scans(world.store.database, plan) == []
    assert "Anti Join" not in plan
    assert re.search(
        r"Limit .*\n.*Index (Only )?Scan using uq_binding_party|SEARCH binding .*uq_binding_party", plan
    )


def test_number_of_ones_own_is_found_by_an_index(world: World) -> None:
    """However many bindings other numbers have: PostgreSQL would else read all of them once for each number."""
    session = world.create()
    rules = bindings.Rules(
        is_open=False, answers_strangers=False, is_cooloff_for_all=False, is_strict=False, is_alone=True
    )
    params = {
        "account_id": world.account.id,
        "subaccount_id": 0,
        "pool_id": 0,
        "country": "",
        "first_ref": "1" * 32,
        "second_ref": "2" * 32,
        "after_id": 0,
        "count_max": 8,
        "now": NOW,
    }

    def plan(tx: Tx) -> str:
        for index in range(2_000):  # nearly all of them on one number
            assert _insert(
                tx, session.id, party_ref=f"{index:032x}", virtual_number_id=2 if index < 20 else 1
            )
        if tx.database is Database.POSTGRESQL:
            tx._raw.execute("ANALYZE binding")
        return plan_of(tx, bindings._candidates(rules, has_history=False), params)

    found = world.store.run(plan)
    assert [line for line in scans(world.store.database, found) if "binding" in line] == []
    assert "uq_binding_party" in found

from typing import Any

import pytest
from tests.store.plans import plan_of, scans
from tests.world import SECOND, World, peek, person, poke, virtual

from maskline.core.masking import PinSettings, Role
from maskline.core.numbers import DID
from maskline.core.pin import TryWindow
from maskline.core.secret import Secret
from maskline.store import pins
from maskline.store.engine import Tx
from maskline.store.statement import Database, Statement

PIN = PinSettings(first=Secret("1234"), second=Secret("5678"))


@pytest.fixture
def on(world: World) -> pins.PinNumber:
    """The first number."""
    found = world.store.read(pins.load_number, virtual(0))
    assert found is not None
    return found


@pytest.mark.parametrize("name", ["FIND", "_LOCK", "_UPDATE", "_LOCK_PARTY", "_UPDATE_PARTY"])
def test_statements_use_indexes(world: World, name: str) -> None:
    """A number may have thousands of sessions with PIN; a try finds its own by the PIN's hash."""
    statement: Statement = getattr(pins, name)
    asked = statement.compiled(world.store.database).parameters
    texts = {"subject", "subject_", "role", "role_", "session_id", "pin_hash"} | (
        {"id_"} if "PARTY" in name else set()
    )
    params: dict[str, Any] = {key: "x" if key in texts else 1 for key in asked} | {"now": world.now}
    params = {key: params[key] for key in asked}

    def plan(tx: Tx) -> str:
        if tx.database is Database.POSTGRESQL:
            tx._raw.execute("SET LOCAL enable_seqscan = off")
        return plan_of(tx, statement, params)

    with world.store.transaction() as tx:
        for index in range(200):
            world.ask_in(tx, 1000 + index, 5000 + index, pin=PinSettings(is_generated=True, length=9))
    poke(world.store, "ANALYZE")
    found = world.store.run(plan)
    tables = [line for line in scans(world.store.database, found) if "account" not in line]
    assert tables == []
    assert name != "FIND" or "uq_binding_pin" in found


def test_number_must_be_leased_and_there(world: World) -> None:
    """On a number of nobody no PIN is looked at."""
    assert world.store.read(pins.load_number, DID("+442079460000")) is None
    poke(world.store, "UPDATE number_lease SET ended_at = started_at")
    assert world.store.read(pins.load_number, virtual(0)) is None


def test_finds_the_session_of_a_pin(world: World, on: pins.PinNumber) -> None:
    """By the hash alone; the other party is named for the role."""
    session = world.create(pin=PIN)

    def find(digits: str, forced: tuple[str, Role] | None = None) -> object:
        found = world.store.read(pins.find_session, on, digits, world.now, forced=forced)
        return None if found is None else (found.session_id, found.role, found.callee)

    assert find("1234") == (session.id, Role.FIRST, person(2))
    assert find("5678") == (session.id, Role.SECOND, person(1))
    assert find("5678", (session.id, Role.FIRST)) == (session.id, Role.FIRST, person(2))
    assert find("1234", ("another", Role.FIRST)) is None
    assert find("4321") is None


def test_rows_of_tries_are_made_when_they_are_asked_for(world: World, on: pins.PinNumber) -> None:
    """A row without tries is as none; what was written comes back."""
    assert world.store.run(pins.lock_tries, on, "x", world.now) is None
    assert world.store.run(pins.lock_tries, on, "x", world.now + 1) is None
    world.store.run(pins.update_tries, on, "x", TryWindow(world.now, 2))
    assert world.store.run(pins.lock_tries, on, "x", world.now + SECOND) == TryWindow(world.now, 2)
    assert peek(world.store, "SELECT count(*) FROM pin_try") == [(1,)]


def test_forgetting_takes_a_batch(world: World, on: pins.PinNumber) -> None:
    """However many tried, one transaction deletes no more than five hundred, and none that still count."""
    with world.store.transaction() as tx:
        for index in range(pins.FORGET_BATCH_SIZE + 1):
            pins.lock_tries(tx, on, f"old {index}", world.now)
        pins.lock_tries(tx, on, "new", world.now + 1)
    counts = [world.store.run(pins.forget_tries, world.now) for _ in range(3)]
    assert counts == [pins.FORGET_BATCH_SIZE, 1, 0]
    assert peek(world.store, "SELECT subject FROM pin_try") == [("new",)]

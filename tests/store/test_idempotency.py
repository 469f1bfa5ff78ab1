import pytest
from tests.store.plans import plan_of
from tests.world import World, poke

from maskline.store import idempotency as rows
from maskline.store.engine import Tx
from maskline.store.idempotency import PRUNE_BATCH_SIZE, KeptAnswer
from maskline.store.keys import SealError
from maskline.store.statement import Database

HASH = "ab" * 32


def test_an_answer_is_read_back(world: World) -> None:
    """For its owner and key."""
    kept = KeptAnswer("r" * 64, "answer", 5)
    world.store.run(rows.insert_answer, "operator", HASH, kept)
    assert world.store.read(rows.load_answer, "operator", HASH) == kept
    assert world.store.read(rows.load_answer, "MA", HASH) is None
    world.store.run(rows.delete_answer, "operator", HASH)
    assert world.store.read(rows.load_answer, "operator", HASH) is None


def test_an_answer_belongs_to_its_owner(world: World) -> None:
    """A row that was given to somebody else cannot be read."""
    world.store.run(rows.insert_answer, "operator", HASH, KeptAnswer("r" * 64, "answer", 5))
    poke(world.store, "UPDATE idempotency_key SET owner = 'MA'")
    with pytest.raises(SealError):
        world.store.read(rows.load_answer, "MA", HASH)


def test_old_answers_go_by_the_batch(world: World) -> None:
    """So that the writer is free for calls in between."""

    def fill(tx: Tx) -> None:
        for index in range(PRUNE_BATCH_SIZE + 3):
            rows.insert_answer(tx, "operator", f"{index:064}", KeptAnswer("r", "a", index))

    world.store.run(fill)
    end = PRUNE_BATCH_SIZE + 1
    assert [world.store.run(rows.prune, end) for _ in range(3)] == [PRUNE_BATCH_SIZE, 2, 0]
    assert world.store.read(rows.load_answer, "operator", f"{end + 1:064}") is not None


def test_a_batch_costs_no_more_when_much_is_old(world: World) -> None:
    """Old rows are looked through once, up to the batch; the batch is deleted by the primary key."""
    if world.store.database is not Database.SQLITE:
        pytest.skip("PostgreSQL's plan goes by how full the table is")
    plan = world.store.read(plan_of, rows.PRUNE, {"before": 5})
    assert plan.count("created_at<?") == 1
    assert "owner=? AND key_hash=?" in plan


def test_one_transaction_may_lock_twice(world: World) -> None:
    """Workflows that share a commit are one after the other."""

    def lock(tx: Tx) -> list[bool]:
        return [rows.try_lock(tx, HASH), rows.try_lock(tx, HASH), rows.try_lock(tx, "f" * 64)]

    assert world.store.run(lock) == [True, True, True]

"""Live masks are found as an unset names them, newest first and no more than asked for."""

import re

import pytest
from tests.store.plans import plan_of, scans
from tests.world import SECOND, World, person

from maskline.core.deepcall import MaskChoice
from maskline.store.deepcall_masks import _lock_statement, lock_chosen
from maskline.store.engine import Tx
from maskline.store.statement import Database


def test_newest_first_and_bounded(world: World) -> None:
    """So that one too many can be told from all."""
    ids = []
    for index in range(3):
        ids.append(world.create(1, 10 + index).id)
        world.now += SECOND
    for count_max in (1, 2, 3, 4):
        found = world.store.run(
            lock_chosen,
            world.account.id,
            MaskChoice(m1=person(1)),
            count_max=count_max,
            now=world.now,
        )
        assert found == tuple(reversed(ids))[:count_max]


def test_everything_given_has_to_be_met(world: World) -> None:
    """A number beside a person narrows the choice."""
    mask = world.create(1, 2)
    other = world.create(1, 3)
    assert mask.virtual_number != other.virtual_number
    choice = MaskChoice(m1=person(1), masks=(other.virtual_number,))
    found = world.store.run(lock_chosen, world.account.id, choice, count_max=9, now=world.now)
    assert found == (other.id,)


@pytest.mark.parametrize("names", [{"m1"}, {"m2"}, {"both"}, {"mask"}, {"mask", "m1"}])
def test_masks_are_found_by_indexes(world: World, names: set[str]) -> None:
    """However many sessions there are."""
    statement = _lock_statement(frozenset(names))
    given = {
        "account_id": world.account.id,
        "now": world.now,
        "count_max": 2,
        "m1_ref": "1" * 32,
        "m2_ref": "2" * 32,
        "mask": "+912255500000",
        "other_mask": "+912255500001",
    }
    wanted = statement.compiled(world.store.database).parameters

    def explain(tx: Tx) -> str:
        if tx.database is Database.POSTGRESQL:
            tx._raw.execute("SET enable_seqscan = off")  # a table of a few rows is rightly read whole
        return plan_of(tx, statement, {name: value for name, value in given.items() if name in wanted})

    plan = world.store.read(explain)
    assert scans(world.store.database, plan) == []
    # What is over is never read: neither a person's sessions of the past nor a number's.
    assert re.search(r"(SEARCH|on) binding", plan)
    assert not re.search(r"masking_session_(account_id|virtual_number_id|listing|ending)", plan)

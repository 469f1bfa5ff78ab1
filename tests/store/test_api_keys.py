import sqlite3

import psycopg
import pytest
from tests.store.plans import plan_of, scans
from tests.world import World, poke

from maskline.core.access import Permission
from maskline.store import api_keys as rows
from maskline.store.engine import Tx


def _insert(world: World, id_: str, account_id: int | None = None) -> None:
    def insert(tx: Tx) -> None:
        rows.insert_key(
            tx,
            id=id_,
            account_id=account_id,
            subaccount_id=None,
            name="n",
            permissions=frozenset(Permission),
            secret_hash="0" * 64,
            created_at=world.now,
            expires_at=None,
        )

    world.store.run(insert)


def test_every_permission_is_read_back(world: World) -> None:
    """As it was stored, in words."""
    _insert(world, "key_a")
    found = world.store.read(rows.load_key, "key_a")
    assert found is not None
    assert found.key.permissions == frozenset(Permission)


def test_keys_are_counted_by_owner(world: World) -> None:
    """The operator's are nobody else's."""
    _insert(world, "key_a")
    _insert(world, "key_b", world.account.id)
    _insert(world, "key_c", world.account.id)
    assert world.store.read(rows.count_keys, None) == 1
    assert world.store.read(rows.count_keys, world.account.id) == 2
    assert world.store.read(rows.count_keys, world.account.id + 1) == 0


@pytest.mark.parametrize(
    "change", ["old_secret_hash = 'x'", "overlap_until = 5", "subaccount_id = 1, account_id = NULL"]
)
def test_what_the_table_refuses(world: World, change: str) -> None:
    """An old secret without its end, and a sub-account's key that is no account's."""
    _insert(world, "key_a", world.account.id)
    with pytest.raises((sqlite3.IntegrityError, psycopg.IntegrityError)):
        poke(world.store, f"UPDATE api_key SET {change}")


def test_a_key_is_found_by_an_index(world: World) -> None:
    """It is looked for with almost every request."""
    for index in range(50):
        _insert(world, f"key_{index}")
    with world.store.transaction() as tx:
        if tx.database.value == "postgresql":
            tx.command("SET LOCAL enable_seqscan = off")
        plan = plan_of(tx, rows._SELECT_ONE, {"id": "key_5"})
        assert not [line for line in scans(tx.database, plan) if "api_key" in line]

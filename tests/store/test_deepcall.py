"""Rows of DeepCall credentials."""

from tests.world import NOW, SECOND, World

from maskline.core.deepcall import SsidRow
from maskline.core.secret import Secret
from maskline.store import deepcall as rows


def test_an_account_has_one_user_and_a_user_id_one_account(world: World) -> None:
    """The second insert does nothing."""

    def insert(user_id: str, token: str) -> bool:
        return world.store.run(
            rows.insert_user, world.account.id, user_id=user_id, token=Secret(token), now=NOW
        )

    assert insert("12345678", "first")
    assert not insert("12345678", "second")
    assert not insert("87654321", "third")
    user = world.store.run(rows.lock_user, world.account.id)
    assert user is not None
    assert (user.user_id, user.token.reveal()) == ("12345678", "first")
    assert world.store.read(rows.load_user_by_id, "12345678") == user
    assert world.store.read(rows.load_user_by_id, "87654321") is None


def test_ssids_end_by_the_clock(world: World) -> None:
    """They are found before their end, not at it, and forgotten afterwards."""
    world.store.run(rows.insert_user, world.account.id, user_id="1", token=Secret("t"), now=NOW)
    row = SsidRow(account_id=world.account.id, can_change=False, created_at=NOW, expires_at=NOW + SECOND)
    world.store.run(rows.insert_ssid, row, Secret("one"))
    assert world.store.read(rows.load_ssid, "one", NOW + SECOND - 1) == row
    assert world.store.read(rows.load_ssid, "one", NOW + SECOND) is None
    assert world.store.read(rows.load_ssid, "two", NOW) is None
    world.store.run(rows.delete_lapsed_ssids, world.account.id, NOW + SECOND - 1)
    assert world.store.read(rows.count_ssids, world.account.id) == 1
    world.store.run(rows.delete_lapsed_ssids, world.account.id, NOW + SECOND)
    assert world.store.read(rows.count_ssids, world.account.id) == 0

"""What opens an account to DeepCall clients, on both databases."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.world import NOW, SECOND, World, peek

from maskline.core.deepcall import SSID_COUNT_MAX, DeepCallCredentials, NewSsid, TooManySsids
from maskline.core.inventory import Account, NewAccount
from maskline.workflows import deepcall_credentials
from maskline.workflows.accounts import create_account
from maskline.workflows.deepcall_credentials import (
    authenticate_ssid,
    authenticate_user,
    ensure_credentials,
    issue_ssid,
    rotate_token,
    withdraw_credentials,
)

DAY = 86_400 * SECOND


def issue(
    world: World, *, expires_at: int = NOW + DAY, can_change: bool = True, old_until: int | None = None
) -> NewSsid:
    made = world.store.run(
        issue_ssid,
        world.account,
        expires_at=expires_at,
        can_change=can_change,
        old_until=old_until,
        now=world.now,
    )
    assert isinstance(made, DeepCallCredentials)
    assert made.new_ssid is not None
    return made.new_ssid


def opens(world: World, ssid: NewSsid, now: int | None = None) -> bool:
    at = world.now if now is None else now
    return world.store.read(authenticate_ssid, ssid.ssid.reveal(), at) is not None


def test_credentials_are_made_once(world: World) -> None:
    """A user id of digits and a token nobody guesses; they stay."""
    made = world.store.run(ensure_credentials, world.account, NOW)
    assert re.fullmatch(r"[1-9][0-9]{7}", made.user.user_id)
    assert re.fullmatch(r"[A-Z2-7]{48}", made.user.token.reveal())
    assert (made.ssids, made.new_ssid, made.user.old_token) == ((), None, None)
    assert world.store.run(ensure_credentials, world.account, NOW + DAY) == made


def test_accounts_differ(world: World) -> None:
    """In user id and token."""
    other = world.store.run(create_account, NewAccount(name="Other"), NOW)
    assert isinstance(other, Account)
    mine = world.store.run(ensure_credentials, world.account, NOW).user
    theirs = world.store.run(ensure_credentials, other, NOW).user
    assert mine.user_id != theirs.user_id
    assert mine.token != theirs.token


def test_user_id_and_token_belong_together(world: World) -> None:
    """Either wrong, and there is nobody."""
    user = world.store.run(ensure_credentials, world.account, NOW).user
    token = user.token.reveal()
    caller = world.store.read(authenticate_user, user.user_id, token, NOW)
    assert caller is not None
    assert (caller.account.id, caller.can_change) == (world.account.id, True)
    for user_id, wrong in (
        (user.user_id, token[:-1]),
        (user.user_id, ""),
        ("1", token),
        (user.user_id, "\ud800"),
    ):
        assert world.store.read(authenticate_user, user_id, wrong, NOW) is None


def test_the_token_before_works_until_its_time(world: World) -> None:
    """Then only the new one does; a second change forgets the first."""
    first = world.store.run(ensure_credentials, world.account, NOW).user
    second = world.store.run(rotate_token, world.account, old_until=NOW + DAY, now=NOW).user
    assert second.user_id == first.user_id
    assert second.token != first.token

    def works(token: str, now: int) -> bool:
        return world.store.read(authenticate_user, first.user_id, token, now) is not None

    assert works(first.token.reveal(), NOW + DAY - 1)
    assert not works(first.token.reveal(), NOW + DAY)
    assert works(second.token.reveal(), NOW + DAY)
    third = world.store.run(rotate_token, world.account, old_until=NOW, now=NOW).user
    assert third.old_token is None
    assert not works(first.token.reveal(), NOW)
    assert not works(second.token.reveal(), NOW)
    assert works(third.token.reveal(), NOW)


def test_an_ssid_works_until_its_time(world: World) -> None:
    """Several do at once; each says whether it may change anything."""
    full, reader = issue(world), issue(world, expires_at=NOW + 2 * DAY, can_change=False)
    for ssid in (full, reader):
        caller = world.store.read(authenticate_ssid, ssid.ssid.reveal(), NOW)
        assert caller is not None
        assert (caller.account.id, caller.can_change) == (world.account.id, ssid.can_change)
    assert opens(world, full, NOW + DAY - 1)
    assert not opens(world, full, NOW + DAY)
    assert opens(world, reader, NOW + DAY)
    assert world.store.read(authenticate_ssid, "x", NOW) is None
    assert world.store.read(authenticate_ssid, "\ud800", NOW) is None


@pytest.mark.parametrize("overlap", [0, DAY // 2])
def test_ssids_before_work_as_long_as_they_are_let(world: World, overlap: int) -> None:
    """Not at all, or a while; never longer than they would have."""
    old, lapsing = issue(world), issue(world, expires_at=NOW + 1)
    new = issue(world, old_until=NOW + overlap)
    assert opens(world, new)
    assert opens(world, old) is (overlap > 0)
    assert not opens(world, old, NOW + overlap)
    assert not opens(world, lapsing, NOW + 1)


@pytest.mark.parametrize("can_change", [True, False])
def test_ssids_of_the_other_kind_stay(world: World, can_change: bool) -> None:
    """Who lists masks notices nothing of a new ssid for who changes them."""
    other, same = issue(world, can_change=not can_change), issue(world, can_change=can_change)
    issue(world, can_change=can_change, old_until=NOW)
    assert opens(world, other, NOW + DAY - 1)
    assert not opens(world, same)


def test_ssids_are_bounded(world: World) -> None:
    """Lapsed ones make room."""
    for index in range(SSID_COUNT_MAX):
        issue(world, expires_at=NOW + (1 if index == 0 else DAY))
    refused = world.store.run(
        issue_ssid, world.account, expires_at=NOW + DAY, can_change=True, old_until=None, now=NOW
    )
    assert refused == TooManySsids()
    world.now = NOW + 1
    issue(world)
    assert len(world.store.run(ensure_credentials, world.account, world.now).ssids) == SSID_COUNT_MAX


def test_withdrawing_closes_the_account(world: World) -> None:
    """All of it, at once; what is made afterwards is new."""
    ssid = issue(world)
    user = world.store.run(ensure_credentials, world.account, NOW).user
    assert world.store.run(withdraw_credentials, world.account)
    assert not opens(world, ssid)
    assert world.store.read(authenticate_user, user.user_id, user.token.reveal(), NOW) is None
    assert not world.store.run(withdraw_credentials, world.account)
    assert world.store.run(ensure_credentials, world.account, NOW).user.token != user.token


def test_nothing_in_the_database_opens_anything(world: World) -> None:
    """Tokens are sealed, of ssids there is a keyed hash."""
    ssid = issue(world).ssid.reveal()
    token = world.store.run(ensure_credentials, world.account, NOW).user.token.reveal()
    world.store.run(rotate_token, world.account, old_until=NOW + DAY, now=NOW)
    found = peek(world.store, "SELECT token_sealed, old_token_sealed FROM deepcall_user")
    found += peek(world.store, "SELECT hash, created_at FROM deepcall_ssid")
    text = repr([[bytes(it) if isinstance(it, memoryview) else it for it in row] for row in found])
    assert len(found) == 2
    assert token not in text
    assert ssid not in text


def test_a_user_id_that_is_taken_is_drawn_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """So chance costs a moment, not an error."""
    other = world.store.run(create_account, NewAccount(name="Other"), NOW)
    assert isinstance(other, Account)
    taken = world.store.run(ensure_credentials, other, NOW).user.user_id
    drawn = iter([taken, taken, "77777777"])
    monkeypatch.setattr(deepcall_credentials, "_draw_user_id", lambda _tx: next(drawn))
    assert world.store.run(ensure_credentials, world.account, NOW).user.user_id == "77777777"


def test_many_at_one_moment_get_the_same_credentials(world: World) -> None:
    """The first makes them."""
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: world.store.run(ensure_credentials, world.account, NOW), range(4)))
    assert len({it.user.token for it in made}) == 1

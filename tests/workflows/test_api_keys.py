from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.world import SECOND, World, peek

from maskline.core.access import (
    KEY_COUNT_MAX,
    ApiKey,
    ApiKeyIssued,
    ApiKeyNotFound,
    GrantExceeded,
    NewApiKey,
    Permission,
    TooManyApiKeys,
)
from maskline.core.inventory import Account, NewAccount, Subaccount
from maskline.store.engine import Tx
from maskline.workflows.accounts import create_account, create_subaccount
from maskline.workflows.api_keys import (
    TOUCH_EVERY_S,
    OpenedKey,
    authenticate_key,
    create_key,
    list_keys,
    load_key,
    revoke_key,
    rotate_key,
    touch_key,
)

ALL = frozenset({Permission.ALL})
OPERATORS = NewApiKey(name="operator", permissions=ALL)


def _issue(world: World, new: NewApiKey = OPERATORS) -> ApiKeyIssued:
    issued = world.store.run(create_key, new, world.now)
    assert isinstance(issued, ApiKeyIssued)
    return issued


def _open(world: World, issued: ApiKeyIssued, at: int | None = None) -> OpenedKey | None:
    return world.store.read(authenticate_key, issued.secret.reveal(), world.now if at is None else at)


def test_a_key_opens_whose_it_is(world: World) -> None:
    """Nobody's in particular for the operator's, an account's, a sub-account's."""
    branch = world.store.run(create_subaccount, world.account, "branch", world.now)
    assert isinstance(branch, Subaccount)
    part = replace(world.account, subaccount=branch)
    for account in (None, world.account, part):
        issued = _issue(world, replace(OPERATORS, account=account))
        assert _open(world, issued) == OpenedKey(key=issued.key, account=account)


def test_the_secret_is_not_stored(world: World) -> None:
    """Nor what it is made of; it prints nothing."""
    issued = _issue(world)
    secret = issued.secret.reveal()
    [row] = peek(world.store, "SELECT * FROM api_key")
    assert secret.split("_", 2)[2] not in str(row)
    assert secret.split("_", 2)[2] not in repr(issued)
    assert secret.startswith("mk_" + issued.key.id.removeprefix("key_") + "_")


def test_only_the_very_secret_opens(world: World) -> None:
    """One character changed is another secret, wherever it is."""
    secret = _issue(world).secret.reveal()
    for place in (3, 10, 19, 20, 40, len(secret) - 1):
        other = "a" if secret[place] != "a" else "b"
        wrong = secret[:place] + other + secret[place + 1 :]
        assert world.store.read(authenticate_key, wrong, world.now) is None


def test_it_expires_at_its_instant(world: World) -> None:
    """Not a microsecond later."""
    issued = _issue(world, replace(OPERATORS, expires_at=world.now + 5))
    assert _open(world, issued, world.now + 4) is not None
    assert _open(world, issued, world.now + 5) is None


def test_both_secrets_open_until_the_overlap_ends(world: World) -> None:
    """A second rotation ends the first secret's overlap: there are never three."""
    first = _issue(world)
    second = world.store.run(rotate_key, first.key.id, None, world.now, overlap_s=60)
    assert isinstance(second, ApiKeyIssued)
    assert second.key == replace(first.key, overlap_until=world.now + 60 * SECOND)
    assert _open(world, first, world.now + 60 * SECOND - 1) is not None
    assert _open(world, first, world.now + 60 * SECOND) is None
    assert _open(world, second) is not None
    third = world.store.run(rotate_key, first.key.id, None, world.now, overlap_s=60)
    assert isinstance(third, ApiKeyIssued)
    assert [_open(world, it) is not None for it in (first, second, third)] == [False, True, True]


def test_nobody_gets_the_secret_of_a_key_that_may_more(world: World) -> None:
    """Neither by making it nor by rotating it."""
    weak = frozenset({Permission.KEYS_WRITE})
    assert world.store.run(create_key, OPERATORS, world.now, granted_by=weak) == GrantExceeded()
    issued = _issue(world)
    outcome = world.store.run(rotate_key, issued.key.id, None, world.now, overlap_s=0, granted_by=weak)
    assert outcome == GrantExceeded()
    assert _open(world, issued) is not None


def test_a_revoked_key_is_gone(world: World) -> None:
    """It opens nothing, is not listed, not found, not rotated; its row stays."""
    issued = _issue(world)
    assert world.store.run(revoke_key, issued.key.id, None, world.now) == issued.key
    assert _open(world, issued) is None
    assert world.store.read(list_keys, None) == ()
    for outcome in (
        world.store.read(load_key, issued.key.id, None),
        world.store.run(revoke_key, issued.key.id, None, world.now),
        world.store.run(rotate_key, issued.key.id, None, world.now, overlap_s=0),
    ):
        assert outcome == ApiKeyNotFound()
    assert peek(world.store, "SELECT count(*) FROM api_key") == [(1,)]


def test_an_account_has_keys_of_its_own(world: World) -> None:
    """Those of others, and the operator's, are not there for it."""
    other = world.store.run(create_account, NewAccount(name="Other"), world.now)
    assert isinstance(other, Account)
    mine, theirs = (_issue(world, replace(OPERATORS, account=it)).key for it in (world.account, other))
    operators = _issue(world).key
    assert world.store.read(list_keys, world.account.id) == (mine,)
    assert set(world.store.read(list_keys, None)) == {mine, theirs, operators}
    for key in (theirs, operators):
        assert world.store.read(load_key, key.id, world.account.id) == ApiKeyNotFound()
        assert world.store.run(revoke_key, key.id, world.account.id, world.now) == ApiKeyNotFound()
    assert world.store.read(load_key, mine.id, world.account.id) == mine


def test_keys_are_listed_newest_first(world: World) -> None:
    """Page by page, each once, those of one instant too."""
    made = []
    for index in range(6):
        world.now += index % 2
        made.append(_issue(world).key)
    made.sort(key=lambda it: (it.created_at, it.id), reverse=True)
    seen: list[ApiKey] = []
    after = None
    while page := world.store.read(list_keys, None, after=after, limit=2):
        seen += page
        after = (page[-1].created_at, page[-1].id)
    assert seen == made


def test_there_are_so_many_and_no_more(world: World) -> None:
    """For each owner; what is revoked makes room."""

    def fill(tx: Tx) -> None:
        for _ in range(KEY_COUNT_MAX):
            assert isinstance(create_key(tx, OPERATORS, world.now), ApiKeyIssued)

    world.store.run(fill)
    assert world.store.run(create_key, OPERATORS, world.now) == TooManyApiKeys()
    _issue(world, replace(OPERATORS, account=world.account))
    world.store.run(revoke_key, world.store.read(list_keys, None, limit=1)[0].id, None, world.now)
    _issue(world)


def test_last_use_is_coarse(world: World) -> None:
    """Noted at first, and again when a minute has passed."""
    id_ = _issue(world).key.id
    world.store.run(touch_key, id_, world.now)
    world.store.run(touch_key, id_, world.now + TOUCH_EVERY_S * SECOND - 1)
    used_at = [it.last_used_at for it in world.store.read(list_keys, None)]
    world.store.run(touch_key, id_, world.now + TOUCH_EVERY_S * SECOND)
    used_at += [it.last_used_at for it in world.store.read(list_keys, None)]
    assert used_at == [world.now, world.now + TOUCH_EVERY_S * SECOND]


@pytest.mark.parametrize("text", ["", "mk_", "\x00", "mk_" + "a" * 16 + "_" + "\ud800" * 43])
def test_other_texts_are_no_secret(world: World, text: str) -> None:
    """They do not reach the table."""
    assert world.store.read(authenticate_key, text, world.now) is None


@given(st.text(max_size=70))
def test_no_text_is_too_odd(text: str) -> None:
    """What does not have the form of a secret is not looked for: there is no transaction here."""
    assert authenticate_key(None, text, 0) is None  # type: ignore[arg-type]

import pytest
from tests.cli.conftest import Maskline


@pytest.fixture
def owned(ready: Maskline) -> Maskline:
    """A database with an account called demo."""
    assert ready("account", "create", "demo").code == 0
    return ready


def test_a_key_is_the_operators_unless_an_account_is_named(owned: Maskline) -> None:
    """Without permissions named it may do everything; its secret is shown this once."""
    made = owned("key", "create", "console", "--json").json
    assert (made["account"], made["permissions"], made["expires_at"]) == (None, ["*"], None)
    owns = owned("key", "create", "crm", "--account", "demo", "--permission", "calls:read", "--days", "1")
    assert "secret  mk_" in owns.out
    listed = owned("key", "list", "--json").json
    assert [it["name"] for it in listed] == ["crm", "console"]
    assert made["secret"] not in str(listed)
    assert [it["name"] for it in owned("key", "list", "--account", "demo", "--json").json] == ["crm"]


def test_a_subaccounts_key(owned: Maskline) -> None:
    """Is one of its account, for what is the sub-account's."""
    part = owned("subaccount", "create", "demo", "north", "--json").json["auth_id"]
    made = owned("key", "create", "n", "--account", "demo", "--subaccount", part, "--json").json
    assert made["subaccount"] == part
    assert owned("key", "create", "n", "--account", "demo", "--subaccount", "SA" + "X" * 18).code == 1


def test_rotation_and_revocation(owned: Maskline) -> None:
    """The old secret's end is told; a key that is gone is not there."""
    made = owned("key", "create", "console", "--json").json
    rotated = owned("key", "rotate", made["key"], "--overlap-hours", "2", "--json").json
    assert rotated["secret"] != made["secret"]
    assert rotated["overlap_until"] is not None
    assert owned("key", "revoke", made["key"], "--json").json == {"key": made["key"], "is_revoked": True}
    assert owned("key", "revoke", made["key"]).code == 1
    assert owned("key", "rotate", made["key"]).code == 1


@pytest.mark.parametrize(
    ("tokens", "said"),
    [
        (("--permission", "calls:fly"), "expected one of"),
        (("--days", "0"), "--days: 1 to 3650"),
        (("--subaccount", "SAX"), "--subaccount needs --account"),
    ],
)
def test_unusable_values_exit_2(owned: Maskline, tokens: tuple[str, ...], said: str) -> None:
    """And nothing is made."""
    told = owned("key", "create", "x", *tokens)
    assert (told.code, said in told.err) == (2, True)
    assert owned("key", "list").out == "There are no keys.\n"


def test_an_overlap_is_bounded(owned: Maskline) -> None:
    """To a week."""
    assert owned("key", "rotate", "key_x", "--overlap-hours", "169").code == 2

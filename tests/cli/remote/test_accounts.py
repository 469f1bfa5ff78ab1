import pytest
from tests.cli.remote.conftest import Sides


def test_accounts_are_made_and_listed(sides: Sides) -> None:
    """What is made there is listed alike from both sides, oldest first."""
    made = sides.there("account", "create", "demo", "--country", "us", "--policy", "spread", "--json").json
    assert (made["country"], made["policy"], len(made["auth_token"])) == ("US", "spread", 40)
    assert sides.there("account", "create", "second").out.startswith("account     second\n")
    assert [it["name"] for it in sides.same("account", "list").json] == ["demo", "second"]


def test_given_credentials_are_taken(sides: Sides) -> None:
    """As on the database itself."""
    id_, token = "MA" + "X" * 18, "t" * 16
    made = sides.there("account", "create", "demo", "--auth-id", id_, "--auth-token", token, "--json").json
    assert (made["auth_id"], made["auth_token"]) == (id_, token)


def test_a_name_is_taken_once(owned: Sides) -> None:
    """With the same words from both sides."""
    assert owned.same("account", "create", "demo").code == 1


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--refusal-prompt", "built-in"),
        ("--refusal-prompt", "https://prompts.example.com/no.mp3", "--strict-pins"),
        ("--refusal-prompt", "none", "--no-strict-pins"),
    ],
)
def test_an_account_is_changed(owned: Sides, options: tuple[str, ...]) -> None:
    """Or shown, when nothing is to be changed."""
    assert owned.there("account", "set", "demo", "--refusal-prompt", "built-in").code == 0
    assert owned.same("account", "set", "demo", *options).code == 0


def test_an_account_that_is_not_there(sides: Sides) -> None:
    """Is said so alike."""
    assert sides.same("account", "set", "nobody").code == 1
    assert sides.same("subaccount", "list", "nobody").code == 1


def test_subaccounts(owned: Sides) -> None:
    """Made there, listed alike, and unique by name."""
    made = owned.there("subaccount", "create", "demo", "north", "--json").json
    assert made["auth_id"].startswith("SA")
    assert "auth_token" in owned.there("subaccount", "create", "demo", "south").out
    assert [it["name"] for it in owned.same("subaccount", "list", "demo").json] == ["north", "south"]
    assert owned.same("subaccount", "create", "demo", "north").code == 1


def test_tokens_are_rotated(owned: Sides) -> None:
    """Of an account and of a sub-account."""
    made = owned.there("account", "rotate-token", "demo", "--json").json
    again = owned.there("account", "rotate-token", "demo", "--json").json
    assert made["auth_token"] != again["auth_token"]
    part = owned.there("subaccount", "create", "demo", "north", "--json").json
    rotated = owned.there("subaccount", "rotate-token", "demo", part["auth_id"], "--json").json
    assert rotated["auth_token"] != part["auth_token"]
    assert owned.same("subaccount", "rotate-token", "demo", "SA" + "0" * 18).code == 1

from tests.cli.conftest import Maskline


def test_subaccounts_are_made_and_listed(ready: Maskline) -> None:
    """With credentials shown once, unique by name, of an account that is there."""
    assert ready("account", "create", "demo").code == 0
    made = ready("subaccount", "create", "demo", "north", "--json").json
    assert (made["name"], made["auth_id"][:2], len(made["auth_token"])) == ("north", "SA", 40)
    told = ready("subaccount", "create", "demo", "south").out
    assert told.startswith("subaccount  south\nauth_id     SA")
    listed = ready("subaccount", "list", "demo", "--json").json
    assert [it["name"] for it in listed] == ["north", "south"]
    assert "auth_token" not in str(listed)
    assert "already" in ready("subaccount", "create", "demo", "north").err
    assert ready("subaccount", "list", "nobody").code == 1


def test_a_token_is_rotated(ready: Maskline) -> None:
    """Of a sub-account of this account."""
    for name in ("demo", "other"):
        ready("account", "create", name)
    made = ready("subaccount", "create", "demo", "north", "--json").json
    rotated = ready("subaccount", "rotate-token", "demo", made["auth_id"], "--json").json
    assert rotated["auth_token"] != made["auth_token"]
    assert {**rotated, "auth_token": None} == {**made, "auth_token": None}
    assert ready("subaccount", "rotate-token", "demo", made["auth_id"]).out.startswith("subaccount  north\n")
    assert ready("subaccount", "rotate-token", "other", made["auth_id"]).code == 1

from tests.cli.remote.conftest import Sides


def test_keys_are_made_rotated_and_revoked(owned: Sides) -> None:
    """Each secret is shown once; the list says the same from both sides."""
    made = owned.there(
        "key",
        "create",
        "crm",
        "--account",
        "demo",
        "--permission",
        "sessions:write",
        "--days",
        "30",
        "--json",
    ).json
    assert made["secret"].startswith("mk_")
    assert made["permissions"] == ["sessions:write"]
    rotated = owned.there("key", "rotate", made["key"], "--overlap-hours", "1", "--json").json
    assert rotated["secret"] != made["secret"]
    assert owned.there("key", "rotate", made["key"]).out.startswith(f"key     {made['key']}\nsecret  mk_")
    listed = owned.same("key", "list", "--account", "demo").json
    assert [it["key"] for it in listed] == [made["key"]]
    assert "mk_" not in str(listed).replace(made["key"], "")
    assert owned.there("key", "revoke", made["key"]).out == f"key {made['key']} revoked\n"
    assert owned.same("key", "list", "--account", "demo").json == []


def test_a_key_that_is_not_there(sides: Sides) -> None:
    """Is said so alike."""
    assert sides.same("key", "revoke", "key_" + "a" * 16).code == 1
    assert sides.same("key", "rotate", "key_" + "a" * 16).code == 1


def test_an_accounts_key_knows_its_account_only(owned: Sides) -> None:
    """It needs no operator to be spoken of by name, and finds nobody else."""
    assert owned.there("account", "create", "other").code == 0
    made = owned.here("key", "create", "own", "--account", "demo", "--json").json
    owned.key_file.write_text(made["secret"])
    assert owned.there("webhook", "list", "demo").out == "There are no webhooks.\n"
    refused = owned.there("webhook", "list", "other")
    assert (refused.code, "there is no account" in refused.err) == (1, True)
    refused = owned.there("account", "list")
    assert (refused.code, "not-permitted" in refused.err) == (1, True)

from tests.cli.remote.conftest import Sides


def test_credentials_are_made_shown_rotated_and_withdrawn(owned: Sides) -> None:
    """As on the database itself."""
    made = owned.there("deepcall", "credentials", "demo", "--ssid-days", "7", "--json").json
    assert made["ssid"] is not None
    assert owned.same("deepcall", "credentials", "demo").json["token"] == made["token"]
    reader = owned.there("deepcall", "credentials", "demo", "--read-only", "--json").json
    assert sorted(it["read_only"] for it in reader["ssids"]) == [False, True]
    told = owned.there("deepcall", "credentials", "demo", "--rotate", "token", "--overlap-hours", "2").out
    assert "the old token works until" in told
    changed = owned.same("deepcall", "credentials", "demo").json
    assert changed["token"] != made["token"]
    rotated = owned.there(
        "deepcall", "credentials", "demo", "--rotate", "ssid", "--overlap-hours", "0", "--json"
    )
    assert rotated.json["ssid"] not in (None, made["ssid"])
    assert len(rotated.json["ssids"]) == 2
    assert owned.there("deepcall", "withdraw", "demo").out == "DeepCall credentials withdrawn\n"
    assert owned.same("deepcall", "withdraw", "demo").code == 1


def test_ssids_are_bounded(owned: Sides) -> None:
    """By the same words as on the database."""
    for _ in range(20):
        assert owned.here("deepcall", "credentials", "demo", "--read-only").code == 0
    assert "20 ssids already" in owned.same("deepcall", "credentials", "demo", "--read-only").err

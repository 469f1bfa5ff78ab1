import pytest
from tests.cli.remote.conftest import Sides

OPTIONS = (
    "--target",
    "192.0.2.1:5070;transport=tcp;priority=1;weight=3,192.0.2.2",
    "--accept",
    "192.0.2.0/24",
    "--media-network",
    "198.51.100.0/24",
    "--country",
    "US",
    "--codec",
    "PCMU,opus",
    "--number-format",
    "digits",
    "--caller-format",
    "national",
    "--dial-prefix",
    "9",
    "--user-phone",
    "--dialled-from",
    "to",
    "--no-trust-identity",
    "--send-asserted",
    "--from-host",
    "sip.example.com",
    "--username",
    "us",
    "--password",
    "very-secret",
    "--realm",
    "carrier",
    "--register",
    "--registrar",
    "192.0.2.9:5060",
    "--register-expires",
    "300",
    "--no-health-check",
    "--max-calls",
    "30",
)


def test_a_trunk_is_the_same_from_both_sides(sides: Sides) -> None:
    """With every setting there is; its password is told by neither."""
    made = sides.there("trunk", "add", "east", *OPTIONS, "--json")
    assert made.code == 0, made.err
    listed = sides.same("trunk", "list")
    assert [it["name"] for it in listed.json] == ["carrier", "east"]
    assert listed.json[1] == made.json
    assert "very-secret" not in listed.out + made.out


@pytest.mark.parametrize(
    "change",
    [
        ("--max-calls", "none", "--country", "IN"),
        ("--register-expires", "600"),
        ("--username", "none", "--no-register"),
        ("--caller-format", "none", "--from-host", "none", "--realm", "none"),
        ("--peer", "192.0.2.7:5060"),
    ],
)
def test_a_change_there_is_a_change_here(sides: Sides, change: tuple[str, ...]) -> None:
    """What is not named stays, the password too, which the client never learns."""
    for name, side in (("here", sides.here), ("there", sides.there)):
        assert side("trunk", "add", name, *OPTIONS).code == 0
        assert side("trunk", "set", name, *change).code == 0
    _, here, there = sides.here("trunk", "list", "--json").json
    varying = ("name", "created_at")
    assert {**there, **dict.fromkeys(varying)} == {**here, **dict.fromkeys(varying)}
    again = sides.here("trunk", "set", "there", "--realm", "x", "--json")
    assert again.code == 0, again.err  # user and password still belong together


def test_names_are_unique_and_known(sides: Sides) -> None:
    """Refused alike."""
    assert sides.there("trunk", "add", "east", "--peer", "192.0.2.1:5060").code == 0
    assert sides.same("trunk", "add", "east", "--peer", "192.0.2.1:5060").code == 1
    assert sides.same("trunk", "set", "nowhere", "--country", "US").code == 1
    assert sides.same("trunk", "add", "west").code == 2


def test_a_trunk_is_removed(sides: Sides) -> None:
    """Once, and not while it delivers numbers."""
    assert sides.there("trunk", "add", "west", "--target", "192.0.2.1").code == 0
    assert sides.there("account", "create", "of west").code == 0
    number = "+14155550147"
    assert sides.there("number", "add", number, "--account", "of west", "--trunk", "west").code == 0
    assert "remove them first" in sides.same("trunk", "remove", "west").err
    assert sides.there("number", "remove", number).code == 0
    assert sides.there("trunk", "remove", "west").out == "trunk west removed\n"
    assert sides.same("trunk", "remove", "west").code == 1

import io

import pytest
from tests.cli.conftest import Maskline


def test_add_and_list(ready: Maskline) -> None:
    """The peer's address is accepted when nothing else is said."""
    made = ready("trunk", "add", "carrier", "--peer", "127.0.0.1:5061", "--json").json
    assert (made["targets"], made["accept"]) == (["127.0.0.1:5061"], ["127.0.0.1/32"])
    assert made["codecs"] == ["PCMU", "PCMA", "G722", "opus", "G729"]
    assert ready("trunk", "list", "--json").json == [made]
    assert "carrier" in ready("trunk", "list").out


def test_ipv6_peer(ready: Maskline) -> None:
    """In brackets, accepted as a network of one."""
    made = ready("trunk", "add", "carrier", "--peer", "[::1]:5061", "--json").json
    assert (made["targets"], made["accept"]) == (["[::1]:5061"], ["::1/128"])


@pytest.mark.parametrize(
    "options",
    [
        ["--accept", "10.0.0.0/8", "192.0.2.1"],
        ["--accept", "10.0.0.0/8", "--accept", "192.0.2.1"],
        ["--accept=10.0.0.0/8,192.0.2.1"],
    ],
)
def test_several_networks(ready: Maskline, options: list[str]) -> None:
    """All three ways of giving more than one."""
    made = ready("trunk", "add", "carrier", "--peer", "127.0.0.1:5061", "--json", *options).json
    assert made["accept"] == ["10.0.0.0/8", "192.0.2.1/32"]


ALL = (
    *("--target", "127.0.0.1:5061;transport=tcp;priority=1", "localhost;weight=0"),
    *("--transport", "tls", "--country", "us", "--codec", "OPUS,pcmu", "--media-network", "198.51.100.0/24"),
    *("--accept", "127.0.0.0/8", "--username", "me", "--password", "-", "--realm", "theirs"),
    *("--register", "--registrar", "[::1]:5070", "--register-expires", "120", "--from-host", "Us.example"),
    *("--number-format", "digits", "--caller-format", "national", "--dial-prefix", "77#", "--user-phone"),
    *("--dialled-from", "to", "--no-trust-identity", "--send-asserted", "--no-health-check"),
    *("--max-calls", "30"),
)


def test_all_options(ready: Maskline, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each arrives; the password is never shown."""
    monkeypatch.setattr("sys.stdin", io.StringIO("hush-hush\n"))
    result = ready("trunk", "add", "carrier", *ALL, "--json")
    made = result.json
    assert "hush-hush" not in result.out
    assert {name: value for name, value in made.items() if name != "created_at"} == {
        "name": "carrier",
        "targets": ["127.0.0.1:5061;transport=tcp;priority=1", "localhost;transport=tls;weight=0"],
        "accept": ["127.0.0.0/8"],
        "media_networks": ["198.51.100.0/24"],
        "country": "US",
        "codecs": ["opus", "PCMU"],
        "number_format": "digits",
        "caller_format": "national",
        "dial_prefix": "77#",
        "sends_user_phone": True,
        "is_trusted_for_identity": False,
        "dialled_from": "to",
        "sends_asserted": True,
        "from_host": "us.example",
        "username": "me",
        "realm": "theirs",
        "registers": True,
        "registrar": "[::1]:5070;transport=tls",
        "register_expires_s": 120,
        "has_health_check": False,
        "max_calls": 30,
    }
    assert "hush-hush" not in ready("trunk", "list", "--json").out


def test_set_changes_what_is_named(ready: Maskline, monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing else: the password stays though it is not repeated."""
    monkeypatch.setattr("sys.stdin", io.StringIO("hush-hush\n"))
    made = ready("trunk", "add", "carrier", *ALL, "--json").json
    changed = ready("trunk", "set", "carrier", "--max-calls", "7", "--realm", "none", "--json").json
    assert changed == {**made, "max_calls": 7, "realm": None}
    changed = ready("trunk", "set", "carrier", "--peer", "192.0.2.1:5060", "--json").json
    assert changed["targets"] == ["192.0.2.1:5060"]
    assert changed["accept"] == made["accept"]
    assert ready("trunk", "list", "--json").json == [changed]
    assert "accepting 127.0.0.0/8" in ready("trunk", "set", "carrier").out


def test_set_takes_things_away(ready: Maskline, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the word none, or by no."""
    monkeypatch.setattr("sys.stdin", io.StringIO("hush-hush\n"))
    ready("trunk", "add", "carrier", *ALL)
    options = ("--caller-format", "--dial-prefix", "--from-host", "--realm", "--registrar", "--max-calls")
    given = [word for option in (*options, "--media-network") for word in (option, "none")]
    changed = ready("trunk", "set", "carrier", *given, "--no-user-phone", "--json").json
    assert [changed[name] for name in ("caller_format", "from_host", "realm", "registrar", "max_calls")] == [
        None
    ] * 5
    assert (changed["dial_prefix"], changed["media_networks"], changed["sends_user_phone"]) == ("", [], False)
    assert changed["registers"]
    changed = ready("trunk", "set", "carrier", "--no-register", "--username", "none", "--json").json
    assert (changed["registers"], changed["register_expires_s"], changed["username"]) == (False, None, None)


def test_set_needs_a_trunk(ready: Maskline) -> None:
    """An unknown name exits 1."""
    result = ready("trunk", "set", "nobody", "--max-calls", "3")
    assert (result.code, result.err) == (1, "maskline: there is no trunk 'nobody'\n")


@pytest.mark.parametrize(
    "options",
    [
        ["--register"],
        ["--username", "me"],
        ["--registrar", "reg.example"],
        ["--register-expires", "300"],
        ["--target", "192.0.2.1", "--peer", "192.0.2.1:5060"],
        ["--target", "192.0.2.1", "192.0.2.1;priority=3"],
        ["--target", *(f"192.0.2.{index}" for index in range(17))],
    ],
)
def test_what_does_not_fit_together_exits_2(ready: Maskline, options: list[str]) -> None:
    """And changes nothing."""
    made = ready("trunk", "add", "carrier", "--peer", "127.0.0.1:5061", "--json").json
    assert ready("trunk", "set", "carrier", *options).code == 2
    assert ready("trunk", "list", "--json").json == [made]


@pytest.mark.parametrize(
    "options",
    [
        ["--peer", "127.0.0.1"],
        ["--peer", "127.0.0.1:0"],
        ["--peer", "0.0.0.0:5060"],
        ["--peer", "127.0.0.1:5060", "--accept", "10.0.0.1/8"],
        ["--peer", "127.0.0.1:5060", "--accept", "anywhere"],
        ["--peer", "127.0.0.1:5060", "--media-network", "x"],
        ["--peer", "127.0.0.1:5060", "--codec", "AMR"],
        ["--peer", "127.0.0.1:5060", "--username", "me"],
        ["--peer", "127.0.0.1:5060", "--max-calls", "0"],
        ["--peer", "127.0.0.1:5060", "--max-calls", "many"],
        ["--peer", "127.0.0.1:5060", "--country", "1"],
        ["--peer", "127.0.0.1:5060", "--dial-prefix", "+1"],
        ["--peer", "127.0.0.1:5060", "--number-format", "dots"],
        ["--peer", "127.0.0.1:5060", "--from-host", "a b"],
        ["--peer", "127.0.0.1:5060", "--realm", ""],
        ["--peer", "127.0.0.1:5060", "--username", "me", "--password", "x", "--register-expires", "300"],
        [
            "--peer",
            "127.0.0.1:5060",
            "--username",
            "me",
            "--password",
            "x",
            "--register",
            "--register-expires",
            "5",
        ],
        ["--peer", "127.0.0.1:5060", "--accept", *(f"10.0.0.{i}" for i in range(65))],
        [],
    ],
)
def test_unusable_values_exit_2(ready: Maskline, options: list[str]) -> None:
    """And nothing is made."""
    assert ready("trunk", "add", "carrier", *options).code == 2
    assert ready("trunk", "list").out == "There are no trunks.\n"


@pytest.mark.parametrize("name", ["north/south", "-", " north", "n" * 65, "nörd"])
def test_names_stand_in_paths(ready: Maskline, name: str) -> None:
    """A name by which the native interface could not be asked for the trunk is refused."""
    result = ready("trunk", "add", "--peer", "127.0.0.1:5060", "--", name)
    assert (result.code, result.out) == (2, "")
    assert "a name has 1 to 64 letters" in result.err


def test_names_are_unique(ready: Maskline) -> None:
    """The second of a name exits 1."""
    assert ready("trunk", "add", "carrier", "--peer", "127.0.0.1:5061").code == 0
    result = ready("trunk", "add", "carrier", "--peer", "127.0.0.1:5062")
    assert (result.code, result.err) == (1, "maskline: a trunk named 'carrier' exists already\n")


def test_a_trunk_is_removed_when_its_numbers_are(ready: Maskline) -> None:
    """Not before, and once."""
    ready("account", "create", "demo")
    ready("trunk", "add", "gone", "--peer", "127.0.0.1:5060")
    ready("number", "add", "+912269947011", "--account", "demo", "--trunk", "gone")
    assert "remove them first" in ready("trunk", "remove", "gone").err
    ready("number", "remove", "+912269947011")
    assert ready("trunk", "remove", "gone").out == "trunk gone removed\n"
    assert "there is no trunk 'gone'" in ready("trunk", "remove", "gone").err
    assert ready("trunk", "add", "gone", "--peer", "127.0.0.1:5060").code == 0

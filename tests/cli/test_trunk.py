import io

import pytest
from tests.cli.conftest import Maskline


def test_add_and_list(ready: Maskline) -> None:
    """The peer's address is accepted when nothing else is said."""
    made = ready("trunk", "add", "carrier", "--peer", "127.0.0.1:5061", "--json").json
    assert (made["peer"], made["accept"], made["transport"]) == ("127.0.0.1:5061", ["127.0.0.1/32"], "udp")
    assert made["codecs"] == ["PCMU", "PCMA", "G722", "opus", "G729"]
    assert ready("trunk", "list", "--json").json == [made]
    assert "carrier" in ready("trunk", "list").out


def test_ipv6_peer(ready: Maskline) -> None:
    """In brackets, accepted as a network of one."""
    made = ready("trunk", "add", "carrier", "--peer", "[::1]:5061", "--json").json
    assert (made["peer"], made["accept"]) == ("[::1]:5061", ["::1/128"])


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


def test_all_options(ready: Maskline, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each arrives; the password is never shown."""
    monkeypatch.setattr("sys.stdin", io.StringIO("hush-hush\n"))
    result = ready(
        "trunk", "add", "carrier", "--peer", "127.0.0.1:5061", "--json", "--transport", "tcp", "--country", "us",
        "--codec", "OPUS,pcmu", "--media-network", "198.51.100.0/24", "--username", "me", "--password", "-",
        "--dialled-from", "to", "--no-trust-identity", "--send-asserted", "--max-calls", "30",
    )  # fmt: skip
    made = result.json
    assert "hush-hush" not in result.out
    assert (made["transport"], made["country"], made["codecs"]) == ("tcp", "US", ["opus", "PCMU"])
    assert (made["media_networks"], made["username"]) == (["198.51.100.0/24"], "me")
    assert (made["dialled_from"], made["is_trusted_for_identity"]) == ("to", False)
    assert (made["sends_asserted"], made["max_calls"]) == (True, 30)
    assert "hush-hush" not in ready("trunk", "list", "--json").out


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
        ["--peer", "127.0.0.1:5060", "--country", "1"],
        ["--peer", "127.0.0.1:5060", "--accept", *(f"10.0.0.{i}" for i in range(65))],
        [],
    ],
)
def test_unusable_values_exit_2(ready: Maskline, options: list[str]) -> None:
    """And nothing is made."""
    assert ready("trunk", "add", "carrier", *options).code == 2
    assert ready("trunk", "list").out == "There are no trunks.\n"


def test_names_are_unique(ready: Maskline) -> None:
    """The second of a name exits 1."""
    assert ready("trunk", "add", "carrier", "--peer", "127.0.0.1:5061").code == 0
    result = ready("trunk", "add", "carrier", "--peer", "127.0.0.1:5062")
    assert (result.code, result.err) == (1, "maskline: a trunk named 'carrier' exists already\n")

"""`maskline deepcall`: credentials are made, shown, changed and withdrawn."""

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.cli.conftest import Maskline


@pytest.fixture
def owned(ready: Maskline) -> Maskline:
    """A database with an account called demo."""
    assert ready("account", "create", "demo").code == 0
    return ready


def credentials(maskline: Maskline, *options: str) -> Any:
    result = maskline("deepcall", "credentials", "demo", "--json", *options)
    assert result.code == 0, result.err
    return result.json


def test_first_time_makes_all(owned: Maskline) -> None:
    """In words that can be copied; an ssid is shown once."""
    told = owned("deepcall", "credentials", "demo").out
    found = re.fullmatch(
        r"userId  ([0-9]{8})\ntoken   ([A-Z2-7]{48})\nssid    ([A-Z2-7]{48})\n"
        r"        \(an ssid works until [0-9T:+-]+\)\n",
        told,
    )
    assert found
    again = owned("deepcall", "credentials", "demo").out
    assert again == told.replace(f"ssid    {found[3]}\n", "")


def test_json_has_everything(owned: Maskline) -> None:
    """With when each of it lapses."""
    made = credentials(owned, "--ssid-days", "7")
    assert list(made) == ["user_id", "token", "old_token_until", "ssid", "ssid_expires_at", "ssids"]
    [ssid] = made["ssids"]
    assert ssid["expires_at"] == made["ssid_expires_at"]
    lasts = datetime.fromisoformat(ssid["expires_at"]) - datetime.fromisoformat(ssid["created_at"])
    assert lasts == timedelta(days=7)
    assert credentials(owned) == {**made, "ssid": None, "ssid_expires_at": None}


def test_rotating_a_token_lets_the_old_one_work_a_while(owned: Maskline) -> None:
    """Or not at all."""
    first = credentials(owned)
    second = credentials(owned, "--rotate", "token")
    assert second["user_id"] == first["user_id"]
    assert second["token"] != first["token"]
    assert second["old_token_until"] is not None
    assert "the old token works until" in owned("deepcall", "credentials", "demo").out
    third = credentials(owned, "--rotate", "token", "--overlap-hours", "0")
    assert third["old_token_until"] is None
    assert third["ssids"] == first["ssids"]


def test_rotating_an_ssid_shortens_the_others_of_its_kind(owned: Maskline) -> None:
    """By a day, unless told otherwise."""
    first = credentials(owned)
    second = credentials(owned, "--rotate", "ssid")
    assert second["ssid"] not in (None, first["ssid"])
    assert second["token"] == first["token"]
    assert len(second["ssids"]) == 2
    third = credentials(owned, "--rotate", "ssid", "--overlap-hours", "0")
    assert [it["expires_at"] for it in third["ssids"]] == [third["ssid_expires_at"]]


def test_rotating_a_read_only_ssid_leaves_the_others(owned: Maskline) -> None:
    """And the other way round: what may change something and what only lists are rotated apart."""
    full = credentials(owned)["ssids"]
    credentials(owned, "--read-only")
    read = credentials(owned, "--read-only", "--rotate", "ssid", "--overlap-hours", "0")
    [left] = [it for it in read["ssids"] if it["read_only"]]
    assert left["expires_at"] == read["ssid_expires_at"]
    assert [it for it in read["ssids"] if not it["read_only"]] == full
    changed = credentials(owned, "--rotate", "ssid", "--overlap-hours", "0")["ssids"]
    assert [it for it in changed if it["read_only"]] == [left]
    assert len(changed) == 2


def test_a_read_only_ssid_comes_beside_the_others(owned: Maskline) -> None:
    """And says so."""
    credentials(owned)
    told = owned("deepcall", "credentials", "demo", "--read-only").out
    assert re.search(r"ssid    [A-Z2-7]{48}\n", told)
    assert "(a read-only ssid works until " in told
    assert sorted(it["read_only"] for it in credentials(owned)["ssids"]) == [False, True]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--ssid-days", "0"), "--ssid-days: expected 1 to 3650"),
        (("--ssid-days", "3651"), "--ssid-days: expected 1 to 3650"),
        (("--overlap-hours", "-1"), "--overlap-hours: expected 0 to 720"),
        (("--rotate", "token", "--read-only"), "--read-only is about an ssid"),
    ],
)
def test_options_out_of_range(owned: Maskline, options: tuple[str, ...], said: str) -> None:
    """Wrong usage, in one sentence."""
    result = owned("deepcall", "credentials", "demo", *options)
    assert (result.code, said in result.err) == (2, True)


def test_too_many_ssids(owned: Maskline) -> None:
    """Twenty, until one is rotated or all are withdrawn."""
    for _ in range(20):
        credentials(owned, "--read-only")
    result = owned("deepcall", "credentials", "demo", "--read-only")
    assert (result.code, "20 ssids already" in result.err) == (1, True)
    assert credentials(owned, "--read-only", "--rotate", "ssid", "--overlap-hours", "0")["ssid"]


def test_withdrawing(owned: Maskline) -> None:
    """Everything, once."""
    first = credentials(owned)
    assert owned("deepcall", "withdraw", "demo").out == "DeepCall credentials withdrawn\n"
    result = owned("deepcall", "withdraw", "demo")
    assert (result.code, "no DeepCall credentials" in result.err) == (1, True)
    assert credentials(owned)["token"] != first["token"]


def test_unknown_accounts(owned: Maskline) -> None:
    """Are named."""
    for command in ("credentials", "withdraw"):
        result = owned("deepcall", command, "nobody")
        assert (result.code, "there is no account 'nobody'" in result.err) == (1, True)
